"""What is declared of ZStack's messages is what ZStack 1.0 declares: class, parameters, rules, reply."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import appliance.resources.every  # noqa: F401 - declares everything
from appliance.api.message import BASE, MESSAGES, CreateMessage, Message, QueryMessage
from appliance.api.permission import CATEGORY_OF, Action, action_of

ZSTACK: dict[str, dict[str, Any]] = json.loads((Path(__file__).parent / "zstack_1_0.json").read_text())
"""Every message of ZStack 1.0: facts read from its sources."""

OURS = {name for name, message in MESSAGES.items() if name not in ZSTACK}
"""Messages beyond 1.0."""

KINDS = {
    "String": str,
    "Integer": int,
    "int": int,
    "long": int,
    "Long": int,
    "Boolean": bool,
    "boolean": bool,
}
SHARED = ("deleteMode", *BASE, *(parameter.wire for parameter in CreateMessage.parameters.values()))
"""Parameters of ZStack's base classes."""

DELIBERATE = {
    ("AddImage", "url", "most"): "an upload's name and a signed URL may be longer",
    ("AddImage", "format", "valid"): "another format is refused by its name instead of failing at first use",
    ("AddKVMHost", "managementIp", "most"): "longer is no host name",
    ("AddSimulatorHost", "managementIp", "most"): "longer is no host name",
    ("ChangePrimaryStorageState", "stateEvent", "valid"): "ZStack has the state, and no way into it",
    ("CreateL2NoVlanNetwork", "physicalInterface", "most"): "the kernel's limit for a link's name",
    ("CreateL2VlanNetwork", "physicalInterface", "most"): "the kernel's limit for a link's name",
    ("CreateL3Network", "dnsDomain", "most"): "longer is no domain",
    ("LogInByAccount", "accountName", "most"): "no account has a longer name",
    ("LogInByUser", "userName", "most"): "no user has a longer name",
    ("LogInByUser", "accountUuid", "required"): "the account's name will do, as in later versions",
    ("DeleteUser", "uuid", "names"): "a uuid that names nothing succeeds, as in every other delete",
    ("DeleteUserGroup", "uuid", "names"): "a uuid that names nothing succeeds, as in every other delete",
    ("UpdateImage", "mediaType", "most"): "a choice",
    ("UpdateImage", "format", "most"): "a choice",
    ("UpdateImage", "platform", "valid"): "what AddImage takes can be said later, too",
    ("DeleteZone", "uuid", "names"): "a uuid that names nothing succeeds, as in every other delete",
    ("RequestConsoleAccess", "", "inventory"): "what opens a console is given once and kept nowhere",
    ("ReconnectHost", "", "inventory"): "ZStack's event has the field, and leaves it empty",
    ("ExpungeVmInstance", "uuid", "required"): "it means nothing without",
    ("ExpungeDataVolume", "uuid", "required"): "it means nothing without",
    ("RecoverDataVolume", "uuid", "required"): "it means nothing without",
}
"""Where we differ, and why."""

BUILT = sorted(name for name in MESSAGES if name in ZSTACK)


@pytest.mark.parametrize("name", BUILT)
def test_a_message_is_declared_as_zstack_has_it(name: str) -> None:
    wrong = [
        each for each in differences(MESSAGES[name], ZSTACK[name]) if (name, *each[:2]) not in DELIBERATE
    ]
    assert wrong == []


def test_no_difference_is_excused_that_is_none() -> None:
    real = {(name, *each[:2]) for name in BUILT for each in differences(MESSAGES[name], ZSTACK[name])}
    assert set(DELIBERATE) - real == set()


def test_who_may_send_a_message_is_as_zstack_has_it() -> None:
    theirs = {name: facts.get("action") for name, facts in ZSTACK.items() if facts.get("action")}
    assert len(theirs) > 300
    wrong = {}
    for name, action in theirs.items():
        if name in MESSAGES and action_of(MESSAGES[name]) != _action(MESSAGES[name], action):
            wrong[name] = (action, action_of(MESSAGES[name]))
        if (name in CATEGORY_OF) != (action != "admin-only"):
            wrong[name] = (action, CATEGORY_OF.get(name))
    assert wrong == {}
    assert {name for name in CATEGORY_OF if name not in ZSTACK and name not in OURS} == set()


def _action(message: type[Message], facts: Any) -> Action | None:
    if facts == "admin-only":
        return None
    category = facts["category"]
    own = (f"{category}:API{message.__name__}Msg", f"{category}:{message.java}")
    read = tuple(f"{category}:{name}" for name in facts.get("names", ()))
    return Action((*own, *read), facts.get("accountOnly", False))


def differences(ours: type[Message], zstack: dict[str, Any]) -> list[tuple[str, str, Any, Any]]:
    """What of a message is not as ZStack has it: parameter (or empty), rule, theirs, ours."""
    found: list[tuple[str, str, Any, Any]] = []
    query = issubclass(ours, QueryMessage)
    for rule, theirs, own in (
        ("class", zstack["class"], ours.java),
        ("result", zstack["result"], ours.result_class),
        ("sync", zstack["sync"], ours.sync),
        ("create", zstack.get("create", False), issubclass(ours, CreateMessage)),
        ("inventory", "inventory" in zstack["fields"], ours.returns is not None and not query),
    ):
        if theirs != own:
            found.append(("", rule, theirs, own))
    mine = {parameter.wire: parameter for parameter in ours.parameters.values()}
    for wire, theirs in zstack["parameters"].items():
        if wire in SHARED:
            continue
        parameter = mine.get(wire)
        if parameter is None:
            found.append((wire, "missing", theirs, None))
            continue
        rules = {
            "required": (theirs.get("required", False), parameter.required),
            "valid": (sorted(theirs.get("valid", ())), sorted(parameter.choices)),
            "most": (theirs.get("most"), parameter.max_length),
            "type": (KINDS.get(theirs["type"], parameter.kind), parameter.kind),
            "range": (_bounds(theirs), (parameter.minimum, parameter.maximum)),
            "names": (theirs.get("names"), parameter.ref_vo or None),
        }
        found += [(wire, rule, *pair) for rule, pair in rules.items() if _differs(rule, *pair)]
    return found


def _bounds(theirs: dict[str, Any]) -> tuple[int, ...] | None:
    largest = {"Integer.MAX_VALUE": 2**31 - 1, "Long.MAX_VALUE": 2**63 - 1}
    return tuple(largest.get(each, each) for each in theirs["range"]) if "range" in theirs else None


def _differs(rule: str, theirs: Any, own: Any) -> bool:
    if rule == "range":  # we may keep more out, such as sizes below nothing
        return theirs is not None and bool(theirs != own)
    if rule == "names":  # we may say of more uuids than ZStack what they mean, and of the same the same
        return theirs is not None and theirs != own
    return bool(theirs != own)
