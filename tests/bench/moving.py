"""A guest's screen that never stands still, in the terminal: each picture that is asked for is another, all of it.

`python -m tests.bench.moving`. It is asked on the descriptor `CONTROL` as the fleet is; `pictures` says how many came
in a second, and what they took of a core.
"""

from __future__ import annotations

import asyncio
import random
import struct
import time
import zlib
from collections.abc import Iterator

from textual.app import App, ComposeResult

from appliance.hosts.vnc import GREETING, OPEN, WELL
from tests.bench.fleet import DOES, listen
from zstui.rfb import ZLIB
from zstui.vnc_view import VncView

WIDTH, HEIGHT = 1024, 768
PICTURES = 80
STEP = 6
"""Pixels that a picture is above the one before."""

MARGIN, LINE, WORD = 112, 16, 40
WIDE = WIDTH - 2 * MARGIN

PIECE = 64 << 10
_FORMAT = struct.pack(">BBBBHHHBBBxxx", 32, 24, 0, 1, 255, 255, 255, 16, 8, 0)
_BEGIN = struct.pack(">HH", WIDTH, HEIGHT) + _FORMAT + struct.pack(">I", 6) + b"moving"


def desktop() -> list[bytes]:
    """Lines of pixels of a ground and a window on it, in which is text: bits by chance in words of chance."""
    chance = random.Random(WIDTH)
    ground, paper, ink = (struct.pack("<I", colour) for colour in (0x2E5C8A, 0xF4F4F0, 0x202428))
    aside = ground * MARGIN
    text = [
        b"".join(
            chance.choice((ink, paper)) * 2 if word else paper * 2 for word in words for _ in range(WORD // 2)
        )
        for words in ([chance.random() < 0.7 for _ in range(WIDE // WORD)] for _ in range(HEIGHT // LINE + 1))
        for _ in range(LINE // 2)
    ]
    lines = iter(text)
    return [aside + (next(lines) if y % LINE < LINE // 2 else paper * WIDE) + aside for y in range(HEIGHT)]


def packed() -> list[bytes]:
    """Updates of the whole screen: the desktop, a little higher each time."""
    lines = desktop()
    deflate = zlib.compressobj(1)

    def updates() -> Iterator[bytes]:
        for number in range(PICTURES):
            begin = number * STEP % HEIGHT
            data = deflate.compress(b"".join(lines[begin:] + lines[:begin]))
            data += deflate.flush(zlib.Z_SYNC_FLUSH)
            yield struct.pack(">BxHHHHHiI", 0, 1, 0, 0, WIDTH, HEIGHT, ZLIB, len(data)) + data

    return list(updates())


class Moving(App[int]):
    """One view, and a server in the same process that answers at once."""

    def __init__(self) -> None:
        super().__init__()
        self.given = 0
        self._updates = packed()

    def compose(self) -> ComposeResult:
        """The view alone."""
        yield VncView()

    def on_mount(self) -> None:
        """Begin, and listen."""
        view = self.query_one(VncView)
        view.begin(self._said)
        for each in (GREETING, bytes([1, OPEN]), WELL, _BEGIN):
            view.feed(each)
        self.run_worker(listen(self))  # type: ignore[arg-type]  # it is asked for nothing that this has not

    def _said(self, message: bytes) -> None:
        """A request for a picture is the one thing that is answered."""
        if message[0] == 3 and self.given < PICTURES:
            self.call_later(self._give)

    def _give(self) -> None:
        update, view = self._updates[self.given], self.query_one(VncView)
        self.given += 1
        for at in range(0, len(update), PIECE):
            view.feed(update[at : at + PIECE])


async def pictures(app: Moving, seconds: float) -> dict[str, float]:
    """Pictures in a second, and the share of a core."""
    begun, used, given = time.perf_counter(), time.process_time(), app.given
    await asyncio.sleep(seconds)
    passed = time.perf_counter() - begun
    return {"rate": (app.given - given) / passed, "share": (time.process_time() - used) / passed}


DOES["pictures"] = pictures

if __name__ == "__main__":
    raise SystemExit(Moving().run() or 0)
