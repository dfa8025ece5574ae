"""What the frozen appliance is made of: nothing is left out that a module of it imports when it is loaded."""

from __future__ import annotations

import ast
import importlib.util
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_no_module_that_is_needed_is_left_out() -> None:
    spec = importlib.util.spec_from_file_location("frozen_appliance", ROOT / "packaging" / "appliance.py")
    assert spec is not None
    assert spec.loader is not None
    packaging = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(packaging)
    excluded = set(packaging.EXCLUDED_MODULES)
    assert "PIL" in excluded
    needed = {}
    for room in ("appliance", "zstui"):
        for path in (ROOT / room).rglob("*.py"):
            for node in ast.parse(path.read_text()).body:
                for name in imported(node):
                    needed[name] = path.relative_to(ROOT).as_posix()
    assert len(needed) > 50
    assert {name: where for name, where in needed.items() if name in excluded} == {}


def imported(node: ast.stmt) -> list[str]:
    """The packages that a statement imports."""
    names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
    names += [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []
    return [part for name in names for part in (name, name.partition(".")[0])]
