"""The same sources make the same payload, byte for byte, wherever, whenever and by whom they are frozen.

It stands among what takes minutes: agent and appliance are frozen once more, beside those that are there.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("agent", "appliance", "zstui", "packaging", "docs")
FILES = ("pyproject.toml", "README.md", "ARCHITECTURE.md", "CHANGELOG.md", "SECURITY.md", "LICENSE")

FREEZE = """
import hashlib, os, pathlib, subprocess, sys
os.umask(int(sys.argv[1], 8))
subprocess.run([sys.executable, "packaging/agent.py", "--vmlinuz", "build/tiny/vmlinuz"], stdout=2, check=True)
sys.path.insert(0, "packaging")
from installer import frozen_folder, pack_plain
folder = frozen_folder(pathlib.Path("build/appliance").absolute())
for path in sorted(folder.rglob("*")):
    if path.is_file():
        print(hashlib.sha256(path.read_bytes()).hexdigest(), path.relative_to(folder))
print(hashlib.sha256(pack_plain(folder)).hexdigest(), "payload")
"""

pytestmark = pytest.mark.timeout(900)


async def test_the_same_sources_make_the_same_bytes(tmp_path: Path) -> None:
    copy = tmp_path / "another folder" / "deeper"
    for room in ROOMS:
        shutil.copytree(ROOT / room, copy / room, ignore=shutil.ignore_patterns("__pycache__"))
    for name in FILES:
        shutil.copy(ROOT / name, copy / name)
    shutil.copytree(ROOT / "build/tiny", copy / "build/tiny")
    here = await asyncio.to_thread(frozen, ROOT, "022", TZ="UTC", LANG="C.UTF-8", PYTHONHASHSEED="1")
    there = await asyncio.to_thread(frozen, copy, "077", TZ="Asia/Shanghai", LANG="C", PYTHONHASHSEED="2")
    assert "payload" in here
    assert {name for name in {*here, *there} if here.get(name) != there.get(name)} == set()


def frozen(tree: Path, umask: str, **settings: str) -> dict[str, str]:
    """The digest of each file that a tree's payload has, and of the payload."""
    done = subprocess.run(
        [sys.executable, "-c", FREEZE, umask],
        cwd=tree, env={**os.environ, "PYTHONPATH": str(tree), **settings},
        capture_output=True, text=True, check=False, timeout=800,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return {name: digest for digest, name in (line.split(" ", 1) for line in done.stdout.splitlines())}
