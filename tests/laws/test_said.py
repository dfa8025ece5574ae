"""What appliance and agents say is known to the screens: each text of an error, an event, a step has a pattern.

So have the reasons that agents refuse with, and those that they tell in passing.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from itertools import product
from pathlib import Path

from appliance.api import errors
from appliance.api.errors import ApiError
from zstui.i18n.server_texts import known

ROOT = Path(__file__).resolve().parents[2]
ERRORS = {
    name for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, ApiError)
}
HOLE = "⟨x⟩"
"""What stands in a text's holes here."""

WORD = re.compile(r"[a-z]{2}")

STEPS = {"Meter": 2, "progress": 2, "Ask": 0, "CopyImage": 0, "Wait": 0, "MakeVolume": 0}
"""What makes a step of a job, and which of its arguments says what is done."""

REASONS = ("why", "reason", "advice")
"""Names of what a file calls the words that stand in others' holes."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


def written(node: ast.expr | None, within: list[ast.AST]) -> Iterator[str]:
    """The texts that an expression can be, as far as they are written in the same function."""
    match node:
        case ast.Constant(value=str(text)):
            yield text
        case ast.JoinedStr(values=values):
            yield from map("".join, product(*(list(written(each, within)) or [HOLE] for each in values)))
        case ast.FormattedValue(value=ast.Attribute(attr="code")):
            yield "SYS.1000"
        case ast.FormattedValue(value=value):
            yield from written(value, within)
        case ast.IfExp(body=body, orelse=orelse):
            yield from list(written(body, within)) or [HOLE]
            yield from list(written(orelse, within)) or [HOLE]
        case ast.Name(id=name):
            yield from assigned(name, within)


def assigned(name: str, within: list[ast.AST]) -> Iterator[str]:
    """The texts that a name stands for."""
    for each in within:
        if isinstance(each, ast.Assign) and any(
            isinstance(target, ast.Name) and target.id == name for target in each.targets
        ):
            yield from written(each.value, [other for other in within if other is not each])


def said_in(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Each text of an error or an event in a file, and its line."""
    for function in ast.walk(tree):
        if isinstance(function, Function):
            inner = [*ast.walk(function)]
            within = [*inner, *ast.iter_child_nodes(tree)]
            for call in (node for node in inner if isinstance(node, ast.Call)):
                found = written(text_of(call), within)
                yield from ((call.lineno, text) for text in found if WORD.search(text.replace(HOLE, "")))


def text_of(call: ast.Call) -> ast.expr | None:
    """What an error or an event that is made here says."""
    name = call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", "")
    if name in ERRORS and call.args:
        return call.args[0]
    if name == "refuse_twins":
        return call.args[2]
    if name == "note" and len(call.args) > 1:
        return call.args[1]
    if name == "Refused" and len(call.args) > 1:
        return call.args[1]
    if name in STEPS and len(call.args) > STEPS[name]:
        return call.args[STEPS[name]]
    return None


def everything() -> list[tuple[str, str]]:
    """Where each text stands, and the text."""
    found = {}
    for file in sorted([*(ROOT / "appliance").rglob("*.py"), *(ROOT / "agent").rglob("*.py")]):
        if "lab" not in file.parts:
            for line, text in said_in(ast.parse(file.read_text())):
                found[text] = f"{file.relative_to(ROOT)}:{line}"
    for file in AGENT_REASONS:
        for line, text in reasons_in(ast.parse((ROOT / "agent" / file).read_text())):
            found[text] = f"agent/{file}:{line}"
    return [(place, text) for text, place in found.items()]


AGENT_REASONS = ("quiesce.py", "accelerator.py", "backup.py", "http_source.py")
"""What agents say why in, beside their refusals."""


def reasons_in(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """What functions that return a text return, and what names of reasons are bound to."""
    for node in ast.walk(tree):
        if (
            isinstance(node, Function)
            and node.name.startswith("_")
            and "str" in ast.unparse(node.returns or ast.Pass())
        ):
            returned = (each for each in ast.walk(node) if isinstance(each, ast.Return))
            found = [text for each in returned for text in written(each.value, [*ast.walk(node)])]
        elif isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) in REASONS:
            found = [*written(node.value, [])]
        elif isinstance(node, ast.Call) and ast.unparse(node.func) == "_tcg":
            found = [*written(node.args[0], [])]
        else:
            continue
        yield from (
            (node.lineno, text) for text in found if " " in text and WORD.search(text.replace(HOLE, ""))
        )


WIDEST = "{name}: {reason}"


def unknown(text: str) -> str:
    """What of a text no pattern knows; empty where all is known."""
    if " ;" in text:
        return ""  # where a branch of an expression leaves a name empty
    found = next(known(text), None)
    if found is None:
        return text
    template, holes = found
    return unknown(holes["reason"]) if template == WIDEST and holes["reason"] != HOLE else ""


def test_each_text_has_a_pattern() -> None:
    texts = everything()
    left = [f"{place}: {rest!r}" for place, text in texts if (rest := unknown(text))]
    assert not left, "\n".join(["give a file beside zstui/i18n/server_texts.py a pattern for", *left])
    assert len(texts) > 650


def test_the_law_sees_what_is_said() -> None:
    said = """
SHARED = "shared"
def one(x, tx):
    text = f"{x} is away" if x else SHARED
    tx.note("Kind", f"{x.name}: {text}")
    raise NotAllowed("never")
"""
    texts = [text for _, text in said_in(ast.parse(said))]
    assert sorted(texts) == sorted(["never", f"{HOLE}: {HOLE} is away", f"{HOLE}: shared"])
    assert unknown("nobody says this")
    assert not unknown(f"{HOLE}: silent for {HOLE} s")
