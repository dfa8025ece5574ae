"""Many simulated runs: `python -m tests.simulation.torture [--seed N] [--runs N] [--minutes M] [--calls N]`."""

from __future__ import annotations

import argparse
import sys
import time

from tests.simulation.run import simulate
from tests.simulation.world import Options


def main() -> int:
    """Run seeds until there are enough of them, the time is up, or one finds something."""
    arguments = _arguments()
    options = Options(calls=arguments.calls)
    begun = time.monotonic()
    calls = kills = faults = done = 0
    for seed in range(arguments.seed, arguments.seed + arguments.runs):
        outcome = simulate(seed, options)
        done += 1
        calls += outcome.counts.calls
        kills += outcome.counts.kills
        faults += outcome.counts.faults
        if outcome.violations:
            print("\n".join(outcome.tail))
            print(
                f"{outcome}\nagain: python -m tests.simulation.torture --seed {seed} --runs 1 --calls {options.calls}"
            )
            return 1
        if time.monotonic() - begun > arguments.minutes * 60:
            break
    seconds = time.monotonic() - begun
    print(
        f"{done} runs, {calls} calls, {kills} kills, {faults} other faults in {seconds:.0f} s: nothing wrong"
    )
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seed", type=int, default=1000, help="first seed (default %(default)s)")
    parser.add_argument("--runs", type=int, default=100_000, help="at most so many seeds")
    parser.add_argument("--minutes", type=float, default=5.0, help="at most so long (default %(default)s)")
    parser.add_argument("--calls", type=int, default=100, help="calls in a run (default %(default)s)")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
