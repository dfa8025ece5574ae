"""What the last word of a typed call may become: messages, parameters, choices, and uuids by name."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from appliance.api.event import Event
from appliance.api.grammar import PROGRAM
from appliance.api.job import UNDER_WAY, CancelLongJob
from appliance.api.message import MESSAGES, Message, Parameter, QueryMessage
from appliance.api.quoting import quote
from appliance.api.resource import RESOURCES, Resource, camel
from appliance.api.setting import SETTINGS, GlobalConfig
from appliance.api.shape import Shape, find_shape, shape_of
from appliance.api.tag import DeleteTag, SystemTag, UserTag, can_be_tagged
from appliance.api.vm import VmInstance
from appliance.api.vm_states import ALLOWED

OFFERED = 50
"""Uuids offered at once."""

SHOWN = 60
"""Characters of what an offer is called."""

TRUTHS = ("true", "false")
OWN_WORDS = ("help", "exit", "quit")
Named = list[tuple[str, str]]
"""Resources to offer: uuid and name of each."""

Where = tuple[tuple[str, str, list[str] | str], ...]
"""Conditions that what is offered must meet: field, operator, and value or values."""

LookUp = Callable[[type[Resource], str, Where], Named]
"""Finds resources whose uuid or name begins with a text."""


class Completer:
    """Completes messages, parameters, choices, and uuids by the name of what they stand for."""

    def __init__(self, look_up: LookUp) -> None:
        self._look_up = look_up
        self.names: dict[str, str] = {}
        """What the uuids offered last are called."""
        self._in_list = False
        """Whether what was offered last is an element of a list, which a comma and another may follow."""

    def complete(self, line: str, word: str) -> list[str]:
        """What the last word of a line may become."""
        self.names, self._in_list = {}, False
        before = line[: len(line) - len(word)].split()
        before = before[2:] if before[:2] == [PROGRAM, "call"] else before
        if not before:
            return [name for name in (*sorted(MESSAGES), *OWN_WORDS) if name.startswith(word)]
        if before == ["help"]:
            return [name for name in sorted(MESSAGES) if name.startswith(word)]
        kind = MESSAGES.get(before[0])
        if kind is None:
            return []
        given = {name: value for name, _, value in (each.partition("=") for each in before[1:])}
        name, equals, value = word.partition("=")
        if not equals:
            return [each for each in _names(kind, name, given) if each.startswith(name)]
        return self._values(kind, name, value, given)

    def grown(self, word: str, offers: list[str]) -> str:
        """What a word becomes by what was offered; nothing typed is taken back for several that a name stands for."""
        if len(offers) == 1:
            return self._taken(offers[0])
        longest = common_start(offers)
        return longest if longest.startswith(word) else word

    def _taken(self, offer: str) -> str:
        """An offer as it is typed: with a blank behind it, unless its word may go on."""
        return offer if self._in_list or offer.endswith(("=", ".")) else f"{offer} "

    def _values(self, kind: type[Message], name: str, value: str, given: dict[str, str]) -> list[str]:
        parameter = kind.parameter_named(name)
        self._in_list = parameter is not None and parameter.kind == list[str]
        done, comma, typed = value.rpartition(",") if self._in_list else ("", "", value)
        words = _words(kind, name, parameter, given)
        if words:
            there = {*done.split(","), *given.get(name, "").split(",")} if self._in_list else set()
            fitting = [each for each in words if each.startswith(typed) and each not in there]
            return [f"{name}={done}{comma}{each}" for each in fitting]
        done, comma, typed = value.rpartition(",")
        meant = _meant(kind, name, parameter, given)
        for resource in meant:
            if len(self.names) >= OFFERED:
                break
            what = f"  {resource.__name__}" if len(meant) > 1 else ""
            found = self._look_up(resource, typed, _where(kind, resource))
            self.names |= {f"{name}={done}{comma}{uuid}": f"{_shown(called)}{what}" for uuid, called in found}
        return list(self.names)[:OFFERED]


def _shown(called: str) -> str:
    """A name or a tag's text as a line may have it: nothing in it that a terminal obeys, and not without end."""
    text = called if called.isprintable() else quote(called)
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 1]}…"


def lookups(resource: type[Resource], typed: str, where: Where) -> list[Where]:
    """The conditions of the queries that find what begins with a text: by its name, and by its uuid."""
    if not typed:
        return [where]
    start = re.sub(r"([\\\\%_])", r"\\\1", typed)
    fields = (*known_by(resource), camel(resource.primary))
    return [(*where, (field, "like", f"{start}%")) for field in fields]


def known_by(resource: type[Resource]) -> list[str]:
    """The fields that tell one resource from another for a reader: a name, a job's also of what it is, a tag's text."""
    return [camel(each) for each in ("name", "target_resource_name", "tag") if each in resource.columns]


