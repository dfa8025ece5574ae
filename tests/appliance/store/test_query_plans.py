"""Pages of very many VMs are read in the order of an index: never all of them, and never to be sorted."""

from __future__ import annotations

from typing import Any
from unittest import mock

import pytest

from appliance.api.host import QueryHost
from appliance.api.message import QueryMessage
from appliance.api.vm import QueryVmInstance, QueryVmNic
from appliance.api.zone import Zone
from appliance.store import query as query_module
from appliance.store.database import Database
from appliance.store.query import Query
from appliance.store.snapshot import Snapshot

from .samples import host, nic, vm, zone

Condition = dict[str, Any]


def one(name: str, op: str = "=", value: Any = None) -> list[Condition]:
    return [{"name": name, "op": op, "value": value}]


RUNNING = one("state", value="Running")
PAGES: dict[str, QueryMessage] = {
    "state, by name": QueryVmInstance(conditions=RUNNING, sort_by="name"),
    "state, by name, downward": QueryVmInstance(conditions=RUNNING, sort_by="name", sort_direction="desc"),
    "state, by date": QueryVmInstance(conditions=RUNNING, sort_by="createDate"),
    "state and date, by date": QueryVmInstance(
        conditions=RUNNING + one("createDate", ">", "2016-01-30 00:00:00"), sort_by="createDate"
    ),
    "prefix of name": QueryVmInstance(conditions=one("name", "like", "abc%")),
    "prefix of name, by name": QueryVmInstance(conditions=one("name", "like", "aBc%d"), sort_by="name"),
    "host, by date": QueryVmInstance(conditions=one("hostUuid", value="h"), sort_by="createDate"),
    "cluster, by name": QueryVmInstance(conditions=one("clusterUuid", value="c"), sort_by="name"),
    "zone, by name": QueryVmInstance(conditions=one("zoneUuid", value="z"), sort_by="name"),
    "uuid": QueryVmInstance(conditions=one("uuid", value="u")),
    "hosts": QueryVmInstance(conditions=one("hostUuid", "in", "u,v")),
    "by date, downward": QueryVmInstance(sort_by="createDate", sort_direction="desc"),
    "by last change": QueryVmInstance(sort_by="lastOpDate", sort_direction="desc"),
    "by memory": QueryVmInstance(sort_by="memorySize", sort_direction="desc"),
    "by CPUs": QueryVmInstance(sort_by="cpuNum"),
    "address": QueryVmInstance(conditions=one("vmNics.ip", value="10.0.0.9")),
    "name of host, by date": QueryVmInstance(conditions=one("host.name", value="h"), sort_by="createDate"),
    "name of zone, by name": QueryVmInstance(conditions=one("zone.name", value="z"), sort_by="name"),
    "NICs by name of VM": QueryVmNic(conditions=one("vmInstance.name", value="v")),
    "user tag, by name": QueryVmInstance(conditions=one("__userTag__", "!=", "web"), sort_by="name"),
    "hosts by name": QueryHost(sort_by="name"),
}


def plan(snapshot: Snapshot, message: QueryMessage, look: Any = None) -> list[str]:
    query = Query(message, look)
    return [row[3] for row in snapshot.rows(f"EXPLAIN QUERY PLAN {query.sql}", query.parameters)]


def scans(steps: list[str]) -> list[str]:
    """The steps that read a table from end to end, or sort."""
    whole = [step for step in steps if step.startswith("SCAN ") and "USING" not in step]
    return whole + [step for step in steps if "TEMP B-TREE" in step]


@pytest.mark.parametrize("name", PAGES)
async def test_page_uses_an_index(database: Database, name: str) -> None:
    def fill(tx: Any) -> None:
        tx.insert(zone("z", uuid="z"))
        there = tx.insert(host("h"))
        tx.insert(nic(tx.insert(vm("v", host_uuid=there.uuid)).uuid, ip="10.0.0.9"))

    await database.write(fill)
    message = PAGES[name]
    steps = await database.read(lambda snapshot: plan(snapshot, message, snapshot.rows))
    assert scans(steps) == [], steps
    assert any("INDEX" in step for step in steps), steps


