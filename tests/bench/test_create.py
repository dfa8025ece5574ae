"""Creating a VM costs hardly more than doing by hand what must be done: bar 1."""

from __future__ import annotations

import itertools
import re
import uuid

from appliance.plans.naming import cached_image
from tests.bench.measure import compare, timed
from tests.e2e.conftest import VmFactory
from tests.e2e.stage import STORAGE, Stage

BAR = 1.10

BY_HAND = """
set -e
begun=$(date +%s%N)
qemu-img create -q -f qcow2 -F qcow2 -b "$1" "$2"
virsh -q -c qemu:///system define "$3"
virsh -q -c qemu:///system start "$4"
echo $(( $(date +%s%N) - begun ))
"""


async def test_create_is_as_fast_as_by_hand(cloud: Stage, vm: VmFactory) -> None:
    model = await vm("model", host=1)
    xml = await cloud.virsh(model.host, "dumpxml", "--inactive", model.uuid)
    await model.destroy()
    numbers = itertools.count(1)

    async def ours() -> float:
        made = []

        async def create() -> None:
            made.append(await vm(f"bench-{next(numbers)}", host=1))

        seconds = await timed(create)
        await made[0].destroy()
        return seconds

    async def by_hand() -> float:
        name = str(uuid.uuid4())
        disk = f"{STORAGE}/{name}.qcow2"
        definition = model.host.folder / "disk" / STORAGE.lstrip("/") / f"{name}.xml"
        definition.write_text(_another(xml, model.uuid, name, model.root_volume, disk))
        done = await cloud.run(
            model.host, "sh", "-c", BY_HAND, "sh", cached_image(STORAGE, cloud.image, "qcow2"), disk,
            f"{STORAGE}/{name}.xml", name,
        )  # fmt: skip
        await cloud.virsh(model.host, "destroy", name)
        await cloud.virsh(model.host, "undefine", name)
        await cloud.run(model.host, "rm", disk, f"{STORAGE}/{name}.xml")
        return int(done) / 1e9

    compared = await compare("create of a VM", ours, by_hand)
    assert compared.ratio <= BAR


def _another(xml: str, old: str, name: str, old_disk: str, disk: str) -> str:
    """The same domain with a name, a disk and a bridged NIC of its own."""
    xml = xml.replace(old_disk, disk).replace(str(uuid.UUID(old)), name).replace(old, name)
    card = "<interface type='bridge'><source bridge='br_eth1'/><model type='virtio'/></interface>"
    xml, cards = re.subn(r"<interface .*?</interface>", card, xml, flags=re.DOTALL)
    assert cards == 1
    return xml
