"""README and ARCHITECTURE are there, and the map shows the rooms that are, all of them and no others."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ARCHITECTURE = ROOT / "ARCHITECTURE.md"
HOUSES = ("agent", "appliance", "zstui")
TOP = (*HOUSES, "packaging", "tests")


def rooms() -> set[str]:
    """The packages of the tree, as the map names them."""
    found = set(TOP)
    for house in HOUSES:
        found |= {
            f"{house}/{folder.name}"
            for folder in (ROOT / house).iterdir()
            if (folder / "__init__.py").is_file()
        }
    return found


def named(text: str) -> set[str]:
    """The folders and files below our houses that a text names in backticks."""
    inside = re.findall(r"`([^`\n]+)`", text)
    paths = {each.strip().rstrip("/") for each in inside}
    pattern = re.compile(rf"({'|'.join(TOP)})(/[\w.-]+)*")
    return {path for path in paths if pattern.fullmatch(path)}


@pytest.mark.parametrize("name", ["README.md", "ARCHITECTURE.md", "LICENSE", "Makefile", ".ci/run"])
def test_what_everybody_looks_for_is_there(name: str) -> None:
    assert (ROOT / name).stat().st_size > 100 or name == ".ci/run"


def test_every_room_that_the_map_names_exists() -> None:
    wanted = named(ARCHITECTURE.read_text())
    assert wanted
    assert {path for path in wanted if not _exists(path)} == set()


def test_every_room_that_exists_is_on_the_map() -> None:
    text = ARCHITECTURE.read_text()
    missing = {room for room in rooms() if not _shown(room, text)}
    assert missing == set()


def test_the_readme_names_the_two_commands() -> None:
    text = (ROOT / "README.md").read_text()
    assert "make run" in text
    assert "make test" in text


def _exists(path: str) -> bool:
    """A folder, a module with or without its ending, or a file that a build makes."""
    return (ROOT / path).exists() or (ROOT / f"{path}.py").exists()


def _shown(room: str, text: str) -> bool:
    """By its whole path, or dotted, or in a table or tree by its last word."""
    last = room.rsplit("/", 1)[-1]
    dotted = room.replace("/", ".")
    return (
        re.search(rf"\b{re.escape(room)}\b|\b{re.escape(dotted)}\b|[`| ]{re.escape(last)}/?[`| ]", text)
        is not None
    )
