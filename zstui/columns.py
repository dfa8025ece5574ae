"""The columns of each list: how a row's values are shown, painted, sorted, and which give way first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from appliance.api.resource import RESOURCES, Timestamp
from zstui import values, words
from zstui.cells import safe
from zstui.i18n import mark, tr
from zstui.i18n.server_texts import said
from zstui.mirror import Mirror, Row
from zstui.paint import Piece, bar, load_paint, state_piece
from zstui.plot import Values, sparkline
from zstui.states import OFF, state_painted, vm_state, why

Show = Callable[[Row, Mirror], Piece]
SortKey = tuple[int, Any]


SPARK = 6
"""Cells of a line that says how busy something was."""

GAP = 2
"""Cells between two columns."""


@dataclass(frozen=True, eq=False)
class Column:
    """One column: `rank` 0 always stays, of the others the highest is left out first when space is short."""

    title: str
    show: Show
    rank: int = 0
    most: int = 40
    right: bool = False
    number: Callable[[Row, Mirror], float | tuple[float, int] | None] | None = None
    """What to sort by, when it is not the text."""
    live: bool = False
    """Whether it shows figures, which change without their rows."""
    also: str = ""
    """What else a filter may call it."""
    fewest: int = 0
    """Cells to which it is cut before any is left out: the beginning of a sentence says most. 0: it is whole or out."""

    @property
    def called(self) -> str:
        """The title as the user's language has it within a sentence."""
        return tr(self.title.lower())

    @property
    def heading(self) -> str:
        """The title as it stands over the column."""
        return self.called.upper()

    def sort_key(self, row: Row, mirror: Mirror) -> SortKey:
        """What the rows of this column are ordered by; those without a value come last."""
        if self.number is not None:
            value = self.number(row, mirror)
            return (1, 0.0) if value is None else (0, value)
        text = self.show(row, mirror)[0]
        return (0, words.natural(text)) if text else (1, "")


def fit_columns(columns: tuple[Column, ...], widths: dict[str, int], room: int) -> list[tuple[Column, int]]:
    """The columns that fit into so many cells, and their widths: those of highest rank go, then the widest give.

    One that may be cut (`fewest`) gives first, and goes only where the fewest of its cells do not fit. What went
    before a wider one did comes back where there is room for it then.
    """
    shown = [column for column in columns if column.title in widths]
    chosen = list(shown)

    def needed(some: list[Column]) -> int:
        return sum(_needed(each, widths) + GAP for each in some) - GAP

    while needed(chosen) > room:
        last = max(chosen, key=lambda column: column.rank)
        if last.rank == 0:
            break
        chosen.remove(last)
    for column in sorted(shown, key=lambda column: column.rank):
        if column not in chosen and needed([*chosen, column]) <= room:
            chosen.append(column)
    chosen.sort(key=shown.index)
    over = max(0, sum(widths[each.title] + GAP for each in chosen) - GAP - room)
    cells = []
    for column in chosen:
        cut = min(over, widths[column.title] - _needed(column, widths))
        cells.append(widths[column.title] - cut)
        over -= cut
    for _ in range(over):
        widest = cells.index(max(cells))
        cells[widest] = max(1, cells[widest] - 1)
    return list(zip(chosen, cells, strict=True))


def _needed(column: Column, widths: dict[str, int]) -> int:
    """The cells without which a column is left out."""
    return min(widths[column.title], column.fewest) if column.fewest else widths[column.title]


SPOKEN = (mark("Root"), mark("Data"), mark("System"), mark("User"))
"""Types that are words already."""


def shown(row: Row, wire: str) -> str:
    """A value as it is read: what the appliance has words for in the user's, all else as it is."""
    value = row.get(wire)
    if isinstance(value, bool):
        return tr("yes") if value else tr("no")
    if wire in values.WIRES or (wire == "name" and row.kind == "Event"):
        return values.word(row.text(wire))
    if wire in values.SAID:
        return said(row.text(wire))
    return tr(row.text(wire)) if wire == "description" and row.kind == "GlobalConfig" else row.text(wire)


def text(title: str, wire: str, *, paint: str = "plain", rank: int = 0, most: int = 40) -> Column:
    """A column of a plain value."""
    return Column(title, lambda row, _: (shown(row, wire), paint), rank, most)


def name_column(most: int = 40) -> Column:
    """The column that every list begins with. Rows that are alike in a column are ordered by their names anyway."""
    return Column("NAME", lambda row, _: (row.name, "strong"), 0, most, number=lambda row, _: 0)


def state(title: str, wire: str, *, rank: int = 0) -> Column:
    """A column of a state with its sign."""
    return Column(title, lambda row, _: state_piece(row.text(wire)), rank, 18)


