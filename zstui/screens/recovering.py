"""Taking back what was deleted, by one key as long as that is possible, and removing it for good."""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from textual.notifications import Notification

from appliance.api.errors import ApiError
from zstui import words
from zstui.i18n import enumerated, tr, trn
from zstui.mirror import Mirror, Row
from zstui.recycle_bin import KIND, Call, expunge_call, items_of, left_piece, recover_call, seconds_left
from zstui.screens.chooser import Choice, Chooser, narrowed
from zstui.screens.confirm import Confirm
from zstui.verbs import BINS, binned

if TYPE_CHECKING:
    from zstui.screens.acting import Acting

MINUTE = 60
UNDO_SECONDS = 12.0
"""How long the toast that offers to undo stands; the key goes on working."""


@dataclass
class Deletion:
    """What was deleted here with one key."""

    uuids: tuple[str, ...]
    words: str
    binned: bool = False
    """Whether it was seen in the bin, which may be a moment after its call has ended."""

    offer: Notification | None = None
    """What was said of it, as long as that is to be seen."""


def deletion_policy(mirror: Mirror, kind: str) -> str:
    """What becomes of a kind's rows that are deleted: Direct, Delay or Never; Direct for what has no bin."""
    return _setting(mirror, kind, "deletionPolicy") or "Direct"


def _setting(mirror: Mirror, kind: str, name: str) -> str:
    wanted = (BINS.get(kind), name)
    configs = mirror.all("GlobalConfig")
    return next(
        (row.text("value") for row in configs if (row.get("category"), row.get("name")) == wanted), ""
    )


def how_long(mirror: Mirror, kind: str, key: str, *, final: bool, number: int = 1) -> str:
    """What deleting so many rows of a kind means for taking them back by a key, as the live policy has it."""
    if final:
        return tr("This cannot be undone.")
    if deletion_policy(mirror, kind) == "Never":
        return trn("It is kept, and can be recovered ({key}), until somebody expunges it.",
                   "They are kept, and can be recovered ({key}), until somebody expunges them.", number,
                   key=key)  # fmt: skip
    period = _setting(mirror, kind, "expungePeriod")
    if not period.isdecimal():
        return trn("It can be recovered ({key}) until it is expunged.",
                   "They can be recovered ({key}) until they are expunged.", number, key=key)  # fmt: skip
    return trn("It can be recovered ({key}) for {time} until it is expunged.",
               "They can be recovered ({key}) for {time} until they are expunged.", number, key=key,
               time=words.duration(float(period)))  # fmt: skip


async def delete(screen: Acting, message: str, every: list[dict[str, Any]], done: Deletion) -> list[Any]:
    """Carry out a deletion, and offer to take it back."""
    ended = await screen.app.calls.make_all(message, every)
    gone = tuple(uuid for uuid, error in zip(done.uuids, ended, strict=True) if error is None)
    if gone:
        deletion = Deletion(gone, done.words)
        screen.app.calls.deletions.append(deletion)
        withdraw_offers(screen)
        deletion.offer = screen.app.offer(_offer(screen, deletion), UNDO_SECONDS)
    return list(ended)


def _offer(screen: Acting, deletion: Deletion) -> str:
    """That it is deleted, and for how long it can be taken back."""
    key = undo_key(screen)
    items = items_of(screen.mirror, deletion.uuids)
    left = [each for each in map(seconds_left, items) if each is not None]
    if not left:
        return trn("{what} deleted; {key} takes it back", "{what} deleted; {key} takes them back",
                   len(deletion.uuids), what=deletion.words, key=key)  # fmt: skip
    time = words.duration(math.ceil(min(left) / MINUTE) * MINUTE)  # of a day that began just now one is left
    return trn("{what} deleted; {key} takes it back for {time}", "{what} deleted; {key} takes them back for {time}",
               len(deletion.uuids), what=deletion.words, key=key, time=time)  # fmt: skip


def undo_key(screen: Acting) -> str:
    """The key that takes back what was deleted."""
    return screen.app.key_of("verb('u')", "u")


def undoable(screen: Acting) -> Deletion | None:
    """The newest deletion made here that is still in the bin."""
    deletions = screen.app.calls.deletions
    return next((each for each in reversed(deletions) if items_of(screen.mirror, each.uuids)), None)


