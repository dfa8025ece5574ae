"""The cloud that all end-to-end tests share, and ways to look at its hosts from outside."""

from __future__ import annotations

import asyncio
import re
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from agent.network import namespace_of, service_port
from appliance.client import Session
from appliance.lab import Lab, LabHost
from appliance.lab.cloud import tiny_image
from tests.e2e.appliance_process import ApplianceProcess

VIRSH = ("virsh", "-q", "-c", "qemu:///system")
MEMORY = 192 << 20
DNS = "172.29.0.53"
DOMAIN = "e2e.test"
STORAGE = "/zstack_ps"
IMAGES = "/zstack_bs"

T = TypeVar("T")


async def until(
    look: Callable[[], Awaitable[T]], seconds: float = 20.0, what: str = "", pause: float = 0.05
) -> T:
    """Look again and again until what is seen is true; that. Fails after so many seconds."""
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    while True:
        seen = await look()
        if seen:
            return seen
        assert loop.time() < end, f"{what or look} did not come within {seconds:g} s; last: {seen!r}"
        await asyncio.sleep(pause)


@dataclass
class Stage:
    """The lab, the appliance, and the uuids of what every test stands on."""

    lab: Lab
    appliance: ApplianceProcess
    session: Session
    machines: list[LabHost]
    zone: str = ""
    cluster: str = ""
    primary: str = ""
    backup: str = ""
    l2: str = ""
    l3: str = ""
    image: str = ""
    offering: str = ""
    hosts: dict[str, LabHost] = field(default_factory=dict)
    """The lab's hosts by the uuid that the cloud knows them by."""

    async def host_uuid(self, number: int) -> str:
        """The uuid of the lab's host of a number."""
        return next(uuid for uuid, host in self.hosts.items() if host.number == number)

    @property
    def guest_key(self) -> Path:
        """The private key that guests are given the public half of; seen on the hosts at the same path."""
        return self.lab.folder / "guest_key"

    @property
    def public_key(self) -> str:
        """The public half, as `authorized_keys` has it."""
        return self.guest_key.with_suffix(".pub").read_text().strip()

    async def run(
        self,
        host: LabHost | int,
        *argv: str,
        check: bool = True,
        seconds: float = 30,
        stdin: str | None = None,
    ) -> str:
        """What a command printed, run as root in a host."""
        done = await self.lab.exec(host, argv, timeout_seconds=seconds, check=check, stdin=stdin)
        return done.stdout

    async def virsh(self, host: LabHost | int, *words: str, check: bool = True) -> str:
        """What virsh says on a host."""
        return (await self.run(host, *VIRSH, *words, check=check)).strip()

    async def domains(self, host: LabHost | int, *flags: str) -> set[str]:
        """The names (VM uuids) of a host's domains; `--all` also of those that are off."""
        return set((await self.virsh(host, "list", "--name", *flags)).split())

    async def in_network(
        self,
        host: LabHost | int,
        l3_uuid: str,
        argv: Sequence[str],
        *,
        check: bool = True,
        seconds: float = 30,
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in a network's own namespace on a host, from where its guests can be reached."""
        enter = ["ip", "netns", "exec", namespace_of(l3_uuid)]
        return await self.lab.exec(host, [*enter, *argv], timeout_seconds=seconds, check=check)

    async def files(self, host: LabHost, *folders: str) -> set[str]:
        """Every file below folders of a host."""
        found = await self.run(host, "find", *(folders or (STORAGE, IMAGES)), "-type", "f", check=False)
        return set(found.split("\n")) - {""}

    async def leases(self, host: LabHost, l3_uuid: str) -> str:
        """All that the DHCP server of a network on a host is told of its clients."""
        folder = f"/run/zstui-agent-dhcp/{namespace_of(l3_uuid)}/hosts"
        return await self.run(host, "sh", "-c", 'cat "$1"/* 2>/dev/null || true', "sh", folder)

    async def guard(self, host: LabHost) -> str:
        """All nft rules of a host."""
        return await self.run(host, "nft", "list", "ruleset")

    async def links(self, host: LabHost) -> set[str]:
        """The names of a host's links."""
        listed = await self.run(host, "ip", "-o", "link", "show")
        return {match[1] for match in re.finditer(r"^\d+: ([^:@]+)", listed, re.MULTILINE)}

    def service_port(self, l3_uuid: str) -> str:
        """The port of a network's DHCP and metadata services in the bridge."""
        return service_port(l3_uuid)

    async def connected(self, seconds: float = 30) -> None:
        """Wait until the appliance is connected to every host and storage, as after its start."""

        async def all_are() -> bool:
            found = [*await self.session.query("Host"), *await self.session.query("BackupStorage")]
            return all(each["status"] == "Connected" for each in found)

        await until(all_are, seconds, "the connection to every host and storage")

    async def pids(self, host: LabHost, *pattern: str) -> list[int]:
        """Process ids, inside the host, of processes whose command line has a pattern."""
        found = await self.run(host, "pgrep", "-f", *pattern, check=False)
        return [int(word) for word in found.split()]

    async def restart(self) -> None:
        """Start the appliance again, and wait until it has seen all of its hosts."""
        await self.appliance.start()
        await self.connected()

    async def setting(self, category: str, name: str, value: str | None) -> None:
        """Change a setting; None puts the default back."""
        await self.session.call("UpdateGlobalConfig", category=category, name=name, value=value)


async def begin(stage: Stage) -> Stage:
    """A zone and a cluster without hosts."""
    call = stage.session.call
    stage.zone = await _made(call("CreateZone", name="zone"))
    stage.cluster = await _made(
        call("CreateCluster", name="cluster", zone_uuid=stage.zone, hypervisor_type="KVM")
    )
    return stage


async def build(stage: Stage, octet: int) -> None:
    """Make the cloud, by the calls that a user would make."""
    call = stage.session.call
    await begin(stage)
    await stage.setting("vm", "deletionPolicy", "Direct")
    async with asyncio.TaskGroup() as group:
        for machine in stage.machines:
            group.create_task(_add_host(stage, machine))
    first = stage.machines[0]
    stage.backup = await _made(
        call("AddSftpBackupStorage", name="images", url=IMAGES, hostname=first.address,
             username=first.user, password=first.password)
    )  # fmt: skip
    await call("AttachBackupStorageToZone", zone_uuid=stage.zone, backup_storage_uuid=stage.backup)
    stage.primary = await _made(
        call("AddLocalPrimaryStorage", name="local", url=STORAGE, zone_uuid=stage.zone)
    )
    await call(
        "AttachPrimaryStorageToCluster", cluster_uuid=stage.cluster, primary_storage_uuid=stage.primary
    )
    stage.l2 = await _made(
        call("CreateL2NoVlanNetwork", name="l2", zone_uuid=stage.zone, physical_interface="eth1")
    )
    await call("AttachL2NetworkToCluster", cluster_uuid=stage.cluster, l2_network_uuid=stage.l2)
    stage.l3 = await make_network(stage, "flat", f"172.28.{octet}.0/24")
    stage.offering = await _made(
        call("CreateInstanceOffering", name="tiny", cpu_num=1, cpu_speed=100, memory_size=MEMORY)
    )
    stage.image = await upload_image(stage, "tiny", tiny_image())


async def make_network(stage: Stage, name: str, cidr: str, *, services: bool = True, l2: str = "") -> str:
    """A flat L3 network with a range, a DNS server, DHCP and user data; on the usual L2 unless told otherwise."""
    call = stage.session.call
    l3 = await _made(call("CreateL3Network", name=name, l2_network_uuid=l2 or stage.l2, dns_domain=DOMAIN))
    await call("AddIpRangeByNetworkCidr", name=name, l3_network_uuid=l3, network_cidr=cidr)
    await call("AddDnsToL3Network", l3_network_uuid=l3, dns=DNS)
    if services:
        provider = (await stage.session.query("NetworkServiceProvider", type="Flat"))[0]["uuid"]
        await call(
            "AttachNetworkServiceToL3Network",
            l3_network_uuid=l3,
            network_services={provider: ["DHCP", "Userdata"]},
        )
    return l3


async def upload_image(stage: Stage, name: str, path: Path, **more: str) -> str:
    """An image made of a file here; qcow2, unless more says else."""
    job = await stage.session.call_job(
        "AddImage",
        name=name,
        url=f"upload://{path.name}",
        backup_storage_uuids=[stage.backup],
        **{"format": "qcow2", **more},
    )
    image = str((await stage.session.query("Image", name=name))[0]["uuid"])
    await stage.session.upload(image, path)
    await stage.session.wait(job, 60)
    return image


@asynccontextmanager
async def installer(stage: Stage) -> AsyncIterator[str]:
    """The ISO that installs the tiny image."""
    path = tiny_image().with_suffix(".iso")
    iso = await upload_image(stage, "installer", path, format="iso", media_type="ISO")
    try:
        yield iso
    finally:
        await stage.session.call("DeleteImage", uuid=iso)
        await stage.session.call("ExpungeImage", image_uuid=iso)


async def _add_host(stage: Stage, machine: LabHost) -> None:
    uuid = await _made(
        stage.session.call(
            "AddKVMHost", name=machine.name, management_ip=machine.address, cluster_uuid=stage.cluster,
            username=machine.user, password=machine.password,
        )
    )  # fmt: skip
    stage.hosts[uuid] = machine


async def _made(reply: Awaitable[dict[str, Any]]) -> str:
    return str((await reply)["inventory"]["uuid"])
