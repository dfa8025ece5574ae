"""Rows as choices: what a picker offers for a parameter that names a resource."""

from __future__ import annotations

from zstui.i18n import tr
from zstui.mirror import Mirror, Row
from zstui.nouns import NOUNS, Noun, noun_of
from zstui.paint import paint_of
from zstui.rows import why_not
from zstui.screens.chooser import Choice
from zstui.states import state_that_matters
from zstui.verbs import binned

NOTE_COLUMNS = 5
BARS = "━╌ "
DEAD = frozenset({"Destroyed", "Disabled", "Deleted", "Error", "Disconnected"})


def resource_choices(mirror: Mirror, kind: str, message: str = "") -> list[Choice]:
    """The rows of a kind by name, each with what its list shows of it; last those that a message cannot name."""
    rows = sorted(mirror.all(kind), key=lambda row: row.by_name)
    fitting = [row for row in rows if not unfit(message, row)]
    choices = [Choice(row.key, row.name, row_note(row, mirror), _paint(row)) for row in fitting]
    others = [(row, why) for row in rows if (why := unfit(message, row))]
    return choices + [Choice(row.key, row.name, f"✗ {why}", "dim") for row, why in others]


def unfit(message: str, row: Row) -> str:
    """Why a row cannot be what a message names, in a few words; empty when it can."""
    if not message:
        return ""
    if binned(row) and not message.startswith(("Recover", "Expunge")):
        return tr("it is in the recycle bin")
    return why_not(message, row)


def row_note(row: Row, mirror: Mirror) -> str:
    """What matters of a row, in a few words; a bare number is said what it counts, and a share what it is of."""
    noun = noun_of(row.kind)
    columns = noun.columns if noun else ()
    shown = [
        (column.title, column.show(row, mirror)[0])
        for column in columns
        if column.title not in ("NAME", "JOB", "CHANGED", "AGE")
    ]
    told = [
        f"{tr(title.lower())} {text.strip(BARS)}" if text.isdigit() or text[0] in BARS else text
        for title, text in shown
        if text
    ]
    return "  ".join(told[:NOTE_COLUMNS])


def _paint(row: Row) -> str:
    state = state_that_matters(row)
    return "dim" if state in DEAD or paint_of(state) in ("warn", "bad") else "plain"


def noun_choices() -> list[Choice]:
    """Every list, by what is typed to get there."""
    return [
        Choice(("noun", noun.id), f":{noun.typed}", tr(noun.title), "accent", noun.title)
        for noun in NOUNS.values()
    ]


def found_choices(mirror: Mirror, typed: str, limit: int = 50) -> list[Choice]:
    """Rows whose name or uuid holds what was typed, whatever their kind: that name, names that begin so, others."""
    wanted = typed.casefold().strip()
    if not wanted:
        return []
    named: list[tuple[Noun, Row]] = []
    first: list[tuple[Noun, Row]] = []
    then: list[tuple[Noun, Row]] = []
    for kind, rows in mirror.rows.items():
        noun = noun_of(kind)
        if noun is None or kind in ("LongJob", "Event"):
            continue
        for row in rows.values():
            name = row.name.casefold()
            if wanted in name or wanted == row.key[: len(wanted)]:
                found = named if name == wanted else first if name.startswith(wanted) else then
                found.append((noun, row))
    ordered = [
        each for found in (named, first, then) for each in sorted(found, key=lambda each: each[1].by_name)
    ]
    return [
        Choice((noun.id, row.key), row.name, f"{tr(noun.one)}  {row_note(row, mirror)}")
        for noun, row in ordered[:limit]
    ]
