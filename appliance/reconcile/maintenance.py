"""Maintenance of a host: its VMs stop, then it begins; or it is given up, and the host is enabled as before.

Where the global config host maintenanceMode.ignoreError says so, it begins whatever could not be stopped.
"""

from __future__ import annotations

from appliance.api.errors import ApiError, Cancelled, MaintenanceFailed, OperationFailed, ended_by
from appliance.api.host import Host
from appliance.api.job import LongJob
from appliance.api.vm import VmInstance
from appliance.api.vm_states import taken
from appliance.reconcile import jobs
from appliance.reconcile.machine import ask_connection
from appliance.reconcile.vm_settle import intend_stopped
from appliance.store.snapshot import Snapshot
from appliance.store.transaction import Transaction

PATIENCE_SECONDS = 120.0
"""How much longer than guests are given to stop their host may need to see them stopped."""

SOON = 0.5
"""Seconds after which a host that is being emptied is looked at again."""


def empty(tx: Transaction, host: Host) -> Host:
    """Intend that everything on a host stops. Raises `MaintenanceFailed` for what cannot be stopped now.

    That is left as it is where errors are ignored.
    """
    stopping = []
    for vm in _running(tx, host):
        why = _why_not(host, vm)
        if why and not _ignores(tx):
            raise MaintenanceFailed(
                f"host {host.name}[uuid:{host.uuid}]: VM {vm.name}[uuid:{vm.uuid}] cannot be stopped now: {why}"
            )
        if not why and vm.intended == "Running":  # what is stopped or destroyed already stays that
            stopping.append(vm)
    for vm in stopping:
        intend_stopped(tx, vm)
    return tx.update(host, state="PreMaintenance")


def leave(tx: Transaction, host: Host, state: str) -> Host:
    """Make a host Enabled or Disabled; who still waits for its maintenance is told, and afterwards it is connected."""
    for job in jobs_of(tx, host):
        jobs.fail(tx, job, Cancelled(f"the host was made {state} meanwhile"))
    enabled = host.state == "Maintenance" and state == "Enabled"
    host = tx.update(host, state=state)
    return ask_connection(tx, host) if enabled else host


def begin_if_empty(tx: Transaction, host_uuid: str) -> bool:
    """Let maintenance begin where nothing runs any more; whether a host is still being emptied."""
    host = tx.find(Host, host_uuid)
    if host is None or host.state != "PreMaintenance":
        return False
    left = _running(tx, host)
    for job in jobs_of(tx, host) if left else ():
        jobs.progress(tx, job, "stop its VMs", 10, waits_for=", ".join(vm.name for vm in left[:5]))
    if left:
        patience = float(tx.setting("vm", "stopGrace")) + PATIENCE_SECONDS
        if any(tx.now - job.create_date > patience for job in jobs_of(tx, host)):
            names = ", ".join(f"{vm.name}[uuid:{vm.uuid}]" for vm in left[:5])
            cannot_empty(
                tx, host, OperationFailed(f"after {patience:.0f} s these VMs have not stopped: {names}")
            )
            return False
        return True
    _begin(tx, host)
    return False


def cannot_empty(tx: Transaction, host: Host, error: ApiError) -> None:
    """End the emptying of a host, if that is under way: into maintenance where errors are ignored, else given up."""
    if host.state != "PreMaintenance":
        return
    if not _ignores(tx):
        give_up(tx, host, error)
        return
    names = ", ".join(vm.name for vm in _running(tx, host)[:5])
    text = f"{host.name}: in maintenance, though VMs may still run there ({names}): {error.details}"
    tx.note("MaintenanceWithErrors", text, level="warning", about=host)
    _begin(tx, host)


def give_up(tx: Transaction, host: Host, error: ApiError) -> bool:
    """Enable a host that is being emptied, since it cannot be; whether it was. VMs that stopped stay so."""
    if host.state != "PreMaintenance":
        return False
    for job in jobs_of(tx, host):
        jobs.fail(tx, job, ended_by(error, MaintenanceFailed))
    tx.update(host, state="Enabled")
    return True


def jobs_of(snapshot: Snapshot, host: Host) -> list[LongJob]:
    """The calls that wait for a host's maintenance."""
    return [job for job in jobs.running(snapshot, host.uuid) if job.name == "ChangeHostState"]


def _begin(tx: Transaction, host: Host) -> None:
    host = tx.update(host, state="Maintenance")
    for job in jobs_of(tx, host):
        jobs.succeed(tx, job, {"inventory": tx.inventory(host)})


def _ignores(snapshot: Snapshot) -> bool:
    return snapshot.flag("host", "maintenanceMode.ignoreError")


def _running(snapshot: Snapshot, host: Host) -> list[VmInstance]:
    return snapshot.all(VmInstance, host_uuid=host.uuid)


def _why_not(host: Host, vm: VmInstance) -> str:
    if host.status != "Connected":
        return f"its host is {host.status}; reconnect that first"
    return taken(vm) or ("" if vm.created else "it is still being created; wait for that")
