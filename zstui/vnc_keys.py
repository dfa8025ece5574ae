"""Keys of a terminal as keys of a keyboard: X11's symbols, and the places that an American keyboard has them at."""

from __future__ import annotations

from dataclasses import dataclass

SHIFT, CTRL, ALT = (0xFFE1, 0x2A), (0xFFE3, 0x1D), (0xFFE9, 0x38)
DELETE = (0xFFFF, 0xD3)
NAMED: dict[str, tuple[int, int]] = {
    "escape": (0xFF1B, 0x01), "backspace": (0xFF08, 0x0E), "tab": (0xFF09, 0x0F), "enter": (0xFF0D, 0x1C),
    "space": (0x20, 0x39), "home": (0xFF50, 0xC7), "left": (0xFF51, 0xCB), "up": (0xFF52, 0xC8),
    "right": (0xFF53, 0xCD), "down": (0xFF54, 0xD0), "pageup": (0xFF55, 0xC9), "pagedown": (0xFF56, 0xD1),
    "end": (0xFF57, 0xCF), "insert": (0xFF63, 0xD2), "delete": DELETE,
    **{f"f{number}": (0xFFBD + number, 0x3A + number) for number in range(1, 11)},
    "f11": (0xFFC8, 0x57), "f12": (0xFFC9, 0x58),
}  # fmt: skip
"""Symbol and XT place; 0x80 is added to places behind an E0."""

PLAIN_ROWS = (("`", 0x29), ("1234567890-=", 0x02), ("qwertyuiop[]", 0x10), ("asdfghjkl;'", 0x1E),
              ("\\", 0x2B), ("zxcvbnm,./", 0x2C))  # fmt: skip
SHIFTED_ROWS = (("~", 0x29), ("!@#$%^&*()_+", 0x02), ("QWERTYUIOP{}", 0x10), ('ASDFGHJKL:"', 0x1E),
                ("|", 0x2B), ("ZXCVBNM<>?", 0x2C))  # fmt: skip
PLAIN = {letter: first + at for row, first in PLAIN_ROWS for at, letter in enumerate(row)}
SHIFTED = {letter: first + at for row, first in SHIFTED_ROWS for at, letter in enumerate(row)}


@dataclass(frozen=True)
class Stroke:
    """A key, and those that are held meanwhile: each its symbol and place."""

    key: tuple[int, int]
    held: tuple[tuple[int, int], ...] = ()

    def events(self) -> list[tuple[int, int, bool]]:
        """Symbol, place, and whether it goes down, in order."""
        down = [*self.held, self.key]
        return [(*each, True) for each in down] + [(*each, False) for each in reversed(down)]


def stroke_of(key: str, character: str | None) -> Stroke | None:
    """The stroke of a key of Textual's name and of the letter that it makes; None where a keyboard has none."""
    *modifiers, name = key.split("+")
    held = tuple({"ctrl": CTRL, "alt": ALT, "shift": SHIFT}[each] for each in modifiers if each in MODIFIERS)
    if name in NAMED:
        return Stroke(NAMED[name], held)
    if modifiers and len(name) == 1:
        typed = of_letter(name)
        return Stroke(typed.key, held + typed.held) if typed is not None else None
    return of_letter(character) if character is not None else None


MODIFIERS = ("ctrl", "alt", "shift")


def of_letter(letter: str) -> Stroke | None:
    """The stroke that types a letter on an American keyboard; None where it has no such key."""
    if letter in ("\n", "\r"):
        return Stroke(NAMED["enter"])
    if letter == "\t":
        return Stroke(NAMED["tab"])
    if letter == " ":
        return Stroke(NAMED["space"])
    if letter in PLAIN:
        return Stroke((ord(letter), PLAIN[letter]))
    return Stroke((ord(letter), SHIFTED[letter]), (SHIFT,)) if letter in SHIFTED else None
