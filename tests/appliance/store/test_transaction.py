"""Inside one change: what is written is seen, what is stale does no harm, what is taken is said."""

from __future__ import annotations

import dataclasses

import pytest

from appliance.api.errors import ResourceNotFound
from appliance.api.event import Event
from appliance.api.host import Host
from appliance.api.l3 import L3NetworkDns
from appliance.api.vm import VmInstance
from appliance.api.zone import Zone
from appliance.store import transaction
from appliance.store.database import Database
from appliance.store.errors import AlreadyThere
from appliance.store.snapshot import Snapshot
from appliance.store.transaction import Transaction

from .samples import host, vm, zone


async def test_dates_are_set_and_moved(database: Database) -> None:
    def change(tx: Transaction) -> None:
        made = tx.insert(zone())
        assert made.create_date == made.last_op_date == tx.now
        old = tx.insert(zone(create_date=1.0, last_op_date=2.0))
        assert (old.create_date, old.last_op_date) == (1.0, 2.0)
        assert tx.update(old, name=old.name) == old
        moved = tx.update(old, name="new")
        assert (moved.create_date, moved.last_op_date, moved.name) == (1.0, tx.now, "new")
        assert tx.get(Zone, old.uuid) == moved
        assert tx.update(moved, last_op_date=9.0).last_op_date == 9.0
        assert tx.update(moved, name="newer", last_op_date=9.0).last_op_date == 9.0

    await database.write(change)


async def test_stale_resource_updates_only_what_is_named(database: Database) -> None:
    stale = await database.write(lambda tx: tx.insert(vm(state="Starting")))
    await database.write(lambda tx: tx.update(stale, state="Running", host_uuid="h"))
    renamed = await database.write(lambda tx: tx.update(stale, name="renamed"))
    assert (renamed.state, renamed.host_uuid, renamed.name) == ("Running", "h", "renamed")


async def test_update_of_what_is_gone_or_not_there(database: Database) -> None:
    gone = await database.write(lambda tx: tx.insert(zone()))
    await database.write(lambda tx: tx.delete(gone))
    with pytest.raises(ResourceNotFound):
        await database.write(lambda tx: tx.update(gone, name="x"))
    kept = await database.write(lambda tx: tx.insert(zone()))
    with pytest.raises(AttributeError):
        await database.write(lambda tx: tx.update(kept, colour="red"))
    with pytest.raises(TypeError, match="uuid of a Zone cannot change"):
        await database.write(lambda tx: tx.update(kept, uuid="x"))


async def test_unique_values_are_named(database: Database) -> None:
    first = await database.write(lambda tx: tx.insert(host(management_ip="Host-A")))
    with pytest.raises(AlreadyThere, match="there is already a Host with managementIp host-a"):
        await database.write(lambda tx: tx.insert(host(management_ip="host-a")))
    second = await database.write(lambda tx: tx.insert(host()))
    with pytest.raises(AlreadyThere, match="managementIp Host-A"):
        await database.write(lambda tx: tx.update(second, management_ip=first.management_ip))
    dns = L3NetworkDns(uuid="a", l3_network_uuid="n", dns="1.1.1.1")
    await database.write(lambda tx: tx.insert(dns))
    with pytest.raises(AlreadyThere, match=r"l3NetworkUuid n and dns 1\.1\.1\.1"):
        await database.write(lambda tx: tx.insert(dataclasses.replace(dns, uuid="b")))


async def test_note_is_history_with_an_end(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transaction, "EVENTS_KEPT", 20)
    monkeypatch.setattr(transaction, "_EVENTS_CHECKED_EACH", 10)
    about = host("alpha")

    def change(tx: Transaction) -> None:
        for number in range(100):
            tx.note("HostLost", f"lost {number}", level="warning", about=about)

    await database.write(change)
    events = await database.read(lambda snapshot: snapshot.all(Event))
    assert [event.sequence for event in events] == list(range(81, 101))
    last = events[-1]
    assert (last.text, last.level, last.name) == ("lost 99", "warning", "HostLost")
    assert (last.resource_uuid, last.resource_type, last.resource_name) == (about.uuid, "Host", "alpha")


async def test_finding(database: Database) -> None:
    def change(tx: Transaction) -> None:
        tx.insert(vm("a", host_uuid="h1", cpu_num=2, state="Running"))
        tx.insert(vm("b", host_uuid="h1", cpu_num=3, state="Stopped"))
        tx.insert(vm("A", host_uuid=None, cpu_num=5, state="Stopped"))

    await database.write(change)

    def look(snapshot: Snapshot) -> None:
        def named(**equals: object) -> list[str]:
            return sorted(each.name for each in snapshot.all(VmInstance, **equals))  # type: ignore[arg-type]

        assert named() == ["A", "a", "b"]
        assert named(name="a") == ["a"]
        assert named(host_uuid=None) == ["A"]
        assert named(state=("Running", "Stopped"), host_uuid="h1") == ["a", "b"]
        assert named(name={"A", "b"}) == ["A", "b"]
        assert named(name=[]) == []
        by_cpu = snapshot.all(VmInstance, order_by="-cpu_num", limit=2)
        assert [each.cpu_num for each in by_cpu] == [5, 3]
        first = snapshot.first(VmInstance, state="Running")
        assert first is not None
        assert first.name == "a"
        assert snapshot.first(VmInstance, state="Unknown") is None
        assert snapshot.find(VmInstance, first.uuid.upper()) is None
        assert snapshot.count(VmInstance, host_uuid="h1") == 2
        assert snapshot.exists(VmInstance, name="A")
        assert not snapshot.exists(VmInstance, name="B")
        assert snapshot.total(VmInstance, "cpu_num", host_uuid="h1") == 5
        assert snapshot.total(VmInstance, "cpu_num", host_uuid="h2") == 0
        with pytest.raises(TypeError, match="VmInstance has no column colour"):
            snapshot.all(VmInstance, colour="red")
        with pytest.raises(TypeError, match="VmInstance has no column colour"):
            snapshot.all(VmInstance, order_by="-colour")
        with pytest.raises(TypeError, match=r"VmInstance\.name is no number"):
            snapshot.total(VmInstance, "name")

    await database.read(look)


async def test_indexed_columns_are_found_by_index(database: Database) -> None:
    def look(snapshot: Snapshot) -> None:
        from appliance.store.snapshot import condition
        from appliance.store.table import table_of

        for equals in ({"host_uuid": "h"}, {"host_uuid": ["h", "i"]}, {"name": "n"}):
            where, parameters = condition(VmInstance, equals)
            plan = snapshot.rows(f"EXPLAIN QUERY PLAN {table_of(VmInstance).select}{where}", parameters)
            assert "USING INDEX" in plan[0][3], plan
        for kind in (VmInstance, Host):
            plan = snapshot.rows(f"EXPLAIN QUERY PLAN {table_of(kind).get}", ("k",))
            assert "USING INDEX" in plan[0][3], plan

    await database.read(look)
