"""How busy things are: what the event stream says of all, and what is read of one over an hour or a day."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from appliance.api.errors import ApiError
from appliance.api.figure import NAMES, NAMESPACES
from zstui import words
from zstui.cells import width
from zstui.i18n import tr
from zstui.plot import Values, area
from zstui.sheet import Item, Told, heading

if TYPE_CHECKING:
    from appliance.client import Session

KEPT = 16
POINTS = 120
FEWEST = 4
"""Points that are shown at least, of which only the last may be known."""

SPANS = {"hour": 3_600, "day": 86_400}
YOUNG_SECONDS = 600
"""What is known of no longer than that is looked at sample by sample."""
YOUNG_FEWEST = 24
"""Points that are shown of it at least: fewer would be a few samples drawn as walls."""

BRIDGED = {86_400: 1, 3_600: 10, YOUNG_SECONDS: 24}
"""Points of a span without a sample over which the value before them goes on."""

NAMESPACE_OF = {"VmInstance": "ZStack/VM", "Host": "ZStack/Host"}

CPU, MEMORY, READ, WRITE, IN, OUT = range(len(NAMES))


@dataclass
class Trend:
    """The newest percents of CPU and of memory of one resource; None where a guest does not say."""

    cpu: deque[float] = field(default_factory=lambda: deque(maxlen=KEPT))
    memory: deque[float | None] = field(default_factory=lambda: deque(maxlen=KEPT))


class Trends(dict[str, Trend]):
    """Those of every resource that is measured now."""

    heard = False
    """Whether anything was said of them yet."""

    def take(self, said: dict[str, Any]) -> None:
        """What the event stream says; what it does not name is as it was."""
        self.heard = True
        named = said["figures"]
        if said["whole"]:
            self.clear()
        for key, trend in self.items():
            if key not in named:
                trend.cpu.append(trend.cpu[-1])
                trend.memory.append(trend.memory[-1])
        for key, series in named.items():
            if not series:
                self.pop(key, None)
                continue
            trend = self.setdefault(key, Trend())
            trend.cpu.extend(series[0])
            trend.memory.extend(series[1])


@dataclass(frozen=True)
class History:
    """All figures of one thing over a span: the highest samples, oldest first, and the newest one of each.

    None where nothing is known; what is now is not known when the newest sample is old.
    """

    span: str
    series: tuple[Values, ...]
    now: tuple[float | None, ...]
    end: float = field(default_factory=words.now)
    """When the span ends, in seconds since 1970."""
    seconds: float = 0.0
    """How long before that it begins, where it is not all of the hour or day."""

    @property
    def length(self) -> float:
        """Seconds from the begin to the end."""
        return self.seconds or SPANS[self.span]

    @property
    def axis(self) -> tuple[str, str]:
        """When the span begins and ends, in words."""
        seconds = self.length
        form = "%H:%M" if self.span == "hour" else "%m-%d %H:%M"
        form = form if seconds >= 600 else "%H:%M:%S"
        begin, end = (time.strftime(form, time.localtime(at)) for at in (self.end - seconds, self.end))
        return begin, end

    @property
    def title(self) -> str:
        """What is shown, and how to see the other."""
        if not self.seconds:
            return span_title(self.span)
        shown = words.duration(self.seconds)
        if self.span == "hour":
            return tr("the last {time}, p shows the day", time=shown)
        return tr("the last {time}, p shows the hour", time=shown)

    @property
    def is_empty(self) -> bool:
        """Whether nothing is known of the whole span."""
        return not any(each is not None for values in self.series for each in values)

    def fitted(self, fewest: int = FEWEST) -> History:
        """From where on something is known: what is young is no line at the edge of an hour."""
        known = (place for place in range(POINTS) if any(values[place] is not None for values in self.series))
        first = min(next(known, 0), POINTS - fewest)
        if not first:
            return self
        series = tuple(values[first:] for values in self.series)
        return replace(self, series=series, seconds=self.length * (POINTS - first) / POINTS)

    def peak(self, metric: int) -> float:
        """The highest value; what is now may be so, before it is in the series."""
        return max(
            (each for each in (*self.series[metric], self.now[metric]) if each is not None), default=0.0
        )


async def read_history(session: Session, namespace: str, key: str, span: str) -> History:
    """Read the figures of one thing, from where on there are any. Raises ApiError."""
    history = (await _read(session, namespace, key, span, SPANS[span])).fitted()
    if 0 < history.seconds <= YOUNG_SECONDS:
        closer = await _read(session, namespace, key, span, YOUNG_SECONDS)
        if not closer.is_empty:
            return replace(closer, seconds=YOUNG_SECONDS).fitted(YOUNG_FEWEST)
    return history


async def _read(session: Session, namespace: str, key: str, span: str, seconds: int) -> History:
    period = seconds // POINTS
    end = int(words.now())
    start = end - seconds
    label = NAMESPACES[namespace]

    async def one(name: str) -> tuple[Values, float | None]:
        reply = await session.call(
            "GetMetricData", namespace=namespace, metric_name=name, period=period,
            start_time=start, end_time=end, labels=[f"{label}={key}"] if label else [],
        )  # fmt: skip
        data = reply["data"]
        values = placed([(each["time"], each["maximum"]) for each in data], start, period, BRIDGED[seconds])
        return values, data[-1]["latest"] if data and values[-1] is not None else None

    try:
        async with asyncio.TaskGroup() as group:
            asked = [group.create_task(one(name)) for name in NAMES]
    except ExceptionGroup as several:
        refused, faults = several.split(ApiError)
        if refused is None or faults is not None:
            raise
        raise refused.exceptions[0] from None  # one says enough, and is what callers expect
    found = [task.result() for task in asked]
    series, now = tuple(values for values, _ in found), tuple(now for _, now in found)
    return History(span, series, now, end)


def placed(data: list[tuple[float, float]], start: int, period: int, bridged: int) -> list[float | None]:
    """Values at their places in the span; in a gap of so many points the value before it goes on."""
    values: list[float | None] = [None] * POINTS
    for at, value in data:
        place = int((at - start) // period)
        if 0 <= place < POINTS:
            values[place] = value
    since = bridged + 1
    last: float | None = None
    for place in range(POINTS):
        if values[place] is not None:
            since, last = 0, values[place]
            continue
        since += 1
        if since <= bridged:
            values[place] = last
    return values


ROOMY = 40
"""Cells of a chart from which on sizes are said with their whole units, in all charts alike."""


@dataclass(frozen=True)
class Chart(Item):
    """A figure over time: its name, what it is now, and an area."""

    values: Values = ()
    top: float = 100.0
    rows: int = 3
    now: str = ""
    brief: tuple[str, str] = ("", "")
    """What it is now and its text in fewer cells than `ROOMY`, where those are others."""
    axis: tuple[str, str] | None = None
    """When its span begins and ends, where that is said below it."""

    def lines(self, cells: int) -> list[Told]:
        """A line of words over the area, and when that begins and ends below it; only words where nothing is."""
        if not any(each is not None for each in self.values):
            return [[(self.label, "dim"), ("  ", "plain"), (tr("not measured"), "faint")]]
        drawn = area(self.values, cells, self.rows, self.top)
        room = cells - width(self.label) - 4
        now, text = self.brief if cells < ROOMY and any(self.brief) else (self.now, self.text)
        text = text if width(now + text) <= room else ""
        return [[(self.label, "dim"), ("  ", "plain"), (now, "strong"), (f"  {text}", "faint")],
                *([(line, self.paint)] for line in drawn),
                *([[(_between(*self.axis, cells), "faint")]] if self.axis else [])]  # fmt: skip


def _between(begin: str, end: str, cells: int) -> str:
    return f"{begin}{end:>{max(0, cells - len(begin))}}" if len(begin) + len(end) < cells else begin


def charts(history: History, memory_bytes: float, rows: int = 3, *, across: int = 1) -> list[Chart]:
    """A chart for CPU, memory, and what goes through disks and network; the last ones `across` say when."""
    made = [_percent(tr("cpu used"), history, rows), _memory(history, memory_bytes, rows)]
    for label, metric, paint in ((tr("disk read"), READ, "busy"), (tr("disk write"), WRITE, "busy"),
                                 (tr("network in"), IN, "good"), (tr("network out"), OUT, "good")):  # fmt: skip
        made.append(_rate(label, history, metric, paint, rows))
    return [*made[:-across], *(replace(chart, axis=history.axis) for chart in made[-across:])]


def chart_items(history: History, memory_bytes: float) -> list[Item]:
    """The charts of one thing, as they stand in its detail."""
    if history.is_empty:
        return []
    return [heading(history.title), *charts(history, memory_bytes)]


def span_title(span: str) -> str:
    """What is shown, and how to see the other."""
    return tr("the last hour, p shows the day") if span == "hour" else tr("the last day, p shows the hour")


def _percent(label: str, history: History, rows: int) -> Chart:
    now = history.now[CPU]
    peak = tr("peak {value}", value=f"{history.peak(CPU):.0f}%")
    return Chart(label, peak, "accent", history.series[CPU], 100.0, rows,
                 "" if now is None else f"{now:.0f}%")  # fmt: skip


def _memory(history: History, memory_bytes: float, rows: int) -> Chart:
    now = history.now[MEMORY]
    top = max(memory_bytes, history.peak(MEMORY)) or 1.0
    # One that is not measured at all says nothing of itself either.
    silent = "" if history.now[CPU] is None else tr("the guest does not say")

    def said(sized: Callable[[float], str]) -> tuple[str, str]:
        of = tr("of {total}", total=sized(memory_bytes)) if memory_bytes else ""
        return silent if now is None else sized(now), of

    told, of = said(words.long_size)
    return Chart(
        tr("memory used"), of, "accent", history.series[MEMORY], top, rows, told, brief=said(words.size)
    )


def _rate(label: str, history: History, metric: int, paint: str, rows: int) -> Chart:
    now, peak = history.now[metric], history.peak(metric)

    def rates(sized: Callable[[float], str]) -> tuple[str, str]:
        told = "" if now is None else f"{sized(now)}/s"
        return told, tr("peak {value}", value=f"{sized(peak)}/s")

    told, said = rates(words.long_size)
    return Chart(label, said, paint, history.series[metric], peak or 1.0, rows, told, rates(words.size))
