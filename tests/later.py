"""This tree as the version after it: with a version, a protocol and a step of the schema of its own."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from agent.protocol import PROTOCOL
from appliance.store.migrations import latest

ROOT = Path(__file__).resolve().parents[1]
VERSION = "9.9.9"


def later(tree: Path) -> Path:
    """Make it in a folder, in which whatever was built of it stays."""
    for room in ("agent", "appliance", "zstui", "packaging"):
        shutil.rmtree(tree / room, ignore_errors=True)
        shutil.copytree(ROOT / room, tree / room, ignore=shutil.ignore_patterns("__pycache__"))
    speak(tree, PROTOCOL + 1)
    change(tree / "agent/version.py", r'^AGENT_VERSION = ".*"$', f'AGENT_VERSION = "{VERSION}"')
    change(
        tree / "appliance/config.py", r'^        return version\("zstui"\)$', f'        return "{VERSION}"'
    )
    step = tree / f"appliance/store/migrations/{latest() + 1:04d}.sql"
    step.write_text("CREATE TABLE later (x);\n")
    return tree


def speak(tree: Path, protocol: int) -> None:
    """Have the tree of an agent speak another protocol."""
    change(tree / "agent/protocol/request.py", rf"^PROTOCOL = {PROTOCOL}$", f"PROTOCOL = {protocol}")


def change(path: Path, pattern: str, text: str) -> None:
    """Change the one place of a file that a pattern finds, where `^` and `$` are those of a line."""
    changed, times = re.subn(pattern, text, path.read_text(), flags=re.MULTILINE)
    assert times == 1, (path, pattern)
    path.write_text(changed)
