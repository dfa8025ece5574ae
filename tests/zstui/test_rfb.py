"""VNC by bytes: what a server says becomes a picture, or an error, and never more."""

from __future__ import annotations

import random
import struct
import zlib
from contextlib import suppress

import pytest

from zstui.half_blocks import Dots, Fit, Sampler
from zstui.rfb import PasswordNeeded, Rfb, RfbError, answer_to
from zstui.terminal_keys import text_of
from zstui.vnc_keys import SHIFT, stroke_of

MEET = b"RFB 003.008\n" + b"\x01\x01" + bytes(4)
SIZE = (4, 3)
RED, BLUE = 0xFF0000, 0x0000FF


def begin(width: int, height: int) -> bytes:
    return struct.pack(">HH", width, height) + bytes(16) + struct.pack(">I", 1) + b"x"


def update(*rectangles: bytes) -> bytes:
    return struct.pack(">BxH", 0, len(rectangles)) + b"".join(rectangles)


def rectangle(x: int, y: int, width: int, height: int, encoding: int, data: bytes = b"") -> bytes:
    return struct.pack(">HHHHi", x, y, width, height, encoding) + data


def colours(*each: int) -> bytes:
    return b"".join(colour.to_bytes(4, "little") for colour in each)


class Viewer:
    """A viewer, and what it said."""

    def __init__(self, password: str = "") -> None:
        self.said: list[bytes] = []
        self.rows: list[tuple[int, int]] = []
        self.rfb = Rfb(self.said.append, lambda *rows: self.rows.append(rows), password)

    def met(self) -> Viewer:
        self.rfb.feed(MEET + begin(*SIZE))
        return self

    def picture(self) -> list[list[int]]:
        width = self.rfb.width
        return [list(self.rfb.pixels[y * width : (y + 1) * width]) for y in range(self.rfb.height)]


def test_a_picture_is_put_together_from_all_that_may_come_byte_by_byte() -> None:
    viewer = Viewer()
    pack = zlib.compressobj()
    first = pack.compress(colours(*[BLUE] * 4)) + pack.flush(zlib.Z_SYNC_FLUSH)
    second = pack.compress(colours(RED)) + pack.flush(zlib.Z_SYNC_FLUSH)
    stream = MEET + begin(*SIZE)
    stream += update(
        rectangle(0, 0, 4, 1, 0, colours(1, 2, 3, 4)),
        rectangle(0, 1, 4, 1, 6, struct.pack(">I", len(first)) + first),
        rectangle(3, 2, 1, 1, 6, struct.pack(">I", len(second)) + second),
        rectangle(1, 1, 2, 1, 1, struct.pack(">HH", 0, 0)),
    )
    stream += b"\x02" + b"\x03\0\0\0" + struct.pack(">I", 5) + b"hello"
    for byte in stream:
        viewer.rfb.feed(bytes([byte]))
    assert viewer.picture() == [[1, 2, 3, 4], [BLUE, 1, 2, BLUE], [0, 0, 0, RED]]
    assert viewer.rfb.updated
    assert viewer.rows[-1] == (1, 2)
    viewer.rfb.feed(update(rectangle(0, 0, 2, 2, -223), rectangle(0, 0, 2, 1, 0, colours(8, 9))))
    assert viewer.picture() == [[8, 9], [0, 0]]


def test_copies_that_overlap_are_right() -> None:
    viewer = Viewer().met()
    rows = [rectangle(0, y, 4, 1, 0, colours(*range(y * 4, y * 4 + 4))) for y in range(3)]
    viewer.rfb.feed(update(*rows, rectangle(0, 1, 4, 2, 1, struct.pack(">HH", 0, 0))))
    assert viewer.picture() == [[0, 1, 2, 3], [0, 1, 2, 3], [4, 5, 6, 7]]


@pytest.mark.parametrize(
    "bad",
    [
        b"HTTP/1.1 400",
        b"RFB 003.003\n",
        MEET[:12] + b"\0" + struct.pack(">I", 2) + b"no",
        MEET[:12] + b"\x01\x13",
        MEET[:14] + b"\0\0\0\x01" + struct.pack(">I", 2) + b"no",
        MEET[:14] + b"\0\0\0\x01" + struct.pack(">I", 1 << 31),
        MEET + begin(0, 5),
        MEET + begin(5000, 5),
        MEET + begin(*SIZE) + b"\x09",
        MEET + begin(*SIZE) + update(rectangle(1, 0, 4, 1, 0)),
        MEET + begin(*SIZE) + update(rectangle(0, 0, 1, 1, 99)),
        MEET + begin(*SIZE) + update(rectangle(0, 0, 2, 2, 1, struct.pack(">HH", 3, 3))),
        MEET + begin(*SIZE) + update(rectangle(0, 0, 1, 1, 6, struct.pack(">I", 3) + b"xyz")),
        MEET + begin(*SIZE) + update(rectangle(0, 0, 1, 1, 6, struct.pack(">I", 1 << 31))),
    ],
)
def test_what_is_no_vnc_is_said_to_be_none(bad: bytes) -> None:
    with pytest.raises(RfbError):
        Viewer().rfb.feed(bad)


def test_what_inflates_to_more_than_its_rectangle_is_refused_before_it_is_kept() -> None:
    bomb = zlib.compress(bytes(50 << 20))
    with pytest.raises(RfbError, match="more than fits"):
        Viewer().met().rfb.feed(update(rectangle(0, 0, 1, 1, 6, struct.pack(">I", len(bomb)) + bomb)))


