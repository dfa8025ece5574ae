"""Values in the words of people: sizes, dates, ages, labels."""

from __future__ import annotations

import re
import time
from datetime import datetime
from functools import lru_cache

from zstui.i18n import language, tr
from zstui.i18n.pseudo import PSEUDO

MONTHS = {
    name: place
    for place, name in enumerate(
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"], start=1
    )
}
WIRE_DATE = re.compile(r"(\w{3}) (\d+), (\d+) (\d+):(\d+):(\d+) ([AP])M")
NUMBERS = re.compile(r"\d+")
SIZE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([kmgtp]?)(?:i?b)?\s*", re.IGNORECASE)
UNITS = "kmgtp"
DURATION = re.compile(r"\s*(\d+)\s*([dhms]?)\s*", re.IGNORECASE)
DURATIONS = {"d": 86400, "h": 3600, "m": 60, "s": 1}
SHORT = {"sshkey": "ssh key", "userdata": "user data", "instance offering": "offering", "vm instance": "VM",
         "default l3 network": "default network", "l3 networks": "networks",
         "network service provider": "service provider", "hypervisor type": "hypervisor",
         "cpu num": "CPUs", "cpu speed": "MHz",
         "target resource type": "kind of target", "resource type": "kind of resource",
         "identity": "account", "meta data": "VM number",
         "last op date": "last change", "expired date": "expires", "join date": "joined"}  # fmt: skip
"""Labels that are clearer in other words than their field's name."""


def plain() -> bool:
    """Whether dates and units are written as in English."""
    return language() in ("en", PSEUDO)


def now() -> float:
    """Seconds since 1970. The one clock of the screens, so that tests can set it."""
    return time.time()


@lru_cache(maxsize=20_000)
def seconds(wire: str) -> float:
    """Seconds since 1970 of a date as the appliance writes it, `Jan 30, 2016 3:01:03 PM`; 0 if it is none."""
    found = WIRE_DATE.fullmatch(wire)
    if found is None:
        return 0.0
    month, day, year, hour, minute, second, half = found.groups()
    hours = int(hour) % 12 + (12 if half == "P" else 0)
    return time.mktime((int(year), MONTHS[month], int(day), hours, int(minute), int(second), 0, 0, -1))


def clock(wire: str) -> str:
    """The time of day of a date; of another day, the day."""
    then = time.localtime(seconds(wire))
    today = time.localtime(now())
    if then[:3] == today[:3]:
        return time.strftime("%H:%M:%S", then)
    if plain():
        return time.strftime("%b %d", then)
    from babel.dates import format_skeleton

    return str(format_skeleton("MMMd", datetime(*then[:6]), locale=language()))  # noqa: DTZ001 - local


def date(wire: str) -> str:
    """A date in full, in English sortable: `2016-01-30 15:01:03`."""
    then = time.localtime(seconds(wire))
    if not seconds(wire):
        return wire
    if plain():
        return time.strftime("%Y-%m-%d %H:%M:%S", then)
    from babel.dates import format_date

    day = format_date(datetime(*then[:6]), "long", locale=language())  # noqa: DTZ001 - local
    return f"{day} {time.strftime('%H:%M:%S', then)}"


def age(wire: str) -> str:
    """How long ago a date was, in one unit: `12s`, `5m`, `3h`, `2d`; empty when it never was."""
    then = seconds(wire)
    return duration(max(0.0, now() - then)) if then > 0 else ""


def ahead(wire: str) -> str:
    """In how long a date will be: `in 23h`; empty when it is past, or none."""
    left = seconds(wire) - now()
    return tr("in {time}", time=duration(left)) if left > 0 else ""


def dated(wire: str) -> str:
    """A date in full, and how far it is from now; empty when it never was."""
    if seconds(wire) <= 0:
        return ""
    if later := ahead(wire):
        return tr("{date}, {later}", date=date(wire), later=later)
    return tr("{date}, {age} ago", date=date(wire), age=age(wire))


def duration(length: float) -> str:
    """A length of time in seconds, in one unit."""
    for size, unit in ((86400, "day"), (3600, "hour"), (60, "minute"), (1, "second")):
        if length >= size or size == 1:
            return _units(int(length // size), unit, language())
    return ""


def duration_in(number: float, unit: str) -> str:
    """So many of a unit: `day`, `hour`, `minute`, `second`."""
    return _units(int(number), unit, language())


@lru_cache(maxsize=2000)
def _units(number: int, unit: str, spoken: str) -> str:
    if plain():
        return f"{number}{unit[0]}"
    from babel.units import format_unit

    return str(format_unit(number, f"duration-{unit}", length="short", locale=spoken)).replace(" ", "")


def size(count: float) -> str:
    """A number of bytes, short: `512M`, `1.5G`."""
    return _scaled(count, "")


def long_size(count: float) -> str:
    """A number of bytes with its unit: `512 MiB`."""
    return _scaled(count, " ") + ("iB" if count >= 1024 else "")


def _scaled(count: float, gap: str) -> str:
    if count < 1024:
        return f"{count:.0f}{gap}B"
    for unit in UNITS.upper():
        count /= 1024
        if count < 1000 or unit == "P":
            break
    text = f"{count:.1f}".removesuffix(".0") if count < 100 else f"{count:.0f}"
    return f"{text}{gap}{unit}"


def read_size(text: str) -> int | None:
    """Bytes of a size as people write it: `512M`, `1.5 GiB`, `4096`; None when it is none."""
    found = SIZE.fullmatch(text)
    if found is None:
        return None
    number, unit = found.groups()
    power = UNITS.index(unit.lower()) + 1 if unit else 0
    return int(float(number) * 1024**power)


def whole_duration(length: int) -> str:
    """A length of time in seconds as it is typed, in the largest unit that it is whole in: `30d`, `90m`."""
    unit, size = next((unit, size) for unit, size in DURATIONS.items() if length % size == 0)
    return f"{length // size}{unit}"


def read_duration(text: str) -> int | None:
    """Seconds of a length of time as people write it: `30d`, `12h`, `3600`; None when it is none."""
    found = DURATION.fullmatch(text)
    return int(found[1]) * DURATIONS[found[2].lower() or "s"] if found is not None else None


def label(wire: str) -> str:
    """A field's name in words: `managementIp` is `management ip`, `zoneUuid` is `zone`."""
    words = re.sub(r"(?<=[a-z0-9])([A-Z])", r" \1", wire)
    words = re.sub(r" Uuid(s?)$", r"\1", words) if " " in words else words
    words = words.replace("_", " ").lower()
    return SHORT.get(words, words)


def lowered(text: str) -> str:
    """With a small letter at its begin, as calls and the hints of keys have it; a word of capitals keeps them."""
    return text if text[1:2].isupper() else f"{text[:1].lower()}{text[1:]}"


def first_paragraph(doc: str | None) -> str:
    """What a declaration says of itself first, on one line."""
    return " ".join((doc or "").split("\n\n")[0].split())


@lru_cache(maxsize=20_000)
def natural(text: str) -> str:
    """A text that sorts `web-2` before `web-10`: each number begins with how long it is, before all letters."""
    return NUMBERS.sub(_sortable, text.casefold())


def _sortable(number: re.Match[str]) -> str:
    written = number[0]
    digits = (written if written.isascii() else str(int(written))).lstrip("0") or "0"  # of any script
    return f"\0{len(digits):04}{digits}"
