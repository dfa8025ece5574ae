"""Everything that the API can do to a row, chosen by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from appliance.api.message import MESSAGES, Message, Parameter
from zstui import recycle_bin, words
from zstui.i18n import tr
from zstui.mirror import Row
from zstui.rows import called, why_not
from zstui.screens.chooser import Choice, Chooser, narrowed
from zstui.screens.recovering import expunge, recover
from zstui.verbs import VERBS, delete_message, messages_about, naming, title_of, update_message

if TYPE_CHECKING:
    from zstui.screens.acting import Acting


def calls_on(row: Row) -> list[tuple[type[Message], Parameter | None]]:
    """The messages that do something to a row, and the parameter that it is named by."""
    if row.kind == recycle_bin.KIND:
        return [(MESSAGES[name], None) for name in recycle_bin.calls_on(row)]
    foreign = {verb.message for verb in VERBS if verb.kind == row.kind and not verb.suits(row)}
    return [each for each in messages_about(row.kind) if each[0].__name__ not in foreign]


def ask_what(screen: Acting, row: Row) -> None:
    """Ask which of the calls about a row shall be made, and make it."""
    found = calls_on(row)
    if not found:
        none = tr("no call does anything to {row}; ? shows the keys that work here", row=called(row))
        screen.say(none, "dim")
        return

    def choices() -> list[Choice]:
        made = []
        for kind, parameter in found:
            why = why_not(kind.__name__, row)
            said = f"✗ {why}" if why else tr(words.first_paragraph(kind.__doc__))
            paint = "dim" if why else "plain"
            title = title_of(kind.__name__)
            made.append(Choice((kind.__name__, parameter), tr(title), said, paint, title))
        return sorted(made, key=lambda each: each.paint == "dim")

    def chosen(values: list[Any] | None) -> None:
        if values:
            _do(screen, values[0][0], values[0][1], row)

    screen.app.push_screen(
        Chooser(lambda: tr("{row}: what shall be done?", row=called(row)), narrowed(choices)), chosen
    )


def _do(screen: Acting, message: str, parameter: Any, row: Row) -> None:
    if row.kind == recycle_bin.KIND:
        (expunge if message in recycle_bin.EXPUNGE.values() else recover)(screen, [row])
        return
    if message == delete_message(row):
        screen.action_delete()
        return
    verb = next((each for each in VERBS if each.message == message), None)
    if verb is not None:
        rows = screen.possible(verb.word, verb.states, screen.chosen())
        if rows:
            screen.carry_out(message, rows)
        return
    screen.open_form(message, given=naming(parameter, row),
                     shown=row.data if message == update_message(row) else {})  # fmt: skip