async def test_counts_read_an_index_only(database: Database) -> None:
    def look(snapshot: Snapshot) -> list[str]:
        query = Query(QueryVmInstance(conditions=RUNNING, count=True))
        return [
            row[3] for row in snapshot.rows(f"EXPLAIN QUERY PLAN {query.count_sql}", query.count_parameters)
        ]

    steps = await database.read(look)
    assert len(steps) == 1
    assert "COVERING INDEX" in steps[0]


async def test_the_rarer_column_leads(database: Database) -> None:
    message = QueryVmInstance(conditions=RUNNING + one("hostUuid", value="h"), sort_by="name")
    steps = await database.read(lambda snapshot: plan(snapshot, message))
    assert "vm_instance_host_uuid" in steps[0], steps


@pytest.mark.parametrize(
    ("conditions", "sort", "index"),
    [
        (one("state", "in", "Running,Stopped"), "name", "vm_instance_name"),
        (one("clusterUuid", value="c"), "createDate", "vm_instance_create_date"),
        (one("vmNics.l3NetworkUuid", value="l3"), "name", "vm_instance_name"),
    ],
)
async def test_very_many_are_tried_in_order_and_some_are_sorted(
    database: Database, conditions: list[Condition], sort: str, index: str
) -> None:
    def fill(tx: Any) -> None:
        for number in range(30):
            state = "Running" if number else "Stopped"
            machine = tx.insert(
                vm(f"v{30 - number:02}", state=state, cluster_uuid="c", create_date=float(30 - number))
            )
            tx.insert(nic(machine.uuid))

    await database.write(fill)
    message = QueryVmInstance(conditions=conditions, sort_by=sort)

    def look(snapshot: Snapshot) -> tuple[list[str], list[str]]:
        steps = plan(snapshot, message, snapshot.rows)
        found, _ = snapshot.query(message)
        return steps, [each.name for each in found]

    steps, some = await database.read(look)
    assert any("TEMP B-TREE" in step for step in steps), steps
    with mock.patch.multiple(query_module, MANY=25):
        steps, many = await database.read(look)
    assert scans(steps) == [], steps
    assert f"USING INDEX {index}" in steps[0], steps
    assert some == many == sorted(many)
    assert len(many) == 30


@pytest.mark.parametrize("condition", ["vmNics.ip", "vmNics.mac"])
async def test_others_are_sought_in_one_pass(database: Database, condition: str) -> None:
    """Whose NICs fit a pattern is read in the order of what is read, not fetched row by row for an index."""
    message = QueryVmInstance(conditions=one(condition, "like", "%.78"), sort_by="createDate",
                              reply_with_count=True)  # fmt: skip

    def look(snapshot: Snapshot) -> list[str]:
        steps: list[str] = []

        def explained(sql: str, parameters: list[Any]) -> list[Any]:
            steps.extend(row[3] for row in snapshot.rows(f"EXPLAIN QUERY PLAN {sql}", parameters))
            return [(f"{number}",) for number in range(query_module.FEW + 1)]

        query = Query(message, explained)
        for sql, parameters in ((query.sql, query.parameters), (query.count_sql, query.count_parameters)):
            explained(sql, parameters)
        return steps

    steps = await database.read(look)
    read = [step for step in steps if step.startswith(("SCAN j", "SEARCH j"))]
    assert len(read) == 4, steps
    assert not [step for step in read if "INDEX" in step and "COVERING" not in step], steps


async def test_plans_are_told_not_measured(database: Database) -> None:
    told = "SELECT idx, stat FROM sqlite_stat1 WHERE tbl = 'vm_instance' ORDER BY idx"
    stats = dict(await database.read(lambda snapshot: snapshot.rows(told)))
    assert stats["vm_instance_state_name"] == "1000000 200000 20"
    await database.write(lambda tx: [tx.insert(zone()) for _ in range(100)])
    assert dict(await database.read(lambda snapshot: snapshot.rows(told))) == stats
    assert len(await database.read(lambda snapshot: snapshot.all(Zone))) == 100
