"""Addresses that `staticIp` tags ask for: a stopped VM's at once, a running one's kept for its next start."""

from __future__ import annotations

from appliance.api.errors import NoAddressLeft
from appliance.api.l3 import L3Network, UsedIp
from appliance.api.tag import SystemTag
from appliance.api.vm import VmInstance, VmNic
from appliance.reconcile.vm_nic import nics_of
from appliance.resources.placing import give, static_ip, take
from appliance.store.snapshot import Snapshot
from appliance.store.transaction import Transaction

START = "staticIp::"


def readdress(tx: Transaction, tag: SystemTag) -> None:
    """Follow a `staticIp` tag that came, changed or went: `tag` is how it is, or was.

    A stopped VM whose tag went gets another address, if one is left. Raises `OperationFailed` when the
    address is not to be had.
    """
    vm = tx.find(VmInstance, tag.resource_uuid)
    if vm is None or not tag.tag.startswith(START):
        return
    _, l3_uuid, ip = tag.tag.split("::")
    for nic in nics_of(tx, vm):
        if nic.l3_network_uuid != l3_uuid or nic.ip is None:
            continue
        for kept in _kept(tx, nic):
            tx.delete(kept)
        wanted = static_ip(tx, vm.uuid, l3_uuid)
        if wanted not in (None, nic.ip):
            used = take(tx, tx.get(L3Network, l3_uuid), used_for=nic.uuid, wanted=wanted)
            if vm.state == "Stopped":
                give(tx, nic, used)
        elif wanted is None and nic.ip == ip and vm.state == "Stopped":
            _give_another(tx, nic)


def take_kept(tx: Transaction, nic: VmNic) -> VmNic:
    """A NIC whose VM starts, with the address that was kept for it meanwhile, if one was."""
    kept = _kept(tx, nic)
    return give(tx, nic, kept[0]) if kept else nic


def _give_another(tx: Transaction, nic: VmNic) -> None:
    try:
        used = take(tx, tx.get(L3Network, nic.l3_network_uuid), used_for=nic.uuid)
    except NoAddressLeft:
        return  # it keeps the one it has
    give(tx, nic, used)


def _kept(snapshot: Snapshot, nic: VmNic) -> list[UsedIp]:
    return [used for used in snapshot.all(UsedIp, used_for=nic.uuid) if used.uuid != nic.used_ip_uuid]
