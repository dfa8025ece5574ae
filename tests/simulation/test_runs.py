"""Random runs find nothing wrong; with any one rule of the epoch left out they do."""

from __future__ import annotations

import pytest

from tests.simulation.run import Outcome, simulate
from tests.simulation.world import Options

SEEDS = 16
CALLS = 40
PATIENCE = 80
"""Seeds until which a rule that is left out must have been missed. It takes 1 to 10 of them."""

# In this order: no epoch check on the host, no epoch bump before undo, no hello with an epoch of its own at the
# start of a new life, no operation id.
RULES = ("check_epoch", "raise_epoch_before_undo", "raise_epoch_at_start", "remember_operations")


@pytest.mark.parametrize("seed", range(1, SEEDS + 1))
def test_nothing_is_wrong_when_everything_went_wrong(seed: int) -> None:
    outcome = simulate(seed, Options(calls=CALLS))
    assert not outcome.violations, _story(outcome)
    assert outcome.counts.faults > CALLS / 4
    assert outcome.counts.answers.get("ok", 0) > CALLS / 4


def test_the_seed_decides_everything() -> None:
    first, second, other = (simulate(seed, Options(calls=CALLS)) for seed in (7, 7, 8))
    assert first.digest == second.digest
    assert first.counts == second.counts
    assert first.digest != other.digest


@pytest.mark.timeout(240)
@pytest.mark.parametrize("rule", RULES)
def test_each_rule_is_missed_when_it_is_left_out(rule: str) -> None:
    options = Options(calls=60, **{rule: False})
    for seed in range(1, PATIENCE + 1):
        if simulate(seed, options).violations:
            assert not simulate(seed, Options(calls=60)).violations
            return
    pytest.fail(f"nobody missed {rule} in {PATIENCE} runs")


def _story(outcome: Outcome) -> str:
    command = f"python -m tests.simulation.torture --seed {outcome.seed} --calls {outcome.options.calls}"
    return "\n".join([str(outcome), *outcome.tail[-40:], f"again: {command}"])
