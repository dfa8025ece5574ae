"""What a terminal sends for a key, as a guest's programs expect it of a VT220 and its descendants."""

from __future__ import annotations

from textual.events import Key

ESCAPE = "\x1b"
ARROWS = {"up": "A", "down": "B", "right": "C", "left": "D", "home": "H", "end": "F"}
NUMBERED = {"insert": 2, "delete": 3, "pageup": 5, "pagedown": 6, "f5": 15, "f6": 17, "f7": 18, "f8": 19, "f9": 20,
            "f10": 21, "f11": 23, "f12": 24}  # fmt: skip
LETTERED = {"f1": "P", "f2": "Q", "f3": "R", "f4": "S"}
PLAIN = {"enter": "\r", "tab": "\t", "backspace": "\x7f", "escape": ESCAPE, "shift+tab": "\x1b[Z",
         "ctrl+at": "\0", "ctrl+space": "\0", "ctrl+backslash": "\x1c", "ctrl+circumflex_accent": "\x1e",
         "ctrl+caret": "\x1e", "ctrl+underscore": "\x1f", "ctrl+minus": "\x1f", "ctrl+slash": "\x1f",
         "ctrl+h": "\x08", "ctrl+j": "\n", "ctrl+right_square_bracket": "\x1d"}  # fmt: skip
MODIFIERS = {"shift": 1, "alt": 2, "ctrl": 4}


def sent_for(event: Key, *, application: bool = False) -> bytes:
    """The bytes of a key; empty for one that sends nothing. `application` is how some programs want arrows."""
    return text_of(event.key, event.character, application=application).encode()


def text_of(key: str, character: str | None, *, application: bool = False) -> str:
    """What a key of Textual's name, and the letter that it makes, sends."""
    if key in PLAIN:
        return PLAIN[key]
    if key.startswith("alt+"):
        rest = key.removeprefix("alt+")
        if rest in PLAIN or len(rest) == 1:
            return ESCAPE + PLAIN.get(rest, rest)
    *held, name = key.split("+")
    modifier = 1 + sum(MODIFIERS.get(each, 0) for each in held)
    if name in ARROWS:
        if modifier > 1:
            return f"\x1b[1;{modifier}{ARROWS[name]}"
        return f"\x1b{'O' if application else '['}{ARROWS[name]}"
    if name in NUMBERED:
        return f"\x1b[{NUMBERED[name]}{f';{modifier}' if modifier > 1 else ''}~"
    if name in LETTERED:
        return f"\x1b[1;{modifier}{LETTERED[name]}" if modifier > 1 else f"\x1bO{LETTERED[name]}"
    if held == ["ctrl"] and len(name) == 1 and name.isalpha():
        return chr(ord(name.upper()) - 64)
    return character if character is not None and character.isprintable() else ""
