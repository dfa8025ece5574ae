"""What every worker works with."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from appliance.api.host import Host
from appliance.api.storage import BackupStorage
from appliance.hosts.fleet import Fleet, Target
from appliance.reconcile.turns import Turns
from appliance.store.database import Database


@dataclass(frozen=True)
class Context:
    """The store, the machines, and the bells that wake other workers."""

    database: Database
    fleet: Fleet
    poke: Callable[[str, str], None]
    poke_in_turn: Callable[[str, Iterable[str]], None]
    served: dict[tuple[str, str], str] = field(default_factory=dict)
    """Digest of what each (machine, NIC) was last seen to be served: a hint, and forgotten with the process."""
    connecting: Turns = field(default_factory=Turns)
    scanning: Turns = field(default_factory=Turns)
    looking: Turns = field(default_factory=Turns)
    """Of hosts to be connected, of those to be scanned, and of backup storages to be looked at."""


def target_of(machine: Host | BackupStorage) -> Target:
    """How to reach a host or backup storage."""
    if isinstance(machine, Host):
        address, hypervisor = machine.management_ip, machine.hypervisor_type
    else:
        address, hypervisor = machine.hostname, "Simulator" if machine.type.startswith("Simulator") else "KVM"
    return Target(address, machine.ssh_port, machine.username, hypervisor, accepted_by(machine))


def accepted_by(machine: Host | BackupStorage) -> str:
    """The call that accepts another host key of a host's or backup storage's machine."""
    update = "UpdateKVMHost" if isinstance(machine, Host) else "UpdateSftpBackupStorage"
    return f"{update} uuid={machine.uuid}"
