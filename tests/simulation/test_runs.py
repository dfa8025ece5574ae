"""Short simulated runs: a seed decides everything, and whatever goes wrong, every invariant holds."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from tests.simulation import torture
from tests.simulation.run import simulate
from tests.simulation.world import Options

ROOT = Path(__file__).resolve().parents[2]
SHORT = Options(calls=30)
SEEDS = range(1, 41)
SOME = 10
"""So many seeds of each kind are quick enough to be run again and again; `make test` runs all."""

DISKS = Options(calls=40, disks=80)
MOVES = Options(calls=40, disks=40, moves=60)


def seeds(every: Iterable[int]) -> list[Any]:
    """Seeds as parameters, those beyond some marked as long."""
    return [
        pytest.param(seed, marks=[pytest.mark.long] * (place >= SOME)) for place, seed in enumerate(every)
    ]


@pytest.mark.parametrize("seed", seeds(SEEDS))
def test_every_invariant_holds(seed: int) -> None:
    outcome = simulate(seed, SHORT)
    assert not outcome.violations, torture.command(outcome)
    assert outcome.counts.answers.get("success", 0) > 0


@pytest.mark.parametrize("seed", seeds([270, *range(1, 16)]))
def test_every_invariant_of_data_volumes_holds(seed: int) -> None:
    outcome = simulate(seed, DISKS)
    assert not outcome.violations, torture.command(outcome)


@pytest.mark.parametrize("seed", seeds(range(1, 21)))
def test_every_invariant_of_moves_holds(seed: int) -> None:
    outcome = simulate(seed, MOVES)
    assert not outcome.violations, torture.command(outcome)


def test_the_same_seed_runs_the_same_and_another_does_not() -> None:
    first, second, other = simulate(7, SHORT), simulate(7, SHORT), simulate(8, SHORT)
    assert first == second
    assert first.digest != other.digest


def test_other_processes_run_the_same() -> None:
    """Also where strings hash otherwise, so that sets come in another order."""
    command = [sys.executable, "-m", "tests.simulation.torture", "--seed", "9", "--runs", "1", "--verbose"]
    environments = [{**os.environ, "PYTHONHASHSEED": seed} for seed in ("1", "2")]
    said = [
        subprocess.run(
            [*command, "--calls", "20"], env=each, cwd=ROOT, capture_output=True, check=True, timeout=60
        )
        for each in environments
    ]
    first, second = (each.stdout.splitlines()[0] for each in said)
    assert first.startswith(b"seed 9: ")
    assert first == second


def test_the_runs_meet_what_they_are_for() -> None:
    counts = simulate(3, Options(calls=100)).counts
    assert counts.kills > 0
    assert counts.faults > 0
    assert counts.answers["success"] > 20


def test_a_failure_is_told_with_the_command_that_repeats_it(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--seed", "1", "--runs", "20", "--calls", "40", "--remember-operations", "0"]
    assert torture.main(arguments) == 1
    told = capsys.readouterr().out
    (again,) = [
        line for line in told.splitlines() if line.startswith("again: python -m tests.simulation.torture")
    ]
    assert torture.main(shlex.split(again)[4:]) == 1
    assert capsys.readouterr().out == told


def test_runs_that_hold_say_how_many_there_were(capsys: pytest.CaptureFixture[str]) -> None:
    assert torture.main(["--seed", "5", "--runs", "1", "--calls", "10"]) == 0
    assert "1 runs from seed 5, 10 calls" in capsys.readouterr().out
