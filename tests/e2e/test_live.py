"""What happens to a guest behind our back shows at once, with its cause, and a lost event is repaired."""

from __future__ import annotations

import asyncio
import os
import signal
import time

import pytest

from tests.e2e.conftest import VmFactory
from tests.e2e.stage import Stage, until
from tests.e2e.watch import end_of, qemu_of, watching

AT_ONCE = 1.0
"""Seconds from libvirt's event, which comes after the end of QEMU and before virsh returns."""


@pytest.mark.alone
async def test_power_off_inside_the_guest(cloud: Stage, vm: VmFactory) -> None:
    guest = await (await vm("halts")).booted()
    qemu = qemu_of(guest)
    async with watching(cloud, guest) as seen:
        ended = asyncio.create_task(end_of(qemu))
        await guest.ssh("halt", check=False)
        asked, told, pushed = await seen.until("Stopped")
        assert asked - await ended < AT_ONCE
        assert told - await ended < AT_ONCE
    assert pushed["stateCause"] == "shut down inside the guest"
    assert (await guest.refresh()).inventory["stateCause"] == "shut down inside the guest"
    assert await cloud.virsh(guest.host, "domstate", guest.uuid) == "shut off"
    await _told(cloud, guest.uuid, "Running → Stopped (shut down inside the guest)")


@pytest.mark.alone
async def test_virsh_destroy_and_virsh_start(cloud: Stage, vm: VmFactory) -> None:
    guest = await vm("pulled")
    qemu = qemu_of(guest)
    async with watching(cloud, guest) as seen:
        ended = asyncio.create_task(end_of(qemu))
        await cloud.virsh(guest.host, "destroy", guest.uuid)
        asked, told, pushed = await seen.until("Stopped")
        assert asked - await ended < AT_ONCE
        assert told - await ended < AT_ONCE
    assert pushed["stateCause"] == "powered off on the host"
    # Off it stays: nobody starts again what somebody switched off.
    assert not await guest.on()

    async with watching(cloud, guest) as seen:
        await cloud.virsh(guest.host, "start", guest.uuid)
        started = time.monotonic()
        asked, told, pushed = await seen.until("Running")
        assert asked - started < AT_ONCE
        assert told - started < AT_ONCE
    assert pushed["stateCause"] == "started on the host"
    await guest.booted()
    assert (await guest.ssh("hostname")).strip() == "pulled"


@pytest.mark.alone
async def test_a_qemu_that_dies(cloud: Stage, vm: VmFactory) -> None:
    guest = await vm("dies")
    qemu = qemu_of(guest)
    async with watching(cloud, guest) as seen:
        os.kill(qemu, signal.SIGKILL)
        killed = time.monotonic()
        asked, told, pushed = await seen.until("Stopped")
        assert asked - killed < AT_ONCE
        assert told - killed < AT_ONCE
    assert pushed["stateCause"] == "crashed"


async def test_a_stop_that_was_asked_for_has_no_cause(cloud: Stage, vm: VmFactory) -> None:
    guest = await (await vm("asked")).booted()
    await guest.stop()
    assert guest.inventory.get("stateCause") is None
    await guest.start()
    assert guest.inventory.get("stateCause") is None


async def test_what_happens_while_libvirtd_is_dead_is_found_by_the_scan(cloud: Stage, vm: VmFactory) -> None:
    guest = await vm("unseen")
    qemu = qemu_of(guest)
    (daemon,) = [int(pid) for pid in (await cloud.run(guest.host, "pidof", "libvirtd")).split()]
    async with watching(cloud, guest) as seen:
        await cloud.run(guest.host, "kill", "-9", str(daemon))
        os.kill(qemu, signal.SIGKILL)
        await seen.until("Stopped")

    async def known_off() -> bool:
        return not await guest.on()

    # A libvirtd that has just started still lists what ran before, until it has looked for its QEMU.
    await until(known_off, 30, "libvirtd's own look at the guest")
    assert (await guest.refresh()).state == "Stopped"


async def test_what_happens_while_the_agent_is_dead_is_found_by_the_scan(cloud: Stage, vm: VmFactory) -> None:
    guest = await vm("unheard")
    stopped = await cloud.run(guest.host, "cat", "/run/zstui-agent/daemon.pid")
    pid = stopped.split()[0]
    async with watching(cloud, guest) as seen:
        await cloud.run(
            guest.host,
            "sh",
            "-c",
            'kill -9 "$1"; exec virsh -q -c qemu:///system destroy "$2"',
            "sh",
            pid,
            guest.uuid,
        )
        await seen.until("Stopped")
    assert not await guest.on()
    await cloud.connected()


async def test_a_guest_that_went_while_the_appliance_was_dead_is_known_at_its_start(
    cloud: Stage, vm: VmFactory
) -> None:
    guest = await vm("meanwhile")
    await cloud.appliance.kill()
    await cloud.virsh(guest.host, "destroy", guest.uuid)
    await cloud.appliance.start()

    async def stopped() -> bool:
        return (await guest.refresh()).state == "Stopped"

    await until(stopped, 20, "the VM's state")
    assert not await guest.on()


async def _told(cloud: Stage, uuid: str, words: str) -> None:
    events = await cloud.session.query("Event", resource_uuid=uuid)
    assert any(words in str(event["text"]) for event in events), [event["text"] for event in events]
