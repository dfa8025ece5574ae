"""Doing away with rows, once it was said what goes with them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from zstui.i18n import mark, tr
from zstui.mirror import Row
from zstui.recycle_bin import KIND
from zstui.rows import called, loss_of, names_of
from zstui.screens.confirm import Confirm
from zstui.screens.recovering import Deletion, delete, deletion_policy, expunge, how_long, undo_key
from zstui.verbs import binned, delete_message, fields_of, title_of

if TYPE_CHECKING:
    from zstui.screens.acting import Acting

DELETING = (mark("destroy"), mark("expunge"), mark("delete"))

MANY = 10
"""From so many rows on their number is typed before they are deleted, though they can be had back."""


def deleting_word(message: str) -> str:
    """What a message that does away with rows is called in the hints of keys."""
    return next(each for each in DELETING if message.lower().startswith(each))


def ask_delete(screen: Acting, rows: list[Row]) -> None:
    """Ask first, naming what will be lost."""
    if rows and rows[0].kind == KIND:
        expunge(screen, rows)
        return
    message = delete_message(rows[0]) if rows else None
    if message is None:
        screen.does_nothing("delete", "D")
        return
    final = binned(rows[0]) or deletion_policy(screen.mirror, rows[0].kind) == "Direct"
    typed = str(rows[0].get("name") or "yes") if final else ""
    if len(rows) > 1:
        typed = f"{len(rows)}" if final or len(rows) >= MANY else ""
    word = deleting_word(message)

    def answered(yes: bool | None) -> None:
        if yes and final:
            screen.carry_out(message, rows)
        elif yes:
            done = Deletion(tuple(row.key for row in rows), names_of(rows))
            task = delete(screen, message, [fields_of(message, row) for row in rows], done)
            screen.app.keep(asyncio.create_task(task), tr(title_of(message)), [called(row) for row in rows])

    def question() -> str:
        return tr("{verb} {rows}?", verb=tr(word).capitalize(), rows=names_of(rows))

    def losses() -> list[str]:
        lines = [loss for row in rows[:5] if (loss := loss_of(row, screen.mirror, alone=len(rows) == 1))]
        if len(rows) > 5:
            lines.append(tr("… and {number} more", number=len(rows) - 5))
        key = undo_key(screen)
        return [*lines, how_long(screen.mirror, rows[0].kind, key, final=final, number=len(rows))]

    screen.app.push_screen(Confirm(question, lambda: tr(word), losses, typed=typed), answered)
