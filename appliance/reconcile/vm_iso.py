"""The tags of a VM that only the appliance makes: its ISO and its boot order."""

from __future__ import annotations

from appliance.api.tag import SystemTag
from appliance.api.vm import VmInstance
from appliance.plans.boot import ISO
from appliance.store.transaction import Transaction


def drop_inherent(tx: Transaction, vm: VmInstance, prefix: str) -> None:
    """Remove a VM's tags that begin so."""
    for tag in tx.all(SystemTag, resource_uuid=vm.uuid, inherent=True):
        if tag.tag.startswith(prefix):
            tx.delete(tag)


def turn_back_iso(tx: Transaction, vm: VmInstance) -> None:
    """An ISO that could not be brought is not attached."""
    drop_inherent(tx, vm, ISO)
