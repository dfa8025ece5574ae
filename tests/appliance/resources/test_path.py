"""The whole path, call by call: what each API of the first cloud makes, changes and removes."""

from __future__ import annotations

from tests.simulated_cloud import GIB, Cloud


async def test_a_first_cloud_and_a_vm_in_it(cloud: Cloud) -> None:
    vm = await cloud.vm(name="web", systemTags=["hostname::web", "userdata::#!/bin/sh\necho hi"])
    assert vm["state"] == "Running"
    assert vm["memorySize"] == GIB // 4
    (nic,) = vm["vmNics"]
    assert nic["ip"].startswith("10.9.0.")
    assert vm["uuid"] in cloud.host_of(vm["uuid"]).domains
