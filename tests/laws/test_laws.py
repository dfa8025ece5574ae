"""The house's own rules: sizes, captions, names, descriptions, and nothing of one machine in the tree."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import appliance.resources.every  # noqa: F401 - declares every message
from appliance.api.message import MESSAGES
from appliance.api.resource import RESOURCES

ROOT = Path(__file__).resolve().parents[2]
PRODUCT = ("agent/", "appliance/", "zstui/", "packaging/")
FILE_LINES, FUNCTION_LINES = 400, 40
VAGUE = re.compile(r"(^|_)(utils?|helpers?|managers?|misc|common)(_|$)")
# Put together here, so that this file does not hold what it forbids.
MACHINE = re.compile(
    "|".join((
        r"(?<![\w.$}/-])/" + r"work/", r"/ho" + r"me/\w+/", r"(?i:https?_pr" + r"oxy)\s*=\s*\S*\w",
        r"\b(artifactory|nexus|devpi)\.[a-z]", r"index-" + r"url\s*=?\s*http",
    ))
)  # fmt: skip
BINARY = (".png", ".svg", ".qcow2", ".gz", ".ico")


@cache
def tracked() -> tuple[str, ...]:
    """Every file of the tree that is there."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True, timeout=20)
    names = listed.stdout.decode().split("\0")
    return tuple(name for name in names if name and (ROOT / name).is_file())


def modules(*below: str) -> Iterator[tuple[str, str, ast.Module]]:
    """Name, text and tree of every Python file below some folders."""
    for name in tracked():
        if name.endswith(".py") and name.startswith(below):
            text = (ROOT / name).read_text()
            yield name, text, ast.parse(text)


def test_no_file_is_longer_than_a_reader_can_hold() -> None:
    lengths = {name: text.count("\n") for name, text, _ in modules(*PRODUCT)}
    assert len(lengths) > 100
    assert {name: length for name, length in lengths.items() if length > FILE_LINES} == {}


def test_no_function_is_longer_than_a_screen() -> None:
    long = {}
    for name, _, tree in modules(*PRODUCT):
        for node in ast.walk(tree):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                body = node.body[1:] if ast.get_docstring(node) and node.body[1:] else node.body
                lines = (body[-1].end_lineno or 0) - body[0].lineno + 1
                if lines > FUNCTION_LINES and not _is_table(node):
                    long[f"{name}:{node.name}"] = lines
    assert long == {}


def test_every_module_has_a_caption() -> None:
    bare = []
    for name, text, tree in modules(*PRODUCT, "tests/"):
        caption = (ast.get_docstring(tree) or "").split("\n")[0].strip()
        if text.strip() and not caption.endswith((".", "`", "…")):
            bare.append((name, caption))
    assert bare == []


def test_no_name_says_nothing() -> None:
    named = [name for name in tracked() if name.endswith(".py")]
    assert [
        name for name in named if any(VAGUE.search(part) for part in Path(name).with_suffix("").parts)
    ] == []
    classes = [
        f"{name}:{node.name}"
        for name, _, tree in modules(*PRODUCT)
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef) and re.search(r"(Utils?|Helper|Manager)$", node.name)
    ]
    assert classes == []


def test_every_message_and_column_is_described() -> None:
    assert len(MESSAGES) > 60
    for message in MESSAGES.values():
        assert (message.__doc__ or "").strip().endswith("."), message
        for parameter in message.parameters.values():
            assert parameter.help.strip().endswith("."), (message, parameter.name)
    for resource in RESOURCES.values():
        for column in resource.columns.values():
            assert column.help.strip(), (resource, column.name)


def test_nothing_of_one_machine_is_in_the_tree() -> None:
    assert MACHINE.search("cp /wor" + "k/x ")
    assert MACHINE.search("HTTPS_PRO" + "XY=10.0.0.1:3128")
    found = []
    for name in tracked():
        if name.endswith(BINARY):
            continue
        text = (ROOT / name).read_text(errors="replace")
        found += [f"{name}: {hit.group()}" for hit in MACHINE.finditer(text)]
    assert found == []


def test_no_code_waits_by_sleeping_or_says_todo() -> None:
    found = [
        f"{name}:{number}"
        for name, text, _ in modules(*PRODUCT)
        for number, line in enumerate(text.splitlines(), 1)
        if re.search(r"#\s*(TODO|FIXME|XXX|HACK)\b|\bNotImplementedError\b", line)
    ]
    assert found == []


def _is_table(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """A function that is one `match` and nothing else is a table, as long as what it lists."""
    kinds = (ast.Match, ast.Return, ast.Assign, ast.If, ast.Expr)
    plain = all(isinstance(part, kinds) for part in node.body)
    return plain and any(isinstance(part, ast.Match) for part in node.body)
