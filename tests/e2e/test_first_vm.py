"""A first VM: from the call to the guest's own words, and to nothing left of it."""

from __future__ import annotations

import asyncio
import socket
import time
from pathlib import Path

import pytest

from appliance.api.errors import ApiError
from tests.e2e import traces
from tests.e2e.conftest import VmFactory
from tests.e2e.guest import Guest
from tests.e2e.stage import DNS, DOMAIN, Stage, until

USUAL_GRACE = 60
"""Seconds that a guest is given to power off, unless vm.stopGrace says else."""


async def test_a_vm_runs_and_is_what_was_asked_for(cloud: Stage, vm: VmFactory) -> None:
    guest = await vm(
        "first-vm", user_data="#!/bin/sh\necho hello-from-$(hostname)\ncat /proc/uptime >/root/ran\n"
    )
    assert guest.state == "Running"
    assert await guest.on()
    others = [host for host in cloud.machines if host.name != guest.host.name]
    for host in others:
        assert guest.uuid not in await cloud.domains(host, "--all")
    await guest.booted()
    said = guest.serial()
    assert f"zstui-tiny: address {guest.ip}/24 on eth0" in said
    assert "zstui-tiny: hostname first-vm" in said
    assert "hello-from-first-vm" in said
    assert "zstui-tiny: user data ran, exit 0" in said

    assert (await guest.ssh("hostname")).strip() == "first-vm"
    assert f"inet {guest.ip}/24" in await guest.ssh("ip -4 addr show dev eth0")
    assert guest.mac in await guest.ssh("cat /sys/class/net/eth0/address")
    routes = await guest.ssh("ip route")
    l3 = (await cloud.session.query("L3Network", uuid=cloud.l3))[0]
    dhcp_ip = await _dhcp_address(cloud, guest)
    assert f"default via {guest.nic['gateway']} dev eth0" in routes
    assert f"169.254.169.254 via {dhcp_ip} dev eth0" in routes
    names = await guest.ssh("cat /etc/resolv.conf")
    assert f"nameserver {DNS}" in names
    assert f"search {DOMAIN}" in names
    assert l3["dnsDomain"] == DOMAIN
    assert await guest.ssh("cat /root/.ssh/authorized_keys") == f"{cloud.public_key}\n"
    assert (await guest.ssh("cat /sys/class/dmi/id/chassis_asset_tag")).strip() == "www.zstack.io"
    (known,) = await cloud.session.query("Host", uuid=guest.inventory["hostUuid"])
    kind = {"kvm": "kvm", "tcg": "qemu"}[known["accelerator"]]
    assert f"<domain type='{kind}'" in await cloud.virsh(guest.host, "dumpxml", guest.uuid)
    assert float((await guest.ssh("cat /root/ran")).split()[0]) < 60


async def test_who_has_no_key_gets_no_shell(cloud: Stage, vm: VmFactory) -> None:
    guest = await (await vm("no-key", key=False)).booted()
    assert "zstui-tiny: ssh open, by key only" in guest.serial()
    with pytest.raises(AssertionError, match="Permission denied"):
        await guest.ssh("true")


async def test_its_console_speaks_rfb(cloud: Stage, vm: VmFactory) -> None:
    guest = await vm("console")
    address = await cloud.session.call("GetVmConsoleAddress", uuid=guest.uuid)
    assert address["protocol"] == "vnc"
    assert address["hostIp"] == guest.host.address
    assert f":{int(address['port']) - 5900}" in await cloud.virsh(guest.host, "vncdisplay", guest.uuid)
    greeting = await asyncio.to_thread(_first_bytes, str(address["hostIp"]), int(address["port"]))
    assert greeting == b"RFB 003.008\n"
    await guest.stop()
    with pytest.raises(ApiError) as refused:
        await cloud.session.call("GetVmConsoleAddress", uuid=guest.uuid)
    assert "Stopped" in refused.value.details


async def test_a_guest_is_asked_to_stop_and_starts_again_as_it_was(cloud: Stage, vm: VmFactory) -> None:
    guest = await (await vm("graceful", user_data="#!/bin/sh\necho once >>/root/count\n")).booted()
    before, mac, ip = len(guest.serial()), guest.mac, guest.ip
    began = time.monotonic()
    await guest.stop()
    assert time.monotonic() - began < USUAL_GRACE
    assert "zstui-tiny: stopping" in guest.serial()[before:]
    assert guest.state == "Stopped"
    assert await cloud.virsh(guest.host, "domstate", "--reason", guest.uuid) == "shut off (shutdown)"

    before = len(guest.serial())
    await guest.start()
    assert guest.state == "Running"
    await guest.booted(after=before)
    assert (guest.mac, guest.ip) == (mac, ip)
    assert (await guest.ssh("cat /root/count")).split() == ["once"]