def test_any_bytes_are_a_picture_or_an_error() -> None:
    chance = random.Random(7)
    for _ in range(2000):
        viewer = Viewer().met()
        with suppress(RfbError):
            viewer.rfb.feed(b"\0\0\0" + bytes(chance.choices([0, 1, 2, 3, 4, 6, 255], k=80)))
        assert viewer.rfb.width * viewer.rfb.height * 4 == viewer.rfb.pixels.nbytes


def test_a_password_is_answered_as_des_has_it() -> None:
    # openssl enc -des-ecb -nopad -K 0e86ceceeef64e26: the key is `password`, each byte mirrored
    assert answer_to(bytes(range(16)), "password").hex() == "b866924125c8eebb9debc1db61c538e2"
    viewer = Viewer("password")
    viewer.rfb.feed(MEET[:12] + b"\x01\x02" + bytes(range(16)))
    assert viewer.said[-1].hex() == "b866924125c8eebb9debc1db61c538e2"
    with pytest.raises(PasswordNeeded):
        Viewer().rfb.feed(MEET[:12] + b"\x01\x02")


def test_keys_go_by_their_place_where_the_server_knows_that() -> None:
    viewer = Viewer().met()
    viewer.rfb.key(0x41, 0x1E, down=True)
    assert viewer.said[-1] == b"\x04\x01\0\0\0\0\0\x41"
    viewer.rfb.feed(update(rectangle(0, 0, 0, 0, -258)))
    viewer.rfb.key(0x41, 0x1E, down=False)
    assert viewer.said[-1] == b"\xff\0\0\0\0\0\0\x41\0\0\0\x1e"


@pytest.mark.parametrize(
    ("key", "character", "symbol", "place", "held"),
    [
        ("a", "a", 0x61, 0x1E, ()), ("A", "A", 0x41, 0x1E, (SHIFT,)), ("underscore", "_", 0x5F, 0x0C, (SHIFT,)),
        ("enter", "\r", 0xFF0D, 0x1C, ()), ("up", None, 0xFF52, 0xC8, ()), ("f10", None, 0xFFC7, 0x44, ()),
        ("ctrl+c", "\x03", 0x63, 0x2E, ((0xFFE3, 0x1D),)), ("shift+tab", None, 0xFF09, 0x0F, (SHIFT,)),
    ],
)  # fmt: skip
def test_a_key_of_a_terminal_is_one_of_a_keyboard(
    key: str, character: str | None, symbol: int, place: int, held: tuple[tuple[int, int], ...]
) -> None:
    stroke = stroke_of(key, character)
    assert stroke is not None
    assert (stroke.key, stroke.held) == ((symbol, place), held)
    assert [down for _, _, down in stroke.events()] == [True] * (len(held) + 1) + [False] * (len(held) + 1)


def test_a_letter_that_no_keyboard_has_is_none() -> None:
    assert stroke_of("你", "你") is None


@pytest.mark.parametrize(
    ("key", "character", "application", "sent"),
    [
        ("up", None, False, "\x1b[A"), ("up", None, True, "\x1bOA"), ("ctrl+up", None, True, "\x1b[1;5A"),
        ("ctrl+c", "\x03", False, "\x03"), ("alt+b", None, False, "\x1bb"), ("f1", None, False, "\x1bOP"),
        ("shift+f5", None, False, "\x1b[15;2~"), ("你", "你", False, "你"), ("enter", "\r", False, "\r"),
    ],
)  # fmt: skip
def test_a_key_sends_what_a_terminal_sends(
    key: str, character: str | None, application: bool, sent: str
) -> None:
    assert text_of(key, character, application=application) == sent


def test_half_blocks_have_the_mean_of_their_pixels() -> None:
    fit = Fit.of(4, 4, 2, 1)
    assert (fit.columns, fit.rows, fit.pixel(1, 0)) == (2, 1, (3, 2))
    pixels = memoryview(bytearray(colours(*[RED, RED, BLUE, BLUE] * 2, *[0xFFFFFF] * 8))).cast("I")
    [left, right] = Sampler(fit).row(pixels, 0)
    assert (left.text, right.text) == ("▀", "▀")
    assert [part.style.color.name for part in (left, right) if part.style and part.style.color] == [
        "#f80000", "#0000f8",
    ]  # fmt: skip


@pytest.mark.parametrize(("paper", "ink"), [(0, 0xA8A8A8), (0xA8A8A8, 0)])
def test_letters_stand_on_what_is_around_them_also_where_one_fills_its_cell(paper: int, ink: int) -> None:
    grey = 0x505050
    letter = [[ink, ink], [grey, ink], [ink, grey], [ink, ink]]
    lines = [[*row, *[paper] * 30] for row in letter]
    pixels = memoryview(bytearray(b"".join(colours(*line) for line in lines))).cast("I")
    [dense, _] = Dots(Fit(32, 4, 16, 1, 0, 0)).row(pixels, 0)
    assert dense.style is not None
    assert dense.style.bgcolor is not None
    assert dense.style.bgcolor.name == f"#{paper:06x}"
    assert dense.text == "\u28dd"


def test_dots_show_what_is_lighter_than_its_ground() -> None:
    fit = Fit.of(4, 8, 2, 2)
    lines = [[0xFFFFFF, 0, 0, 0]] * 3 + [[0xFFFFFF, 0xFFFFFF, 0, 0]] + [[RED] * 4] * 4
    pixels = memoryview(bytearray(b"".join(colours(*line) for line in lines))).cast("I")
    first, second = (Dots(fit).row(pixels, row) for row in range(2))
    assert "".join(part.text for part in first) == "\u28c7 "
    assert "".join(part.text for part in second) == "  "
    assert second[0].style is not None
    assert second[0].style.bgcolor is not None
    assert second[0].style.bgcolor.name == "#f80000"
