"""For all tests: which files come first, how seldom garbage is looked for, and no time limit for made-up cases."""

from __future__ import annotations

import gc
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")


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


def pytest_collection_finish() -> None:
    """Look for garbage among what tests make, and seldom: all that was imported stays, and is most of what there is."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 10, 10)
