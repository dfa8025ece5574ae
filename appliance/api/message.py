"""What a message is: one class says parameters, help, role, reply and errors; all faces derive from it."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, dataclass_transform

from appliance.api.declared import Declared
from appliance.api.errors import ApiError, InvalidArgument
from appliance.api.resource import Resource, camel, snake, without_none

Role = Literal["anyone", "read-only", "operator", "admin"]
"""Who may send a message, from least to most. `anyone` needs no session."""

ROLES: tuple[Role, ...] = ("anyone", "read-only", "operator", "admin")


@dataclass(frozen=True)
class Parameter:
    """One parameter of a message, with all that checks, forms, completion and documentation need."""

    name: str
    wire: str
    help: str
    kind: Any
    """str, int, bool, list[str], list[dict], dict"""
    required: bool
    default: Any
    choices: tuple[str, ...]
    ref: type[Resource] | None
    ref_child: str
    nonempty: bool
    max_length: int | None
    minimum: int | None
    maximum: int | None
    empty_allowed: bool
    secret: bool
    multiline: bool
    also: str
    """Another name on the wire that it goes by, as inventories have it; empty where there is none."""

    def given(self, fields: dict[str, Any]) -> Any:
        """What the fields of a call say of it; None for nothing. Raises InvalidArgument for two different things."""
        said = [fields[name] for name in (self.wire, self.also) if fields.get(name) is not None]
        if len(said) == 2 and said[0] != said[1]:
            raise InvalidArgument(
                f"field[{self.wire}] and field[{self.also}] mean the same; give one of them"
            )
        return said[0] if said else None

    @property
    def ref_vo(self) -> str:
        """The name of what it refers to, as errors have it."""
        return f"{self.ref_child}VO" if self.ref_child else self.ref.vo if self.ref is not None else ""


def arg(
    help: str,  # noqa: A002 - reads as the declaration it is
    *,
    default: Any = dataclasses.MISSING,
    choices: tuple[str, ...] = (),
    ref: type[Resource] | None = None,
    ref_child: str = "",
    nonempty: bool = False,
    max_length: int | None = None,
    minimum: int | None = None,
    maximum: int | None = None,
    empty_allowed: bool = False,
    secret: bool = False,
    multiline: bool = False,
    also: str = "",
) -> Any:
    """Declare a parameter. Without a default it is required; `ref` must name an existing resource.

    With `ref_child` it must be one of that type, a `Child` of the resource. A required list or object cannot be
    empty; `nonempty` says so of one that may be left out.
    A text may be empty only where that is allowed, which it always is of a description.
    """
    metadata = {
        "help": help,
        "choices": choices,
        "ref": ref,
        "ref_child": ref_child,
        "nonempty": nonempty,
        "max_length": max_length,
        "minimum": minimum,
        "maximum": maximum,
        "empty_allowed": empty_allowed,
        "secret": secret,
        "multiline": multiline,
        "also": also,
    }
    if default is dataclasses.MISSING:
        return field(metadata=metadata)
    if isinstance(default, (list, dict)):
        return field(default_factory=lambda: type(default)(default), metadata=metadata)
    return field(default=default, metadata=metadata)


def _parameters(cls: type[Message]) -> dict[str, Parameter]:
    found = {name: each for name, each in getattr(cls, "parameters", {}).items() if name not in BASE}
    for item, hint in cls.own_fields():
        kind, _ = without_none(hint)
        has_default = (
            item.default is not dataclasses.MISSING or item.default_factory is not dataclasses.MISSING
        )
        default = None if item.default is dataclasses.MISSING else item.default
        found[item.name] = Parameter(
            name=item.name,
            wire=camel(item.name),
            kind=kind,
            required=not has_default,
            default=default,
            **{
                **item.metadata,
                "empty_allowed": item.metadata["empty_allowed"] or item.name == "description",
            },
        )
    return found


BASE: dict[str, Parameter] = {}
"""Parameters that every message takes besides its own, after which they stand."""

MESSAGES: dict[str, type[Message]] = {}
"""Every message by its short name, as the command line writes it."""

BY_JAVA: dict[str, type[Message]] = {}
"""Every message by ZStack's class name, as the wire writes it."""


