"""What every worker works with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from appliance.api.host import Host
from appliance.api.storage import BackupStorage
from appliance.hosts.fleet import Fleet, Target
from appliance.store.database import Database


@dataclass(frozen=True)
class Context:
    """The store, the machines, and the bell that wakes other workers."""

    database: Database
    fleet: Fleet
    poke: Callable[[str, str], None]
    served: dict[tuple[str, str], str] = field(default_factory=dict)
    """Digest of what each (machine, NIC) was last seen to be served: a hint, and forgotten with the process."""


def target_of(machine: Host | BackupStorage) -> Target:
    """How to reach a host or backup storage."""
    if isinstance(machine, Host):
        return Target(machine.management_ip, machine.ssh_port, machine.username, machine.hypervisor_type)
    hypervisor = "Simulator" if machine.type.startswith("Simulator") else "KVM"
    return Target(machine.hostname, machine.ssh_port, machine.username, hypervisor)
