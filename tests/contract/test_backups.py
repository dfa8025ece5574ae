"""What a host does for backups: whole ones, increments, what cannot be one, and files made of them."""

from __future__ import annotations

from msgspec.structs import replace

from agent.protocol import (
    BackedUp,
    BackedUpDisk,
    BackupDisk,
    BackUpVolumes,
    Done,
    DropFile,
    JoinBackups,
    ObserveVm,
    VmSeen,
)
from tests.contract.peer import Peer
from tests.contract.rig import Rig
from tests.contract.test_disks import DATA, built, path_of
from tests.contract.test_things import SIZE, VM, tell

__all__ = ["built"]

FIRST, SECOND = "1" * 32, "2" * 32


def place(rig: Rig, name: str) -> str:
    return f"{rig.storage}/volumeBackups/{name}/{name}.qcow2"


def disk(rig: Rig, name: str, **changes: str) -> BackupDisk:
    path = path_of(rig, DATA)
    made = BackupDisk(volume_uuid=DATA, path=path, target=place(rig, name), bitmap=name)
    return replace(made, **changes)


async def backed_up(peer: Peer, what: BackupDisk) -> BackedUpDisk:
    return (await peer.told(BackUpVolumes(disks=[what]), BackedUp)).disks[DATA]


async def test_a_backup_an_increment_and_what_they_make(rig: Rig, built: Peer) -> None:
    path = path_of(rig, DATA)
    whole = await backed_up(built, disk(rig, FIRST))
    assert (whole.incremental, whole.reason, whole.virtual_bytes) == (False, "", SIZE)
    more = await backed_up(built, disk(rig, SECOND, since=FIRST, since_path=path))
    assert (more.incremental, more.reason) == (True, "")
    seen = await built.told(
        ObserveVm(vm_uuid=VM, volume_paths=[place(rig, FIRST), place(rig, SECOND)]), VmSeen
    )
    assert seen.backings == {}
    assert len(seen.volumes) == 2
    join = JoinBackups(
        files=[place(rig, FIRST), place(rig, SECOND)],
        md5=[whole.md5, more.md5],
        path=f"{rig.storage}/joined.qcow2",
    )
    damaged = replace(join, md5=[whole.md5, "f" * 32])
    assert await built.code(damaged) == "backup.damaged"
    await built.told(join, Done)
    await built.told(join, Done)
    seen = await built.told(ObserveVm(vm_uuid=VM, volume_paths=[join.path]), VmSeen)
    assert (seen.volumes, seen.backings) == ({join.path: SIZE}, {})
    await tell(built, *(DropFile(path=each) for each in (*join.files, join.path)))


async def test_what_cannot_be_an_increment_is_a_whole_backup_and_says_why(rig: Rig, built: Peer) -> None:
    path = path_of(rig, DATA)
    more = await backed_up(built, disk(rig, SECOND, since=FIRST, since_path=path))
    assert more.incremental is False
    assert "does not note what was written" in more.reason
    await tell(built, DropFile(path=place(rig, SECOND)))
