"""Conditions over other resources, tags and types answer what a plain model of ZStack's semantics answers."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pysqlite3 import dbapi2 as sqlite

from appliance.api.cluster import Cluster, QueryCluster
from appliance.api.errors import ApiError, InternalError, InvalidArgument
from appliance.api.grammar import read_words
from appliance.api.host import Host, QueryHost
from appliance.api.l2 import L2Network, L2NetworkClusterRef, QueryL2Network, QueryL2VlanNetwork
from appliance.api.message import QueryMessage
from appliance.api.parse import parse
from appliance.api.resource import RESOURCES, Resource, column
from appliance.api.shape import shape_of
from appliance.api.storage import BackupStorage, QueryBackupStorage
from appliance.api.tag import SystemTag, UserTag
from appliance.api.tally import Tally
from appliance.api.vm import QueryVmInstance, VmInstance, VmNic
from appliance.api.zone import QueryZone, Zone
from appliance.store import query as query_module
from appliance.store.database import Database
from appliance.store.query import DEPTH, Query
from appliance.store.table import table_of
from appliance.store.transaction import Transaction

from .samples import host, l2, nic, vm, zone
from .test_query import Condition, oracle_number, oracle_text

KINDS = (Zone, Cluster, Host, VmInstance, VmNic, L2Network, L2NetworkClusterRef, UserTag, SystemTag)
NAMES = ["a", "A", "b", "bc", ""]
KEYS = ["k1", "k2", "k3"]
PATHS = {
    QueryVmInstance: [
        "", "host.", "cluster.", "zone.", "vmNics.", "host.cluster.", "host.vmInstance.", "cluster.l2Network.",
        "zone.cluster.host.", "vmNics.vmInstance.vmNics.", "cluster.l2NetworkRef.cluster.zone.",
    ],
    QueryCluster: ["", "host.", "vmInstance.", "l2Network.", "l2Network.cluster.", "vmInstance.vmNics."],
    QueryZone: ["", "vmInstance.", "cluster.zone.", "l2Network.cluster."],
}  # fmt: skip
"""Paths that the property asks along, by the query that begins them."""

Rows = dict[type[Resource], list[Any]]


def keyed(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Any]]:
    return st.lists(strategy, max_size=3).map(
        lambda rows: [type(row)(**(vars(row) | {"uuid": KEYS[place]})) for place, row in enumerate(rows)]
    )


keys, names = st.sampled_from(KEYS), st.sampled_from(NAMES)
maybe_key = st.none() | keys
clouds = st.fixed_dictionaries(
    {
        Zone: keyed(st.builds(zone, names)),
        Cluster: keyed(
            st.builds(
                lambda name, of: Cluster(uuid="", name=name, zone_uuid=of, hypervisor_type="KVM"), names, keys
            )
        ),
        Host: keyed(
            st.builds(lambda name, of, within: host(name, cluster_uuid=of, zone_uuid=within), names, keys, keys)
        ),
        VmInstance: keyed(
            st.builds(
                lambda name, on, of, within, cpus: vm(
                    name, host_uuid=on, cluster_uuid=of, zone_uuid=within, cpu_num=cpus
                ),
                names, maybe_key, maybe_key, keys, st.integers(1, 3),
            )
        ),
        VmNic: keyed(st.builds(lambda of, place: nic(of, device_id=place), keys, st.integers(0, 2))),
        L2Network: keyed(st.builds(lambda name, of: l2(name, zone_uuid=of), names, keys)),
        L2NetworkClusterRef: st.sets(st.tuples(keys, keys), max_size=3).map(
            lambda pairs: [
                L2NetworkClusterRef(uuid=f"r{a}{b}", l2_network_uuid=a, cluster_uuid=b) for a, b in sorted(pairs)
            ]
        ),
        UserTag: keyed(
            st.builds(
                lambda on, kind, tag: UserTag(uuid="", resource_uuid=on, resource_type=kind, tag=tag),
                keys, st.sampled_from(["VmInstanceVO", "HostVO", "KVMHostVO", "ClusterVO"]), names,
            )
        ),
    }
)  # fmt: skip


def asked_along(path: str) -> st.SearchStrategy[Condition]:
    ops = st.sampled_from(
        ["=", "!=", "in", "not in", "like", "not like", "is null", "is not null", "<", ">="]
    )
    simple = st.builds(lambda op, value: {"name": f"{path}uuid", "op": op, "value": value}, ops, keys)
    tag = st.builds(lambda op, value: {"name": f"{path}__userTag__", "op": op, "value": value}, ops, names)
    if path.endswith("vmNics."):
        place = st.integers(0, 2).map(lambda n: {"name": f"{path}deviceId", "op": ">=", "value": n})
        return simple | place
    named = st.builds(lambda op, value: {"name": f"{path}name", "op": op, "value": value}, ops, names)
    lists = [
        st.builds(
            lambda op, value: {"name": f"{path}attachedClusterUuids", "op": op, "value": value}, ops, keys
        )
    ]
    return st.one_of(simple, named, tag, *(lists if path.endswith("l2Network.") else []))


def value_holds(value: Any, operator: str, wanted: Any) -> bool:
    if isinstance(value, int):
        return oracle_number(value, operator, wanted)
    return oracle_text(value, operator, wanted)


DENIES = {"!=": "=", "not in": "in", "not like": "like", "is null": "is not null"}


class Model:
    """ZStack's semantics over rows in memory."""

    def __init__(self, rows: Rows) -> None:
        self.rows = rows

    def found(self, kind: type[Resource], asked: list[Condition]) -> Iterator[Any]:
        return (row for row in self.rows[kind] if self.holds(row, asked))

    def holds(self, row: Any, asked: list[Condition]) -> bool:
        groups: dict[str, list[Condition]] = {}
        for each in asked:
            head, dot, rest = each["name"].partition(".")
            if not dot:
                if not self.simple(row, each):
                    return False
                continue
            if head in dict(row.aliases):
                head, _, rest = f"{dict(row.aliases)[head]}.{rest}".partition(".")
            groups.setdefault(head, []).append({**each, "name": rest})
        return all(
            any(self.holds(other, inner) for other in self.joined(row, head))
            for head, inner in groups.items()
        )

    def joined(self, row: Any, head: str) -> list[Any]:
        for embed in row.embeds:
            if embed.wire == head:
                others = self.rows[RESOURCES[embed.resource]]
                return [each for each in others if getattr(each, embed.by) == row.uuid]
        join = next(each for each in row.joins if each.wire == head)
        mine, others = getattr(row, join.mine), self.rows[RESOURCES[join.resource]]
        return [each for each in others if mine is not None and getattr(each, join.theirs) == mine]

    def simple(self, row: Any, asked: Condition) -> bool:
        name, operator, wanted = asked["name"], asked["op"], asked["value"]
        if name == "__userTag__":
            own = [each for each in self.rows[UserTag] if each.resource_uuid == row.uuid]
            return self.has([each.tag for each in own if each.resource_type == row.vo], operator, wanted)
        if name == "attachedClusterUuids":
            refs = self.rows[L2NetworkClusterRef]
            items = [each.cluster_uuid for each in refs if each.l2_network_uuid == row.uuid]
            return self.has(items, operator, wanted)
        column = row.by_wire(name)
        return value_holds(getattr(row, column.name), operator, wanted)

    def has(self, items: list[str], operator: str, wanted: Any) -> bool:
        positive = DENIES.get(operator, operator)
        return any(value_holds(item, positive, wanted) for item in items) == (operator not in DENIES)


