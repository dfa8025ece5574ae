"""Everything that the API can do to a row, chosen by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from appliance.api.message import MESSAGES, Message, Parameter
from zstui import recycle_bin, words
from zstui.i18n import tr
from zstui.mirror import Row
from zstui.rows import named, why_not
from zstui.screens.chooser import Choice, Chooser, narrowed
from zstui.screens.confirm import sure
from zstui.screens.deleting import ask_delete
from zstui.screens.recovering import expunge, recover
from zstui.verbs import (
    VERBS,
    asked,
    delete_message,
    is_list,
    messages_about,
    naming,
    title_of,
    update_message,
)

if TYPE_CHECKING:
    from zstui.screens.acting import Acting


def calls_on(row: Row) -> list[tuple[type[Message], Parameter | None]]:
    """The messages that do something to a row, and the parameter that it is named by."""
    if row.kind == recycle_bin.KIND:
        return [(MESSAGES[name], None) for name in recycle_bin.calls_on(row)]
    foreign = {verb.message for verb in VERBS if verb.kind == row.kind and not verb.suits(row)}
    return [each for each in messages_about(row.kind) if each[0].__name__ not in foreign]


def ask_what(screen: Acting, rows: list[Row]) -> None:
    """Ask which of the calls about some rows shall be made, and make it."""
    found = [each for each in calls_on(rows[0]) if all(each in calls_on(row) for row in rows)]
    if not found:
        none = tr("no call does anything to {row}; ? shows the keys that work here", row=named(rows))
        screen.say(none, "dim")
        return

    def choices() -> list[Choice]:
        made = []
        for kind, parameter in found:
            why = _why_not(kind.__name__, parameter, rows)
            said = f"✗ {why}" if why else tr(words.first_paragraph(kind.__doc__))
            paint = "dim" if why else "plain"
            title = title_of(kind.__name__)
            made.append(Choice((kind.__name__, parameter), tr(title), said, paint, title))
        return sorted(made, key=lambda each: each.paint == "dim")

    def chosen(values: list[Any] | None) -> None:
        if values:
            _do(screen, values[0][0], values[0][1], rows)

    def title() -> str:
        return tr("{row}: what shall be done?", row=named(rows))

    screen.app.push_screen(Chooser(title, narrowed(choices)), chosen)


def _why_not(message: str, parameter: Parameter | None, rows: list[Row]) -> str:
    """Why a call can be made for none of some rows; empty when for some it may."""
    if all(why_not(message, row) for row in rows):
        return why_not(message, rows[0])
    if len(rows) == 1 or parameter is None or is_list(parameter) or _by_key(message, rows):
        return ""
    return tr("for one row at a time") if asked(message, naming(parameter, rows)) else ""


def _by_key(message: str, rows: list[Row]) -> bool:
    """Whether a call is what a key does to rows."""
    return message == delete_message(rows[0]) or any(verb.message == message for verb in VERBS)


def _do(screen: Acting, message: str, parameter: Any, rows: list[Row]) -> None:
    """Make a call as its key does, so with the same question; one without a key asks in a dialog."""
    if rows[0].kind == recycle_bin.KIND:
        (expunge if message in recycle_bin.EXPUNGE.values() else recover)(screen, rows)
        return
    if message == delete_message(rows[0]):
        ask_delete(screen, rows)
        return
    verb = next((each for each in VERBS if each.message == message), None)
    if verb is not None:
        screen.do(verb, rows)
        return
    call = tr(title_of(message))
    why = _why_not(message, parameter, rows)
    if why and screen.mirror.status == "live":
        screen.say(f"{call}: {why}", "warn")
        return
    given = naming(parameter, rows)
    if asked(message, given):
        shown = rows[0].data if message == update_message(rows[0]) else {}
        screen.open_form(message, given=given, shown=shown, about=named(rows))
    else:
        may = [row for row in rows if not why_not(message, row)] or rows
        carry_out_once_sure(screen, message, may)


def carry_out_once_sure(screen: Acting, message: str, rows: list[Row]) -> None:
    """Make a call that no key asks for twice, once a dialog was answered."""

    def answered(yes: bool | None) -> None:
        if yes:
            screen.carry_out(message, rows)

    screen.app.push_screen(sure(message, named(rows)), answered)
