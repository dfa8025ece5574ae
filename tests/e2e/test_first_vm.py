"""A first VM: from the call to the guest's own words, and to nothing left of it."""

from __future__ import annotations

from tests.e2e.conftest import VmFactory
from tests.e2e.stage import DOMAIN, Stage


async def test_a_vm_runs_and_is_what_was_asked_for(cloud: Stage, vm: VmFactory) -> None:
    guest = await vm("first-vm", user_data="#!/bin/sh\necho hello-from-user-data\n")
    assert guest.state == "Running"
    assert await guest.on()
    others = [host for host in cloud.machines if host.name != guest.host.name]
    assert all([guest.uuid not in await cloud.domains(host) for host in others])
    await guest.booted()
    assert f"address {guest.ip}/24" in guest.serial()
    assert "hostname first-vm" in guest.serial()
    assert "hello-from-user-data" in guest.serial()
    assert "user data ran, exit 0" in guest.serial()
    assert (await guest.ssh("hostname")).strip() == "first-vm"
    routes = await guest.ssh("ip route")
    assert f"default via {guest.nic['gateway']}" in routes
    assert DOMAIN in await guest.ssh("cat /etc/resolv.conf")
