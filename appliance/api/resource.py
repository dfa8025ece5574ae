"""What a resource is: its columns are table, inventory and query fields at once."""

from __future__ import annotations

import dataclasses
import re
import types
import typing
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, NewType, dataclass_transform

from appliance.api.declared import Declared

Timestamp = NewType("Timestamp", float)
"""Seconds since 1970. ZStack's wire shows it as `Jan 30, 2016 3:01:03 PM`."""

Owner = Literal["intended", "observed"]


@dataclass(frozen=True)
class Column:
    """One column. `private` ones stay off the wire. `kind` is the Python type without its None."""

    name: str
    wire: str
    help: str
    kind: Any
    optional: bool
    private: bool
    owner: Owner
    indexed: bool
    unique: bool
    few: bool
    queryable: bool

    @property
    def is_json(self) -> bool:
        """Whether its value is a list or dict, kept as JSON."""
        return (typing.get_origin(self.kind) or self.kind) in (list, dict)


@dataclass(frozen=True)
class Embed:
    """A list in the inventory, made of other resources whose `by` column holds this one's uuid.

    With `pluck`, the list holds that column of each instead of the whole inventory.
    """

    wire: str
    resource: str
    by: str
    pluck: str = ""


@dataclass(frozen=True)
class Join:
    """Another resource whose fields queries may name after a dot: where `mine` here is `theirs` there.

    It is answered once a resource (or a child of one) of that name is declared. `hidden` ones are steps of
    aliases, and are not offered when something is typed.
    """

    wire: str
    resource: str
    mine: str = "uuid"
    theirs: str = "uuid"
    hidden: bool = False


@dataclass(frozen=True)
class Child:
    """A type of a resource for which ZStack has a class of its own: only its rows have its `fields`.

    It is the resource's rows whose `typed_by` column is `type`.
    """

    name: str
    java: str
    type: str
    fields: tuple[str, ...] = ()
    joins: tuple[Join, ...] = ()
    aliases: tuple[tuple[str, str], ...] = ()


def column(
    help: str,  # noqa: A002 - reads as the declaration it is
    *,
    default: Any = dataclasses.MISSING,
    default_factory: Any = dataclasses.MISSING,
    private: bool = False,
    owner: Owner = "intended",
    indexed: bool = False,
    unique: bool = False,
    few: bool = False,
    queryable: bool = True,
) -> Any:
    """Declare a column. `private` keeps it off the wire; `owner` says which room writes it.

    `few` says that many rows share a value, so that an index on another column is the better way to find
    some; what is not `queryable` is shown, and no condition may name it.
    """
    metadata = {
        "help": help,
        "private": private,
        "owner": owner,
        "indexed": indexed,
        "unique": unique,
        "few": few,
        "queryable": queryable,
    }
    if default_factory is not dataclasses.MISSING:
        return field(default_factory=default_factory, metadata=metadata)
    if default is dataclasses.MISSING:
        return field(metadata=metadata)
    return field(default=default, metadata=metadata)


def camel(name: str) -> str:
    """`l3_network_uuid` as ZStack writes it: `l3NetworkUuid`."""
    first, *rest = name.split("_")
    return first + "".join(part[:1].upper() + part[1:] for part in rest)


def snake(name: str) -> str:
    """`l3NetworkUuid` as Python writes it: `l3_network_uuid`."""
    return re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", name).lower()


RESOURCES: dict[str, type[Resource]] = {}
"""Every resource by its name."""


@dataclass_transform(kw_only_default=True, frozen_default=True, field_specifiers=(column,))
class Resource(Declared):
    """Base of everything that has a table, an inventory, and a query.

    Class arguments: `java` is the package of ZStack's inventory class
    (empty for ours), `vo` ZStack's name in tags and errors, `extends` the resource whose table it shares.
    """

    name_: ClassVar[str]
    table: ClassVar[str]
    java: ClassVar[str]
    vo: ClassVar[str]
    columns: ClassVar[dict[str, Column]]
    embeds: ClassVar[tuple[Embed, ...]] = ()
    joins: ClassVar[tuple[Join, ...]] = ()
    aliases: ClassVar[tuple[tuple[str, str], ...]] = ()
    """Short names of joins in a row: `("l2Network", "l2NetworkRef.l2Network")`."""
    children: ClassVar[tuple[Child, ...]] = ()
    typed_by: ClassVar[str] = "type"
    indexes: ClassVar[tuple[tuple[str, ...], ...]] = ()
    """Indexes over several columns: what is filtered by, then what is sorted by or read."""
    unique_together: ClassVar[tuple[tuple[str, ...], ...]] = ()
    primary: ClassVar[str] = "uuid"

    def __init_subclass__(cls, java: str = "", vo: str = "", primary: str = "uuid") -> None:
        super().__init_subclass__()
        if not cls.__doc__:
            raise TypeError(f"resource {cls.__name__} does not say what it is")
        cls.name_ = cls.__name__
        cls.table = snake(cls.__name__)
        cls.java = f"{java}.{cls.__name__}Inventory" if java else ""
        cls.vo = vo or f"{cls.__name__}VO"
        cls.primary = primary
        cls.columns = dict(getattr(cls, "columns", {}))
        for item, hint in cls.own_fields():
            kind, optional = without_none(hint)
            made = Column(item.name, camel(item.name), kind=kind, optional=optional, **item.metadata)
            # A condition compares with text or a number, which no structure is like.
            whole = made.is_json and kind != list[str]
            cls.columns[item.name] = dataclasses.replace(made, queryable=False) if whole else made
        RESOURCES[cls.__name__] = cls

    @classmethod
    def by_wire(cls, wire: str) -> Column | None:
        """The public column that ZStack's name means."""
        found = cls.columns.get(snake(wire))
        return found if found and found.wire == wire and not found.private else None

    @property
    def key_value(self) -> Any:
        """The value of the primary key."""
        return getattr(self, self.primary)

    def tallies(self) -> dict[str, int]:
        """What the row adds to sums that are kept, by their keys: `appliance/api/tally.py`."""
        return {}


def without_none(hint: Any) -> tuple[Any, bool]:
    """A type hint without its None, and whether it had one."""
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        rest = [each for each in typing.get_args(hint) if each is not type(None)]
        if len(rest) == 1:
            return rest[0], len(rest) != len(typing.get_args(hint))
    return hint, False
