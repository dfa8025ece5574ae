"""Each test of the contract runs on each kind of host."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.agent.libvirt_host import LibvirtHost
from tests.contract.rig import AgentRig, DoubledHost, LabHost, Rig, SimulatedRig

LAB = pytest.param("lab", marks=pytest.mark.lab)


@pytest.fixture(scope="session")
def doubled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DoubledHost]:
    """An agent process with doubles."""
    host = DoubledHost(tmp_path_factory.mktemp("agent"))
    yield host
    host.stop()


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabHost]:
    """A whole agent on a real libvirtd."""
    with LibvirtHost() as libvirt:
        host = LabHost(tmp_path_factory.mktemp("lab"), libvirt)
        yield host
        host.stop()


@pytest.fixture(params=["simulator", "agent", LAB])
async def rig(request: pytest.FixtureRequest) -> AsyncIterator[Rig]:
    """A host of each kind."""
    made = _rig(request)
    yield made
    await made.close()


@pytest.fixture(params=["simulator", LAB])
async def outside(request: pytest.FixtureRequest) -> AsyncIterator[SimulatedRig | AgentRig]:
    """A host of each kind on which others can act too."""
    made = _rig(request)
    yield made
    await made.close()


@pytest.fixture(params=["simulator", "agent"])
async def obliging(request: pytest.FixtureRequest) -> AsyncIterator[SimulatedRig | AgentRig]:
    """A host whose guests let go of what they are asked for."""
    made = _rig(request)
    yield made
    await made.close()


def _rig(request: pytest.FixtureRequest) -> SimulatedRig | AgentRig:
    match request.param:
        case "agent":
            return AgentRig(request.getfixturevalue("doubled"))
        case "lab":
            return AgentRig(request.getfixturevalue("lab"))
    return SimulatedRig()
