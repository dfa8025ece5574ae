"""Forgetting the SSH host key of a machine, with the last resource that needs it."""

from __future__ import annotations

from appliance.api.host import Host, HostKey
from appliance.api.storage import BackupStorage
from appliance.reconcile.context import target_of
from appliance.reconcile.observe import host_at, storage_at
from appliance.store.transaction import Transaction


def forget_key(tx: Transaction, gone: Host | BackupStorage) -> None:
    """Unpin the key of a removed resource's machine, unless a host or storage is still there."""
    machine = target_of(gone).key
    key = tx.find(HostKey, machine)
    if key is not None and host_at(tx, machine) is None and not storage_at(tx, machine):
        tx.delete(key)
