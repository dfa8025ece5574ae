"""The addresses of a network: which are taken, by whom and since when, as a map and as lines."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from zstui import words
from zstui.cells import fit, safe, width
from zstui.i18n import mark, tr
from zstui.mirror import Mirror, Row

NAME_CELLS = 28
"""Cells of a name in the list at most."""
GAP_CELLS = 2
LEAD_CELLS = 2 + 15 + GAP_CELLS
"""A sign and an address."""

FREE = ("·", "faint")
ROUTER = ("R", "accent")
SERVER = ("D", "accent")
RUNNING = ("■", "good")
RESTING = ("□", "plain")
LEGEND = mark("■ running  □ not running  D the DHCP server  R the router  · free")


@dataclass(frozen=True)
class Use:
    """What an address is taken by: its sign on the map, and words for the list."""

    sign: tuple[str, str]
    name: str
    note: str = ""
    since: str = ""


@dataclass(frozen=True)
class Span:
    """A range of addresses as numbers, both ends included."""

    name: str
    first: int
    last: int

    @property
    def count(self) -> int:
        """How many addresses it has."""
        return self.last - self.first + 1

    def taken(self, uses: dict[int, Use]) -> int:
        """How many of them somebody has."""
        return sum(self.first <= number <= self.last for number in uses)


def spans_of(network: Row) -> list[Span]:
    """The ranges of a network, lowest first."""
    found = []
    for each in network.get("ipRanges", []):
        first, last = (int(ipaddress.ip_address(str(each[end]))) for end in ("startIp", "endIp"))
        found.append(Span(safe(str(each.get("name", ""))), first, last))
    return sorted(found, key=lambda span: span.first)


def uses_of(network: Row, taken: list[dict[str, Any]], mirror: Mirror) -> dict[int, Use]:
    """Every address of a network that somebody has, by number. `taken` are UsedIp inventories."""
    vms = {str(nic.get("uuid")): (vm, nic) for vm in mirror.all("VmInstance") for nic in vm.get("vmNics", [])}
    found: dict[int, Use] = {}
    for each in network.get("ipRanges", []):
        if each.get("gateway"):
            found[number(str(each["gateway"]))] = Use(ROUTER, tr("router"))
    for each in taken:
        since = str(each.get("createDate") or "")
        holder = str(each.get("usedFor"))
        if holder in vms:
            vm, nic = vms[holder]
            sign = RUNNING if vm.get("state") == "Running" else RESTING
            found[number(str(each["ip"]))] = Use(sign, vm.name, safe(str(nic.get("mac") or "")), since)
        elif holder == "DHCP":
            found[number(str(each["ip"]))] = Use(
                SERVER, tr("DHCP server"), tr("the same on every host"), since
            )
        else:
            found[number(str(each["ip"]))] = Use(
                RESTING, tr("a NIC that is not known here"), safe(holder), since
            )
    return found


def number(address: str) -> int:
    """An address as a number."""
    return int(ipaddress.ip_address(address))


def written(address: int) -> str:
    """A number as an address."""
    return str(ipaddress.ip_address(address))


def per_line(cells: int) -> int:
    """How many addresses stand on a line of the map: a power of two, so that lines begin at round ones."""
    return next((count for count in (128, 64, 32, 16) if count + count // 8 + 17 <= cells), 8)


def rows_of(span: Span, count: int) -> range:
    """The lines of a range's map: numbers at which they begin, each a multiple of how many stand on one."""
    return range(span.first - span.first % count, span.last + 1, count)


def map_line(span: Span, start: int, count: int, uses: dict[int, Use]) -> list[tuple[str, str]]:
    """A line of the map in texts and paints: the address that it begins with, then signs in groups of eight."""
    parts = [(f"{written(start):15}  ", "dim")]
    for place in range(count):
        address = start + place
        inside = span.first <= address <= span.last
        use = uses.get(address)
        parts.append(use.sign if use is not None else FREE if inside else (" ", "plain"))
        if place % 8 == 7:
            parts.append((" ", "plain"))
    return parts


def since_words(use: Use, *, aged: bool) -> str:
    """Since when somebody has an address, and how long that is."""
    return words.dated(use.since) if aged else words.date(use.since)


def list_cells(uses: Iterable[Use], room: int) -> tuple[int, int, bool]:
    """How wide names and dates of a list are, and whether so many cells have room for how long that is, too."""
    listed = list(uses)
    names = min(max((width(use.name) for use in listed), default=0), NAME_CELLS)
    dates = max((width(since_words(use, aged=True)) for use in listed), default=0)
    if LEAD_CELLS + names + GAP_CELLS + dates <= room:
        return names, dates, True
    return names, max((width(since_words(use, aged=False)) for use in listed), default=0), False


def list_line(address: int, use: Use, cells: tuple[int, int, bool], room: int) -> list[tuple[str, str]]:
    """Who has an address, and since when, in columns of so many cells; a note only where it fits whole."""
    names, dates, aged = cells
    since = fit(since_words(use, aged=aged), dates)
    left = room - LEAD_CELLS - names - GAP_CELLS - dates - GAP_CELLS
    return [
        (f"{use.sign[0]} ", use.sign[1]), (f"{written(address):15}  ", "plain"),
        (f"{fit(use.name, names)}  ", "strong"), (f"{since}  ", "dim"),
        (use.note if width(use.note) <= left else "", "faint"),
    ]  # fmt: skip