def status() -> Column:
    """A column of what matters most of a status and a state."""
    return Column("STATUS", state_painted, 0, 22, also="state")


def named(title: str, wire: str, *, rank: int = 0, most: int = 24) -> Column:
    """A column that names what a uuid means."""
    return Column(title, lambda row, mirror: (mirror.name(row.get(wire)), "dim"), rank, most)


def number(title: str, wire: str, *, rank: int = 0) -> Column:
    """A column of a number."""
    return Column(title, lambda row, _: (row.text(wire), "dim"), rank, 12, right=True, number=_number(wire))


def bytes_(title: str, wire: str, *, rank: int = 0) -> Column:
    """A column of a size."""

    def show(row: Row, _: Mirror) -> Piece:
        value = row.get(wire)
        return (words.size(value) if value else "", "dim")

    return Column(title, show, rank, 8, right=True, number=_number(wire))


def ago(title: str, date: str | Callable[[Row, Mirror], str], *, rank: int = 0) -> Column:
    """A column of how long ago something was, by a date's wire name or what finds it; the newest first downward."""

    def dated(row: Row, mirror: Mirror) -> str:
        return row.text(date) if isinstance(date, str) else date(row, mirror)

    def when(row: Row, mirror: Mirror) -> float | None:
        return words.seconds(dated(row, mirror)) or None

    def show(row: Row, mirror: Mirror) -> Piece:
        return words.age(dated(row, mirror)), "dim"

    return Column(title, show, rank, 6, right=True, number=when)


def moment(title: str, wire: str, *, rank: int = 0) -> Column:
    """A column of when something was or will be."""

    def when(row: Row, _: Mirror) -> float | None:
        return words.seconds(row.text(wire)) or None

    def show(row: Row, _: Mirror) -> Piece:
        return words.ahead(row.text(wire)) or words.age(row.text(wire)), "dim"

    return Column(title, show, rank, 10, right=True, number=when)


def used(title: str, free: str, total: str, *, rank: int = 0) -> Column:
    """A column of how full something is."""

    def share(row: Row, _: Mirror) -> float | None:
        whole = row.get(total) or 0
        return (whole - (row.get(free) or 0)) / whole if whole else None

    def show(row: Row, mirror: Mirror) -> Piece:
        value = share(row, mirror)
        return ("", "dim") if value is None else (f"{bar(value, 6)} {value:4.0%}", load_paint(value))

    return Column(title, show, rank, 12, number=share)


def busy(title: str, which: str, *, rank: int) -> Column:
    """A column of how busy something is, and was just before."""

    def trend(row: Row, mirror: Mirror) -> Values:
        found = mirror.figures.get(row.key) if row.get("state") not in OFF else None
        return [] if found is None else list(getattr(found, which))

    def show(row: Row, mirror: Mirror) -> Piece:
        values = trend(row, mirror)
        if not values:
            return "", "dim"
        drawn, now = sparkline(values, SPARK, 100.0), values[-1]
        return (f"{drawn}    –", "dim") if now is None else (f"{drawn} {now:3.0f}%", load_paint(now / 100))

    def latest(row: Row, mirror: Mirror) -> float | None:
        values = trend(row, mirror)
        return values[-1] if values else None

    return Column(title, show, rank, SPARK + 5, number=latest, live=True)


def _number(wire: str) -> Callable[[Row, Mirror], float | None]:
    def value(row: Row, _: Mirror) -> float | None:
        found = row.get(wire)
        return float(found) if isinstance(found, (int, float)) else None

    return value


def _addresses(row: Row, _: Mirror) -> Piece:
    return " ".join(safe(str(nic["ip"])) for nic in row.get("vmNics", []) if nic.get("ip")), "plain"


def _vms_on(row: Row, mirror: Mirror) -> float:
    return float(sum(1 for vm in mirror.all("VmInstance") if vm.get("hostUuid") == row.key))


def _cidr(row: Row, _: Mirror) -> Piece:
    return " ".join(
        dict.fromkeys(safe(str(each["networkCidr"])) for each in row.get("ipRanges", []))
    ), "plain"


def _services(row: Row, _: Mirror) -> Piece:
    kinds = sorted(safe(str(each["networkServiceType"])) for each in row.get("networkServices", []))
    return " ".join(kinds), "dim"


def nics_on(row: Row, mirror: Mirror) -> list[tuple[Row, dict[str, Any]]]:
    """The NICs on an L3 network, each with its VM."""
    return [
        (vm, nic)
        for vm in mirror.all("VmInstance")
        for nic in vm.get("vmNics", [])
        if nic.get("l3NetworkUuid") == row.key
    ]


