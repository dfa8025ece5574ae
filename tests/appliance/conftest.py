"""A cloud on simulated hosts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.simulated_cloud import Cloud
from tests.tenants import Tenants


@pytest.fixture
async def empty_cloud(tmp_path: Path) -> AsyncIterator[Cloud]:
    """An appliance that knows nothing yet."""
    cloud = Cloud(tmp_path / "data")
    await cloud.start()
    yield cloud
    await cloud.stop()


@pytest.fixture
async def cloud(empty_cloud: Cloud) -> Cloud:
    """Two hosts, storage, a network, an offering and an image."""
    await empty_cloud.build()
    return empty_cloud


@pytest.fixture
def tenants(cloud: Cloud) -> Tenants:
    """Accounts and users to be, on that cloud."""
    return Tenants(cloud)


@pytest.fixture
def empty_tenants(empty_cloud: Cloud) -> Tenants:
    """Accounts and users to be, on an appliance that knows nothing else."""
    return Tenants(empty_cloud)
