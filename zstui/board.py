"""The whole cloud as lines: what it has, how it is, what needs attention, and how busy it was."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from zstui import words
from zstui.attention import Concern
from zstui.cells import fit, width
from zstui.figures import History, charts, span_title
from zstui.i18n import enumerated, tr
from zstui.mirror import Mirror, Row
from zstui.paint import STANDING, bar, load_paint, paint_of, state_piece
from zstui.plot import sparkline
from zstui.sheet import Told
from zstui.states import state_counted
from zstui.values import word

SIDE_BY_SIDE = 72
"""Cells from which on two blocks stand beside each other."""
THREE = 132
"""And three."""

GAP = 3
LABEL = 11
BUSIEST = 5
STATES = ("Running", STANDING, "Stopped", "Unknown", "Destroyed")

POINTER = "▐"
"""What stands before what the cursor is on."""

Block = list[Told]


@dataclass(frozen=True)
class Share:
    """How much of something is taken."""

    label: str
    used: float
    total: float
    told: str

    @property
    def part(self) -> float:
        """From 0 to 1."""
        return max(0.0, min(1.0, self.used / self.total)) if self.total else 0.0


def shares(mirror: Mirror) -> list[Share]:
    """CPU and memory that VMs were promised, and how full disks are."""
    return [
        _share(tr("cpu"), mirror.all("Host"), "Cpu", lambda value: f"{value / 1000:.1f} GHz"),
        _share(tr("memory"), mirror.all("Host"), "Memory", words.long_size),
        _share(tr("VM disks"), mirror.all("PrimaryStorage"), "", words.long_size),
        _share(tr("images"), mirror.all("BackupStorage"), "", words.long_size),
    ]


def _share(label: str, rows: Iterable[Row], what: str, said: Any) -> Share:
    listed = list(rows)
    total = sum(row.get(f"total{what}Capacity") or 0 for row in listed)
    used = total - sum(row.get(f"available{what}Capacity") or 0 for row in listed)
    return Share(label, used, total, tr("{used} of {total}", used=said(used), total=said(total)))


def title(text: str, cells: int) -> Told:
    """A heading with a rule behind it."""
    shown = fit(text, min(cells, width(text)))
    return [(f"{shown} ", "accent"), ("╌" * max(0, cells - width(shown) - 1), "faint")]


def capacity(mirror: Mirror, cells: int) -> Block:
    """What there is, and how much of it is taken."""
    block = [title(tr("capacity"), cells)]
    for share in shares(mirror):
        percent = f"{share.part:4.0%}" if share.total else "   –"
        long = max(4, cells - LABEL - 5 - 22) if cells >= 50 else max(4, cells - LABEL - 5)
        whole = bar(share.part, long)
        full = whole.rstrip("╌")
        paint = load_paint(share.part) if share.part >= 0.8 else "accent"
        told = f"  {share.told}" if cells >= 50 and share.total else ""
        block.append([(fit(share.label, LABEL - 1) + " ", "dim"), (full, paint), (whole[len(full) :], "faint"),
                      (f" {percent}", "plain"), (told, "faint")])  # fmt: skip
    return block


def health(mirror: Mirror, cells: int) -> Block:
    """Hosts and storages that answer, and VMs by state."""
    block = [title(tr("health"), cells)]
    for label, kinds in ((tr("hosts"), ("Host",)), (tr("storage"), ("PrimaryStorage", "BackupStorage"))):
        rows = [row for kind in kinds for row in mirror.all(kind)]
        up = sum(row.get("status") == "Connected" for row in rows)
        paint = "good" if up == len(rows) else "bad"
        counted = f"{up}/{len(rows)} " if rows or mirror.status != "connecting" else "– "
        block.append([(fit(label, LABEL - 1) + " ", "dim"), (counted, paint), (tr("connected"), "dim")])
    counts: dict[str, int] = {}
    for vm in mirror.all("VmInstance"):
        counts[state_counted(vm)] = counts.get(state_counted(vm), 0) + 1
    named = [*(state for state in STATES if state in counts), *sorted(counts.keys() - set(STATES))]
    line: Told = [(fit(tr("VMs"), LABEL - 1) + " ", "dim")]
    for state in named:
        told = [(f"{state_piece(state)[0].split()[0]} {counts[state]} ", paint_of(state)),
                (word(state).lower(), "dim")]  # fmt: skip
        between = [("  ", "dim")] if len(line) > 1 else []
        if between and sum(width(text) for text, _ in (*line, *between, *told)) > cells:
            block.append(line)
            line, between = [(" " * LABEL, "dim")], []
        line += [*between, *told]
    block.append(
        line if named else [*line, (tr("none yet") if mirror.status != "connecting" else "–", "faint")]
    )
    running = sum(job.get("state") == "Running" for job in mirror.all("LongJob"))
    block.append([(fit(tr("jobs"), LABEL - 1) + " ", "dim"), (f"{running} ", "busy" if running else "plain"),
                  (tr("under way"), "dim")])  # fmt: skip
    return block


def busiest(mirror: Mirror, cells: int) -> Block:
    """The VMs that use most of their CPUs."""
    block = [title(tr("busiest VMs"), cells)]
    found = [(mirror.figures[vm.key], vm) for vm in mirror.all("VmInstance") if vm.key in mirror.figures]
    for trend, vm in sorted(found, key=lambda pair: (-pair[0].cpu[-1], pair[1].by_name))[:BUSIEST]:
        percent = trend.cpu[-1]
        line = sparkline(list(trend.cpu), 12, 100.0)
        block.append([(fit(vm.name, max(4, cells - 18)), "strong"), (f" {line}", load_paint(percent / 100)),
                      (f" {percent:3.0f}%", "plain")])  # fmt: skip
    return block if found else [*block, _none_measured(read=mirror.figures.heard)]


def _none_measured(*, read: bool) -> Told:
    return [(tr("Nothing is measured yet.") if read else tr("Reading …"), "faint")]


def attention(found: list[Concern], cells: int, cursor: int, most: int, *, known: bool) -> Block:
    """What somebody should look at, where that is `known`; how many more there are below and above."""
    block = [title(tr("needs attention"), cells)]
    if not found and not known:
        return [*block, [(tr("Reading …"), "faint")]]
    if not found:
        return [*block, [("✓ ", "good"), (tr("Nothing. All is well."), "dim")]]
    first = max(0, min(cursor - most + 1, len(found) - most))
    for place, each in enumerate(found[first : first + most], start=first):
        edge = POINTER if place == cursor else " "
        block.append([(edge, "accent"), (f"{each.sign} ", each.paint),
                      (fit(each.text, cells - 3), "strong" if place == cursor else "plain")])  # fmt: skip
    below = len(found) - most - first
    hidden = [tr("and {number} more", number=below)] if below > 0 else []
    hidden += [tr("{number} above", number=first)] if first > 0 else []
    return [*block, [(f"   {enumerated(hidden)}", "faint")]] if hidden else block


def busy(mirror: Mirror, history: History | None, span: str, cells: int, rows: int) -> Block:
    """How busy all hosts were, as charts beside and below each other."""
    block = [title(span_title(span) if history is None else history.title, cells)]
    if history is None or history.is_empty:
        return [*block, _none_measured(read=history is not None)]
    memory = sum(host.get("totalMemoryCapacity") or 0 for host in mirror.all("Host"))
    across = 3 if cells >= THREE else 2 if cells >= SIDE_BY_SIDE else 1
    each = (cells - GAP * (across - 1)) // across
    lines_each = max(1, (rows - 2) // ((6 + across - 1) // across) - 1)
    made = [chart.lines(each) for chart in charts(history, memory, lines_each, across=across)]
    for place in range(0, len(made), across):
        block += beside([(part, each) for part in made[place : place + across]])
    return block


def beside(blocks: list[tuple[Block, int]]) -> Block:
    """Blocks as one, each in so many cells, with a gap between them."""
    lines: Block = []
    for place in range(max(len(block) for block, _ in blocks)):
        line: Told = []
        for number, (block, cells) in enumerate(blocks):
            line += cropped(block[place] if place < len(block) else [], cells)
            line += [(" " * GAP, "plain")] if number < len(blocks) - 1 else []
        lines.append(line)
    return lines


def cropped(line: Told, cells: int) -> Told:
    """A line in exactly so many cells."""
    kept: Told = []
    for text, paint in line:
        room = cells - sum(width(each) for each, _ in kept)
        kept.append((text if width(text) <= room else fit(text, room), paint))
    return [*kept, (" " * max(0, cells - sum(width(each) for each, _ in kept)), "plain")]


def board(
    mirror: Mirror,
    found: list[Concern],
    history: History | None,
    *,
    span: str,
    cursor: int,
    size: tuple[int, int],
) -> tuple[Block, int]:
    """All of it in so many cells and rows, and the line on which attention begins."""
    cells, rows = size
    across = 3 if cells >= THREE else 2 if cells >= SIDE_BY_SIDE else 1
    each = (cells - GAP * (across - 1)) // across
    parts = [capacity, health, busiest][: max(2, across)]
    looked_at = [*attention(found, cells, cursor, max(3, rows // 4), known=mirror.status != "connecting"), []]
    if across == 1:
        begins = 1
        lines = looked_at + [line for part in parts for line in [*part(mirror, cells), []]]
    else:
        lines = [*beside([(part(mirror, each), each) for part in parts]), []]
        begins = len(lines) + 1
        lines += looked_at
    lines += busy(mirror, history, span, cells, max(6, rows - len(lines) - 1))
    if across == 2:
        lines += [[], *busiest(mirror, cells)] if rows - len(lines) > BUSIEST + 1 else []
    return [cropped(line, cells) for line in lines], begins
