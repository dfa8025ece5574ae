"""The SSH host key of a machine that is added: what is believed of it, and that this is told."""

from __future__ import annotations

from typing import TypeVar

from appliance.api.host import Host, HostKey
from appliance.api.storage import BackupStorage
from appliance.hosts.fleet import Target
from appliance.resources.registry import Live
from appliance.store.transaction import Transaction

OfMachine = TypeVar("OfMachine", Host, BackupStorage)


async def trust(
    live: Live, target: Target, password: str, stated: str | None, *, host_uuid: str = ""
) -> bool:
    """Begin with a machine, as `Fleet.trust` does; whether its key was believed, since nobody knew or stated it."""
    known = await live.database.read(lambda snapshot: snapshot.find(HostKey, target.key))
    await live.fleet.trust(target, password, stated, host_uuid=host_uuid)
    return known is None and stated is None


def keep_key(tx: Transaction, found: OfMachine, target: Target, *, believed: bool) -> OfMachine:
    """Have a host or storage show the key that its machine has, and tell when that was merely believed."""
    key = tx.find(HostKey, target.key)
    if key is None:
        return found  # a simulated one has none
    if believed:
        tx.note(
            "HostKeyBelieved",
            f"{found.name}: {target.key} is believed to be what it says, by its SSH host key {key.fingerprint}, which "
            f"nobody stated; compare it with what ssh-keygen -lf says of it there",
            level="warning",
            about=found,
        )
    return tx.update(found, host_key_fingerprint=key.fingerprint)
