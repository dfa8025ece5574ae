"""Which host a machine is, entering it, and leaving it with the last that is on it: agent, keys, and the pinned one."""

from __future__ import annotations

from typing import TypeVar

from appliance.api.errors import MachineIsHost
from appliance.api.host import Host, HostKey
from appliance.api.storage import BackupStorage
from appliance.hosts.fleet import Target
from appliance.reconcile.context import Context, target_of
from appliance.reconcile.observe import host_at, storage_at
from appliance.store.database import Database
from appliance.store.snapshot import Snapshot
from appliance.store.transaction import Transaction

M = TypeVar("M", Host, BackupStorage)


class DatabaseRoster:
    """Which host a machine is, by the store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def host_at(self, machine: str) -> str:
        """The uuid of the host at an `address:port`; empty where there is none."""
        found = await self._database.read(lambda snapshot: host_at(snapshot, machine))
        return found.uuid if found is not None else ""

    async def refuse_host(self, host_uuid: str, target: Target) -> None:
        """Raise `MachineIsHost` if there is such a host: the target is its machine."""
        found = await self._database.read(lambda snapshot: snapshot.find(Host, host_uuid))
        if found is not None:
            raise MachineIsHost(
                f"{target.key} is the machine of host {found.name}[uuid:{found.uuid}], "
                f"managementIp[{found.management_ip}] sshPort[{found.ssh_port}]; use that one, give it this "
                f"address with UpdateKVMHost, or delete it first"
            )


def ask_connection(tx: Transaction, there: M) -> M:
    """Have the machine of a host or storage entered once more, at once."""
    return tx.update(there, connect_id=there.connect_id + 1, status="Connecting")


async def leave_machine(context: Context, gone: Host | BackupStorage) -> None:
    """Take the agent and our key from a connected machine that nothing is left on.

    Raises `HostUnreachable`: then they are still there.
    """
    if not await in_use(context, gone):
        await context.fleet.leave(target_of(gone))


async def in_use(context: Context, gone: Host | BackupStorage) -> bool:
    """Whether a host or storage is to stay on the machine of one that goes: its link is theirs too."""
    machine = target_of(gone).key
    return await context.database.read(lambda snapshot: _left(snapshot, machine))


def forget_key(tx: Transaction, gone: Host | BackupStorage) -> None:
    """Unpin the key of a removed resource's machine, unless a host or storage is still there."""
    machine = target_of(gone).key
    key = tx.find(HostKey, machine)
    if key is not None and host_at(tx, machine) is None and not storage_at(tx, machine):
        tx.delete(key)


def _left(snapshot: Snapshot, machine: str) -> bool:
    """Whether a host or storage is to stay on a machine."""
    host = host_at(snapshot, machine)
    found: list[Host | BackupStorage] = [*([host] if host else []), *storage_at(snapshot, machine)]
    return any(each.intended == "Present" for each in found)