@dataclass_transform(kw_only_default=True, frozen_default=True, field_specifiers=(arg,))
class Message(Declared):
    """Base of everything that can be asked.

    Class arguments: `java` is the package of ZStack's class; `role` who may send it; `returns` the resource
    in its reply (`inventory`); `sync` whether the answer comes at once (ZStack's Reply) or as a job
    (ZStack's Event); `result_class` where ZStack's does not follow the name; `raises` the errors that are
    its own, besides those of any call, of any that makes something and of any that becomes a job;
    `secret_reply` whether its reply is for its caller only, so that it is written down nowhere.
    """

    parameters: ClassVar[dict[str, Parameter]]
    java: ClassVar[str]
    result_class: ClassVar[str]
    role: ClassVar[Role]
    sync: ClassVar[bool]
    returns: ClassVar[type[Resource] | None]
    raises: ClassVar[tuple[type[ApiError], ...]]
    secret_reply: ClassVar[bool]
    abstract: ClassVar[bool] = True

    timeout: int = arg(
        "Milliseconds after which the job is given up, as if it were cancelled; 0 or less: as long as it takes.",
        default=0,
    )

    @classmethod
    def parameter_named(cls, wire: str) -> Parameter | None:
        """The parameter that goes by a name on the wire."""
        own = cls.parameters.get(snake(wire))
        return own or next((each for each in cls.parameters.values() if each.also == wire != ""), None)

    @classmethod
    def own_parameters(cls) -> list[Parameter]:
        """Its parameters besides those that every message takes."""
        return [each for name, each in cls.parameters.items() if name not in BASE]

    def __init_subclass__(
        cls,
        java: str = "",
        role: Role = "admin",
        returns: type[Resource] | None = None,
        sync: bool = False,
        result_class: str = "",
        raises: tuple[type[ApiError], ...] = (),
        secret_reply: bool = False,
        abstract: bool = False,
    ) -> None:
        super().__init_subclass__()
        cls.abstract = abstract
        cls.parameters = _parameters(cls) | BASE
        if abstract:
            return
        if not cls.__doc__:
            raise TypeError(f"message {cls.__name__} does not say what it does")
        cls.java = f"{java}.API{cls.__name__}Msg"
        suffix = "Reply" if sync else "Event"
        cls.result_class = result_class or f"{java}.API{cls.__name__}{suffix}"
        cls.role = role
        cls.sync = sync
        cls.returns = returns
        cls.raises = raises
        cls.secret_reply = secret_reply
        MESSAGES[cls.__name__] = cls
        BY_JAVA[cls.java] = cls


BASE |= _parameters(Message)


class CreateMessage(Message, abstract=True):
    """Base of messages that make a resource."""

    resource_uuid: str | None = arg("The uuid to give the new resource; made up when absent.", default=None)
    user_tags: list[str] = arg("Free tags to put on the new resource.", default=[])
    system_tags: list[str] = arg("System tags to put on the new resource.", default=[])


DELETE_MODE = {
    (True, False): "As ZStack's clients send it. "
    "What is in use is refused with either: nothing else is deleted along.",
    (True, True): "As ZStack's clients send it. "
    "What is in use is refused with either; else what depends on it goes along.",
    (False, False): "As ZStack's clients send it. "
    "With either it goes although it is in use, and nothing else is deleted along.",
    (False, True): "As ZStack's clients send it. "
    "With either it goes although it is in use, and what depends on it goes along.",
}
"""What a deletion says of its mode: by whether what is in use is refused, and whether anything goes along."""


class DeleteMessage(Message, abstract=True):
    """Base of messages that remove a resource. A uuid that names nothing succeeds.

    Class arguments: `in_use` whether what something else uses is refused or goes; `along` the resources that
    are deleted with it. They hold for either mode, and what is said of the mode is made of them.
    """

    in_use: ClassVar[Literal["refused", "deleted"]]
    along: ClassVar[tuple[str, ...]]

    delete_mode: str = arg(
        DELETE_MODE[True, False],
        default="Permissive",
        choices=("Permissive", "Enforcing"),
    )

    def __init_subclass__(
        cls, in_use: Literal["refused", "deleted"] = "refused", along: tuple[str, ...] = (), **rest: Any
    ) -> None:
        super().__init_subclass__(**rest)
        cls.in_use, cls.along = in_use, along
        words = DELETE_MODE[in_use == "refused", bool(along)]
        cls.parameters["delete_mode"] = dataclasses.replace(cls.parameters["delete_mode"], help=words)


class QueryMessage(Message, abstract=True):
    """Base of queries over one resource."""

    resource: ClassVar[type[Resource]]
    only: ClassVar[tuple[dict[str, Any], ...]] = ()
    """Conditions that always hold, where a query is over one type of its resource."""

    conditions: list[dict[str, Any]] = arg("All must hold: {name, op, value}.", default=[])
    limit: int = arg("At most so many.", default=1000, minimum=0)
    start: int = arg("Skip so many.", default=0, minimum=0)
    count: bool = arg("Only the number of matches.", default=False)
    reply_with_count: bool = arg("The matches and their number without limit.", default=False)
    sort_by: str | None = arg("Order by this field.", default=None)
    sort_direction: str = arg("Order upward or downward.", default="asc", choices=("asc", "desc"))
    fields: list[str] = arg("Only these fields of each.", default=[])

    def asked_of(self) -> type[Resource]:
        """The resource that is looked through."""
        return self.resource

    def __init_subclass__(
        cls, resource: type[Resource] | None = None, abstract: bool = False, java: str = "", **rest: Any
    ) -> None:
        if resource is not None:
            cls.resource = resource
        super().__init_subclass__(
            java=java, role="read-only", returns=resource, sync=True, abstract=abstract, **rest
        )


def query_of(resource: str) -> str:
    """The message that finds rows of a resource; most are called after it."""
    usual = f"Query{resource}"
    if usual in MESSAGES:
        return usual
    queries = (each for each in MESSAGES.values() if issubclass(each, QueryMessage))
    return next((each.__name__ for each in queries if each.resource.__name__ == resource), usual)


def only_reads(kind: type[Message]) -> bool:
    """Whether a message changes nothing but the caller's own session."""
    return kind.role in ("read-only", "anyone") and not kind.__name__.startswith(("Create", "Delete"))
