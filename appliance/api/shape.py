"""What a query may name: a resource, or one type of it, as ZStack's inventory class of it has it."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache, cached_property
from typing import Any

from appliance.api.resource import RESOURCES, Child, Join, Resource


class Shape:
    """The fields, joins, aliases and names of a resource, or of one `Child` of it. Get it by `shape_of`."""

    def __init__(self, kind: type[Resource], child: Child | None = None) -> None:
        self.kind = kind
        self.child = child
        self.name = f"{child.name if child else kind.name_}Inventory"
        package = child.java if child else kind.java.rpartition(".")[0]
        self.java = f"{package}.{self.name}" if package else self.name
        vo = f"{child.name}VO" if child else kind.vo
        self.entity = f"{package}.{vo}" if package else vo
        self.tag_types = (vo, kind.vo) if child else (kind.vo,)
        """The resource types whose tags count: its own and its parent's."""
        others = {name for each in kind.children for name in each.fields} - set(child.fields if child else ())
        self.columns = {
            each.wire: each for each in kind.columns.values() if not each.private and each.name not in others
        }
        """Its public columns by ZStack's names."""

    @property
    def fields(self) -> list[str]:
        """What the parameter `fields` may name."""
        return [column.wire for column in self.columns.values() if not column.is_json]

    @cached_property
    def joins(self) -> dict[str, Join]:
        """The joins that can be answered, embedded lists included, by name."""
        return {wire: join for wire, join in self.declared.items() if find_shape(join.resource) is not None}

    @cached_property
    def declared(self) -> dict[str, Join]:
        """All joins, those to resources of ZStack that are not built here included."""
        kind, child = self.kind, self.child
        embedded = [
            Join(each.wire, each.resource, kind.primary, each.by) for each in kind.embeds if not each.pluck
        ]
        return {join.wire: join for join in (*embedded, *kind.joins, *(child.joins if child else ()))}

    def waits_for(self, name: str) -> str | None:
        """The resource that is not built and that a join or an alias needs; None where nobody declared one."""
        path = dict((*self.kind.aliases, *(self.child.aliases if self.child else ()))).get(name, name)
        shape: Shape | None = self
        for step in path.split("."):
            join = shape.declared.get(step) if shape is not None else None
            if join is None:
                return None
            shape = find_shape(join.resource)
            if shape is None:
                return join.resource
        return None

    @cached_property
    def aliases(self) -> dict[str, str]:
        """Short names of joins in a row that can be answered."""
        declared = [*self.kind.aliases, *(self.child.aliases if self.child else ())]
        return {short: path for short, path in declared if self._leads(path.split("."))}

    def _leads(self, path: list[str]) -> bool:
        shape: Shape | None = self
        for step in path:
            join = shape.joins.get(step) if shape is not None else None
            shape = find_shape(join.resource) if join is not None else None
        return shape is not None

    def typed(self, value: Any) -> Shape:
        """The shape of those rows whose type is this one; itself when there is none for them."""
        return shape_of(self.kind, value) if self.child is None else self


def shape_of(kind: type[Resource], type_: Any = None) -> Shape:
    """The shape of a resource's rows of a type; of any, when that type has no class of its own."""
    child = next((each for each in kind.children if each.type == type_), None)
    return _shape(kind.name_, child)


def find_shape(name: str) -> Shape | None:
    """The shape of a resource, or of a child of one, by its name."""
    if name in RESOURCES:
        return _shape(name, None)
    pairs: Iterable[tuple[type[Resource], Child]] = (
        (kind, child) for kind in RESOURCES.values() for child in kind.children
    )
    return next((_shape(kind.name_, child) for kind, child in pairs if child.name == name), None)


@cache
def _shape(name: str, child: Child | None) -> Shape:
    return Shape(RESOURCES[name], child)
