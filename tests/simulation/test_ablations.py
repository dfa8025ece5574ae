"""Each rule against lost and late messages is needed: without it, a run breaks that holds with it."""

from __future__ import annotations

import pytest

from tests.simulation.ablations import ABLATIONS, Ablation
from tests.simulation.run import simulate


@pytest.mark.long
@pytest.mark.parametrize("ablation", ABLATIONS, ids=lambda each: each.rule)
def test_without_the_rule_a_run_breaks_that_holds_with_it(ablation: Ablation) -> None:
    caught = next(ablation.caught(), None)
    assert caught is not None, f"{ablation.seeds} seeds held without {ablation.rule}"
    for seed in range(1, caught.seed + 1):
        assert not simulate(seed, ablation.weather).violations, f"seed {seed} of {ablation.weather}"