def common_start(texts: list[str]) -> str:
    """What all texts begin with."""
    first, last = min(texts), max(texts)
    return next((first[:at] for at, each in enumerate(first) if not last.startswith(each, at)), first)


def _names(kind: type[Message], typed: str, given: dict[str, str]) -> list[str]:
    """What may stand before a sign: parameters that may still be given; of queries fields, also of what is joined."""
    names = [
        f"{each.wire}="
        for each in kind.parameters.values()
        if each.name != "conditions" and (each.kind == list[str] or not given.keys() & {each.wire, each.also})
    ]
    if not issubclass(kind, QueryMessage):
        return names
    path, dot, _ = typed.rpartition(".")
    shape = _joined(shape_of(kind.resource), path)
    if shape is None:
        return []
    joins = [join.wire for join in shape.joins.values() if not join.hidden]
    found = [f"{path}{dot}{each}=" for each in shape.columns]
    found += (
        [f"{path}{dot}{each}." for each in dict.fromkeys((*joins, *shape.aliases))] if dot or typed else []
    )
    return found if dot else found + names


def _joined(shape: Shape | None, path: str) -> Shape | None:
    """What a path of joins and aliases leads to; None when it leads nowhere."""
    for step in path.split(".") if path else ():
        for each in shape.aliases.get(step, step).split(".") if shape is not None else ():
            join = shape.joins.get(each) if shape is not None else None
            shape = find_shape(join.resource) if join is not None else None
    return shape


def _words(
    kind: type[Message], name: str, parameter: Parameter | None, given: dict[str, str]
) -> Sequence[str]:
    """The texts that a parameter or a query's field may have, where those are known; none where they are not."""
    if kind.returns is GlobalConfig:
        return _setting_words(name, given)
    if name == "resourceType":
        told = kind.returns is Event or (issubclass(kind, QueryMessage) and kind.resource is Event)
        return [each.name_ if told else each.vo for each in RESOURCES.values() if can_be_tagged(each)]
    if parameter is None:
        return ()
    if issubclass(kind, QueryMessage) and parameter.name in ("fields", "sort_by"):
        return shape_of(kind.resource).fields
    return parameter.choices or (TRUTHS if parameter.kind is bool else ())


def _setting_words(name: str, given: dict[str, str]) -> Sequence[str]:
    """What category, name and value of a setting may be, each by those that are given already."""
    fits = [
        each
        for each in SETTINGS
        if each.category == given.get("category", each.category) and each.name == given.get("name", each.name)
    ]
    match name:
        case "category":
            return list(dict.fromkeys(each.category for each in fits))
        case "name":
            return list(dict.fromkeys(each.name for each in fits))
        case "value" if len(fits) == 1:
            return TRUTHS if fits[0].truth else fits[0].choices
    return ()


def _where(kind: type[Message], resource: type[Resource]) -> Where:
    """What a resource must be for a message to be allowed, where that is declared."""
    if kind is CancelLongJob:
        return (("state", "in", sorted(UNDER_WAY)),)
    states = ALLOWED.get(kind.__name__) if resource is VmInstance else None
    return (("state", "in", sorted(states)),) if states else ()


def _meant(
    kind: type[Message], name: str, parameter: Parameter | None, given: dict[str, str]
) -> list[type[Resource]]:
    """The resources of which a parameter or a query's field holds the uuid of one."""
    if parameter is not None and parameter.ref is not None:
        return [parameter.ref]
    path, _, last = name.rpartition(".")
    if path:
        shape = _joined(shape_of(kind.resource), path) if issubclass(kind, QueryMessage) else None
        return [shape.kind] if shape is not None and last == "uuid" else _named(last)
    if name == "uuid":
        if kind.returns is not None:
            return [kind.returns]
        longest = sorted(RESOURCES.values(), key=lambda each: -len(each.__name__))
        ends = [each for each in longest if kind.__name__.endswith(each.__name__)]
        return ends[:1] or [each for each in longest if kind is DeleteTag and each in (SystemTag, UserTag)]
    if name in ("resourceUuid", "resourceUuids"):
        marked = [each for each in RESOURCES.values() if can_be_tagged(each) and known_by(each)]
        return [each for each in marked if given.get("resourceType", each.vo) == each.vo]
    return _named(name)


def _named(field: str) -> list[type[Resource]]:
    """The resource that a field's name says it holds the uuid of."""
    wanted = field.removesuffix("s").removesuffix("Uuid")
    if wanted == field:
        return []
    by_name = {each.lower(): found for each, found in RESOURCES.items()}
    found = by_name.get(wanted.lower()) or by_name.get(f"{wanted}instance".lower())
    return [] if found is None else [found]
