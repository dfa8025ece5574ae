"""Changing a VM's row: the state that follows, the event it makes, and the host capacity it takes."""

from __future__ import annotations

from typing import Any, Literal, cast

from agent.protocol import DomainSeen
from appliance.api.errors import RebootVmFailed
from appliance.api.host import Host
from appliance.api.job import LongJob
from appliance.api.vm import VmInstance
from appliance.api.volume import Volume
from appliance.plans.vm_states import CAUSES, STILL, Intended, Power, Sight, intend_after, state_of
from appliance.reconcile import jobs
from appliance.reconcile.capacity import recount_host
from appliance.reconcile.snapshot_rows import JOBS as CHAIN_JOBS
from appliance.reconcile.vm_nic import JOBS as NIC_JOBS
from appliance.reconcile.vm_volume import JOBS as VOLUME_JOBS
from appliance.store.snapshot import Snapshot
from appliance.store.transaction import Transaction


def placed_on(snapshot: Snapshot, vm: VmInstance) -> str | None:
    """The host that has the VM's root volume."""
    root = snapshot.find(Volume, vm.root_volume_uuid) if vm.root_volume_uuid else None
    return (root.host_uuid if root else None) or vm.host_uuid or vm.last_host_uuid


def change_vm(
    tx: Transaction, vm: VmInstance, *, settled: bool = False, cause: str = "", **changes: Any
) -> VmInstance:
    """Write changes to a VM and the state that follows from them."""
    before = vm
    vm = tx.update(vm, **changes)
    host_uuid = placed_on(tx, vm)
    host = tx.find(Host, host_uuid) if host_uuid else None
    state = state_of(
        cast(Intended, vm.intended),
        cast(Power, vm.power),
        host_connected=host is None or host.status == "Connected",
        rebooting=vm.booted_count < vm.boot_count,
        settled=settled or (before.state == "Destroyed" and vm.intended == "Destroyed"),
        expunging=before.state in {"Destroyed", "Expunging"},
        moving=vm.moving,
    )
    on_host = host_uuid if vm.intended == "Running" or vm.power == "on" else None
    vm = tx.update(vm, state=state, host_uuid=on_host, last_host_uuid=on_host or vm.last_host_uuid)
    if state != before.state:
        vm = tx.update(vm, state_cause=cause or None)
        reason = f" ({cause})" if cause else ""
        tx.note("VmStateChanged", f"{vm.name}: {before.state} → {state}{reason}", about=vm)
    for each in {before.host_uuid, vm.host_uuid} - {None}:
        recount_host(tx, cast(str, each))
    return vm


def record_sight(tx: Transaction, vm: VmInstance, seen: DomainSeen, *, fresh: bool = False) -> VmInstance:
    """Take what was seen of a VM's domain; older sights than the last are ignored.

    `fresh` takes it whatever its clock says: the first sight on a new link, after which clocks may differ.
    """
    if not fresh and seen.at <= vm.seen_at:
        return vm
    power: Literal["on", "off"] = "off" if seen.power == "off" else "on"
    intended = intend_after(cast(Intended, vm.intended), cast(Power, vm.power), Sight(power, seen.cause))
    still = STILL.get(seen.cause) if seen.power == "paused" else None
    as_it_was = (power, intended, seen.boot_count, still) == (
        vm.power, vm.intended, vm.booted_count, vm.stands_still,
    )  # fmt: skip
    if as_it_was and vm.state != "Unknown":
        # Seen once more as it was: that is no change to date.
        return tx.update(vm, seen_at=seen.at, last_op_date=vm.last_op_date)
    by_itself = intended != vm.intended
    cause = CAUSES.get(seen.cause, "") if by_itself else ""
    changes: dict[str, Any] = {
        "power": power,
        "seen_at": seen.at,
        "intended": intended,
        "booted_count": seen.boot_count,
        "stands_still": still,
        "cannot_move": vm.cannot_move if power == "on" else None,
    }
    if by_itself:
        changes["generation"] = vm.generation + 1
    stood_still = vm.stands_still
    vm = change_vm(tx, vm, cause=cause, **changes)
    if still and still != stood_still:
        tx.note("VmStandsStill", f"{vm.name}: {still}", level="warning", about=vm)
    elif stood_still and seen.power == "on":
        tx.note("VmGoesOn", f"{vm.name}: its guest goes on", about=vm)
    if by_itself:
        for job in jobs.running(tx, vm.uuid):
            if job.name in NIC_JOBS | VOLUME_JOBS | CHAIN_JOBS:
                continue  # what they want is still to be brought to its host
            _end_by_itself(tx, job, vm)
    return vm


def _end_by_itself(tx: Transaction, job: LongJob, vm: VmInstance) -> None:
    """A VM that was brought where its job wanted it and then went on by itself: the job was kept.

    But one that went off before it was restarted, with its host say, was not.
    """
    if job.name == "RebootVmInstance" and job.failure is None and vm.booted_count < vm.boot_count:
        off = f"VM {vm.name}[uuid:{vm.uuid}] went off before it was restarted, and is Stopped; start it"
        jobs.fail(tx, job, RebootVmFailed(off))
        return
    jobs.succeed(tx, job, {"inventory": tx.inventory(vm)})