@st.composite
def questions(draw: st.DrawFn) -> QueryMessage:
    message = draw(st.sampled_from(sorted(PATHS, key=lambda each: each.__name__)))
    paths = draw(st.lists(st.sampled_from(PATHS[message]), min_size=1, max_size=4))
    return message(
        conditions=[draw(asked_along(path)) for path in paths],
        sort_by=draw(st.sampled_from([None, "name", "createDate", "uuid"])),
        reply_with_count=True,
    )


@settings(max_examples=300)
@given(clouds, questions(), st.sampled_from([(0, 1), (1, 2), (20, 5000)]))
def test_against_the_model(rows: Rows, message: QueryMessage, sizes: tuple[int, int]) -> None:
    connection = sqlite.connect(":memory:", isolation_level=None)
    try:
        for statement in (each for kind in (*KINDS, Tally) for each in table_of(kind).ddl()):
            connection.execute(statement)
        tx = Transaction(connection, 1.0, str)
        for row in (each for some in rows.values() for each in some):
            tx.insert(row)
        expected = sorted(each.uuid for each in Model(rows).found(message.resource, message.conditions))
        few, many = sizes
        with mock.patch.multiple(query_module, FEW=few, MANY=many):
            found, total = tx.query(message)
            counted = tx.query(dataclasses.replace(message, count=True))
        plain = Query(message)  # without having looked how many there are
        unlooked = tx.rows(plain.sql, plain.parameters)
    finally:
        connection.close()
    assert sorted(each.uuid for each in found) == expected
    assert total == len(expected)
    assert counted == ([], len(expected))
    if message.sort_by == "name":
        assert [each.name.lower() for each in found] == sorted(each.name.lower() for each in found)
    assert len(unlooked) == len(expected)


