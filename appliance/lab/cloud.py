"""A whole little cloud on lab hosts, or on this machine: made by calls, and found again when it is there."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from appliance.client import Session
from appliance.config import Config, tiny_image_file
from appliance.lab.command import LabError
from appliance.lab.data_folder import DataFolder
from appliance.lab.instance import LabHost
from appliance.lab.lab import Lab
from appliance.lab.local import INTERFACE, PORT, LocalMachine
from appliance.serve.certificate import is_loopback
from appliance.starting import answers, ensure_running, reached

GIB = 1 << 30
VM_MEMORY = 192 << 20
CIDR = "172.30.{octet}.0/24"


@dataclass(frozen=True)
class Machine:
    """A machine to add as a host."""

    name: str
    address: str
    username: str
    password: str
    port: int = 22


class Cloud:
    """The demo cloud of a lab. Each step looks for what it would make, and makes it only when absent."""

    def __init__(
        self, config: Config, lab: Lab, *, local: bool = False, progress: Callable[[str], None] = print
    ) -> None:
        self._config = config
        self._lab = lab
        self._local = LocalMachine(config.folder / "local", progress) if local else None
        self._data = DataFolder(config.folder, "this machine" if local else lab.name)
        self._say = progress

    async def up(self) -> dict[str, Any]:
        """Bring everything up; returns the summary that scripts read. `LabError` on another lab's data folder."""
        self._data.claim()
        hosts = [] if self._local else await self._lab_hosts()
        self._say("appliance")
        await self._listening()
        target = await ensure_running(self._config)
        if self._local is not None:
            await self._local.up(self._config.keys / "id_ed25519")
            hosts = [Machine("local", "127.0.0.1", "root", "", PORT)]
        async with await Session.connect(target) as session:
            return await self._build(session, hosts)

    async def _listening(self) -> None:
        """An appliance that somebody else's call has started need not listen where this cloud is to be found."""
        if (
            answers(self._config.socket)
            and self._config.listen is not None
            and not reached(*self._config.listen)
        ):
            self._say(
                f"appliance again, so that it listens on {self._config.listen[0]}:{self._config.listen[1]}"
            )
            await stop_appliance(self._config)

    async def down(self) -> None:
        """Stop the appliance and the hosts; what they remember stays. `LabError` on another lab's data folder."""
        self._data.check()
        uuids = await self._vm_uuids() if self._local else []
        await stop_appliance(self._config)
        if self._local is not None:
            await self._local.down(uuids)
        else:
            await self._lab.down()

    async def purge(self) -> None:
        """Stop everything and forget it, the appliance's data too: its hosts' keys and disks are gone.

        Raises `LabError`, with nothing stopped and nothing removed, on a folder that is not this lab's data.
        """
        self._data.check_own()
        await self.down()
        if self._local is not None:
            self._local.purge()
        else:
            await self._lab.purge()
        self._data.remove()

    async def _vm_uuids(self) -> list[str]:
        if not answers(self._config.socket):
            return []
        async with await Session.connect(self._config.socket) as session:
            return [str(vm["uuid"]) for vm in await session.query("VmInstance")]

    async def _lab_hosts(self) -> list[Machine]:
        self._say(f"lab {self._lab.name}: {self._lab.hosts} hosts")
        hosts: list[LabHost] = await self._lab.up()
        return [Machine(host.name, host.address, host.user, host.password) for host in hosts]

    async def _build(self, session: Session, machines: list[Machine]) -> dict[str, Any]:
        make = Maker(session, self._say)
        zone = await make("Zone", "CreateZone", name="zone-1")
        cluster = await make(
            "Cluster", "CreateCluster", name="cluster-1", zoneUuid=zone, hypervisorType="KVM"
        )
        l2 = await make(
            "L2Network",
            "CreateL2NoVlanNetwork",
            name="l2-flat",
            zoneUuid=zone,
            physicalInterface=self._interface,
        )
        storage = await make(
            "PrimaryStorage", "AddLocalPrimaryStorage", name="local", url=self._storage, zoneUuid=zone
        )
        await self._machines(make, cluster, machines)
        await self._connected(session)
        backup = (await session.query("BackupStorage", name="images"))[0]["uuid"]
        await make.attach(
            "AttachPrimaryStorageToCluster", storage, clusterUuid=cluster, primaryStorageUuid=storage
        )
        await make.attach("AttachL2NetworkToCluster", l2, clusterUuid=cluster, l2NetworkUuid=l2)
        await make.attach("AttachBackupStorageToZone", backup, zoneUuid=zone, backupStorageUuid=backup)
        l3 = await self._network(session, make, l2)
        image = await self._image(session, make, backup)
        offering = await make(
            "InstanceOffering", "CreateInstanceOffering", name="tiny", cpuNum=1, cpuSpeed=500,
            memorySize=VM_MEMORY,
        )  # fmt: skip
        vm = await make(
            "VmInstance", "CreateVmInstance", name="vm-1", instanceOfferingUuid=offering, imageUuid=image,
            l3NetworkUuids=[l3], systemTags=["userdata::#!/bin/sh\necho hello from zstui > /dev/console\n"],
        )  # fmt: skip
        await self._running(session, vm)
        return await self._summary(session)

    async def _machines(self, make: Maker, cluster: str, machines: list[Machine]) -> None:
        """Every host at once, and the first one's images."""
        async with asyncio.TaskGroup() as group:
            for machine in machines:
                group.create_task(
                    make(
                        "Host", "AddKVMHost", name=machine.name, managementIp=machine.address,
                        clusterUuid=cluster, username=machine.username, password=machine.password, sshPort=machine.port,
                    )
                )  # fmt: skip
            first = machines[0]
            group.create_task(
                make(
                    "BackupStorage", "AddSftpBackupStorage", name="images", url=self._images,
                    hostname=first.address, username=first.username, password=first.password, sshPort=first.port,
                )
            )  # fmt: skip

    async def _running(self, session: Session, vm: str) -> None:
        """Stopping the lab powered the VM off; who starts the lab wants to see it run."""
        if (await session.query("VmInstance", uuid=vm))[0]["state"] == "Stopped":
            self._say("StartVmInstance vm-1")
            await session.call("StartVmInstance", uuid=vm)

    @property
    def _interface(self) -> str:
        return INTERFACE if self._local else "eth1"

    @property
    def _storage(self) -> str:
        return self._local.storage if self._local else "/zstack_ps"

    @property
    def _images(self) -> str:
        return self._local.images if self._local else "/zstack_bs"

    async def _network(self, session: Session, make: Maker, l2: str) -> str:
        l3 = await make("L3Network", "CreateL3Network", name="flat", l2NetworkUuid=l2, dnsDomain="zstui.test")
        network = (await session.query("L3Network", uuid=l3))[0]
        if not network.get("ipRanges"):
            octet = sum(self._lab.name.encode()) % 200 + 20
            await session.call(
                "AddIpRangeByNetworkCidr",
                name="range",
                l3NetworkUuid=l3,
                networkCidr=CIDR.format(octet=octet),
            )
        if not network.get("networkServices"):
            provider = (await session.query("NetworkServiceProvider", type="Flat"))[0]["uuid"]
            await session.call(
                "AttachNetworkServiceToL3Network",
                l3NetworkUuid=l3,
                networkServices={provider: ["DHCP", "Userdata"]},
            )
        return l3

    async def _image(self, session: Session, make: Maker, backup: str) -> str:
        path = tiny_image()
        found = await session.query("Image", name="tiny")
        if found:
            return str(found[0]["uuid"])
        self._say("AddImage tiny")
        job = await session.call_job(
            "AddImage", name="tiny", url="upload://tiny.qcow2", format="qcow2", backupStorageUuids=[backup]
        )
        image = (await session.query("Image", name="tiny"))[0]["uuid"]
        await session.upload(image, path)
        await session.wait(job)
        return str(image)

    async def _connected(self, session: Session) -> None:
        """Hosts and storages found from an earlier run may still be connecting."""
        deadline = asyncio.get_running_loop().time() + 60
        while True:
            found = [*await session.query("Host"), *await session.query("BackupStorage")]
            away = [each for each in found if each["status"] != "Connected"]
            if not away:
                return
            if asyncio.get_running_loop().time() > deadline:
                raise LabError(f"{away[0]['name']} is {away[0]['status']}: {away[0].get('statusReason')}")
            await asyncio.sleep(0.2)

    async def _summary(self, session: Session) -> dict[str, Any]:
        hosts = await session.query("Host", sort_by="name")
        vms = await session.query("VmInstance", sort_by="name")
        listen = self._config.listen
        return {
            "url": f"http{'' if is_loopback(listen[0]) else 's'}://{listen[0]}:{listen[1]}"
            if listen
            else None,
            "hosts": [{key: host.get(key) for key in ("name", "managementIp", "status")} for host in hosts],
            "vms": [
                {
                    "name": vm["name"],
                    "uuid": vm["uuid"],
                    "state": vm["state"],
                    "ip": next((nic.get("ip") for nic in vm.get("vmNics", [])), None),
                    "hostUuid": vm.get("hostUuid"),
                }
                for vm in vms
            ],
        }


