"""Maintenance of a host: its VMs stop, then it begins; or it is given up, and the host is enabled as before."""

from __future__ import annotations

from appliance.api.errors import ApiError, Cancelled, MaintenanceFailed, TimedOut
from appliance.api.host import Host
from appliance.api.job import LongJob
from appliance.api.vm import VmInstance
from appliance.reconcile import jobs
from appliance.reconcile.vm_settle import intend_stopped
from appliance.store.snapshot import Snapshot
from appliance.store.transaction import Transaction

PATIENCE_SECONDS = 120.0
"""How much longer than guests are given to stop their host may need to see them stopped."""

SOON = 0.5
"""Seconds after which a host that is being emptied is looked at again."""


def empty(tx: Transaction, host: Host) -> Host:
    """Intend that everything on a host stops. Raises `MaintenanceFailed` for what cannot be stopped now."""
    running = _running(tx, host)
    for vm in running:
        why = _why_not(host, vm)
        if why:
            raise MaintenanceFailed(
                f"host {host.name}[uuid:{host.uuid}]: VM {vm.name}[uuid:{vm.uuid}] cannot be stopped now: {why}"
            )
    for vm in running:
        if vm.intended != "Stopped":
            intend_stopped(tx, vm)
    return tx.update(host, state="PreMaintenance")


def leave(tx: Transaction, host: Host, state: str) -> Host:
    """Make a host Enabled or Disabled; who still waits for its maintenance is told, and afterwards it is connected."""
    for job in jobs_of(tx, host):
        jobs.fail(tx, job, Cancelled(f"the host was made {state} meanwhile"))
    if host.state == "Maintenance" and state == "Enabled":
        return tx.update(host, state=state, connect_id=host.connect_id + 1, status="Connecting")
    return tx.update(host, state=state)


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
            give_up(tx, host, TimedOut(f"after {patience:.0f} s these VMs have not stopped: {names}"))
            return False
        return True
    host = tx.update(host, state="Maintenance")
    for job in jobs_of(tx, host):
        jobs.succeed(tx, job, {"inventory": tx.inventory(host)})
    return False


def give_up(tx: Transaction, host: Host, error: ApiError) -> bool:
    """Enable a host that is being emptied, since it cannot be; whether it was. VMs that stopped stay so."""
    if host.state != "PreMaintenance":
        return False
    for job in jobs_of(tx, host):
        failed = error if isinstance(error, Cancelled) else MaintenanceFailed(cause=error)
        jobs.fail(tx, job, failed)
    tx.update(host, state="Enabled")
    return True


def jobs_of(snapshot: Snapshot, host: Host) -> list[LongJob]:
    """The calls that wait for a host's maintenance."""
    return [job for job in jobs.running(snapshot, host.uuid) if job.name == "ChangeHostState"]


def _running(snapshot: Snapshot, host: Host) -> list[VmInstance]:
    return snapshot.all(VmInstance, host_uuid=host.uuid)


def _why_not(host: Host, vm: VmInstance) -> str:
    if host.status != "Connected":
        return f"its host is {host.status}; reconnect that first"
    if vm.moving:
        return "it is being moved to another host; wait for that, or cancel its job"
    if vm.being_read:
        return "an image is being made of a volume of it; wait until that was read, or cancel its job"
    return "" if vm.created else "it is still being created; wait for that"