def one(name: str, op: str = "=", value: Any = None) -> list[Condition]:
    return [{"name": name, "op": op, "value": value}]


async def ask(database: Database, message: QueryMessage) -> list[str]:
    found, _ = await database.read(lambda snapshot: snapshot.query(message))
    return sorted(each.name for each in found)


async def test_aliases_and_their_long_forms(database: Database) -> None:
    def change(tx: Transaction) -> None:
        for name in ("c1", "c2"):
            tx.insert(Cluster(uuid=name, name=name, zone_uuid="z", hypervisor_type="KVM"))
        tx.insert(l2("wire", uuid="l2"))
        tx.insert(L2NetworkClusterRef(uuid="r", l2_network_uuid="l2", cluster_uuid="c1"))

    await database.write(change)
    for path in ("l2Network.name", "l2NetworkRef.l2Network.name", "l2Network.cluster.l2Network.name"):
        assert await ask(database, QueryCluster(conditions=one(path, value="wire"))) == ["c1"], path


async def test_joins_may_be_as_deep_as_sqlite_goes(database: Database) -> None:
    def change(tx: Transaction) -> None:
        tx.insert(zone("here", uuid="z1"))
        tx.insert(Cluster(uuid="c", name="c", zone_uuid="z1", hypervisor_type="KVM"))

    await database.write(change)
    deep = "zone.cluster." * (DEPTH // 2)
    assert await ask(database, QueryCluster(conditions=one(f"{deep}name", value="c"))) == ["c"]
    assert Query(QueryCluster(conditions=one(f"{deep}name", value="c"))).sql.count("SELECT") == DEPTH + 1
    with pytest.raises(InvalidArgument, match=f"names more than {DEPTH} resources in a row"):
        Query(QueryCluster(conditions=one(f"{deep}zone.name", value="c")))


async def typed_cloud(database: Database) -> None:
    def change(tx: Transaction) -> None:
        tx.insert(host("real", uuid="h1", username="ops", ssh_port=2222))
        tx.insert(host("played", uuid="h2", hypervisor_type="Simulator", memory_capacity=64))
        tx.insert(l2("plain", uuid="n1"))
        tx.insert(l2("tagged", uuid="n2", type="L2VlanNetwork", vlan=7))
        tx.insert(BackupStorage(uuid="s1", name="sftp", url="/x", hostname="box", type="SftpBackupStorage"))
        tx.insert(BackupStorage(uuid="s2", name="other", url="/x", hostname="box", type="Other"))

    await database.write(change)


async def test_replies_have_the_fields_of_the_concrete_type(database: Database) -> None:
    await typed_cloud(database)

    async def page(message: QueryMessage) -> dict[str, dict[str, Any]]:
        found = await database.read(lambda s: s.inventories(s.query(message)[0], message.fields))
        return {each["name"]: each for each in found}

    hosts = await page(QueryHost())
    assert (hosts["real"]["username"], hosts["real"]["sshPort"]) == ("ops", 2222)
    assert not {"username", "sshPort"} & hosts["played"].keys()
    assert hosts["played"]["memoryCapacity"] == 64
    assert "memoryCapacity" not in hosts["real"]
    networks = await page(QueryL2Network())
    assert networks["tagged"]["vlan"] == 7
    assert "vlan" not in networks["plain"]
    assert list(await page(QueryL2VlanNetwork())) == ["tagged"]
    storages = await page(QueryBackupStorage())
    assert storages["sftp"]["hostname"] == "box"
    assert "hostname" not in storages["other"]
    only = QueryHost(conditions=one("hypervisorType", value="KVM"), fields=["name", "username"])
    assert await page(only) == {"real": {"name": "real", "username": "ops"}}


async def test_a_type_makes_its_fields_queryable(database: Database) -> None:
    await typed_cloud(database)
    kvm = one("hypervisorType", value="KVM")
    vlan = one("type", value="L2VlanNetwork")
    for message, expected in (
        (QueryHost(conditions=kvm + one("username", value="OPS"), sort_by="username"), ["real"]),
        (
            QueryHost(conditions=one("hypervisorType", value="Simulator") + one("memoryCapacity", "<", 65)),
            ["played"],
        ),
        (QueryL2Network(conditions=one("vlan", ">", 6) + vlan), ["tagged"]),
        (QueryL2Network(conditions=one("vlan", ">", 7) + vlan), []),
        (QueryL2VlanNetwork(conditions=one("vlan", value="7"), sort_by="vlan"), ["tagged"]),
        (QueryL2VlanNetwork(conditions=one("type", value="L2NoVlanNetwork")), []),
    ):
        assert await ask(database, message) == expected


async def test_tags_of_the_parent_type_count(database: Database) -> None:
    await typed_cloud(database)

    def change(tx: Transaction) -> None:
        for key, kind, tag in (
            ("h1", "HostVO", "base"),
            ("h1", "KVMHostVO", "own"),
            ("h2", "HostVO", "base"),
        ):
            tx.insert(UserTag(uuid=tx.new_uuid(), resource_uuid=key, resource_type=kind, tag=tag))

    await database.write(change)
    kvm = one("hypervisorType", value="KVM")
    for conditions, expected in (
        (one("__userTag__", value="base"), ["played", "real"]),
        (one("__userTag__", value="own"), []),
        (kvm + one("__userTag__", value="base"), ["real"]),
        (kvm + one("__userTag__", value="own"), ["real"]),
        (kvm + one("__userTag__", "not in", "own,x"), []),
        (one("__userTag__", "not in", "own,x"), ["played", "real"]),
    ):
        assert await ask(database, QueryHost(conditions=conditions)) == expected


HOSTS = "org.zstack.header.host.HostInventory"
NICS = "org.zstack.header.vm.VmNicInventory"


@pytest.mark.parametrize(
    ("message", "error", "text"),
    [
        (
            QueryL2Network(conditions=one("vlan", value="7")),
            InvalidArgument,
            "condition name[vlan] is invalid, no such field on inventory class"
            "[org.zstack.header.network.l2.L2NetworkInventory]",
        ),
        (
            QueryL2Network(conditions=one("type", value="L2VlanNetwork") + one("foo", value="7")),
            InvalidArgument,
            "condition name[foo] is invalid, no such field on inventory class"
            "[org.zstack.header.network.l2.L2VlanNetworkInventory]",
        ),
        (
            QueryHost(conditions=one("username", value="7") + one("hypervisorType", "!=", "KVM")),
            InvalidArgument,
            f"condition name[username] is invalid, no such field on inventory class[{HOSTS}]",
        ),
        (
            QueryVmInstance(conditions=one("vmNics.foo", value="1")),
            InvalidArgument,
            f"condition name[foo] is invalid, no such field on inventory class[{NICS}]",
        ),
        (
            QueryVmInstance(conditions=one("vmNics.a.b", value="1")),
            InternalError,
            f"cannot find field[a] on class[{NICS}], wrong subquery name[a.b]",
        ),
        (
            QueryHost(conditions=one("name.b", value="1")),
            InternalError,
            f"nested query field[name] on inventory[{HOSTS}] must be annotated as @Queryable",
        ),
        (
            QueryL2Network(sort_by="vlan"),
            InternalError,
            "illegal sortBy[vlan], entity[org.zstack.header.network.l2.L2NetworkVO] doesn't have this field",
        ),
        (
            QueryL2VlanNetwork(sort_by="foo"),
            InternalError,
            "illegal sortBy[foo], entity[org.zstack.header.network.l2.L2VlanNetworkVO] doesn't have this field",
        ),
        (
            QueryL2VlanNetwork(fields=["attachedClusterUuids"]),
            InvalidArgument,
            "field[attachedClusterUuids] is not a primitive of the inventory L2VlanNetworkInventory; you cannot "
            "specify it in the parameter 'fields';valid fields are [uuid, name, description, zoneUuid, "
            "physicalInterface, type, vlan, createDate, lastOpDate]",
        ),
        (QueryHost(conditions=one("name", "=", None)), InvalidArgument,
         '\'value\' of query condition {"name":"name","op":"="} cannot be null'),
        (QueryHost(conditions=[{"op": "~"}]), InvalidArgument, "unknown QueryOp type[~]"),
    ],
)  # fmt: skip
def test_refusals(message: QueryMessage, error: type[ApiError], text: str) -> None:
    with pytest.raises(error) as caught:
        Query(message)
    assert caught.value.details == text


def test_what_is_not_queryable_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    hidden = dataclasses.replace(Host.columns["description"], queryable=False)
    monkeypatch.setitem(shape_of(Host).columns, "description", hidden)
    with pytest.raises(InvalidArgument) as caught:
        Query(QueryHost(conditions=one("description", value="a")))
    assert caught.value.details == (
        f"condition name[description] is invalid, field[description] of inventory[{HOSTS}] is annotated as "
        "@Unqueryable field"
    )


def test_structures_cannot_be_queried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("appliance.api.resource.RESOURCES", {})

    class Thing(Resource):
        """Something with parts."""

        uuid: str = column("Identity.")
        names: list[str] = column("Texts.", default_factory=list)
        parts: list[dict[str, str]] = column("Structures.", default_factory=list)
        whole: dict[str, str] = column("A structure.", default_factory=dict)

    queryable = {name for name, each in Thing.columns.items() if each.queryable}
    assert queryable == {"uuid", "names"}


def test_values_are_never_in_the_statement() -> None:
    conditions = [
        *one("vmNics.ip", value="10.9.8.7"), *one("name", "like", "needle%"), *one("cpuNum", ">", 4711),
        *one("__systemTag__", "!=", "needle"), *one("host.cluster.name", "in", "needle,needles"),
    ]  # fmt: skip
    query = Query(QueryVmInstance(conditions=conditions))
    for text in ("needle", "10.9.8.7", "4711"):
        assert text not in query.sql + query.count_sql
    assert query.sql.count("?") == len(query.parameters)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["name~=eb"], ["web1", "web2"]),
        (["name~=web_"], ["web1", "web2"]),
        (["name!~=web%"], ["db"]),
        (["state?=Running, stopped"], ["db", "web1", "web2"]),
        (["state!?=Running,Paused"], ["db"]),
        (["hostUuid=null"], ["db"]),
        (["hostUuid!=null", "name!=WEB1"], ["web2"]),
        (["host.name~=big", "cpuNum>=2"], ["web2"]),
        (["vmNics.ip?=10.0.0.1,10.0.0.2"], ["web1", "web2"]),
        (["__userTag__!?=blue,green"], ["db", "web2"]),
        (["fields=name,uuid,", "uuid=w1"], ["web1"]),
        (["sortBy=name", "sortDirection=desc", "start=1", "limit=1"], ["web1"]),
    ],
)
async def test_what_zstacks_users_type(database: Database, words: list[str], expected: list[str]) -> None:
    def change(tx: Transaction) -> None:
        tx.insert(host("the big one", uuid="h"))
        for number in (1, 2):
            tx.insert(vm(f"web{number}", uuid=f"w{number}", host_uuid="h", state="Running", cpu_num=number))
            tx.insert(nic(f"w{number}", ip=f"10.0.0.{number}"))
        tx.insert(vm("db", state="Stopped"))
        tx.insert(UserTag(uuid="t", resource_uuid="w1", resource_type="VmInstanceVO", tag="blue"))

    await database.write(change)
    command = read_words(["QueryVmInstance", *words])
    message = parse(command.kind, command.fields)
    assert isinstance(message, QueryMessage)
    assert await ask(database, message) == expected


def test_a_page_beyond_what_sqlite_counts_is_empty_or_all() -> None:
    query = Query(QueryVmInstance(limit=10**30, start=10**30))
    assert query.sql.endswith(f"LIMIT {2**63 - 1} OFFSET {2**63 - 1}")
