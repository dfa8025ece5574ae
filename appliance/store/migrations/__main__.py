"""Rewrite the first step from the declarations: `python -m appliance.store.migrations`.

Only while no version is released; after that, a change of a declaration is a step of its own.
"""

from __future__ import annotations

from appliance.store.migrations import FOLDER, STEPS
from appliance.store.table import schema

HEAD = """-- Step 1: every table, as the declarations in appliance/api have them.
-- Written by `python -m appliance.store.migrations`; frozen with the first release.
"""


def first_step() -> str:
    """The text of step 1."""
    return HEAD + "".join(f"\n{statement};\n" for statement in schema())


if __name__ == "__main__":
    (FOLDER / STEPS[0]).write_text(first_step())
