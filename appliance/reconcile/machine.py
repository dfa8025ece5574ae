"""Leaving a machine with the last host or backup storage that is on it: agent, keys, and the pinned one."""

from __future__ import annotations

from appliance.api.host import Host, HostKey
from appliance.api.storage import BackupStorage
from appliance.reconcile.context import Context, target_of
from appliance.reconcile.observe import host_at, storage_at
from appliance.store.snapshot import Snapshot
from appliance.store.transaction import Transaction


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
