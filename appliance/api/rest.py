"""The plain REST face: which method and path each message has, found by rule from its declaration.

Beneath `PREFIX`, the noun of a message names its collection (`VmInstance` is `vm-instances`):

    Query…            GET     /vm-instances             and of one  GET /vm-instances/{uuid}
    Create…, Add…     POST    /vm-instances
    Update…           PATCH   /vm-instances/{uuid}
    Destroy…, Delete… DELETE  /vm-instances/{uuid}
    Get…, Check…      GET     /cpu-memory-capacity      what is asked for, with parameters in the query
    about one         POST    /vm-instances/{uuid}/start
    whatever is left  POST    /log-in-by-account        the message's own name
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from appliance.api.message import (
    MESSAGES,
    CreateMessage,
    DeleteMessage,
    Message,
    Parameter,
    QueryMessage,
)
from appliance.api.resource import RESOURCES, Resource, snake

PREFIX = "/api/v1"

JOB = f"{PREFIX}/long-jobs/{{uuid}}"
"""Where a job is asked for."""

ASKING = re.compile(r"(Get|Check|Preview|Is)(?=[A-Z])")
MAKING = re.compile(r"(Create|Add)(?=[A-Z])")
UNMAKING = re.compile(r"(Delete|Destroy)(?=[A-Z])")


@dataclass(frozen=True)
class RestRoute:
    """One method and path, and the message that they mean. `hole` is the parameter that the path holds."""

    method: str
    path: str
    kind: type[Message]
    hole: Parameter | None = None
    one: bool = False
    """Whether it is a query for the one resource that the path names."""

    @property
    def operation(self) -> str:
        """Its name among all routes."""
        return f"{self.kind.__name__}One" if self.one else self.kind.__name__

    @property
    def in_query(self) -> bool:
        """Whether its parameters stand behind the path; else they are the body."""
        return self.method in {"GET", "DELETE"}

    @property
    def searches(self) -> bool:
        """Whether it takes conditions."""
        return issubclass(self.kind, QueryMessage) and not self.one

    @property
    def keyed(self) -> bool:
        """Whether it takes an idempotency key: what is answered at once leaves no job that could remember it."""
        return not self.kind.sync

    @property
    def waits(self) -> bool:
        """Whether the answer may come later, so that it can be waited for."""
        return not self.kind.sync or (self.one and self.path == JOB)

    @property
    def query_parameters(self) -> list[Parameter]:
        """The parameters that stand behind the path, conditions aside."""
        if self.one:
            return [self.kind.parameters["fields"]]
        return [each for each in self.others if each.wire != "conditions"]

    @property
    def others(self) -> list[Parameter]:
        """Its parameters besides the one in the path."""
        return [each for each in self.kind.parameters.values() if each != self.hole]


@cache
def rest_routes() -> tuple[RestRoute, ...]:
    """The routes of all messages."""
    found = [_route(kind) for kind in MESSAGES.values()]
    for kind in MESSAGES.values():
        if issubclass(kind, QueryMessage) and _has_uuid(kind.resource):
            noun = kind.__name__.removeprefix("Query")
            if noun == kind.resource.__name__:
                found.append(RestRoute("GET", f"{_collection(noun)}/{{uuid}}", kind, one=True))
    return tuple(found)


def _route(kind: type[Message]) -> RestRoute:
    name = kind.__name__
    if issubclass(kind, QueryMessage):
        return RestRoute("GET", _collection(name.removeprefix("Query")), kind)
    own = kind.parameters.get("uuid")
    if issubclass(kind, DeleteMessage) and own is not None:
        return RestRoute("DELETE", f"{_collection(UNMAKING.sub('', name, 1))}/{{uuid}}", kind, own)
    if name.startswith("Update") and own is not None:
        return RestRoute("PATCH", f"{_collection(name.removeprefix('Update'))}/{{uuid}}", kind, own)
    if kind.sync and ASKING.match(name):
        return RestRoute("GET", f"{PREFIX}/{_kebab(ASKING.sub('', name, 1))}", kind)
    if issubclass(kind, CreateMessage) or name.startswith("Create"):
        return RestRoute("POST", _collection(MAKING.sub("", name, 1)), kind)
    hole, about = _about(kind)
    if hole is None or about is None:
        return RestRoute("POST", f"{PREFIX}/{_kebab(name)}", kind)
    verb = _kebab(_verb(name, about.__name__))
    return RestRoute("POST", f"{_collection(about.__name__)}/{{{hole.wire}}}/{verb}", kind, hole)


def _about(kind: type[Message]) -> tuple[Parameter | None, type[Resource] | None]:
    """The one resource that a message is about, and the parameter that names it."""
    for parameter in kind.parameters.values():
        ref = parameter.ref
        own = ref is not None and parameter.name in ("uuid", f"{snake(ref.__name__)}_uuid")
        if ref is not None and parameter.kind is str and (parameter.required or own):
            return parameter, ref
    nouns = [name for name in RESOURCES if kind.__name__.endswith(name)]
    own_uuid = kind.parameters.get("uuid")
    return (own_uuid, RESOURCES[max(nouns, key=len)]) if own_uuid is not None and nouns else (None, None)


def _verb(name: str, noun: str) -> str:
    """`StartVmInstance` without its noun; a name that says more than a verb and its noun stays whole."""
    parts = re.fullmatch(rf"([A-Z][a-z]+(?:[A-Z][a-z]+)?){noun}(State)?", name)
    return f"{parts[1]}{parts[2] or ''}" if parts else name


def _has_uuid(resource: type[Resource]) -> bool:
    return resource.primary == "uuid" and not resource.columns["uuid"].private


def _collection(noun: str) -> str:
    word = _kebab(noun)
    if re.search(r"[^aeiou]y$", word):
        return f"{PREFIX}/{word[:-1]}ies"
    return f"{PREFIX}/{word}{'es' if re.search(r'(s|x|ch)$', word) else 's'}"


def _kebab(name: str) -> str:
    return snake(re.sub(r"(?<=[A-Z]{2})([A-Z][a-z])", r"_\1", name)).replace("_", "-")