VM = (
    name_column(28),
    Column("STATE", vm_state, 0, 18),
    Column("ADDRESS", _addresses, 1, 31),
    named("HOST", "hostUuid", rank=2, most=18),
    busy("CPU%", "cpu", rank=3),
    busy("MEM%", "memory", rank=4),
    Column("WHY", why, 2, 28),
    number("CPU", "cpuNum", rank=5),
    bytes_("MEM", "memorySize", rank=4),
    named("IMAGE", "imageUuid", rank=7, most=20),
    ago("CHANGED", lambda row, mirror: mirror.state_since(row), rank=6),
)
HOST = (
    name_column(24),
    status(),
    text("ADDRESS", "managementIp", rank=1, most=20),
    Column("VMS", lambda row, mirror: (f"{_vms_on(row, mirror):.0f}", "plain"), 2, 6, True, _vms_on),
    busy("CPU USED", "cpu", rank=5),
    busy("MEM USED", "memory", rank=5),
    used("CPU ALLOTTED", "availableCpuCapacity", "totalCpuCapacity", rank=3),
    used("MEM ALLOTTED", "availableMemoryCapacity", "totalMemoryCapacity", rank=3),
    text("RUNS BY", "accelerator", paint="dim", rank=7),
    named("CLUSTER", "clusterUuid", rank=8),
    Column("WHY", lambda row, _: (said(row.text("statusReason")), "warn"), 4, 40),
)
NETWORK = (
    name_column(24),
    state("STATE", "state", rank=5),
    Column("SUBNET", _cidr, 0, 36),
    named("L2", "l2NetworkUuid", rank=3, most=18),
    Column("SERVICES", _services, 2, 28),
    Column("NICS", lambda row, mirror: (str(len(nics_on(row, mirror))), "plain"), 1, 6, True,
           lambda row, mirror: float(len(nics_on(row, mirror)))),
    Column("DNS", lambda row, _: (" ".join(safe(str(each)) for each in row.get("dns", [])), "dim"), 4, 24),
    ago("AGE", "createDate", rank=6),
)  # fmt: skip
IMAGE = (
    name_column(28),
    status(),
    text("FORMAT", "format", paint="dim", rank=3),
    bytes_("DISK", "size", rank=1),
    bytes_("FILE", "actualSize", rank=2),
    text("KIND", "mediaType", paint="dim", rank=5, most=20),
    text("PLATFORM", "platform", paint="dim", rank=6),
    text("FROM", "url", paint="dim", rank=7, most=50),
    ago("AGE", "createDate", rank=4),
)
STORAGE = (
    name_column(24),
    Column(
        "KIND",
        lambda row, _: (tr("VM disks") if row.kind == "PrimaryStorage" else tr("images"), "dim"),
        1,
        10,
    ),
    status(),
    used("USED", "availableCapacity", "totalCapacity", rank=2),
    bytes_("FREE", "availableCapacity", rank=3),
    text("MACHINE", "hostname", paint="dim", rank=5, most=20),
    text("FOLDER", "url", paint="dim", rank=4, most=40),
    Column("WHY", lambda row, _: (said(row.text("statusReason")), "warn"), 6, 40),
)
EVENT = (
    Column("WHEN", lambda row, _: (words.clock(row.text("createDate")), "dim"), 0, 8,
           number=lambda row, _: float(row.key) if row.key.isdecimal() else None),
    text("OF", "resourceName", paint="strong", rank=2, most=24),
    Column("WHAT HAPPENED", lambda row, _: (said(row.text("text")), {"error": "bad", "warning": "warn"}.get(
        row.text("level"), "plain")), 0, 200),
    text("KIND", "name", paint="faint", rank=3, most=22),
)  # fmt: skip


def columns_of(kind: str) -> tuple[Column, ...]:
    """Columns of a resource that nobody made a list for: name, states and plain values, from its declaration."""
    found: list[Column] = []
    for column in RESOURCES[kind].columns.values():
        if column.private or column.wire in values.UNNAMED or column.wire in ("uuid", "lastOpDate"):
            continue
        rank = 0 if not found else len(found)
        title = words.label(column.wire).upper()
        if column.wire == "name":
            found.insert(0, name_column())
        elif column.wire in ("state", "status"):
            found.append(state(title, column.wire, rank=1))
        elif column.wire.endswith("Uuid"):
            found.append(named(title, column.wire, rank=rank))
        elif column.kind is Timestamp:
            made = column.wire == "createDate"
            found.append(ago("AGE", column.wire, rank=2) if made else moment(title, column.wire, rank=rank))
        elif column.kind is int and ("capacity" in column.name or "size" in column.name):
            found.append(bytes_(title, column.wire, rank=rank))
        elif column.kind is int:
            found.append(number(title, column.wire, rank=rank))
        else:
            found.append(text(title, column.wire, paint="dim", rank=rank + 3))
    return tuple(found)