class Maker:
    """Makes a resource by a call, unless one of that name is there."""

    def __init__(self, session: Session, say: Callable[[str], None]) -> None:
        self._session = session
        self._say = say

    async def __call__(self, resource: str, message: str, **parameters: Any) -> str:
        found = await self._session.query(resource, name=parameters["name"])
        if found:
            return str(found[0]["uuid"])
        self._say(f"{message} {parameters['name']}")
        reply = await self._session.call(message, **parameters)
        return str(reply["inventory"]["uuid"])

    async def attach(self, message: str, uuid: str, **parameters: Any) -> None:
        """Attach a resource to the cluster or zone that is named, unless it is."""
        kind, to = message.removeprefix("Attach").split("To")
        found = (await self._session.query(kind, uuid=uuid))[0]
        if parameters[f"{to.lower()}Uuid"] in found.get(f"attached{to}Uuids", []):
            return
        self._say(message)
        await self._session.call(message, **parameters)


def tiny_image() -> Path:
    """The tiny image that packaging makes; raises `LabError` when it has not been made."""
    path = tiny_image_file()
    if not path.exists():
        raise LabError(f"{path} is not there; run make tiny")
    return path


async def stop_appliance(config: Config) -> None:
    """Stop the folder's appliance, if one runs, and wait for its end."""
    lock = config.folder / "lock"
    if not answers(config.socket) or not lock.exists():
        return
    pid = int(lock.read_text().split()[0])
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
    deadline = asyncio.get_running_loop().time() + 20
    while answers(config.socket):
        if asyncio.get_running_loop().time() > deadline:
            raise LabError(f"the appliance with pid {pid} does not stop")
        await asyncio.sleep(0.1)
