"""The order of the files: what may take long begins first, so that two processes end at about the same time."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Sort files by the longest limit of a test in them; within a file nothing changes."""
    usual = float(config.getini("timeout"))
    limits: dict[Path, float] = {}
    for item in items:
        mark = item.get_closest_marker("timeout")
        limits[item.path] = max(limits.get(item.path, 0.0), float(mark.args[0]) if mark else usual)
    order = {path: number for number, path in enumerate(limits)}
    items.sort(key=lambda item: (-limits[item.path], order[item.path]))