def withdraw_offers(screen: Acting) -> None:
    """Offer no longer to take back what was in the bin and is no more: somebody has expunged or recovered it."""
    calls = screen.app.calls
    for deletion in list(calls.deletions):
        if items_of(screen.mirror, deletion.uuids):
            deletion.binned = True
        elif deletion.binned:
            _forget(screen, deletion)


def _forget(screen: Acting, deletion: Deletion) -> None:
    screen.app.calls.deletions.remove(deletion)
    if deletion.offer is not None:
        screen.app.take_back(deletion.offer)


def deleted_among(mirror: Mirror, rows: list[Row]) -> list[Row]:
    """What is in the bin of some rows, which may be the bin's own."""
    items = [row for row in rows if row.kind == KIND and row.get("status") == "Deleted"]
    return items + items_of(mirror, (row.key for row in rows if binned(row)))


def recover_or_undo(screen: Acting, rows: list[Row]) -> None:
    """Take back what the rows stand for; if that is nothing or just that, the newest deletion made here."""
    items = deleted_among(screen.mirror, rows)
    found = undoable(screen)
    undone = items_of(screen.mirror, found.uuids) if found is not None else []
    if items and {item.key for item in items} != {item.key for item in undone}:
        recover(screen, items)
    elif found is not None:
        calls = [recover_call(item, with_volumes=True) for item in undone]
        _carry_out(screen, calls, tr("recover"), undone)
        _forget(screen, found)
        screen.app.tell(tr("{what}: taken back; VMs are stopped", what=found.words))


def recover(screen: Acting, items: list[Row]) -> None:
    """Take items back; VMs with their data volumes or without, as is answered."""
    volumes = [uuid for item in items for uuid in item.get("dataVolumeUuids") or []]
    what = _what(items)

    def answered(chosen: list[Any] | None) -> None:
        if chosen:
            calls = [recover_call(item, with_volumes=chosen[0] == "with") for item in items]
            _carry_out(screen, calls, tr("recover"), items)

    if not volumes:
        answered(["without"])
        return
    names = enumerated(screen.mirror.name(str(uuid)) for uuid in volumes[:5])

    def choices() -> list[Choice]:
        return [
            Choice(
                "with", trn("with {number} data volume", "with {number} data volumes", len(volumes)), names
            ),
            Choice("without", tr("without data volumes"), tr("they can be recovered and attached later")),
        ]

    screen.app.push_screen(Chooser(lambda: tr("Recover {what}", what=what), narrowed(choices)), answered)


def expunge(screen: Acting, items: list[Row]) -> None:
    """Remove items for good, once their name, or how many there are, was typed."""
    what = _what(items)
    typed = items[0].name if len(items) == 1 else str(len(items))

    def lines() -> list[str]:
        told = [
            f"{item.name}  {_frees(item)}  {tr('expunged')} {left_piece(item, screen.mirror)[0]}"
            for item in items[:5]
        ]
        told += [tr("… and {number} more", number=len(items) - 5)] if len(items) > 5 else []
        return [*told, tr("This cannot be undone.")]

    def answered(yes: bool | None) -> None:
        if yes:
            _carry_out(screen, [expunge_call(item) for item in items], tr("expunge"), items)

    screen.app.push_screen(
        Confirm(lambda: tr("Expunge {what} now?", what=what), lambda: tr("expunge"), lines, typed=typed),
        answered,
    )


def _frees(item: Row) -> str:
    size = item.get("reclaimableSize")
    return (
        tr("frees what its host has not said yet")
        if size is None
        else tr("frees {size}", size=words.long_size(size))
    )


def _what(items: list[Row]) -> str:
    return items[0].name if len(items) == 1 else tr("{number} things in the recycle bin", number=len(items))


def _carry_out(screen: Acting, calls: list[Call], what: str, items: list[Row]) -> None:
    screen.app.keep(asyncio.create_task(_each(screen, calls)), what, [item.name for item in items])


async def _each(screen: Acting, calls: list[Call]) -> list[ApiError | None]:
    """Make the calls, those of one message together. What went wrong with each, in order."""
    ended: list[ApiError | None] = [None] * len(calls)
    for message in dict.fromkeys(message for message, _ in calls):
        places = [place for place, call in enumerate(calls) if call[0] == message]
        results = await screen.app.calls.make_all(message, [calls[place][1] for place in places])
        for place, result in zip(places, results, strict=True):
            ended[place] = result
    return ended
