"""Which CPU guests see: a host without kvm cannot show them its own."""

from __future__ import annotations

import re

import pytest

from appliance.api.host import Host
from tests.simulated_cloud import Cloud


async def without_kvm(cloud: Cloud) -> None:
    hosts = await cloud.query("QueryHost")
    for host in hosts:
        await cloud.database.write(
            lambda tx, uuid=host["uuid"]: tx.update(tx.get(Host, uuid), accelerator="tcg")
        )


@pytest.mark.parametrize("mode", ["none", "host-model"])
async def test_other_modes_need_no_kvm(cloud: Cloud, mode: str) -> None:
    await without_kvm(cloud)
    await cloud.call("UpdateGlobalConfig", category="kvm", name="vm.cpuMode", value=mode)
    assert (await cloud.vm())["state"] == "Running"


async def test_host_passthrough_without_kvm_is_refused_at_create_and_start(cloud: Cloud) -> None:
    vm = await cloud.vm()
    await cloud.call("StopVmInstance", uuid=vm["uuid"])
    await without_kvm(cloud)
    await cloud.call("UpdateGlobalConfig", category="kvm", name="vm.cpuMode", value="host-passthrough")
    async with cloud.untouched():
        refused = await cloud.refused("StartVmInstance", uuid=vm["uuid"])
        assert "no host runs guests by kvm" in refused["details"]
        assert re.search(r"ruled out last: host[12] runs guests by tcg$", refused["details"])
        refused = await cloud.refused("CreateVmInstance", **cloud.vm_fields())
        assert "kvm vm.cpuMode" in refused["details"]
