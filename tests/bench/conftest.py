"""The lab and the cloud of the end-to-end tests, for measuring."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.conftest import appliance, cloud, lab, machines, session, vm

__all__ = ["appliance", "cloud", "lab", "machines", "session", "vm"]

HERE = f"{Path(__file__).parent}/"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Benches run only when asked for, in the one event loop that the lab was made in."""
    for item in items:
        if str(item.path).startswith(HERE):
            item.add_marker(pytest.mark.bench)
            item.add_marker(pytest.mark.timeout(600))
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)
