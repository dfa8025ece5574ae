"""Installers of this tree: as it is, in disguise as one version and the next, and with a program that only pretends."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from .place import Place
from .versions import BROKEN, NEW, OLD, REPOSITORY, disguise, frozen_folder

INSTALLER = [sys.executable, str(REPOSITORY / "packaging" / "installer.py")]


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """A folder that stands for a machine, on which nothing runs any more at the end."""
    made = Place(tmp_path)
    yield made
    made.close()


@pytest.fixture(scope="session")
def whole() -> Path:
    """The installer of this tree."""
    done = subprocess.run(INSTALLER, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stderr
    return Path(done.stdout.strip())


@pytest.fixture(scope="session")
def versions(whole: Path) -> dict[str, Path]:
    """Installers of this tree with other versions: NEW has a step of the schema that OLD does not know."""
    place = REPOSITORY / "build" / "versions" / frozen_folder().name
    for older in place.parent.glob("zstui-*"):
        if older != place:
            shutil.rmtree(older)
    made = {}
    for version in (OLD, NEW, BROKEN):
        if not (place / version).is_dir():
            disguise(frozen_folder(), place / "part", version)
            (place / "part").rename(place / version)
        command = [*INSTALLER, "--folder", str(place / version), "--preset", "0", "--output", str(place)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
        assert done.returncode == 0, done.stderr
        made[version] = Path(done.stdout.strip())
    return made
