"""Every global config of ZStack 1.0 is declared as ZStack has it, or there is a reason why it is not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from appliance.api import setting
from appliance.api.setting import BY_NAME, SETTINGS

ZSTACK: dict[str, str] = json.loads((Path(__file__).parent / "zstack_1_0_settings.json").read_text())
"""Category and name to default, of the 91 in ZStack's files and the quotas that it makes at run time."""


NO_ROUTERS = "routers, load balancers, security groups and elastic addresses come with their own issue"
NO_MEANING = {
    "applianceVm": NO_ROUTERS,
    "virtualRouter": NO_ROUTERS,
    "loadBalancer": NO_ROUTERS,
    "portForwarding": NO_ROUTERS,
    "eip": NO_ROUTERS,
    "securityGroup": NO_ROUTERS,
    "ceph": "there is no Ceph storage in this version",
    "nfsPrimaryStorage": "there is no NFS storage in this version",
    "cloudBus": "there is no message bus",
    "log": "there is no resource logging",
    "managementServer": "there is one appliance per data folder, whose heart beats once a minute",
    "configuration.key.private": "each appliance makes a key pair of its own",
    "configuration.key.public": "each appliance makes a key pair of its own",
    "console.proxy.idleTimeout": "a console is carried by the appliance itself, for as long as both ends want it",
    "hostAllocator.usePagination": "hosts are chosen in one look at all of them",
    "hostAllocator.paginationLimit": "hosts are chosen in one look at all of them",
    "kvm.host.DNSCheckList": "a host need not reach the internet",
    "kvm.host.syncLevel": "the agent has one lock per resource, and starts as many guests as it has cores",
    "kvm.redhat.liveSnapshotOn": "snapshots are made where QEMU can; no distribution is asked for",
    "kvm.vm.migrationQuantity": "it is for maintenance, which stops the VMs of a host here; each move is a call of its "
    "own",
    "kvm.vmSyncOnHostPing": "the scan is what repairs lost events; without it what is shown would stay wrong",
    "primaryStorage.imageCache.garbageCollector.interval": "a copy goes with the last disk that needs it",
    "volumeSnapshot.backup.parallelismDegree": "backups of one volume are made one after the other",
    "volumeSnapshot.delete.parallelismDegree": "snapshots of one volume are deleted one after the other",
    "volumeSnapshot.incrementalSnapshot.maxNum": "every snapshot adds to the one before: none is ever a whole copy",
}
"""By category, or by category and name."""


@pytest.mark.parametrize("name", sorted(ZSTACK))
def test_a_setting_is_declared_as_zstack_has_it_or_has_a_reason(name: str) -> None:
    category, _, rest = name.partition(".")
    declared = BY_NAME.get((category, rest))
    reason = NO_MEANING.get(name) or NO_MEANING.get(category)
    if declared is None:
        assert reason
    else:
        assert declared.default == ZSTACK[name]
        assert reason is None, f"{name} is declared: take it off the list"


def test_no_reason_is_for_nothing() -> None:
    known = {*ZSTACK, *(name.partition(".")[0] for name in ZSTACK)}
    assert set(NO_MEANING) <= known


def test_every_setting_is_read_somewhere() -> None:
    """A setting that nothing reads would pretend; quotas and bins are read by their category."""
    root = Path(setting.__file__).parents[1]
    texts = [path.read_text() for path in root.rglob("*.py") if path != Path(setting.__file__)]
    for each in SETTINGS:
        if each.category == "quota" or each.name.startswith(
            ("expunge", "deletionPolicy", "reservedCapacity.")
        ):
            continue
        assert any(f'"{each.name}"' in text for text in texts), each.name
