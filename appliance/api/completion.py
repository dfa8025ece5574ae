"""What the last word of a typed call may become: messages, parameters, choices, and uuids by name."""

from __future__ import annotations

from collections.abc import Callable

from appliance.api.grammar import PROGRAM
from appliance.api.message import MESSAGES, Message, Parameter, QueryMessage
from appliance.api.resource import RESOURCES, Resource, snake
from appliance.api.vm import VmInstance
from appliance.api.vm_states import ALLOWED

OFFERED = 50
"""Uuids offered at once."""

OWN_WORDS = ("help", "exit", "quit")
Named = list[tuple[str, str]]
"""Resources to offer: uuid and name of each."""

Where = tuple[tuple[str, str, list[str]], ...]
"""Conditions that what is offered must meet: field, operator and values."""

LookUp = Callable[[type[Resource], str, Where], Named]
"""Finds resources whose uuid or name begins with a text."""


class Completer:
    """Completes messages, parameters, choices, and uuids by the name of what they stand for."""

    def __init__(self, look_up: LookUp, show: Callable[[list[str]], None] = lambda _: None) -> None:
        """`show` shows several offers where readline would take back what was typed to offer them."""
        self._look_up = look_up
        self._show = show
        self._offers: list[str] = []
        self.names: dict[str, str] = {}
        """What the uuids offered last are called."""

    def complete(self, line: str, word: str) -> list[str]:
        """What the last word of a line may become."""
        self.names = {}
        before = line[: len(line) - len(word)].split()
        before = before[2:] if before[:2] == [PROGRAM, "call"] else before
        if not before:
            return [name for name in (*sorted(MESSAGES), *OWN_WORDS) if name.startswith(word)]
        if before == ["help"]:
            return [name for name in sorted(MESSAGES) if name.startswith(word)]
        kind = MESSAGES.get(before[0])
        if kind is None:
            return []
        name, equals, value = word.partition("=")
        if not equals:
            return [f"{each}=" for each in _parameter_names(kind) if each.startswith(name)]
        return self._values(kind, name, value)

    def for_readline(self, line: str, word: str, state: int) -> str | None:
        """The `state`-th completion, as readline asks for them."""
        if state == 0:
            offers = self.complete(line, word)
            self._offers = [each if each.endswith("=") else f"{each} " for each in offers]
            if len(offers) > 1 and not common_start(offers).startswith(word):
                self._show(self._offers)
                self._offers = []
        return self._offers[state] if state < len(self._offers) else None

    def _values(self, kind: type[Message], name: str, value: str) -> list[str]:
        parameter = kind.parameters.get(snake(name))
        if parameter is not None and parameter.choices:
            return [f"{name}={each}" for each in parameter.choices if each.startswith(value)]
        if parameter is not None and parameter.kind is bool:
            return [f"{name}={each}" for each in ("true", "false") if each.startswith(value)]
        resource = _meant(kind, name, parameter)
        if resource is None:
            return []
        done, comma, typed = value.rpartition(",")
        found = self._look_up(resource, typed, _where(kind, resource))
        self.names = {f"{name}={done}{comma}{uuid}": called for uuid, called in found}
        return list(self.names)


def grown(word: str, offers: list[str]) -> str:
    """What a word becomes by what it may become; nothing typed is taken back for several that a name stands for."""
    if len(offers) == 1:
        return offers[0] if offers[0].endswith("=") else f"{offers[0]} "
    longest = common_start(offers)
    return longest if longest.startswith(word) else word


def common_start(texts: list[str]) -> str:
    """What all texts begin with."""
    first, last = min(texts), max(texts)
    return next((first[:at] for at, each in enumerate(first) if not last.startswith(each, at)), first)


def _parameter_names(kind: type[Message]) -> list[str]:
    names = [parameter.wire for parameter in kind.parameters.values() if parameter.name != "conditions"]
    if issubclass(kind, QueryMessage):
        names = [each.wire for each in kind.resource.columns.values() if not each.private] + names
    return names


def _where(kind: type[Message], resource: type[Resource]) -> Where:
    """What a resource must be for a message to be allowed, where that is declared."""
    states = ALLOWED.get(kind.__name__) if resource is VmInstance else None
    return (("state", "in", sorted(states)),) if states else ()


def _meant(kind: type[Message], name: str, parameter: Parameter | None) -> type[Resource] | None:
    """The resource whose uuid a parameter or a query's field holds."""
    if parameter is not None and parameter.ref is not None:
        return parameter.ref
    if name == "uuid":
        if kind.returns is not None:
            return kind.returns
        longest = sorted(RESOURCES.values(), key=lambda each: -len(each.__name__))
        return next((each for each in longest if kind.__name__.endswith(each.__name__)), None)
    wanted = name.removesuffix("s").removesuffix("Uuid")
    if wanted == name:
        return None
    by_name = {each.lower(): found for each, found in RESOURCES.items()}
    return by_name.get(wanted.lower()) or by_name.get(f"{wanted}instance".lower())
