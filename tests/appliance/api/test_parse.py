"""Calls become messages with ZStack's coercions and texts, and messages become calls again."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.api.body import check_sound, decode
from appliance.api.errors import ApiError, BadRequest, InvalidArgument, UnknownMessage
from appliance.api.grammar import read_words
from appliance.api.host import AddKVMHost
from appliance.api.l3 import CreateL3Network
from appliance.api.message import MESSAGES, Message
from appliance.api.offering import CreateInstanceOffering
from appliance.api.parse import (
    STARS,
    command_line,
    equality,
    message_named,
    parse,
    rejoin_tags,
    split_list,
    unparse,
    wire_fields,
)
from appliance.api.quoting import split
from appliance.api.service import AttachNetworkServiceToL3Network
from appliance.api.tag import CreateSystemTag
from appliance.api.vm import CreateVmInstance, QueryVmInstance
from appliance.api.zone import ChangeZoneState, CreateZone, DeleteZone

UUID = "36c27e8ff05c4780bf6d2fa65700f22e"


def refusal(kind: type, fields: dict) -> str:
    with pytest.raises(InvalidArgument) as caught:
        parse(kind, fields)
    return caught.value.details


def test_scalars_may_come_as_text() -> None:
    query = parse(QueryVmInstance, {"limit": "10", "count": "true", "replyWithCount": "False", "start": 3.0})
    assert (query.limit, query.count, query.reply_with_count, query.start) == (10, True, False, 3)
    assert parse(CreateZone, {"name": 7}).name == "7"
    assert parse(CreateZone, {"name": True}).name == "true"


def test_what_is_left_out_is_as_in_zstack() -> None:
    query = parse(QueryVmInstance, {})
    assert (query.conditions, query.limit, query.start, query.fields) == ([], 1000, 0, [])
    assert (query.count, query.reply_with_count, query.sort_direction) == (False, False, "asc")
    assert parse(DeleteZone, {"uuid": UUID}).delete_mode == "Permissive"


def test_unknown_fields_and_nulls_are_absent() -> None:
    assert parse(CreateZone, {"name": "z", "nonsense": [1], "description": None}) == CreateZone(name="z")


def test_a_description_may_be_empty_and_nothing_else() -> None:
    assert parse(CreateZone, {"name": "z", "description": ""}).description == ""
    assert refusal(CreateZone, {"name": "z", "type": ""})


def test_a_list_may_come_as_one_string() -> None:
    assert parse(QueryVmInstance, {"fields": "name, uuid,"}).fields == ["name", "uuid"]
    assert parse(QueryVmInstance, {"fields": '["name"]'}).fields == ["name"]
    assert parse(CreateZone, {"name": "z", "userTags": "a,b"}).user_tags == ["a,b"]
    assert split_list(r"a\,b, c") == ["a,b", "c"]


def test_an_object_may_come_as_json_text() -> None:
    call = {"l3NetworkUuid": UUID, "networkServices": json.dumps({UUID: ["DHCP"]})}
    assert parse(AttachNetworkServiceToL3Network, call).network_services == {UUID: ["DHCP"]}


@pytest.mark.parametrize(
    ("kind", "fields", "text"),
    [
        (CreateZone, {},
         "field[name] of message[org.zstack.header.zone.APICreateZoneMsg] is mandatory, can not be null"),
        (CreateZone, {"name": ""}, "field[name] cannot be an empty string"),
        (CreateZone, {"name": "x" * 256},
         "field[name] of message[org.zstack.header.zone.APICreateZoneMsg] exceeds max length of string. "
         "expected was <= 255, actual was 256"),
        (ChangeZoneState, {"uuid": UUID, "stateEvent": "stop"},
         "valid value for field[stateEvent] of message[org.zstack.header.zone.APIChangeZoneStateMsg] are "
         "[enable, disable], but actual is stop"),
        (QueryVmInstance, {"limit": -1}, "field[limit] must be in range of [0, 9223372036854775807]"),
        (AddKVMHost, {"name": "h", "managementIp": "h", "clusterUuid": UUID, "username": "root",
                      "password": "", "sshPort": 70000}, "field[sshPort] must be in range of [1, 65535]"),
        (CreateVmInstance, {"name": "v", "instanceOfferingUuid": UUID, "imageUuid": UUID,
                            "l3NetworkUuids": []}, "field[l3NetworkUuids] must be a nonempty list"),
    ],
)  # fmt: skip
def test_refusals_have_zstacks_texts(kind: type, fields: dict, text: str) -> None:
    assert refusal(kind, fields) == text


@pytest.mark.parametrize("value", ["yes", "1e3", "ten", [], {}, 1.5, True])
def test_what_is_no_whole_number_is_refused(value: object) -> None:
    assert "field[limit]" in refusal(QueryVmInstance, {"limit": value})


@pytest.mark.parametrize("value", ["9" * 20, "-" + "9" * 150, 1 << 63, 1e30, -(1 << 63) - 1])
def test_a_number_that_is_out_of_all_bounds_is_told_them(value: object) -> None:
    text = refusal(QueryVmInstance, {"limit": value})
    assert text == "field[limit] must be in range of [0, 9223372036854775807]"


def test_a_secret_of_the_wrong_kind_is_not_repeated() -> None:
    fields = {"name": "h", "managementIp": "h", "clusterUuid": UUID, "username": "root", "password": ["hush"]}
    assert "hush" not in refusal(AddKVMHost, fields)


@pytest.mark.parametrize("name", ["a\x1b[2J", "a\nb", "\x9b", "a\u202eb", "a\u2028"])
def test_control_characters_in_names_are_refused(name: str) -> None:
    assert "control character" in refusal(CreateZone, {"name": name})


def body(raw: bytes) -> dict[str, Any]:
    """What a body holds, once that is known to be sound."""
    value = decode(raw, like="{…}")
    check_sound(value)
    return value


@pytest.mark.parametrize("text", ["\0", "\ud800"])
def test_what_no_layer_below_can_keep_is_refused(text: str) -> None:
    assert refusal(CreateZone, {"name": "z", "description": text})
    with pytest.raises(InvalidArgument):
        body(json.dumps({"x": {"y": [text]}}).encode())


@pytest.mark.parametrize(
    "raw",
    [b"[" * 100_000, b'{"a":' * 100_000, b'{"a":' + b"[" * 40 + b"]" * 40 + b"}"],
    ids=["lists", "objects", "whole"],
)
def test_depth_has_a_limit(raw: bytes) -> None:
    with pytest.raises((InvalidArgument, BadRequest)):
        body(raw)


@pytest.mark.parametrize("raw", [b"", b"[]", b"1", b"{", b"\xff"])
def test_what_is_no_call_is_a_bad_request(raw: bytes) -> None:
    with pytest.raises(BadRequest):
        body(raw)


@pytest.mark.parametrize("raw", [b'{"a": NaN}', b'{"a": -Infinity}', b'{"a": 1e999}'])
def test_infinity_is_refused(raw: bytes) -> None:
    with pytest.raises(InvalidArgument):
        body(raw)


def test_a_number_without_end_is_refused_without_words_of_a_programmer() -> None:
    with pytest.raises(BadRequest, match=r"no JSON: a number of 5000 digits is none that a call can hold$"):
        body(b'{"a":' + b"9" * 5000 + b"}")


def test_what_a_value_is_instead_is_said_as_it_was_sent() -> None:
    assert refusal(CreateInstanceOffering, {"name": "o", "cpuNum": True}).endswith("but actual is true")
    assert refusal(CreateInstanceOffering, {"name": "o", "cpuNum": [None]}).endswith("but actual is [null]")


def test_a_given_uuid_must_be_one() -> None:
    assert parse(CreateZone, {"name": "z", "resourceUuid": UUID}).resource_uuid == UUID
    assert "no uuid" in refusal(CreateZone, {"name": "z", "resourceUuid": UUID.upper()})
    assert "no uuid" in refusal(CreateZone, {"name": "z", "resourceUuid": "x" * 32})


def test_tags_cut_at_commas_are_made_whole() -> None:
    text = "userdata::groups:\\n - ubuntu: [foo,bar]\\nusers, admin"
    assert rejoin_tags("VmInstanceVO", text.split(",")) == [text]
    assert rejoin_tags("VmInstanceVO", ["userdata::a", "b", "hostname::h", "sshkey::k c"]) == [
        "userdata::a,b",
        "hostname::h",
        "sshkey::k c",
    ]
    assert rejoin_tags("VmInstanceVO", ["hostname::h", "no::such"]) == ["hostname::h", "no::such"]
    assert rejoin_tags("ZoneVO", ["a", "b"]) == ["a", "b"]
    call = {"name": "v", "instanceOfferingUuid": UUID, "imageUuid": UUID, "l3NetworkUuids": [UUID],
            "systemTags": text.split(",")}  # fmt: skip
    assert parse(CreateVmInstance, call).system_tags == [text]


def test_unparse_and_parse_are_inverse() -> None:
    message = CreateL3Network(name="n", l2_network_uuid=UUID, system=True, user_tags=["a,b"])
    assert unparse(message) == {"name": "n", "l2NetworkUuid": UUID, "system": True, "userTags": ["a,b"]}
    assert parse(CreateL3Network, unparse(message)) == message


def test_secrets_never_show() -> None:
    host = AddKVMHost(name="h", management_ip="h", cluster_uuid=UUID, username="root", password="hush")
    assert unparse(host, secrets=False)["password"] == STARS
    assert "hush" not in command_line(host)
    tag = CreateSystemTag(resource_type="VmInstanceVO", resource_uuid=UUID, tag="rootPassword::hush")
    assert "hush" not in command_line(tag)
    assert unparse(tag)["tag"] == "rootPassword::hush"


def test_a_message_reads_as_a_command_on_one_line() -> None:
    assert (
        command_line(CreateZone(name="a b", description="c\nd"))
        == "CreateZone name='a b' description=$'c\\nd'"
    )
    query = QueryVmInstance(conditions=[{"name": "state", "op": "=", "value": "Running"}], limit=5)
    assert command_line(query) == "QueryVmInstance state=Running limit=5"
    assert "\x1b" not in command_line(CreateZone(name="z", description="\x1b[2J"))


@pytest.mark.parametrize(
    "message",
    [
        CreateSystemTag(
            resource_type="VmInstanceVO", resource_uuid=UUID, tag='userdata::#!/bin/sh\nprintf "a\\n" > /x\n'
        ),
        CreateSystemTag(resource_type="VmInstanceVO", resource_uuid=UUID, tag="userdata::" + "long, " * 100),
        CreateZone(name="a b", description="it's \\n is no break,\nand $'this' is none\t\u2028"),
        CreateVmInstance(
            name="v", image_uuid=UUID, instance_offering_uuid=UUID, l3_network_uuids=["a,b", "c"],
            system_tags=["userdata::a\\,b,c\n", "hostname::h"], user_tags=["x,y", "[z]"],
        ),
        CreateVmInstance(
            name="v", image_uuid=UUID, instance_offering_uuid=UUID, l3_network_uuids=["c"], user_tags=["[z"]
        ),
        QueryVmInstance(
            conditions=[
                {"name": "name", "op": "in", "value": "a,b c"}, {"name": "state", "op": "is not null", "value": ""},
                {"name": "name", "op": "not like", "value": "%\n_"},
            ],
            fields=["name", "uuid"],
        ),
    ],
)  # fmt: skip
def test_the_line_of_a_message_repeats_it(message: Message) -> None:
    line = command_line(message, whole=True)
    assert line.isprintable()
    command = read_words(split(line))
    assert parse(command.kind, command.fields) == message


def test_names_find_messages() -> None:
    assert message_named("CreateZone") == (CreateZone.java, CreateZone)
    assert message_named("org.zstack.header.zone.APICreateZoneMsg")[1] is CreateZone
    assert message_named("a.b.C") == ("a.b.C", None)
    with pytest.raises(UnknownMessage):
        message_named("CreateZon")


def test_parameters_have_two_spellings_and_no_third() -> None:
    both = {"l2_network_uuid": UUID, "dnsDomain": "d", "description": None}
    assert wire_fields(CreateL3Network, both) == {"l2NetworkUuid": UUID, "dnsDomain": "d"}
    with pytest.raises(InvalidArgument, match="no parameter zone"):
        wire_fields(CreateL3Network, {"zone": 1})


def test_an_equality_says_what_its_value_needs() -> None:
    assert equality("host_uuid", None) == {"name": "hostUuid", "op": "is null", "value": ""}
    assert equality("state", ["a", "b"]) == {"name": "state", "op": "in", "value": "a,b"}
    assert equality("__userTag__", True) == {"name": "__userTag__", "op": "=", "value": "true"}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


@given(st.sampled_from(sorted(MESSAGES)), st.data())
def test_no_value_is_ever_more_than_refused(name: str, data: st.DataObject) -> None:
    kind = MESSAGES[name]
    fields = {each.wire: data.draw(JSON) for each in kind.parameters.values()}
    try:
        message = parse(kind, fields)
    except ApiError:
        return
    assert "\n" not in command_line(message)
    json.dumps(unparse(message))


@given(st.binary())
def test_no_body_is_ever_more_than_refused(raw: bytes) -> None:
    with suppress(BadRequest, InvalidArgument):
        body(raw)


def test_a_size_with_a_unit_is_refused_with_the_bytes_that_it_means() -> None:
    told = refusal(CreateInstanceOffering, {"name": "o", "cpuNum": 1, "cpuSpeed": 1, "memorySize": "900G"})
    assert told.endswith("must be in bytes, for example 966367641600, but actual is 900G")
    told = refusal(CreateInstanceOffering, {"name": "o", "cpuNum": "2G", "cpuSpeed": 1, "memorySize": 1})
    assert told.endswith("must be a whole number, but actual is 2G")


def test_an_offering_speaks_numbers() -> None:
    fields = {"name": "o", "cpuNum": "2", "cpuSpeed": "1000", "memorySize": "1073741824"}
    assert parse(CreateInstanceOffering, fields).memory_size == 1 << 30