async def test_a_guest_that_does_not_listen_is_powered_off(cloud: Stage, vm: VmFactory) -> None:
    guest = await (await vm("deaf")).booted()
    await guest.ssh("rm -r /etc/acpi; kill $(pidof acpid)")
    await cloud.setting("vm", "stopGrace", "4")
    try:
        before = len(guest.serial())
        began = time.monotonic()
        await guest.stop()
        took = time.monotonic() - began
    finally:
        await cloud.setting("vm", "stopGrace", None)
    assert 4 <= took < USUAL_GRACE
    assert "stopping" not in guest.serial()[before:]
    assert guest.state == "Stopped"
    assert await cloud.virsh(guest.host, "domstate", "--reason", guest.uuid) == "shut off (destroyed)"


async def test_a_reboot_restarts_the_guest_in_the_same_domain(cloud: Stage, vm: VmFactory) -> None:
    guest = await (await vm("reboot")).booted()
    await guest.ssh("echo kept >/root/kept")
    first = (await guest.ssh("cat /proc/sys/kernel/random/boot_id")).strip()
    before = len(guest.serial())
    await cloud.session.call("RebootVmInstance", uuid=guest.uuid, timeout_seconds=90)
    await guest.refresh()
    assert guest.state == "Running"
    await guest.booted(after=before)
    assert "zstui-tiny: stopping" in guest.serial()[before:]
    assert (await guest.ssh("cat /proc/sys/kernel/random/boot_id")).strip() != first
    assert (await guest.ssh("cat /root/kept")).strip() == "kept"
    assert await guest.on()


@pytest.mark.parametrize("running", [True, False], ids=["running", "stopped"])
async def test_a_destroyed_vm_leaves_nothing(
    cloud: Stage, vm: VmFactory, tmp_path: Path, running: bool
) -> None:
    guest = await (await vm("gone", user_data="#!/bin/sh\ntrue\n")).booted()
    if not running:
        await guest.stop()
    words = _words(guest)
    # What finds nothing afterwards must find something now.
    assert len(await traces.on_host(cloud, guest.host, *words)) > 5
    assert len(await traces.in_store(cloud, tmp_path, *words)) > 5
    assert guest.root_volume in await cloud.files(guest.host)
    await guest.destroy()
    for host in cloud.machines:
        left = await traces.on_host(cloud, host, *words)
        assert left == [], "\n".join(left)
    assert await traces.in_store(cloud, tmp_path, *words) == []
    assert await cloud.session.query("VmInstance", uuid=guest.uuid) == []
    # And the address is free for the next one.
    assert await cloud.session.query("VmNic", ip=guest.ip) == []


async def test_under_the_policy_delay_a_vm_comes_back_with_its_disk(cloud: Stage, vm: VmFactory) -> None:
    guest = await (await vm("undead")).booted()
    await guest.ssh("echo kept >/root/kept; sync")
    await cloud.setting("vm", "deletionPolicy", "Delay")
    try:
        await guest.destroy()
        await guest.refresh()
        assert guest.state == "Destroyed"
        assert guest.uuid not in await cloud.domains(guest.host, "--all")
        assert guest.root_volume in await cloud.files(guest.host)
        await cloud.session.call("RecoverVmInstance", uuid=guest.uuid)
        await guest.refresh()
        assert guest.state == "Stopped"
        before = len(guest.serial())
        await guest.start()
        await guest.booted(after=before)
        assert (await guest.ssh("cat /root/kept")).strip() == "kept"
        await guest.destroy()
        await cloud.session.call("ExpungeVmInstance", uuid=guest.uuid)
    finally:
        await cloud.setting("vm", "deletionPolicy", "Direct")

    async def expunged() -> bool:
        return guest.root_volume not in await cloud.files(guest.host)

    await until(expunged, 30, "the expunged disk's end")


def _words(guest: Guest) -> list[str]:
    """All that names a VM somewhere."""
    uuid = guest.uuid
    dashed = f"{uuid[:8]}-{uuid[8:12]}-{uuid[12:16]}-{uuid[16:20]}-{uuid[20:]}"
    volume = str(guest.inventory["rootVolumeUuid"])
    mac = guest.mac
    return [uuid, dashed, volume, str(guest.nic["uuid"]), mac, mac.replace(":", ""), guest.device]


async def _dhcp_address(cloud: Stage, guest: Guest) -> str:
    """The DHCP address, as the host has it in the network's namespace."""
    seen = (
        await cloud.in_network(guest.host, cloud.l3, ["ip", "-4", "-o", "addr", "show", "dev", "service"])
    ).stdout
    found = [line.split()[3] for line in seen.splitlines() if "169.254." not in line]
    assert len(found) == 1, seen
    return found[0].removesuffix("/24")


def _first_bytes(host: str, port: int) -> bytes:
    with socket.create_connection((host, port), timeout=5) as connection:
        connection.settimeout(5)
        return connection.recv(12)
