"""Inventories have exactly what ZStack's clients expect, at a fixed number of statements per page."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from appliance.api.l2 import L2Network, L2NetworkClusterRef
from appliance.api.vm import VmInstance
from appliance.api.volume import Volume
from appliance.store.database import Database
from appliance.store.inventory import wire_date
from appliance.store.snapshot import Snapshot
from appliance.store.transaction import Transaction

from .samples import l2, nic, vm


@pytest.fixture
def shanghai(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Asia/Shanghai")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("shanghai")
@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (1454137263.9, "Jan 30, 2016 3:01:03 PM"),
        (1454083200, "Jan 30, 2016 12:00:00 AM"),
        (1454126400, "Jan 30, 2016 12:00:00 PM"),
        (1462032000, "May 1, 2016 12:00:00 AM"),
        (1480521599, "Nov 30, 2016 11:59:59 PM"),
    ],
)
def test_dates(seconds: float, text: str) -> None:
    assert wire_date(seconds) == text


async def test_vm(database: Database) -> None:
    machine = vm("web", state="Stopped", create_date=86400.0 * 365, last_op_date=86400.0 * 365)

    def change(tx: Transaction) -> None:
        tx.insert(machine)
        tx.insert(nic(machine.uuid, uuid="n1", ip="10.0.0.2"))
        tx.insert(nic("other", uuid="n2"))
        tx.insert(Volume(uuid="v1", name="root", size=7, vm_instance_uuid=machine.uuid, generation=3))

    await database.write(change)
    wire = await database.read(lambda snapshot: snapshot.inventory(machine))
    assert wire["name"] == "web"
    assert wire["memorySize"] == 1 << 30
    assert wire["createDate"] == wire_date(86400.0 * 365)
    assert [each["uuid"] for each in wire["vmNics"]] == ["n1"]
    assert wire["vmNics"][0]["ip"] == "10.0.0.2"
    assert wire["allVolumes"][0]["size"] == 7
    assert not {"generation", "intended"} & wire["allVolumes"][0].keys()
    assert not {"description", "hostUuid", "internalId", "intended", "seenAt"} & wire.keys()
    assert None not in wire.values()


async def test_fields(database: Database) -> None:
    machine = await database.write(lambda tx: tx.insert(vm("web")))
    looked = await database.read(lambda snapshot: snapshot.inventory(machine, ["name", "description"]))
    assert looked == {"name": "web"}
    assert await database.read(lambda s: s.inventory(machine, ["vmNics"])) == {"vmNics": []}


async def test_plucked_list(database: Database) -> None:
    def change(tx: Transaction) -> L2Network:
        for cluster in ("c1", "c2"):
            tx.insert(L2NetworkClusterRef(uuid=tx.new_uuid(), l2_network_uuid="l2", cluster_uuid=cluster))
        return tx.insert(l2(uuid="l2"))

    network = await database.write(change)
    wire = await database.read(lambda snapshot: snapshot.inventory(network))
    assert wire["attachedClusterUuids"] == ["c1", "c2"]


async def test_page_takes_as_many_statements_as_one(database: Database) -> None:
    def change(tx: Transaction) -> list[VmInstance]:
        machines = [tx.insert(vm(f"v{number}")) for number in range(100)]
        for machine in machines:
            tx.insert(nic(machine.uuid))
        return machines

    machines = await database.write(change)

    def look(snapshot: Snapshot) -> tuple[list[str], list[str]]:
        counted: list[list[str]] = []
        for page in (machines[:1], machines):
            statements: list[str] = []
            snapshot._connection.set_trace_callback(statements.append)
            wires = snapshot.inventories(page)
            snapshot._connection.set_trace_callback(None)
            assert all(len(wire["vmNics"]) == 1 for wire in wires)
            counted.append(statements)
        return counted[0], counted[1]

    one, hundred = await database.read(look)
    assert len(one) == len(hundred) == 2
