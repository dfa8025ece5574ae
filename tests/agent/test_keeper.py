"""A daemon that is killed: who asks for user data meanwhile waits for the next one."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from agent.keeper import Keeper
from agent.paths import Paths
from tests.agent.netlab import Box, Guest, Host, switch, until
from tests.agent.test_nic import L3, MAC_A, NETWORK, nic

URL = "http://10.0.0.2/latest/user-data"

pytestmark = [pytest.mark.lab, pytest.mark.timeout(90)]


@pytest.fixture
def wire() -> Iterator[Box]:
    box = switch()
    yield box
    box.close()


@pytest.fixture
def host(wire: Box) -> Iterator[Host]:
    """A host with a supervisor of its own, that does what the real one does at its door."""
    made = Host(wire, "h1")
    paths = Paths(made.folder / "state", made.folder / "run")
    paths.make()
    keeper = Keeper(paths)

    def answer() -> None:
        while True:
            try:
                keeper.answer()
            except OSError:
                return  # the door is closed

    answering = threading.Thread(target=answer)
    answering.start()
    try:
        made.start()
        made.do("EnsureBridge", l2_uuid="l2", bridge="br_eth1", physical_interface="eth1")
        made.do("EnsureNetwork", **NETWORK)
        yield made
    finally:
        keeper.door.shutdown(2)
        answering.join()
        keeper.door.close()
        keeper.drop()
        made.close()


def test_who_asks_while_the_daemon_is_dead_waits_and_is_answered(host: Host) -> None:
    host.do("EnsureNic", **nic("a"))
    guest = Guest(host, "vnic0.0", MAC_A)
    try:
        guest.address("10.0.0.5/24", "10.0.0.2")
        for _ in range(2):
            host.kill()
            said: list[str] = []
            asking = threading.Thread(target=lambda heard=said: heard.append(guest.get(URL, seconds=20)))
            asking.start()
            asking.join(0.5)
            assert not said, "it waits"
            host.start()
            asking.join()
            assert said == ["#cloud-config\nsecret: a|200"]
    finally:
        guest.close()


def test_of_a_network_that_is_gone_nothing_is_kept(host: Host) -> None:
    host.do("DropNetwork", l3_uuid=L3)
    until(lambda: host.sh("ip netns list") == "")
    host.kill()
    host.start()
    host.do("EnsureNetwork", **NETWORK)
    host.do("EnsureNic", **nic("a"))
    guest = Guest(host, "vnic0.0", MAC_A)
    try:
        guest.address("10.0.0.5/24", "10.0.0.2")
        assert guest.get(URL) == "#cloud-config\nsecret: a|200"
    finally:
        guest.close()
