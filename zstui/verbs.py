"""What can be done to a row with a key: which message, when it makes sense, and how sure one must be."""

from __future__ import annotations

import typing
from collections.abc import Container
from functools import cache
from typing import Any, Literal, NamedTuple

from appliance.api.job import UNDER_WAY
from appliance.api.message import MESSAGES, CreateMessage, Message, Parameter, QueryMessage
from appliance.api.quoting import quote
from appliance.api.resource import RESOURCES, Resource, camel, snake
from zstui.mirror import Row

Ask = Literal["no", "again", "loss"]
"""How sure: at once; the key a second time; in a dialog that names what will be lost."""


class Verb(NamedTuple):
    """A key, a word and a message. `states` are those in which the key is worth showing; none means all."""

    id: str
    key: str
    word: str
    message: str
    kind: str
    states: frozenset[str] = frozenset()
    ask: Ask = "no"
    type: str = ""
    """The only type of the kind that it is for, where there are others."""

    def suits(self, row: Row) -> bool:
        """Whether it is for such a row, whatever state that is in."""
        return row.kind == self.kind and self.type in ("", row.get("type"))

    def fits(self, row: Row) -> bool:
        """Whether the key is worth showing on a row; the appliance decides whether it may be done."""
        now = {str(row.get("state")), str(row.get("status"))}
        return self.suits(row) and (not self.states or not self.states.isdisjoint(now))


VERBS = (
    Verb("start", "s", "start", "StartVmInstance", "VmInstance", frozenset({"Stopped"})),
    Verb("stop", "S", "stop", "StopVmInstance", "VmInstance", frozenset({"Running", "Unknown"}), "again"),
    Verb("reboot", "r", "reboot", "RebootVmInstance", "VmInstance", frozenset({"Running"}), "again"),
    Verb("recover", "u", "recover", "RecoverVmInstance", "VmInstance", frozenset({"Destroyed"})),
    Verb("recover", "u", "recover", "RecoverImage", "Image", frozenset({"Deleted"})),
    Verb("recover", "u", "recover", "RecoverDataVolume", "Volume", frozenset({"Deleted"}), type="Data"),
    Verb("reconnect", "r", "reconnect", "ReconnectHost", "Host"),
    Verb(
        "reconnect", "r", "reconnect", "ReconnectSftpBackupStorage", "BackupStorage", type="SftpBackupStorage"
    ),
    Verb("cancel", "K", "cancel", "CancelLongJob", "LongJob", UNDER_WAY, "again"),
)


def verb_keys() -> dict[str, str]:
    """The keys of all verbs, each with what it does, in words for the help."""
    found: dict[str, dict[str, None]] = {}
    for verb in VERBS:
        found.setdefault(verb.key, {})[verb.word] = None
    return {key: ", ".join(words).capitalize() for key, words in found.items()}


def verb_for(key: str, row: Row) -> Verb | None:
    """What a key does to a row."""
    return next((verb for verb in VERBS if verb.key == key and verb.suits(row)), None)


BINS = {"VmInstance": "vm", "Volume": "volume", "Image": "image"}
"""What is deleted into a recycle bin, and the category of its settings."""


TAGS = ("SystemTag", "UserTag")


def binned(row: Row) -> bool:
    """Whether a row is in the recycle bin."""
    return row.kind in BINS and (row.get("state") == "Destroyed" or row.get("status") == "Deleted")


def delete_message(row: Row) -> str | None:
    """The message that does away with a row: that of one in the recycle bin is final."""
    if row.kind == "Volume":
        final = "ExpungeDataVolume" if binned(row) else "DeleteDataVolume"
        return final if row.get("type") == "Data" else None
    if binned(row):
        return f"Expunge{row.kind}"
    if row.kind in TAGS:
        return None if row.get("inherent") else "DeleteTag"
    return next((name for name in (f"Destroy{row.kind}", f"Delete{row.kind}") if name in MESSAGES), None)


