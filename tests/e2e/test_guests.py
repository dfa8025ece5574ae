"""Debian 12 with the cloud-init it comes with: address, host name, key and user data, from its first boot on."""

from __future__ import annotations

import asyncio
import json

import pytest

from tests.e2e import debian_image
from tests.e2e.conftest import VmFactory
from tests.e2e.guest import Guest
from tests.e2e.stage import DNS, DOMAIN, Stage, until, upload_image

MEMORY = 512 << 20
BOOT_SECONDS = 800
"""All of a first boot, host keys included: a minute of an idle machine, three of a busy one."""

FINISHED = r"Cloud-init v\. (\S+) finished at .* Datasource (\w+)"
AGENT = "Cloud-Init/22.4.2"
KEY = "meta-data/public-keys/0/openssh-key"

SCRIPT = "#!/bin/sh\necho ran-$(hostname) >/root/ran\necho ran-$(hostname)-as-$(id -un)\n"
CONFIG = """#cloud-config
write_files:
  - path: /root/ran
    content: written
runcmd:
  - echo ran-$(hostname)-as-$(id -un)
"""


@pytest.mark.timeout(2400)
async def test_debian_12_is_served_as_it_comes_and_as_the_release_notes_have_it(
    cloud: Stage, vm: VmFactory
) -> None:
    images = await asyncio.to_thread(debian_image.build)
    reply = await cloud.session.call(
        "CreateInstanceOffering", name="debian", cpu_num=1, cpu_speed=100, memory_size=MEMORY
    )
    offering = reply["inventory"]["uuid"]
    untouched = await upload_image(cloud, "debian-12", images.untouched)
    changed = await upload_image(cloud, "debian-12-release-notes", images.release_notes)
    one = await vm("deb-untouched", image=untouched, offering=offering, host=1, user_data=SCRIPT)
    two = await vm("deb-relnotes", image=changed, offering=offering, host=2, user_data=CONFIG)

    async with asyncio.TaskGroup() as group:
        for guest in (one, two):
            group.create_task(_is_served(cloud, guest))
    assert await _root(one, "cat /root/ran") == "ran-deb-untouched\n"
    assert await _root(two, "cat /root/ran") == "written"

    assert await _changed_settings(one) == ""
    assert (await _changed_settings(two)).split() == ["??5??????", "c", "/etc/cloud/cloud.cfg"]
    settings = await _root(two, "cat /etc/cloud/cloud.cfg")
    assert settings.endswith("\ndatasource_list:\n  - CloudStack\n")


async def _is_served(cloud: Stage, guest: Guest) -> None:
    """Its first boot ends, and everything that the cloud owes it has come by the tree of EC2."""
    version, source = (await guest.says(FINISHED, BOOT_SECONDS)).groups()
    assert (version, source) == ("22.4.2", "DataSourceEc2")
    await _has_its_address(guest)
    await _has_its_name(guest)
    await _opens_to_its_key(cloud, guest)
    assert f"ran-{guest.inventory['name']}-as-root" in guest.serial()
    await _said_no_error(guest)
    await _asked_as_ec2(cloud, guest)


async def _debian(guest: Guest, command: str) -> str:
    """What a command printed for the user that the distribution's cloud-init makes."""
    return await guest.ssh(command, user="debian")


async def _root(guest: Guest, command: str) -> str:
    return await _debian(guest, f"sudo -n {command}")


async def _has_its_address(guest: Guest) -> None:
    (line,) = (await _debian(guest, "ip -4 -o addr show scope global")).splitlines()
    assert f"inet {guest.ip}/24 " in line
    assert " dynamic " in line
    assert guest.mac in await _debian(guest, "ip link show dev " + line.split()[1])
    routes = await _debian(guest, "ip route")
    assert f"default via {guest.nic['gateway']} " in routes
    assert "169.254.169.254 via " in routes
    assert f"nameserver {DNS}" in await _debian(guest, "cat /run/systemd/resolve/resolv.conf")
    lease = (await _root(guest, "sh -c 'cat /run/systemd/netif/leases/*'")).splitlines()
    assert {f"ADDRESS={guest.ip}", f"DNS={DNS}", f"DOMAINNAME={DOMAIN}"} <= set(lease)


async def _has_its_name(guest: Guest) -> None:
    name = guest.inventory["name"]
    assert await _debian(guest, "cat /proc/sys/kernel/hostname /etc/hostname") == f"{name}\n{name}\n"
    await guest.says(rf"^{name} login:")


async def _opens_to_its_key(cloud: Stage, guest: Guest) -> None:
    """The key lets debian in, who may become root; root is told so, as the distribution would have it."""
    assert await _debian(guest, "id -un") == "debian\n"
    assert await _root(guest, "id -un") == "root\n"
    assert await _debian(guest, "cat .ssh/authorized_keys") == f"{cloud.public_key}\n"
    told = await guest.ssh("id -un", check=False)
    assert told != "root\n"
    assert 'Please login as the user "debian" rather than the user "root".' in told


async def _said_no_error(guest: Guest) -> None:
    result = json.loads(await _debian(guest, "cat /run/cloud-init/result.json"))["v1"]
    assert result["errors"] == []
    assert result["datasource"].startswith("DataSourceEc2")


async def _asked_as_ec2(cloud: Stage, guest: Guest) -> None:
    """The record of its requests shows cloud-init asking for the tree of EC2 and nobody else's."""

    async def fetched() -> list[dict[str, object]]:
        rows = await cloud.session.query("UserdataFetch", vm_instance_uuid=guest.uuid)
        return rows if any(str(row["path"]).endswith(KEY) for row in rows) else []

    rows = await until(fetched, 30, "the record of its fetches")
    got = {str(row["path"]) for row in rows if int(str(row["httpStatus"])) == 200}
    assert "/2009-04-04/meta-data/instance-id" in got
    assert {f"/2021-03-23/{path}" for path in ("user-data", "meta-data/local-hostname", KEY)} <= got
    assert AGENT in {str(row["userAgent"]) for row in rows}
    assert [row["path"] for row in rows if row["path"] not in got] == []
    assert not any(path.startswith(("/latest", "/openstack", "/nocloud")) for path in got)


async def _changed_settings(guest: Guest) -> str:
    """What is not as cloud-init's package has it, documentation and translations aside."""
    return await _debian(guest, "dpkg --verify cloud-init | grep -v /usr/share/ || true")
