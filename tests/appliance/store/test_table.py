"""Every resource survives the way into a row and back, and nothing else does."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pysqlite3 import dbapi2 as sqlite

from appliance.api.host import Host
from appliance.api.resource import Column, Resource, Timestamp
from appliance.api.service import NetworkServiceProvider
from appliance.api.zone import Zone
from appliance.store.errors import StoreDamaged
from appliance.store.table import all_kinds, row_sum, stored_type, table_of

from .samples import zone

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


def values_of(column: Column) -> st.SearchStrategy[Any]:
    values: st.SearchStrategy[Any]
    if column.is_json:
        values = st.lists(TEXT, max_size=3)
    elif column.kind is bool:
        values = st.booleans()
    elif stored_type(column) is int:
        values = st.integers(-(2**63), 2**63 - 1)
    elif stored_type(column) is float:
        values = st.floats(allow_nan=False)
    else:
        values = TEXT
    return st.none() | values if column.optional else values


def resources(kind: type[Resource]) -> st.SearchStrategy[Resource]:
    return st.fixed_dictionaries({c.name: values_of(c) for c in kind.columns.values()}).map(
        lambda d: kind(**d)
    )


@given(st.sampled_from(list(all_kinds())).flatmap(resources))
def test_there_and_back_through_sqlite(resource: Resource) -> None:
    table = table_of(type(resource))
    connection = sqlite.connect(":memory:")
    try:
        for statement in table.ddl():
            connection.execute(statement)
        connection.execute(table.insert, table.encode(resource))
        back = table.decode(connection.execute(table.select).fetchone())
    finally:
        connection.close()
    assert back == resource
    assert [type(value) for value in vars(back).values()] == [
        type(value) for value in vars(resource).values()
    ]


@given(st.data())
def test_any_changed_bit_of_a_row_is_seen(data: st.DataObject) -> None:
    table = table_of(Zone)
    row = table.encode(zone("name", create_date=Timestamp(1.5), last_op_date=Timestamp(2.5)))
    place = data.draw(st.integers(0, len(row) - 1))
    other = data.draw(st.none() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | TEXT)
    if other == row[place] and type(other) is type(row[place]):
        return
    row[place] = other
    with pytest.raises(StoreDamaged, match="in table zone is damaged"):
        table.decode(tuple(row))


def test_whole_numbers_are_taken_as_dates_and_truths_as_they_are() -> None:
    stored = table_of(Zone).encode(zone(create_date=Timestamp(7)))
    assert stored[5] == 7.0
    assert type(stored[5]) is float
    assert row_sum(stored[:-1]) == stored[-1]


@pytest.mark.parametrize(
    "changes",
    [{"name": None}, {"create_date": math.nan}, {"name": 3}, {"create_date": "now"}, {"description": 1}],
)
def test_wrong_types_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match=f"Zone.{next(iter(changes))} cannot be"):
        table_of(Zone).encode(zone(**changes))


def test_list_is_json() -> None:
    provider = NetworkServiceProvider(uuid="u", name="n", type="Flat", network_service_types=["DHCP"])
    assert '["DHCP"]' in table_of(NetworkServiceProvider).encode(provider)


def test_ddl_says_what_the_declaration_says() -> None:
    table, *indexes = table_of(Host).ddl()
    assert '"uuid" TEXT COLLATE NOCASE NOT NULL PRIMARY KEY' in table
    assert '"management_ip" TEXT COLLATE NOCASE NOT NULL UNIQUE' in table
    assert '"description" TEXT COLLATE NOCASE,' in table
    assert table.endswith("STRICT")
    assert 'CREATE INDEX "host_cluster_uuid" ON "host" ("cluster_uuid")' in indexes
