"""Guests that are told to hold their writes back: agents that answer, refuse, hang before and hang in it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import libvirt
import pytest

from agent import hypervisor_freeze
from agent.domain_xml import DiskPlug
from agent.hypervisor_freeze import HypervisorFreezes
from agent.quiesce import frozen, overlay, thawed
from agent.refused import Refused

VM = "c0ffee00000000000000000000000001"
PLUG = DiskPlug(target="vdb", serial="5" * 20)
SILENT = libvirt.VIR_ERR_AGENT_UNRESPONSIVE


def error(code: int, words: str = "Guest agent not available for now") -> libvirt.libvirtError:
    failed = libvirt.libvirtError(words)
    failed.err = (code, 0, words, 0, "", "", "", 0, 0)
    return failed


class Guest:
    """A domain whose agent hangs at one command, or refuses it; libvirt waits for it as long as it was told."""

    def __init__(self, *, connected: bool = True, **faults: int) -> None:
        self.connected, self.faults = connected, faults
        self.seconds = -2  # libvirt's own: without end
        self.done: list[str] = []
        self.mark: str | None = None
        self.on = True

    def agent(self, command: str) -> None:
        code = self.faults.get(command)
        if code == SILENT and self.seconds < 0:
            raise AssertionError(f"{command} is waited for without end")
        self.done.append(command)
        if code is not None:
            raise error(code)

    def UUIDString(self) -> str:  # noqa: N802 - libvirt's
        return VM

    def isActive(self) -> bool:  # noqa: N802
        return self.on

    def XMLDesc(self, flags: int) -> str:  # noqa: N802
        state = "connected" if self.connected else "disconnected"
        return (
            "<domain><devices><disk type='file'><target dev='vdb'/></disk>"
            f"<channel><target name='org.qemu.guest_agent.0' state='{state}'/></channel></devices></domain>"
        )

    def agentSetResponseTimeout(self, seconds: int, flags: int = 0) -> None:  # noqa: N802
        self.seconds = seconds

    def getTime(self, flags: int = 0) -> None:  # noqa: N802
        self.agent("time")

    def fsThaw(self, *_: Any) -> None:  # noqa: N802
        self.agent("thaw")

    def snapshotCreateXML(self, xml: str, flags: int) -> None:  # noqa: N802
        if flags & libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_QUIESCE:
            assert self.mark, "what the guest is owed is written down first"
            self.agent("freeze")
        if "disk" in self.faults:
            raise error(self.faults["disk"], "No space left on device")
        self.done.append("snapshot")

    def setMetadata(self, kind: int, mark: str | None, prefix: str, uri: str, flags: int) -> None:  # noqa: N802
        assert flags == libvirt.VIR_DOMAIN_AFFECT_LIVE, "it ends with the guest"
        self.mark = mark

    def metadata(self, kind: int, uri: str, flags: int) -> str:
        if self.mark is None:
            raise error(libvirt.VIR_ERR_NO_DOMAIN_METADATA)
        return self.mark

    def lookupByUUIDString(self, uuid: str) -> Guest:  # noqa: N802
        return self

    def listAllDomains(self, flags: int) -> list[Guest]:  # noqa: N802
        return [self]


@pytest.mark.parametrize(
    ("guest", "why", "done", "owed"),
    [
        (Guest(), "", ["time", "freeze", "snapshot"], False),
        (Guest(connected=False), "no guest agent answers", ["snapshot"], False),
        # It answered once, so that its channel is open, and it hangs: to freeze is nothing that it may find later.
        (Guest(time=SILENT), "does not answer: Guest agent not available", ["time", "snapshot"], False),
        (Guest(freeze=SILENT), "did not hold the writes back", ["time", "freeze", "snapshot"], True),
        (
            Guest(freeze=libvirt.VIR_ERR_INTERNAL_ERROR), "did not hold the writes back",
            ["time", "freeze", "snapshot"], True,
        ),
        (Guest(time=libvirt.VIR_ERR_INTERNAL_ERROR), "", ["time", "freeze", "snapshot"], False),
    ],
)  # fmt: skip
def test_a_snapshot_is_taken_whatever_the_agent_does_and_says_so(
    guest: Guest, why: str, done: list[str], owed: bool
) -> None:
    told = overlay(guest, PLUG, "/ps/new.qcow2")
    assert (bool(told), why in told) == (bool(why), True)
    assert (guest.done, frozen(guest) == [VM]) == (done, owed)


def test_a_guest_is_owed_its_thaw_when_the_snapshot_fails_for_another_reason() -> None:
    guest = Guest(disk=libvirt.VIR_ERR_OPERATION_FAILED)
    with pytest.raises(libvirt.libvirtError, match="No space left"):
        overlay(guest, PLUG, "/ps/new.qcow2")
    assert frozen(guest) == [VM]
    assert thawed(guest, VM)
    assert frozen(guest) == []


@pytest.mark.parametrize("on", [True, False])
def test_a_thaw_is_owed_until_it_is_answered_or_the_guest_is_off(on: bool) -> None:
    guest = Guest(freeze=SILENT, thaw=SILENT)
    overlay(guest, PLUG, "/ps/new.qcow2")
    assert not thawed(guest, VM)
    assert frozen(guest) == [VM]
    guest.on, guest.faults = on, {}
    assert thawed(guest, VM)
    assert (guest.done[-1], "thaw" in guest.done[-1:]) == ("thaw", True)


class Here(HypervisorFreezes):
    """Freezing and thawing with one guest, whose agent wakes when it was asked to thaw twice."""

    def __init__(self, guest: Guest) -> None:
        super().__init__()
        self.guest = guest

    async def _ask(self, question: Callable[[Any], Any]) -> Any:
        return question(self.guest)

    async def _apart(self, vm_uuid: str, act: Callable[[Any], Any], timeout_seconds: float = 30.0) -> Any:
        await asyncio.sleep(0)
        if self.guest.done.count("thaw") == 2:
            self.guest.faults.pop("thaw", None)
        return await asyncio.to_thread(act, self.guest)

    def _own(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        return asyncio.get_running_loop().create_task(work)


async def test_a_guest_that_froze_late_is_thawed_as_soon_as_its_agent_answers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(hypervisor_freeze, "THAW_SECONDS", 0)
    guest = Guest(freeze=SILENT, thaw=SILENT)
    here = Here(guest)
    assert "did not hold" in await here.overlay_disk(VM, PLUG, "/ps/new.qcow2", _made())
    while guest.mark is not None:
        await asyncio.sleep(0)
    assert guest.done.count("thaw") == 3
    assert await here.overlay_disk(VM, PLUG, "/ps/newer.qcow2", _made()) != ""
    while guest.mark is not None:
        await asyncio.sleep(0)


async def test_a_guest_is_left_alone_where_its_new_file_cannot_be_made() -> None:
    async def refuse() -> None:
        raise Refused("disk.full", "there is no room for /ps/new.qcow2")

    guest = Guest()
    with pytest.raises(Refused, match="no room"):
        await Here(guest).overlay_disk(VM, PLUG, "/ps/new.qcow2", asyncio.create_task(refuse()))
    assert guest.done == []


def _made() -> asyncio.Task[None]:
    return asyncio.create_task(asyncio.sleep(0))


async def test_a_guest_that_is_owed_a_thaw_by_an_agent_before_gets_it() -> None:
    guest = Guest()
    guest.mark = "<frozen/>"
    Here(guest).let_go()
    while guest.mark is not None:
        await asyncio.sleep(0)
    assert guest.done == ["thaw"]
