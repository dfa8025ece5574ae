"""Words typed as ZStack's users type them become the right calls."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from appliance.api.errors import NotBuilt
from appliance.api.grammar import read_words, without_program
from appliance.api.parse import command_line, parse
from appliance.api.quoting import UsageError, split
from appliance.api.vm import CreateVmInstance

UUID = "36c27e8ff05c4780bf6d2fa65700f22e"


def fields(*words: str) -> dict:
    return read_words(list(words)).fields


@pytest.mark.parametrize(
    ("word", "condition"),
    [
        ("name=a", ("name", "=", "a")),
        ("name!=a", ("name", "!=", "a")),
        ("cpuNum>1", ("cpuNum", ">", "1")),
        ("cpuNum>=1", ("cpuNum", ">=", "1")),
        ("cpuNum<=1", ("cpuNum", "<=", "1")),
        ("state?=Running, Stopped", ("state", "in", "Running,Stopped")),
        ("state!?=Running", ("state", "not in", "Running")),
        ("name~=web", ("name", "like", "%web%")),
        ("name~=web%", ("name", "like", "web%")),
        ("name!~=w_b", ("name", "not like", "w_b")),
        ("hostUuid=null", ("hostUuid", "is null", "")),
        ("hostUuid!=null", ("hostUuid", "is not null", "")),
        ("vmNics.ip=10.0.0.2", ("vmNics.ip", "=", "10.0.0.2")),
        ("__userTag__~=a=b", ("__userTag__", "like", "%a=b%")),
    ],
)
def test_conditions(word: str, condition: tuple[str, str, str]) -> None:
    name, op, value = condition
    assert fields("QueryVmInstance", word) == {"conditions": [{"name": name, "op": op, "value": value}]}


def test_fields_and_options_of_a_query() -> None:
    assert fields("QueryHost", "fields=name,", f"uuid={UUID}", "limit=5", "count=true") == {
        "fields": ["name"],
        "limit": "5",
        "count": "true",
        "conditions": [{"name": "uuid", "op": "=", "value": UUID}],
    }


def test_another_name_of_a_parameter_will_do() -> None:
    assert fields("CreateAccessToken", "name=t", "role=admin") == {"name": "t", "sessionRole": "admin"}
    with pytest.raises(UsageError, match="sessionRole is given twice"):
        read_words(["CreateAccessToken", "role=admin", "sessionRole=admin"])


def test_lists_are_split_at_commas_but_for_escaped_ones() -> None:
    typed = fields("CreateVmInstance", "l3NetworkUuids=a,b", r"l3NetworkUuids=c\,d")
    assert typed["l3NetworkUuids"] == ["a", "b", "c,d"]


def test_every_list_may_be_json() -> None:
    typed = fields("CreateVmInstance", 'l3NetworkUuids=["a","b,c"]', "l3NetworkUuids=d", 'userTags=["e","f"]')
    assert typed["l3NetworkUuids"] == ["a", "b,c", "d"]
    assert typed["userTags"] == ["e", "f"]
    odd = {"l3NetworkUuids": ["[a", "b,c"], "name": "v", "imageUuid": UUID, "instanceOfferingUuid": UUID}
    line = command_line(parse(CreateVmInstance, odd), whole=True).removeprefix("zstui call ")
    assert read_words(split(line)).fields["l3NetworkUuids"] == ["[a", "b,c"], "what is written is read alike"
    assert fields("QueryVmInstance", 'fields=["name"]')["fields"] == ["name"]


def test_tags_are_not_split_inside_their_text() -> None:
    text = "userdata::groups:\\n - ubuntu: [foo,bar]\\nusers, admin"
    typed = fields(
        "CreateVmInstance", f"systemTags={text},hostname::h", "systemTags=sshkey::k", "userTags=a,b"
    )
    assert typed["systemTags"] == [text, "hostname::h", "sshkey::k"]
    assert typed["userTags"] == ["a,b"]
    as_json = fields("CreateVmInstance", 'systemTags=["hostname::h", "userdata::a,b"]')
    assert as_json["systemTags"] == ["hostname::h", "userdata::a,b"]


def test_structures_are_json_or_as_zstack_has_them() -> None:
    wanted = {UUID: ["DHCP"]}
    for text in (f'{{"{UUID}":["DHCP"]}}', f"{{'{UUID}':['DHCP']}}"):
        typed = read_words(
            ["AttachNetworkServiceToL3Network", f"l3NetworkUuid={UUID}", f"networkServices={text}"]
        )
        assert parse(typed.kind, typed.fields).network_services == wanted  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "words",
    [
        ("LogInByAccount", "accountName=admin"),
        ("LogInByUser", f"accountUuid={UUID}", "userName=u"),
        ("CreateAccount", "name=a"),
        ("CreateUser", "name=u"),
        ("UpdateAccount",),
        ("UpdateUser",),
    ],
)
def test_only_passwords_of_accounts_and_users_are_hashed(words: tuple[str, ...]) -> None:
    typed = fields(*words, "password=password")
    assert typed["password"] == hashlib.sha512(b"password").hexdigest()
    assert fields("AddKVMHost", "password=x")["password"] == "x"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([], "name a message"),
        (["CreateZon"], "no message is called CreateZon"),
        (["CreateZone", "nam=x"], "no parameter nam; it has"),
        (["CreateZone", "name"], "write name=value"),
        (["CreateZone", "name~=x"], "only queries compare"),
        (["CreateZone", "name=a", "name=b"], "given twice"),
        (["AttachNetworkServiceToL3Network", "networkServices=x"], "must be JSON of an object"),
        (["CreateVmInstance", "l3NetworkUuids=[a"], r"field\[l3NetworkUuids\] must be JSON of a list"),
        (["CreateVmInstance", 'l3NetworkUuids=["x"'], 'a list.*but actual is \\["x"'),
        (["CreateVmInstance", 'l3NetworkUuids={"a":1}'], 'a list.*but actual is {"a":1}'),
        (["CreateVmInstance", "systemTags=[hostname::x]"], r"field\[systemTags\] must be JSON of a list"),
        (["AttachNetworkServiceToL3Network", "networkServices=[1]"], "must be JSON of an object"),
    ],
)
def test_what_is_no_call_says_why(words: list[str], says: str) -> None:
    with pytest.raises(UsageError, match=says) as refused:
        read_words(words)
    assert refused.value.code == "SYS.1007"


def test_names_may_begin_as_json_does() -> None:
    assert [fields("CreateZone", f"name={name}")["name"] for name in ("{a", "[b]")] == ["{a", "[b]"]


def test_a_message_that_is_yet_to_come_is_refused_by_its_code() -> None:
    with pytest.raises(
        NotBuilt, match=r"APICreateEipMsg is a message of ZStack 1\.0 that is not built here yet"
    ):
        read_words(["CreateEip", "name=x"])


HERE = Path("/data/appliance.sock")


@pytest.mark.parametrize(
    ("line", "target"),
    [
        ("QueryZone name=a", HERE),
        (">>> QueryZone name=a", HERE),
        ("zstui call QueryZone name=a", HERE),
        (">>> .venv/bin/zstui --data /data call QueryZone name=a", HERE),
        ("zstui --data=/data --verbose call QueryZone name=a", HERE),
        ("zstui --connect http://c:1 --certificate x call QueryZone name=a", "http://c:1"),
    ],
)
def test_a_line_may_begin_as_on_the_command_line(line: str, target: Path | str) -> None:
    assert without_program(line.split(), target) == ["QueryZone", "name=a"]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("zstui --connect http://other call QueryZone", "is for http://other"),
        ("zstui --data /other call QueryZone", "is for /other"),
        ("zstui verify", "only calls"),
        ("zstui --data", "is for "),
        ("zstui", "only calls"),
    ],
)
def test_a_line_for_another_appliance_or_command_is_refused(line: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        without_program(line.split(), HERE)
