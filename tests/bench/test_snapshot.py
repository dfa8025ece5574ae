"""A snapshot of a running VM is taken about as fast as virsh takes one."""

from __future__ import annotations

import itertools

from tests.bench.measure import compare, timed
from tests.e2e.conftest import VmFactory
from tests.e2e.stage import STORAGE, Stage

BAR = 1.20

BY_HAND = """
set -e
begun=$(date +%s%N)
virsh -q -c qemu:///system snapshot-create-as "$1" --disk-only --no-metadata --diskspec "vda,file=$2"
echo $(( $(date +%s%N) - begun ))
"""


async def test_a_snapshot_is_as_fast_as_by_hand(cloud: Stage, vm: VmFactory) -> None:
    ours_vm = await (await vm("ours", host=1)).booted()
    hand_vm = await (await vm("by-hand", host=1)).booted()
    (root,) = await cloud.session.query("Volume", vmInstanceUuid=ours_vm.uuid, type="Root")
    numbers = itertools.count(1)

    async def ours() -> float:
        name = f"s{next(numbers)}"
        return await timed(
            lambda: cloud.session.call(
                "CreateVolumeSnapshot", volume_uuid=root["uuid"], name=name, timeout_seconds=60
            )
        )

    async def by_hand() -> float:
        path = f"{STORAGE}/by-hand-{next(numbers)}.qcow2"
        return int(await cloud.run(hand_vm.host, "sh", "-c", BY_HAND, "sh", hand_vm.uuid, path)) / 1e9

    compared = await compare("snapshot of a running VM", ours, by_hand)
    await cloud.virsh(hand_vm.host, "destroy", hand_vm.uuid)
    await cloud.run(hand_vm.host, "sh", "-c", f"rm {STORAGE}/by-hand-*.qcow2")
    assert compared.ratio <= BAR
