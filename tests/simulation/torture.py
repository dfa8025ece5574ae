"""Runs seed after seed until one fails or time is over: `python -m tests.simulation.torture --minutes 60`."""

from __future__ import annotations

import argparse
import logging
import sys
import time
from dataclasses import fields
from itertools import count

from tests.simulation.run import Outcome, simulate
from tests.simulation.world import Options

RUNS = 200
SHOWN_LINES = 60


def main(arguments: list[str] | None = None) -> int:
    """Run; 1 when a seed failed, 0 when none did."""
    asked = _parser().parse_args(arguments)
    logging.getLogger().addHandler(logging.NullHandler())
    options = Options(**{field.name: getattr(asked, field.name) for field in fields(Options)})
    end = time.monotonic() + 60 * asked.minutes if asked.minutes is not None else None
    runs = asked.runs if asked.runs is not None else RUNS if end is None else None
    began = time.monotonic()
    ran = calls = kills = faults = 0
    for seed in count(asked.seed) if runs is None else range(asked.seed, asked.seed + runs):
        if end is not None and time.monotonic() > end:
            break
        outcome = simulate(seed, options)
        ran, calls = ran + 1, calls + outcome.counts.calls
        kills, faults = kills + outcome.counts.kills, faults + outcome.counts.faults
        if asked.verbose:
            print(f"seed {seed}: {outcome.digest} {outcome.counts}")
        if outcome.violations:
            _show(outcome)
            return 1
    seconds = time.monotonic() - began
    print(f"{ran} runs from seed {asked.seed}, {calls} calls, {kills} deaths of the appliance, {faults} other "
          f"faults in {seconds:.0f} s: every invariant held")  # fmt: skip
    return 0


def command(outcome: Outcome) -> str:
    """What runs the same again."""
    usual = Options()
    changed = [
        f"--{field.name.replace('_', '-')} {int(value) if isinstance(value, bool) else value}"
        for field in fields(Options)
        if (value := getattr(outcome.options, field.name)) != getattr(usual, field.name)
    ]
    words = ["python -m tests.simulation.torture", f"--seed {outcome.seed} --runs 1", *changed]
    return " ".join(words)


def _show(outcome: Outcome) -> None:
    print("\n".join(outcome.tail[-SHOWN_LINES:]))
    print(f"seed {outcome.seed} with {outcome.options} broke:")
    for violation in outcome.violations:
        print(f"  {violation}")
    print(f"again: {command(outcome)}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.torture", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="the first seed")
    parser.add_argument("--runs", type=int, help=f"so many seeds; {RUNS} unless minutes are given")
    parser.add_argument("--minutes", type=float, help="begin no new run after so many minutes")
    parser.add_argument("--verbose", action="store_true", help="a line for each run")
    for field in fields(Options):
        usual = getattr(Options(), field.name)
        kind = (lambda text: bool(int(text))) if isinstance(usual, bool) else type(usual)
        parser.add_argument(f"--{field.name.replace('_', '-')}", type=kind, default=usual, metavar="VALUE")
    return parser


if __name__ == "__main__":
    sys.exit(main())