def update_message(row: Row) -> str | None:
    """The message that changes the words of a row: that for its type, where its type has one."""
    resource = RESOURCES[row.kind]
    known = [
        name for name, each in MESSAGES.items() if name.startswith("Update") and each.returns is resource
    ]
    typed = str(row.get(camel(resource.typed_by)) or "")
    own = [name for name in known if typed and typed in name and name != f"Update{row.kind}"]
    return next(iter([*own, *(name for name in known if name == f"Update{row.kind}"), *known]), None)


@cache
def messages_about(kind: str) -> tuple[tuple[type[Message], Parameter], ...]:
    """Every message that names a row of a kind, and the parameter that it is named by."""
    found = []
    for name, message in MESSAGES.items():
        if issubclass(message, QueryMessage) or message.sync:
            continue
        parameter = next((each for each in message.parameters.values() if _names(name, each, kind)), None)
        if parameter is not None:
            found.append((message, parameter))
    return tuple(found)


def _names(message: str, parameter: Parameter, kind: str) -> bool:
    if issubclass(MESSAGES[message], CreateMessage) and not parameter.required:
        return False
    ends = message.endswith(kind) or (message == "DeleteTag" and kind in TAGS)
    own = parameter.name == "uuid" and ends
    return own or (ref_of(parameter) is RESOURCES[kind] and parameter.name != "default_l3_network_uuid")


def ref_of(parameter: Parameter) -> type[Resource] | None:
    """The resource that a parameter names, declared or told by its name."""
    if parameter.ref is not None:
        return parameter.ref
    bare = parameter.name.removesuffix("s").removesuffix("_uuid")
    if bare == parameter.name.removesuffix("s"):
        return None
    return next(
        (each for name, each in RESOURCES.items() if bare == snake(name) or bare.endswith("_" + snake(name))),
        None,
    )


def is_list(parameter: Parameter) -> bool:
    """Whether a parameter takes several values."""
    return typing.get_origin(parameter.kind) is list


def naming(parameter: Parameter, rows: list[Row]) -> dict[str, Any]:
    """The field that names rows in a call; one that takes no list names the first."""
    return {parameter.wire: [row.key for row in rows] if is_list(parameter) else rows[0].key}


def fields_of(message: str, row: Row) -> dict[str, Any]:
    """The fields that name a row in a message about its kind."""
    return naming(next(each for kind, each in messages_about(row.kind) if kind.__name__ == message), [row])


UNASKED = frozenset({
    "resource_uuid", "user_tags", "system_tags", "delete_mode", "type", "system", "sort_key",
    "allocator_strategy", "root_disk_offering_uuid", "data_disk_offering_uuids", "management_node_id",
})  # fmt: skip
"""Parameters whose default nobody at a screen wants to change."""


def asked(message: str, given: Container[str]) -> list[Parameter]:
    """What a form asks for, required or not, where some of it is given already."""
    every = MESSAGES[message].own_parameters()
    return [each for each in every if each.name not in UNASKED and each.wire not in given]


TAKING = ("stop", "detach", "delete", "destroy", "remove", "expunge", "revoke", "revert")
"""How calls begin that take something from a row."""


def takes_away(message: str) -> bool:
    """Whether a message takes something from a row, so that it is asked for once more."""
    return title_of(message).startswith(TAKING)


def key_word(row: Row) -> str:
    """The word of a query that finds a row and no other."""
    return quote(f"{camel(RESOURCES[row.kind].primary)}={row.key}")


TITLE_WORDS = (
    ("vm instance", "VM"),
    ("kvmhost", "KVM host"),
    ("l2 no vlan", "untagged L2"),
    ("network cidr", "CIDR"),
)
"""Several words of a message's name, and how they are written."""

PROPER = {
    word.lower(): word for word in ("VM", "L2", "L3", "VLAN", "IP", "ISO", "NIC", "CPU", "SFTP", "DNS", "KVM")
}


def title_of(message: str) -> str:
    """A message's name as words: `CreateVmInstance` is `create VM`."""
    text = snake(message).replace("_", " ")
    for written, meant in TITLE_WORDS:
        text = text.replace(written, meant)
    return " ".join(PROPER.get(word, word) for word in text.split())
