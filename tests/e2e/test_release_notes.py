"""Every command of ZStack's release notes, typed at the shell as they stand there."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.e2e.prompt import Prompt
from tests.e2e.release_notes import LINES, USERDATA, Line
from tests.e2e.stage import Stage, installer

CONFIGS = (
    ("kvm", "vm.consoleMode"),
    ("kvm", "vm.cpuMode"),
    ("vm", "deletionPolicy"),
    ("vm", "expungePeriod"),
    ("vm", "expungeInterval"),
)
BESIDES = frozenset({"excluded"})
"""What replies hold beyond those of the notes, which ZStack's clients read past: hosts that a volume cannot go to."""

DATE = re.compile(r"[A-Z][a-z]{2} \d{1,2}, \d{4} \d{1,2}:\d\d:\d\d [AP]M")


@pytest.mark.timeout(240)
async def test_the_release_notes_can_be_typed(cloud: Stage) -> None:
    before = {each: await _config(cloud, *each) for each in CONFIGS}
    known = await _names(cloud)
    try:
        async with Prompt(cloud.appliance) as prompt, installer(cloud) as known["iso"]:
            for line in LINES:
                reply = await prompt.say(line.typed.format(**known))
                shown = _judge(line, reply)
                if line.keep:
                    known[line.keep] = shown[0]["uuid"]
    finally:
        for (category, name), value in before.items():
            await cloud.setting(category, name, value)
        await cloud.session.call("DeleteL3Network", uuid=known["other"])
        await cloud.session.call("DeleteDiskOffering", uuid=known["disk"])


async def test_user_data_arrives_whole_though_it_has_commas(cloud: Stage) -> None:
    offering, image = cloud.offering, cloud.image
    async with Prompt(cloud.appliance) as prompt:
        made = await prompt.say(
            f"CreateVmInstance name=whole imageUuid={image} instanceOfferingUuid={offering} "
            f"l3NetworkUuids={cloud.l3} systemTags='{USERDATA}'"
        )
        uuid = made["inventory"]["uuid"]
        (tag,) = (await prompt.say(f"QuerySystemTag resourceUuid={uuid} tag~=userdata%"))["inventories"]
        await prompt.say(f"DestroyVmInstance uuid={uuid}")
    assert tag["tag"] == USERDATA


async def _names(cloud: Stage) -> dict[str, str]:
    (provider,) = await cloud.session.query("NetworkServiceProvider", type="Flat")
    other = await cloud.session.call("CreateL3Network", name="other", l2NetworkUuid=cloud.l2)
    other = other["inventory"]
    await cloud.session.call(
        "AddIpRange", l3NetworkUuid=other["uuid"], name="other", startIp="172.31.7.10", endIp="172.31.7.20",
        netmask="255.255.255.0", gateway="172.31.7.1",
    )  # fmt: skip
    disk = (await cloud.session.call("CreateDiskOffering", name="disk", disk_size=1 << 30))["inventory"]
    return {
        "image": cloud.image, "offering": cloud.offering, "l3": cloud.l3, "l2": cloud.l2, "other": other["uuid"],
        "disk": disk["uuid"],
        "backup": cloud.backup, "host": await cloud.host_uuid(1), "provider": provider["uuid"],
    }  # fmt: skip


async def _config(cloud: Stage, category: str, name: str) -> str:
    return str(
        (await cloud.session.call("GetGlobalConfig", category=category, name=name))["inventory"]["value"]
    )


def _judge(line: Line, reply: dict[str, Any]) -> list[dict[str, Any]]:
    """Whether a reply is as the notes show it; what it holds."""
    if line.code:
        assert reply.get("code") == line.code, (line.typed, reply)
        return []
    assert reply.get("success") is True, (line.typed, reply)
    assert set(reply) - BESIDES == {"success", *line.shows.split()}, (line.typed, reply)
    shown = [reply["inventory"]] if "inventory" in reply else reply.get("inventories", [])
    assert shown or line.shows not in ("inventory", "inventories"), (line.typed, reply)
    for each in shown:
        assert line.keys <= set(each), (line.typed, line.keys - set(each))
        assert None not in each.values(), line.typed
        assert all(DATE.fullmatch(value) for key, value in each.items() if key.endswith("Date")), each
    return shown
