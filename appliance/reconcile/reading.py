"""Volumes that are read for something made of them: nobody writes to them meanwhile, and they are free afterwards."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec.structs import replace

from agent.protocol import AnyRequest, DropFile, FlattenVolume
from agent.protocol import Done as AgentDone
from appliance.api.host import Host
from appliance.api.job import LongJob
from appliance.api.template import VolumeReading
from appliance.api.vm import VmInstance
from appliance.api.volume import Volume
from appliance.api.volume_backup import VolumeBackup, VolumeRestore
from appliance.hosts.fleet import Target
from appliance.reconcile.asking import Asker, ended_when_unwanted
from appliance.reconcile.capacity import kept_free
from appliance.reconcile.context import Context
from appliance.reconcile.meter import Meter
from appliance.store.snapshot import Snapshot
from appliance.store.transaction import Transaction

READ_SECONDS = 7 * 86400.0
"""A volume takes as long as it takes."""


def begin_reading(
    tx: Transaction, uuid: str, volume: Volume, path: str, flat_path: str, vm: VmInstance | None
) -> VolumeReading:
    """Keep a volume as it is until something of this uuid is made of it; so its VM, if it has one, stays off."""
    if vm is not None:
        tx.update(vm, being_read=True)
    return tx.insert(
        VolumeReading(
            uuid=uuid,
            volume_uuid=volume.uuid,
            vm_instance_uuid=vm.uuid if vm is not None else None,
            host_uuid=str(volume.host_uuid),
            path=path,
            flat_path=flat_path,
        )
    )


def why_kept(snapshot: Snapshot, volume: Volume, *, head_only: bool = False) -> str | None:
    """Why the files of a volume must stay as they are, being copied or replaced; None when they need not.

    With `head_only`, why nobody may write to the topmost: what is made of a snapshot does not touch that.
    """
    readings = snapshot.all(VolumeReading, volume_uuid=volume.uuid, phase="reading")
    if any(not head_only or each.path == volume.install_path for each in readings):
        return "is being read, as something is made of it"
    backed_up = {"volume_uuid": volume.uuid, "phase": "writing", "intended": "Present"}
    if snapshot.exists(VolumeBackup, **backed_up) or snapshot.exists(VolumeRestore, volume_uuid=volume.uuid):
        return "is being backed up, or restored from a backup"
    return None


def readings_on(snapshot: Snapshot, host: Host) -> list[VolumeReading]:
    """What is being made of volumes of a host."""
    return snapshot.all(VolumeReading, host_uuid=host.uuid)


def end_reading(tx: Transaction, uuid: str) -> None:
    """All has been read: the volume may be used again."""
    reading = tx.find(VolumeReading, uuid)
    if reading is None or reading.phase != "reading":
        return
    tx.update(reading, phase="read")
    vm = tx.find(VmInstance, reading.vm_instance_uuid) if reading.vm_instance_uuid else None
    if vm is not None and not tx.exists(VolumeReading, vm_instance_uuid=vm.uuid, phase="reading"):
        tx.update(vm, being_read=False)


def forget_reading(tx: Transaction, uuid: str) -> None:
    """Nothing of it is left on the host."""
    end_reading(tx, uuid)
    reading = tx.find(VolumeReading, uuid)
    if reading is not None:
        tx.delete(reading)


async def drop_flat(
    context: Context, asker: Asker, host: Target, path: str, resource: str, generation: int
) -> None:
    """Remove a flat file, made or not. Raises what `Link.ask` raises.

    The first request, which waits for none about the resource, ends what makes it; after the second, which
    does, and is of a later generation, nothing can begin that again.
    """
    request: AnyRequest = DropFile(path=path)
    await context.fleet.link(host).ask(request, AgentDone)
    await asker.settle_unanswered(host, request)
    await asker.ask(host, request, resource=resource, generation=generation)


async def flatten(
    context: Context,
    asker: Asker,
    host: Target,
    request: FlattenVolume,
    *,
    resource: str,
    generation: int,
    jobs: Sequence[LongJob],
    title: str,
    wanted: Callable[[Snapshot], bool],
) -> None:
    """Have a host make a flat file, and say how far that is; ended, and dropped, when it is wanted no more.

    It leaves the primary storages' reserve free. Raises what `Link.ask` raises. Whatever the file is for, of this
    generation it is dropped by the next.
    """

    async def end() -> None:
        another = Asker(context.fleet, context.database.new_uuid)
        await drop_flat(context, another, host, request.path, resource, generation + 1)

    meter = Meter(context.database, jobs, title, request.path)
    reserved = await context.database.read(lambda snapshot: kept_free(snapshot, "primaryStorage"))
    request = replace(request, reserved_bytes=reserved)
    await asker.settle_unanswered(host, request)
    async with ended_when_unwanted(context.database, wanted, end), meter.running():
        await asker.ask(
            host,
            request,
            resource=resource,
            generation=generation,
            timeout_seconds=READ_SECONDS,
            on_progress=meter,
        )
