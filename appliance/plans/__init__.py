"""How intent becomes steps: pure functions of what is intended and what is seen."""
