"""What declares by its fields: frozen records whose classes are made cheaply, for each start makes hundreds.

A dataclass writes Python text for five functions of each class and has it compiled, which took half a second of every
start. These share one of each, and a type is read where it is written, not again in every class below.
"""

from __future__ import annotations

import dataclasses
import inspect
import sys
from collections.abc import Callable, Iterator
from dataclasses import MISSING, Field, FrozenInstanceError, dataclass
from functools import cache
from typing import Any, ClassVar


class Declared:
    """Base of frozen records, whose fields are given by name. Equal are those of one class with equal fields."""

    _defaults: ClassVar[dict[str, Any]]
    """Its fields in their order, with their defaults; `MISSING` where there is none."""
    _required: ClassVar[frozenset[str]]
    _makers: ClassVar[tuple[tuple[str, Callable[[], Any]], ...]]

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        dataclass(init=False, repr=False, eq=False, match_args=False, kw_only=True)(cls)
        fields = dataclasses.fields(cls)  # type: ignore[arg-type]  # made a dataclass above
        cls._defaults = {field.name: field.default for field in fields}
        cls._makers = tuple(
            (field.name, field.default_factory) for field in fields if field.default_factory is not MISSING
        )
        made = {name for name, _ in cls._makers}
        cls._required = frozenset(
            name for name, default in cls._defaults.items() if default is MISSING and name not in made
        )

    @classmethod
    def own_fields(cls) -> Iterator[tuple[Field[Any], Any]]:
        """The fields that this class declares itself, not one above it, each with its type."""
        written = inspect.get_annotations(cls)
        for field in dataclasses.fields(cls):  # type: ignore[arg-type]  # made a dataclass above
            if field.name in written:
                yield field, _type(written[field.name], cls.__module__)

    def __init__(self, **values: Any) -> None:
        if not self._required <= values.keys() <= self._defaults.keys():
            raise TypeError(f"{type(self).__name__} {self._difference(values)}")
        held = self.__dict__
        held.update(self._defaults)
        held.update(values)
        for name, make in self._makers:
            if name not in values:
                held[name] = make()

    @classmethod
    def _difference(cls, values: dict[str, Any]) -> str:
        """What is wrong with the names that a record was to be made of."""
        lacks = ", ".join(sorted(cls._required - values.keys()))
        foreign = ", ".join(sorted(values.keys() - cls._defaults.keys()))
        return " and ".join(
            each for each in (lacks and f"lacks {lacks}", foreign and f"has no {foreign}") if each
        )

    def __setattr__(self, name: str, value: Any) -> None:
        raise FrozenInstanceError(f"cannot assign to field {name!r}")

    def __delattr__(self, name: str) -> None:
        raise FrozenInstanceError(f"cannot delete field {name!r}")

    def __eq__(self, other: object) -> bool:
        return self.__dict__ == other.__dict__ if type(other) is type(self) else NotImplemented

    def __hash__(self) -> int:
        return hash(tuple(self.__dict__.values()))

    def __repr__(self) -> str:
        said = ", ".join(f"{name}={value!r}" for name, value in self.__dict__.items())
        return f"{type(self).__name__}({said})"


@cache
def _type(written: str, module: str) -> Any:
    """What an annotation means where it stands."""
    return eval(written, vars(sys.modules[module]))  # nosec B307  # our own source
