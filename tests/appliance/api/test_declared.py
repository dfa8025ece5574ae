"""What is declared behaves as the frozen dataclass that it reads like."""

from __future__ import annotations

import copy
import dataclasses
from dataclasses import FrozenInstanceError

import pytest

from appliance.api.declared import Declared


class Base(Declared):
    name: str
    tags: list[str] = dataclasses.field(default_factory=list)
    size: int = 1


class Further(Base):
    size: int = 2
    more: str | None = None


def test_fields_have_their_order_and_defaults() -> None:
    further = Further(name="a")
    assert vars(further) == {"name": "a", "tags": [], "size": 2, "more": None}
    assert repr(further) == "Further(name='a', tags=[], size=2, more=None)"
    assert [field.name for field in dataclasses.fields(further)] == ["name", "tags", "size", "more"]


def test_what_a_factory_makes_is_not_shared() -> None:
    assert Base(name="a").tags is not Base(name="a").tags


def test_types_are_read_where_they_are_written() -> None:
    assert {field.name: kind for field, kind in Further.own_fields()} == {"size": int, "more": str | None}


@pytest.mark.parametrize(
    ("given", "wrong"),
    [
        ({}, "lacks name"),
        ({"name": "a", "colour": 1}, "has no colour"),
        ({"colour": 1}, "lacks name and has no colour"),
    ],
)
def test_other_names_are_refused(given: dict[str, object], wrong: str) -> None:
    with pytest.raises(TypeError, match=f"^Base {wrong}$"):
        Base(**given)


def test_nothing_of_it_can_be_set() -> None:
    base = Base(name="a")
    with pytest.raises(FrozenInstanceError, match="'name'"):
        base.name = "b"
    with pytest.raises(FrozenInstanceError, match="'name'"):
        del base.name
    assert base.name == "a"


def test_equal_are_those_of_one_class_with_equal_fields() -> None:
    assert Base(name="a") == Base(name="a") != Base(name="b")
    assert Base(name="a", size=2) != Further(name="a")
    assert hash(Base(name="a", tags=())) == hash(Base(name="a", tags=()))


def test_it_is_copied_and_changed_as_a_dataclass_is() -> None:
    base = Base(name="a")
    assert copy.deepcopy(base) == base
    assert dataclasses.replace(base, size=3) == Base(name="a", size=3)
