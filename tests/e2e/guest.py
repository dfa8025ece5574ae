"""A guest of the tests: created by a call, read by its serial log, reached by ssh from its host."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

from appliance.api.account import ADMIN_UUID
from appliance.lab import LabHost
from appliance.plans.naming import root_volume, serial_log, tap
from tests.e2e.stage import STORAGE, Stage, until

BOOT_SECONDS = 60.0
"""The tiny image needs under 10 s of an idle machine; tests share theirs."""

SSH = ("ssh", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null",
       "-o", "ConnectTimeout=8", "-o", "LogLevel=ERROR")  # fmt: skip


class Guest:
    """One VM of the cloud."""

    def __init__(self, stage: Stage, inventory: dict[str, Any]) -> None:
        self.stage = stage
        self.inventory = inventory
        self.uuid = str(inventory["uuid"])

    @property
    def host(self) -> LabHost:
        """The host that it is, or last was, on."""
        return self.stage.hosts[self.inventory.get("hostUuid") or self.inventory["lastHostUuid"]]

    @property
    def nic(self) -> dict[str, Any]:
        """Its first NIC."""
        nics = sorted(self.inventory["vmNics"], key=lambda nic: int(nic["deviceId"]))
        return dict(nics[0])

    @property
    def ip(self) -> str:
        return str(self.nic["ip"])

    @property
    def mac(self) -> str:
        return str(self.nic["mac"])

    @property
    def state(self) -> str:
        return str(self.inventory["state"])

    @property
    def device(self) -> str:
        """The tap of its first NIC: MACs are made of the same number as names of taps."""
        return tap(int(self.nic["metaData"]), int(self.nic["deviceId"]))

    @property
    def root_volume(self) -> str:
        """The file of its disk on the host."""
        return root_volume(STORAGE, ADMIN_UUID, str(self.inventory["rootVolumeUuid"]))

    async def refresh(self) -> Guest:
        """Ask again what is known of it."""
        found = await self.stage.session.query("VmInstance", uuid=self.uuid)
        assert found, f"VM {self.uuid} is not there"
        self.inventory = found[0]
        return self

    def serial(self) -> str:
        """All that its serial console has said, over all boots."""
        path = self.host.folder / "disk" / serial_log(self.uuid).lstrip("/")
        return path.read_text(errors="replace") if path.exists() else ""

    async def says(self, pattern: str, seconds: float = BOOT_SECONDS, *, after: int = 0) -> re.Match[str]:
        """Wait for a line of its serial console, from an offset of its log on."""

        async def look() -> re.Match[str] | None:
            return re.search(pattern, self.serial()[after:], re.MULTILINE)

        try:
            found = await until(look, seconds, f"{pattern!r} on the guest's console", pause=0.1)
        except AssertionError as failed:
            raise AssertionError(f"{failed}\n{self.serial()[-3000:]}") from None
        assert found is not None
        return found

    async def booted(self, *, after: int = 0) -> Guest:
        """Wait until the tiny image has an address, its user data has run and ssh is open."""
        await self.says(r"^zstui-tiny: ready", after=after)
        return self

    async def ssh(
        self,
        command: str,
        *,
        check: bool = True,
        seconds: float = 30,
        key: Path | None = None,
        user: str = "root",
    ) -> str:
        """What a command line printed, run in the guest as root or another user; the network needs DHCP."""
        argv = [*SSH, "-i", str(key or self.stage.guest_key), f"{user}@{self.ip}", command]
        done = await self.ssh_process(argv, seconds)
        if check:
            assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout

    async def ssh_process(self, argv: list[str], seconds: float = 30) -> subprocess.CompletedProcess[str]:
        """Run a program, in the guest's network on its host."""
        l3 = str(self.nic["l3NetworkUuid"])
        return await self.stage.in_network(self.host, l3, argv, check=False, seconds=seconds)

    async def on(self) -> bool:
        """Whether its host runs it, by virsh."""
        return self.uuid in await self.stage.domains(self.host)

    async def stop(self, seconds: float = 90) -> Guest:
        await self.stage.session.call("StopVmInstance", uuid=self.uuid, timeout_seconds=seconds)
        return await self.refresh()

    async def start(self, seconds: float = 90) -> Guest:
        await self.stage.session.call("StartVmInstance", uuid=self.uuid, timeout_seconds=seconds)
        return await self.refresh()

    async def destroy(self, seconds: float = 60) -> None:
        await self.stage.session.call("DestroyVmInstance", uuid=self.uuid, timeout_seconds=seconds)


async def create(
    stage: Stage,
    name: str,
    *,
    host: int | None = None,
    user_data: str | None = None,
    key: bool = True,
    l3: list[str] | None = None,
    image: str | None = None,
    tags: tuple[str, ...] = (),
    **more: Any,
) -> Guest:
    """Create a VM, on the lab's host of a number where one is given; it runs when this returns."""
    system_tags = list(tags)
    if user_data is not None:
        system_tags.append(f"userdata::{user_data}")
    if key:
        system_tags.append(f"sshkey::{stage.public_key}")
    if host is not None:
        more["host_uuid"] = await stage.host_uuid(host)
    reply = await stage.session.call(
        "CreateVmInstance",
        timeout_seconds=120,
        name=name,
        instance_offering_uuid=more.pop("offering", stage.offering),
        image_uuid=image or stage.image,
        l3_network_uuids=l3 or [stage.l3],
        system_tags=system_tags,
        **more,
    )
    return Guest(stage, reply["inventory"])
