"""The same lists without a screen: one line typed, then lines to read, for readers of screens and for pipes.

Nothing is redrawn and nothing moves: each answer follows its question.
"""

from __future__ import annotations

import asyncio
import shlex
import ssl
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from appliance.api.errors import ApiError
from appliance.api.grammar import read_words
from appliance.client import Session
from zstui.details import details
from zstui.i18n import begin, enumerated, first_language, labelled, mark, tr
from zstui.i18n.server_texts import said
from zstui.listing import Listing
from zstui.mirror import Mirror, Row
from zstui.nouns import MAIN, NOUNS, Noun, nothing_yet
from zstui.paint import OWN_SIGNS, SIGNS
from zstui.references import kinds_within
from zstui.remembered import Remembered
from zstui.screens.shell import reply_items
from zstui.sheet import Item

PROMPT = "zstui> "
HELP = (
    mark("vm, host, net, img … list what there is; words after it must be held, as after / on the screen"),
    mark("show NAME says everything about one of the list that was read last"),
    mark("call NAME key=value … carries out a call, as zstui call does"),
    mark("quit leaves"),
)


def run_plain(
    target: Path | str,
    *,
    tls: ssl.SSLContext | None = None,
    read_only: bool = False,
    source: TextIO = sys.stdin,
    out: TextIO = sys.stdout,
) -> int:
    """Answer line by line until the input ends. Returns 1 when no appliance answers or any line failed."""
    begin(first_language(remembered=Remembered().get("language", "")))
    try:
        return asyncio.run(_talk(target, tls, read_only, source, out))
    except ApiError as error:
        out.write(f"{said(error.details)} [{error.code}]\n")
        return 1


async def _talk(
    target: Path | str, tls: ssl.SSLContext | None, read_only: bool, source: TextIO, out: TextIO
) -> int:
    failed = 0
    async with await Session.connect(target, tls=tls) as session:
        session.read_only = read_only
        plain = Plain(session)
        if source.isatty():
            out.write(f"{tr('help says what can be typed')}\n")
        while True:
            out.write(PROMPT if source.isatty() else "")
            out.flush()
            line = await asyncio.to_thread(source.readline)
            if not line or line.strip() in ("quit", "exit"):
                return failed
            try:
                out.writelines(f"{each}\n" for each in await plain.answer(line.strip()))
            except ApiError as error:
                failed = 1
                out.write(f"{said(error.details)} [{error.code}]\n")
            except ValueError as wrong:
                failed = 1
                out.write(f"{wrong}\n")


class Plain:
    """Answers one line after another; remembers the list that was read last."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._noun: Noun = MAIN[0]

    async def answer(self, line: str) -> list[str]:
        """What a line asks for. Raises ApiError, and UsageError or ValueError for what is no question."""
        word, _, rest = line.partition(" ")
        noun = next((each for each in NOUNS.values() if word in each.words), None)
        if noun is not None:
            self._noun = noun
            return list(_listed(await self._read(noun), noun, rest))
        match word:
            case "":
                return []
            case "help":
                return [tr(each) for each in HELP]
            case "show":
                return await self._shown(await self._read(self._noun), rest)
            case "call":
                command = read_words(shlex.split(rest))
                reply = await self._session.call(command.kind.__name__, **command.fields)
                return [item.text for item in reply_items({**reply, "success": True})]
        raise ValueError(tr("{word} is nothing that can be typed here; help says what is", word=word))

    async def _read(self, noun: Noun) -> Mirror:
        """What a list shows, as it is now."""
        mirror = Mirror(())
        for kind in dict.fromkeys((*noun.kinds, *noun.uses)):
            await mirror.watch(self._session, kind)
        return mirror

    async def _shown(self, mirror: Mirror, name: str) -> list[str]:
        rows = [row for kind in self._noun.kinds for row in mirror.all(kind) if name in (row.name, row.key)]
        if not rows:
            raise ValueError(tr("{list}: there is no {name}", list=tr(self._noun.title), name=name))
        for kind in sorted({kind for row in rows for kind in kinds_within(row.data)} - mirror.rows.keys()):
            await mirror.watch(self._session, kind)
        return [line for row in rows for line in map(_read_out, details(row, mirror)) if line]


def _listed(mirror: Mirror, noun: Noun, typed: str) -> Iterator[str]:
    listing = Listing(noun, mirror)
    listing.filter = typed
    rows = (row for kind in noun.kinds for row in mirror.all(kind))
    listing.fill(row for row in rows if noun.holds(row))
    yield labelled(tr(noun.title), str(len(listing)))
    if not listing.rows:
        yield from nothing_yet(noun, mirror)
    for place in range(len(listing)):
        yield _one_line(listing.rows[listing.key_at(place)], noun, mirror)


def _one_line(row: Row, noun: Noun, mirror: Mirror) -> str:
    """A row in words: its first value, then each other with its title. Signs and bars are left out."""
    first, *others = ((column, _spoken(column.show(row, mirror)[0])) for column in noun.columns)
    parts = [f"{column.called} {text}" for column, text in others if text]
    return enumerated([first[1], *parts])


def _spoken(text: str) -> str:
    """A value without its sign and its bar."""
    signs = "".join((*SIGNS.values(), *OWN_SIGNS.values())).replace(" ", "").replace("?", "")
    return text.strip(f"{signs}━╌ ")


def _read_out(item: Item) -> str:
    if item.paint == "head":
        return f"{item.label}:"
    text = _spoken(item.text)
    return labelled(item.label, text) if item.label and text else text
