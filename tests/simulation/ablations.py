"""What each rule against lost and late messages is good for: runs without it, which must be caught."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from tests.simulation.run import Outcome, simulate
from tests.simulation.world import Options


@dataclass(frozen=True)
class Ablation:
    """One rule that is left out. Each is taken away in one place, which the option's name leads to."""

    rule: str
    """The field of `Options` that is turned off."""
    weather: Options
    """Runs in which the rule is needed often."""
    seeds: int = 40
    """How many seeds may pass until a run without the rule is caught."""

    @property
    def without(self) -> Options:
        """The same runs, without the rule."""
        return replace(self.weather, **{self.rule: False})

    def caught(self) -> Iterator[Outcome]:
        """The runs without the rule that break an invariant, as they are found."""
        for seed in range(1, 1 + self.seeds):
            outcome = simulate(seed, self.without)
            if outcome.violations:
                yield outcome


# Callers who change their minds at once: what is undone before its first request has arrived is where a late
# one does harm. About one run in four breaks, so that few are needed whatever changes in the order of things.
SHORT = Options(calls=40)
BROKEN_LINKS = Options(calls=40, snaps=1.0, regrets=2000)
BOTH = Options(calls=40, snaps=1.0, fatal=0.1, regrets=2000)
SUDDEN_DEATHS = Options(calls=40, snaps=0.6, fatal=0.3, regrets=2000)

ABLATIONS = (
    Ablation("remember_operations", SHORT),
    Ablation("check_epoch", BROKEN_LINKS),
    Ablation("raise_epoch_before_undo", BOTH),
    Ablation("raise_epoch_at_start", SUDDEN_DEATHS),
)
