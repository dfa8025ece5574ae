"""What is left out of the frozen programs is nothing that they import."""

from __future__ import annotations

import ast
import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOR_PICTURES = {"resvg_py"}
"""What only the pictures of the documents are drawn with, from the sources."""


def script(name: str) -> ModuleType:
    """A script of packaging, which shares its name with a package of ours."""
    spec = importlib.util.spec_from_file_location(f"packaging_{name}", ROOT / "packaging" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    path = list(sys.path)
    try:
        spec.loader.exec_module(module)
    finally:
        sys.path[:] = path
    return module


def imported(*rooms: str) -> set[str]:
    """The top-level names that the modules of some rooms import, wherever in them."""
    found = set()
    for room in rooms:
        for path in (ROOT / room).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Import):
                    found |= {alias.name.partition(".")[0] for alias in node.names}
                elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                    found.add(node.module.partition(".")[0])
    return found


@pytest.mark.parametrize(
    ("name", "rooms"),
    [("appliance", ("appliance", "zstui", "agent/protocol")), ("agent", ("agent",))],
)
def test_nothing_that_is_imported_is_left_out(name: str, rooms: tuple[str, ...]) -> None:
    excluded = set(script(name).EXCLUDED_MODULES)
    assert "tkinter" in excluded
    assert (imported(*rooms) & excluded) - FOR_PICTURES == set()


def test_two_that_freeze_at_once_share_no_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """PyInstaller's own is one for each user, and `--clean` empties it under whoever uses it."""
    frozen, caches = script("frozen"), []

    def run(*_: object, env: dict[str, str], **__: object) -> subprocess.CompletedProcess[bytes]:
        caches.append(env["PYINSTALLER_CONFIG_DIR"])
        return subprocess.CompletedProcess([], 0)

    monkeypatch.setattr(subprocess, "run", run)
    for name in ("one", "two"):
        frozen.freeze(tmp_path / name, "zstui-agent", "agent.__main__", excluded=(), options=())
    assert caches[0].startswith(str(tmp_path / "one"))
    assert caches[1].startswith(str(tmp_path / "two"))
