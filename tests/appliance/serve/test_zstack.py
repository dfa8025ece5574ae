"""Bodies become calls, and answers become what ZStack's clients can read."""

from __future__ import annotations

import json
import time
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.api.errors import ApiError, BadRequest, NotBuilt, UnknownMessage
from appliance.api.message import BY_JAVA
from appliance.api.zone import CreateZone
from appliance.api.zstack_names import missing_messages, query_instead, zstack_messages
from appliance.serve.zstack import (
    Reply,
    envelope,
    read_call,
    refused,
    without_nulls,
)
from appliance.store.inventory import wire_date

ZONE = "org.zstack.header.zone.APICreateZoneMsg"
EIP = "org.zstack.network.service.eip.APIQueryEipMsg"


def test_a_body_is_a_call() -> None:
    body = {ZONE: {"name": "z", "id": "a" * 32, "session": {"uuid": "s"}}}
    call = read_call(json.dumps(body).encode())
    assert (call.kind, call.session_uuid, call.id, call.fields["name"]) == (CreateZone, "s", "a" * 32, "z")


@pytest.mark.parametrize("session", [None, 1, [], {}, {"uuid": 5}, {"uuid": ""}])
def test_an_odd_session_is_none(session: object) -> None:
    assert read_call(json.dumps({ZONE: {"session": session, "id": "short"}}).encode()).session_uuid is None


@pytest.mark.parametrize("raw", [b"{}", b'{"a":{},"b":{}}', b'{"' + ZONE.encode() + b'":[]}', b"null"])
def test_other_bodies_are_bad_requests(raw: bytes) -> None:
    with pytest.raises(BadRequest):
        read_call(raw)


def test_unknown_and_not_built_differ() -> None:
    with pytest.raises(UnknownMessage, match=r"declares message: a\.b\.C"):
        read_call(b'{"a.b.C":{}}')
    call = read_call(json.dumps({EIP: {}}).encode())
    assert call.kind is None
    reply = refused(call, NotBuilt("x"))
    assert reply.result_class == "org.zstack.header.message.APIReply"
    assert reply.body["error"]["code"] == NotBuilt.code


def test_forms_from_before_queries_name_the_query_that_answers_them() -> None:
    older = [java for java in missing_messages() if java.startswith("org.zstack.header.") and "List" in java]
    assert {query_instead(java) for java in older} >= {
        "QueryImage",
        "QueryVolume",
        "QueryZone",
        "QueryIpRange",
    }
    assert not [java for java in older if query_instead(java) is None]
    assert query_instead("org.zstack.header.image.APISearchImageMsg") == "QueryImage"
    assert query_instead("org.zstack.header.volume.APIGetVolumeMsg") == "QueryVolume"
    assert query_instead(EIP) is None
    assert query_instead("org.zstack.network.securitygroup.APIListSecurityGroupMsg") is None


def test_all_of_zstack_is_known() -> None:
    assert len(zstack_messages()) == 335
    assert EIP in missing_messages()
    assert not set(missing_messages()) & BY_JAVA.keys()


def test_an_envelope_is_text_in_text_without_nulls() -> None:
    reply = Reply("a.B", {"success": True, "inventory": {"x": None, "y": [{"z": None}, None]}}, "j" * 32)
    wire = envelope(reply)
    assert wire["state"] == "Done"
    assert wire["uuid"] == "j" * 32
    assert json.loads(wire["result"]) == {"a.B": {"success": True, "inventory": {"y": [{}]}}}
    assert set(envelope(Reply("a.B", {}, "j", done=False))) == {"state", "uuid", "createdDate"}
    assert "uuid" not in envelope(Reply("a.B", {}))


def test_dates_are_as_gson_writes_them() -> None:
    assert wire_date(datetime(2016, 1, 30, 15, 1, 3).timestamp()) == "Jan 30, 2016 3:01:03 PM"  # noqa: DTZ001 - local
    assert wire_date(datetime(2016, 2, 2, 0, 0, 1).timestamp()) == "Feb 2, 2016 12:00:01 AM"  # noqa: DTZ001 - local
    assert str(time.localtime().tm_year) in wire_date(time.time())


@given(
    st.recursive(st.none() | st.text() | st.integers(), lambda x: st.lists(x) | st.dictionaries(st.text(), x))
)
def test_no_null_is_ever_left(value: object) -> None:
    def nulls(found: object) -> bool:
        inner = found.values() if isinstance(found, dict) else found if isinstance(found, list) else ()
        return any(each is None or nulls(each) for each in inner)

    assert not nulls(without_nulls(value))


@given(st.binary())
def test_no_body_is_ever_more_than_refused(raw: bytes) -> None:
    with pytest.raises(ApiError):
        read_call(raw)
