"""Moves of volumes: what can be asked about taking one to another host."""

from __future__ import annotations

from appliance.api.errors import NoHostAvailable, WrongVmState
from appliance.api.host import Host
from appliance.api.message import Message, arg
from appliance.api.resource import Resource, Timestamp, column
from appliance.api.storage import LOCAL, LocalStorageResourceRef
from appliance.api.tally import promised
from appliance.api.vm import JAVA as VM_JAVA
from appliance.api.vm import VmInstance
from appliance.api.volume import Volume


class VolumeMove(Resource, java=LOCAL):
    """A volume on its way from one host to another; until it has `moved`, the source's files are the volume."""

    uuid: str = column("Identity, and that of the lane between the hosts.")
    volume_uuid: str = column("The volume.", indexed=True)
    name: str = column("The volume's name.")
    vm_instance_uuid: str | None = column(
        "The stopped VM whose root volume it is.", default=None, indexed=True
    )
    vm_move_uuid: str | None = column(
        "The move of the running VM that takes it along, if one does.", default=None, indexed=True
    )
    primary_storage_uuid: str = column("The storage that it stays on.", indexed=True)
    source_host_uuid: str = column("The host that it leaves.", indexed=True)
    host_uuid: str = column("The host that it goes to.", indexed=True)
    phase: str = column("copying, verified, or moved: then only the source's files are left to remove.",
                        default="copying")  # fmt: skip
    size: int = column("Bytes promised to it on its new host, until it is there.")
    files: str = column("Each of its files, the lowest first, to the file it builds on: JSON.", default="{}")
    nics: str = column("The NICs that the source is to forget: JSON.", default="[]")
    intended: str = column("Present, or Absent: then what has come to the new host goes.", default="Present")
    generation: int = column("Counts changes of what is intended.", default=1)
    create_date: Timestamp = column("When it began.", default=Timestamp(0))
    last_op_date: Timestamp = column("When it last changed.", default=Timestamp(0))

    def tallies(self) -> dict[str, int]:
        """What is promised to it on its new host."""
        return promised(self.primary_storage_uuid, self.host_uuid, self.size)


class VmMove(Resource, java=VM_JAVA):
    """A running VM on its way to another host, with its volumes; until it has `moved` it is the source's."""

    uuid: str = column("Identity, and that of the lane between the hosts.")
    vm_instance_uuid: str = column("The VM.", indexed=True)
    name: str = column("The VM's name.")
    source_host_uuid: str = column("The host that it leaves.", indexed=True)
    host_uuid: str = column("The host that it goes to.", indexed=True)
    phase: str = column("preparing, moving, or moved: then only what the source has left is to be removed.",
                        default="preparing")  # fmt: skip
    files: str = column("The files of its volumes: JSON.", default="[]")
    nics: str = column("Its NICs: JSON.", default="[]")
    intended: str = column("Present, or Absent: then what has come to the new host goes.", default="Present")
    generation: int = column("Counts changes of what is intended.", default=1)
    create_date: Timestamp = column("When it began.", default=Timestamp(0))
    last_op_date: Timestamp = column("When it last changed.", default=Timestamp(0))


class MigrateVm(Message, java=VM_JAVA, returns=VmInstance, role="operator",
                raises=(WrongVmState, NoHostAvailable)):  # fmt: skip
    """Move a running VM to another host, with what it has on local storage, its address and its user data.

    Its guest goes on meanwhile, and stands still for about a second at the end, longer on a busy host. The call ends
    when what it had on its old host is removed there. Where that cannot be done at once it ends all the same, with
    an event: the removal is recorded, outlives the appliance, and is made up for when the host is back.
    """

    vm_instance_uuid: str = arg("The VM.", ref=VmInstance)
    host_uuid: str | None = arg(
        "The host it goes to; the one with fewest VMs when absent.", default=None, ref=Host
    )


class LocalStorageMigrateVolume(Message, java=LOCAL, returns=LocalStorageResourceRef, role="operator"):
    """Move a volume of a local storage to another host, snapshots and all.

    A root volume's VM must be stopped and have no data volumes; a data volume must be detached. The call ends when
    the files on the host that it leaves are removed; what can't be removed at once is recorded, as for MigrateVm.
    """

    volume_uuid: str = arg("The volume.", ref=Volume)
    dest_host_uuid: str = arg("The host it goes to.", ref=Host)


MIGRATABLE = f"{LOCAL}.APILocalStorageGetVolumeMigratableReply"
"""ZStack's name of the reply, which is not made of the message's."""


class LocalStorageGetVolumeMigratableHosts(Message, java=LOCAL, sync=True, role="read-only",
                                           result_class=MIGRATABLE):  # fmt: skip
    """List the hosts that LocalStorageMigrateVolume would take a volume to now, and as `excluded` why not the others.

    While a rule keeps the volume where it is (a VM that runs, data volumes beside it) there are none.
    """

    volume_uuid: str = arg("The volume.", ref=Volume)
