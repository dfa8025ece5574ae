"""What VMs and volumes leave of hosts and storage: counted from the rows, so that it cannot drift."""

from __future__ import annotations

import re

from appliance.api.host import Host
from appliance.api.storage import LocalStorageHostRef, PrimaryStorage
from appliance.api.tag import SystemTag
from appliance.api.volume import Volume
from appliance.store.snapshot import Snapshot
from appliance.store.transaction import Transaction

UNITS = {"": 1, "B": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}

_USED = """
SELECT COALESCE(SUM(MAX(memory_size, COALESCE(pending_memory_size, 0))), 0),
       COALESCE(SUM(MAX(cpu_num * cpu_speed, COALESCE(pending_cpu_num * pending_cpu_speed, 0))), 0)
FROM vm_instance WHERE host_uuid = ?
"""


def parse_size(text: str) -> int:
    """`512M` in bytes; raises `ValueError`."""
    found = re.fullmatch(r"\s*(\d+)\s*([KMGT]?)B?\s*", text.upper())
    if not found:
        raise ValueError(f"{text} is not a size like 512M")
    return int(found.group(1)) * UNITS[found.group(2)]


def reserved_memory(snapshot: Snapshot, host_uuid: str) -> int:
    """Bytes of a host's memory kept from VMs: its tag's, else the global config's."""
    for tag in snapshot.all(SystemTag, resource_uuid=host_uuid):
        if tag.tag.startswith("reservedMemory::"):
            return parse_size(tag.tag.removeprefix("reservedMemory::"))
    return parse_size(snapshot.setting("kvm", "reservedMemory"))


def recount_host(tx: Transaction, host_uuid: str) -> None:
    """Write what the VMs on a host leave of it: of a VM whose size will change, the larger one counts."""
    host = tx.find(Host, host_uuid)
    if host is None:
        return
    ((memory, cpu),) = tx.rows(_USED, (host_uuid,))
    tx.update(
        host,
        available_memory_capacity=host.total_memory_capacity - reserved_memory(tx, host_uuid) - int(memory),
        available_cpu_capacity=host.total_cpu_capacity - int(cpu),
    )


def recount_storage(tx: Transaction, storage_uuid: str) -> None:
    """Write what volumes leave of a primary storage, per host and in all."""
    storage = tx.find(PrimaryStorage, storage_uuid)
    if storage is None:
        return
    refs = tx.all(LocalStorageHostRef, primary_storage_uuid=storage_uuid)
    available = 0
    for ref in refs:
        used = tx.total(Volume, "size", primary_storage_uuid=storage_uuid, host_uuid=ref.host_uuid)
        left = ref.total_capacity - used
        tx.update(ref, available_capacity=left)
        available += left
    tx.update(
        storage,
        total_capacity=sum(ref.total_capacity for ref in refs),
        available_capacity=available,
        total_physical_capacity=sum(ref.total_capacity for ref in refs),
        available_physical_capacity=sum(ref.available_physical_capacity for ref in refs),
    )
