"""Any two calls on one volume, one right after the other: the second ends as if the first had been waited for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from tests.appliance.resources.test_volume import attached, disk
from tests.simulated_cloud import GIB, Body, Cloud

__all__ = ["disk"]


@dataclass(frozen=True)
class Things:
    """What calls name: a VM, a data volume, another host, and a snapshot and a backup of the volume."""

    vm: str
    volume: str
    elsewhere: str
    snapshot: str
    backup: str
    storage: str


CALLS: dict[str, Callable[[Things], Body]] = {
    "AttachDataVolumeToVm": lambda it: {"vmInstanceUuid": it.vm, "volumeUuid": it.volume},
    "DetachDataVolumeFromVm": lambda it: {"uuid": it.volume},
    "DeleteDataVolume": lambda it: {"uuid": it.volume},
    "RecoverDataVolume": lambda it: {"uuid": it.volume},
    "ExpungeDataVolume": lambda it: {"uuid": it.volume},
    "ResizeDataVolume": lambda it: {"uuid": it.volume, "size": 2 * GIB},
    "CreateVolumeSnapshot": lambda it: {"volumeUuid": it.volume, "name": "s"},
    "RevertVolumeFromSnapshot": lambda it: {"uuid": it.snapshot},
    "DeleteVolumeSnapshot": lambda it: {"uuid": it.snapshot},
    "LocalStorageMigrateVolume": lambda it: {"volumeUuid": it.volume, "destHostUuid": it.elsewhere},
    "CreateDataVolumeTemplateFromVolume": lambda it: {"volumeUuid": it.volume, "name": "i"},
    "CreateDataVolumeFromVolumeSnapshot": lambda it: {"volumeSnapshotUuid": it.snapshot, "name": "v"},
    "CreateVolumeBackup": lambda it: {"volumeUuid": it.volume, "backupStorageUuid": it.storage, "name": "b"},
    "BackupVolumeSnapshot": lambda it: {"uuid": it.snapshot},
    "RevertVolumeFromVolumeBackup": lambda it: {"uuid": it.backup},
    "DeleteVolumeBackup": lambda it: {"uuid": it.backup},
    "StopVmInstance": lambda it: {"uuid": it.vm},
    "StartVmInstance": lambda it: {"uuid": it.vm},
    "MigrateVm": lambda it: {"vmInstanceUuid": it.vm, "hostUuid": it.elsewhere},
    "CreateVmBackup": lambda it: {"rootVolumeUuid": "", "backupStorageUuid": it.storage, "name": "b"},
}
"""Messages about volumes, and how each names what it is about."""


async def things(cloud: Cloud, disk: str, place: str) -> Things:
    vm, data = await attached(cloud, disk, hostUuid=cloud.uuids["host1"])
    kept = await cloud.call("CreateVolumeSnapshot", volumeUuid=data["uuid"], name="kept")
    place_of = {"volumeUuid": data["uuid"], "backupStorageUuid": cloud.uuids["backup"]}
    backup = await cloud.call("CreateVolumeBackup", name="kept", **place_of)
    if place == "stopped":
        await cloud.call("StopVmInstance", uuid=vm["uuid"])
    if place == "free":
        await cloud.call("DetachDataVolumeFromVm", uuid=data["uuid"])
    return Things(
        vm["uuid"], data["uuid"], cloud.uuids["host2"], kept["uuid"], backup["uuid"], cloud.uuids["backup"]
    )


PAIRS = (
    ("free", "AttachDataVolumeToVm", "AttachDataVolumeToVm"),
    ("free", "AttachDataVolumeToVm", "DetachDataVolumeFromVm"),
    ("free", "AttachDataVolumeToVm", "MigrateVm"),
    ("free", "LocalStorageMigrateVolume", "AttachDataVolumeToVm"),
    ("free", "LocalStorageMigrateVolume", "DeleteDataVolume"),
    ("free", "CreateDataVolumeTemplateFromVolume", "ResizeDataVolume"),
    ("free", "RevertVolumeFromVolumeBackup", "CreateVolumeSnapshot"),
    ("running", "DetachDataVolumeFromVm", "AttachDataVolumeToVm"),
    ("running", "DetachDataVolumeFromVm", "DeleteDataVolume"),
    ("running", "DetachDataVolumeFromVm", "LocalStorageMigrateVolume"),
    ("running", "DetachDataVolumeFromVm", "RevertVolumeFromSnapshot"),
    ("running", "DetachDataVolumeFromVm", "CreateDataVolumeTemplateFromVolume"),
    ("running", "DeleteDataVolume", "RecoverDataVolume"),
    ("running", "DeleteDataVolume", "ExpungeDataVolume"),
    ("running", "DeleteDataVolume", "CreateVmBackup"),
    ("running", "ResizeDataVolume", "ResizeDataVolume"),
    ("running", "CreateVolumeBackup", "CreateVolumeBackup"),
    ("running", "CreateVolumeBackup", "DeleteVolumeBackup"),
    ("running", "CreateVolumeSnapshot", "CreateDataVolumeFromVolumeSnapshot"),
    ("running", "MigrateVm", "DetachDataVolumeFromVm"),
    ("running", "StopVmInstance", "RevertVolumeFromVolumeBackup"),
    ("running", "StopVmInstance", "CreateVmBackup"),
    ("stopped", "CreateDataVolumeTemplateFromVolume", "StartVmInstance"),
)
"""Where the volume is to begin with, and two calls of which the second is never refused for the first."""


async def both(cloud: Cloud, it: Things, first: str, second: str, *, waiting: bool) -> tuple[str, list[Body]]:
    """How the second of two calls ends that are made one after the other's end, or while it is under way.

    And what the volume is then.
    """
    vm = await cloud.one("QueryVmInstance", it.vm)
    fields = {name: CALLS[name](it) for name in (first, second)}
    if "rootVolumeUuid" in fields[second]:
        fields[second]["rootVolumeUuid"] = vm["rootVolumeUuid"]
    for host in cloud.hosts:
        host.delays.usual = 0.01
    _, job = await cloud.begin(first, **fields[first])
    assert job is not None
    if waiting:
        await cloud.ended(job)
    body = await cloud.answer(second, **fields[second])
    await cloud.ended(job)
    for host in cloud.hosts:
        host.delays.usual = 0
    await cloud.idle()
    volumes = await cloud.query("QueryVolume", uuid=it.volume)
    shown = [{name: each.get(name) for name in ("status", "size", "deviceId")} for each in volumes]
    return _end(body), shown


def _end(body: Body) -> str:
    """How a call ended: by the code of its last cause."""
    error = body.get("error", {"code": "done"})
    while "cause" in error:
        error = error["cause"]
    return str(error["code"])


@pytest.mark.parametrize(("place", "first", "second"), PAIRS)
async def test_the_second_ends_as_if_the_first_had_been_waited_for(
    cloud: Cloud, disk: str, place: str, first: str, second: str
) -> None:
    ends = [
        await both(cloud, await things(cloud, disk, place), first, second, waiting=waiting)
        for waiting in (True, False)
    ]
    assert ends[0] == ends[1]
