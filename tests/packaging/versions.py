"""Versions that the installer goes between, made of this tree's, and questions to an appliance that it installed."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path

from .machine import Commanded

REPOSITORY = Path(__file__).resolve().parents[2]
OLD, NEW, BROKEN = "0.0.8", "0.0.9", "0.0.10"
CAPACITY = ("memoryCapacity=1073741824", "cpuCapacity=4000")


def disguise(frozen: Path, folder: Path, version: str) -> None:
    """Copy a frozen folder as that of another version."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(frozen, folder, symlinks=True)
    inside = folder / "_internal"
    (inside / "VERSION").write_text(version + "\n")
    shutil.rmtree(inside / "tiny")
    if version != OLD:
        migrations = inside / "appliance" / "store" / "migrations"
        number = len(list(migrations.glob("[0-9]*.sql"))) + 1
        (migrations / f"{number:04d}.sql").write_text("CREATE TABLE later (x);\n")
    # It migrates, and then cannot serve: nothing of Python is read from here before that.
    if version == BROKEN:
        (inside / "cryptography" / "hazmat" / "bindings" / "_rust.abi3.so").write_bytes(b"")


def frozen_folder() -> Path:
    """The frozen appliance that `packaging/installer.py` has made of this tree."""
    (folder,) = (path for path in (REPOSITORY / "build" / "appliance").glob("zstui-*") if path.is_dir())
    return folder


def call(machine: Commanded, *words: str) -> dict[str, object]:
    """The reply to a call that the appliance of a machine answers."""
    reply = json.loads(machine.say("zstui", "call", *words))
    assert isinstance(reply, dict)
    return reply


def named(machine: Commanded, kind: str) -> list[object]:
    """The names of all resources of a kind, in order."""
    found = call(machine, f"Query{kind}", "fields=name")["inventories"]
    assert isinstance(found, list)
    return sorted(each["name"] for each in found)


def until(true: Callable[[], bool], what: str, seconds: float = 90.0) -> None:
    """Wait until it is so."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, what
        time.sleep(0.1)
