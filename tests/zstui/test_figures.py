"""Plots: what they draw, what the lists and details show of them, and the overview."""

from __future__ import annotations

import asyncio
import math
import time
from typing import Any, cast

import pytest

from appliance.client import Session, Unreachable
from appliance.plans.figures import Reading, paced
from tests.zstui.conftest import LARGE, SMALL, Cloud, Screens, screens
from zstui import words
from zstui.attention import concerns
from zstui.board import board, health
from zstui.cells import width
from zstui.columns import SPARK, VM, fit_columns
from zstui.figures import CPU, IN, MEMORY, OUT, POINTS, History, Trend, Trends, charts, placed, read_history
from zstui.mirror import FIGURES, Mirror, Row
from zstui.nouns import WATCHED
from zstui.paint import state_piece
from zstui.plot import area, sparkline, spread
from zstui.screens.overview import Board, Overview

WAVE = tuple(50 + 40 * math.sin(place / 9) for place in range(POINTS))


@pytest.fixture(autouse=True)
def _utf8(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zstui.plot.only_ascii", lambda: False)


def test_a_sparkline_has_a_cell_for_each_of_the_newest_values() -> None:
    assert sparkline([0, 50, 100, 200], 4, 100.0) == "▁▅██"
    assert sparkline([1, 2, 100], 2, 100.0) == "▁█"
    assert sparkline([100, None], 4, 100.0) == "  █ "
    assert sparkline([], 3, 100.0) == "   "


def test_an_area_is_filled_from_below_and_leaves_gaps_empty() -> None:
    assert area([100, 100, None, None], 2, 2, 100.0) == ["⣿ ", "⣿ "]
    assert area([0, 0], 1, 2, 100.0) == [" ", "⣀"]
    assert area([0, 100], 1, 1, 100.0) == ["⣸"]
    assert all(width(line) == 7 for line in area(WAVE, 7, 3, 100.0))


def test_a_terminal_without_braille_gets_plain_characters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zstui.plot.only_ascii", lambda: True)
    drawn = [sparkline(list(WAVE), 8, 100.0), *area(WAVE, 20, 3, 100.0)]
    assert all(line.isascii() for line in drawn)
    assert area([0, 100], 2, 2, 100.0) == [" #", ".#"]
    assert area([0, 50, 100], 3, 1, 100.0) == [".+#"], "one line says something, too"


def test_values_that_share_a_column_show_their_highest() -> None:
    assert spread([1, 9, None, 2], 2) == [9, 2]
    assert spread([1, 2], 4) == [1, 1, 2, 2]
    assert spread([], 2) == [None, None]


def test_a_gap_of_a_slot_is_bridged_and_a_longer_one_is_not() -> None:
    values = placed([(0, 1.0), (2 * 720, 3.0)], 0, 720, 1)
    assert values[:4] == [1.0, 1.0, 3.0, 3.0]
    assert values[4] is None
    assert len(values) == POINTS


def only_last(*values: float | None) -> tuple[float | None, ...]:
    return (*[None] * (POINTS - len(values)), *values)


def test_what_is_young_is_plotted_over_all_the_room_and_says_its_span() -> None:
    short = History("hour", (only_last(1.0, 2.0, 3.0, 4.0, 5.0, 6.0),) * 6, (6.0,) * 6, end=86_400.0).fitted()
    assert {len(values) for values in short.series} == {6}
    assert short.seconds == 180
    assert short.title == "the last 3m, p shows the day"
    assert [each[3:] for each in short.axis] == ["57:00", "00:00"]
    drawn = charts(short, 0)[CPU].lines(20)
    assert all(line[0][0].strip(" ") for line in drawn[-1:])
    assert History("hour", (WAVE,) * 6, (1.0,) * 6).fitted().seconds == 0


def test_what_is_not_measured_is_no_plot_but_a_word() -> None:
    gone = History("hour", (only_last(1.0),) + ((None,) * POINTS,) * 5, (None,) * 6)
    chart = charts(gone, 1 << 30)
    assert chart[MEMORY].lines(40) == [[("memory used", "dim"), ("  ", "plain"), ("not measured", "faint")]]
    assert "the guest does not say" not in {each.now for each in chart}
    asked = History("hour", ((1.0,) * POINTS,) * 6, (1.0, None, 1.0, 1.0, 1.0, 1.0))
    assert charts(asked, 0)[MEMORY].now == "the guest does not say"
    assert area([None] * 10, 10, 2, 1.0) == [" " * 10] * 2


@pytest.mark.parametrize("cells", [36, 30, 24])
def test_what_a_plot_says_is_whole_or_not_there(cells: int) -> None:
    history = History("hour", ((123.4 * 1024, 17.6 * 1024**2),) * 6, (123.4 * 1024,) * 6)
    [label, *said] = charts(history, 0)[OUT].lines(cells)[0]
    assert sum(width(text) for text, _ in (label, *said)) <= cells
    assert "".join(text for text, _ in said).strip() in ("123K/s  peak 17.6M/s", "123K/s")


def test_what_is_not_told_is_as_it_was_and_what_is_gone_goes() -> None:
    trends = Trends()
    trends.take({"whole": True, "figures": {"a": [[1, 2], [10, 20]], "b": [[5], [50]]}})
    trends.take({"whole": False, "figures": {"a": [[3], [30]]}})
    assert (list(trends["a"].cpu), list(trends["b"].cpu)) == ([1, 2, 3], [5, 5])
    trends.take({"whole": False, "figures": {"b": []}})
    assert set(trends) == {"a"}
    trends.take({"whole": True, "figures": {}})
    assert not trends


def a_mirror(*rows: Row) -> Mirror:
    mirror = Mirror(WATCHED)
    mirror.status = "live"
    for row in rows:
        mirror.rows[row.kind][row.key] = row
    return mirror


def a_row(kind: str, key: str, **data: Any) -> Row:
    return Row(kind, key, {"uuid": key, "name": key, **data})


def wire_date(seconds: float) -> str:
    return time.strftime("%b %d, %Y %I:%M:%S %p", time.localtime(seconds))


def test_what_needs_attention_the_worst_first() -> None:
    now = words.now()
    mirror = a_mirror(
        a_row("VmInstance", "vm1", state="Unknown"),
        a_row("VmInstance", "vm2", state="Running"),
        a_row("VmInstance", "vm3", state="Running", standsStill="its disk is full"),
        a_row("VmInstance", "vm4", state="Running", standsStill="it is suspended"),
        a_row("VmInstance", "vm5", state="Unknown", standsStill="nobody knows now"),
        a_row("Host", "h1", status="Disconnected", statusReason="silent for 6 s"),
        a_row("Host", "h2", status="Connected", state="Enabled"),
        a_row("Host", "h3", status="Connected", state="Disabled"),
        a_row("Host", "h4", status="Connected", state="Maintenance"),
        a_row("PrimaryStorage", "ps1", status="Connected", totalCapacity=100, availableCapacity=10),
        a_row("PrimaryStorage", "ps2", status="Connected", totalCapacity=100, availableCapacity=3),
        a_row("PrimaryStorage", "ps3", status="Connected", totalCapacity=100, availableCapacity=90),
        a_row("BackupStorage", "bs1", status="Disconnected"),
        a_row("LongJob", "j1", state="Failed", targetResourceName="web", lastOpDate=wire_date(now - 60),
              jobResult='{"code": "X", "details": "no room"}'),
        a_row("LongJob", "j2", state="Failed", lastOpDate=wire_date(now - 7_200)),
        a_row("RecycleBinItem", "b1", status="Deleted", expungeDate=wire_date(now + 600)),
        a_row("RecycleBinItem", "b2", status="Deleted", expungeDate=wire_date(now + 80_000)),
    )  # fmt: skip
    assert [(each.sign, each.key, each.text) for each in concerns(mirror)] == [
        ("✗", "h1", "host h1 does not answer: silent for 6 s"),
        ("✗", "vm3", "vm3: its disk is full"),
        ("✗", "vm4", "vm4: it is suspended"),
        ("✗", "ps2", "storage ps2 is 97% full"),
        ("✗", "bs1", "storage bs1 does not answer"),
        ("!", "h3", "host h3 is disabled: no VM is started on it"),
        ("!", "h4", "host h4 is in maintenance: no VM runs on it"),
        ("!", "vm1", "2 VMs are in a state that is not known: vm1, vm5"),
        ("!", "ps1", "storage ps1 is 90% full"),
        ("!", "j1", "j1 web failed: no room"),
        ("!", "b1", concerns(mirror)[-1].text),
    ]
    assert concerns(mirror)[-1].text.startswith("b1 can be recovered for ")
    assert concerns(a_mirror()) == []


def test_a_host_whose_cpu_is_used_up_for_some_time_needs_attention() -> None:
    mirror = a_mirror(a_row("Host", "h1", status="Connected"), a_row("Host", "h2", status="Connected"))
    mirror.figures["h1"], mirror.figures["h2"] = Trend(), Trend()
    mirror.figures["h1"].cpu.extend([20.0, 99.0, 100.0, 99.0])
    mirror.figures["h2"].cpu.extend([20.0, 99.0, 60.0, 99.0])
    assert [each.text for each in concerns(mirror)] == ["host h1 is busy: CPU at 99%"]


def test_a_guest_that_stands_still_does_not_count_as_running() -> None:
    still = a_row("VmInstance", "vm2", state="Running", standsStill="its disk is full")
    block = health(a_mirror(a_row("VmInstance", "vm1", state="Running"), still), 60)
    (counted,) = [line for line in block if line[0][0].startswith("VMs")]
    assert counted[1:] == [
        ("◉ 1 ", "good"), ("running", "dim"), ("  ", "dim"), ("✗ 1 ", "bad"), ("standing still", "dim")
    ]  # fmt: skip


@pytest.mark.parametrize("size", [(20, 5), (36, 7), (76, 20), (156, 44), (300, 60)])
def test_the_board_fits_any_size(size: tuple[int, int]) -> None:
    mirror = a_mirror(
        a_row("Host", "h1", status="Connected", totalCpuCapacity=1000, availableCpuCapacity=400),
        a_row("VmInstance", "数据库-主", state="Running"),
    )
    mirror.figures.take({"whole": True, "figures": {"数据库-主": [[10, 90], [5, 5]]}})
    for history in (None, History("hour", (WAVE,) * 6, (WAVE[-1],) * 6)):
        lines, begins = board(mirror, concerns(mirror), history, span="hour", cursor=0, size=size)
        assert {sum(width(text) for text, _ in line) for line in lines} == {size[0]}
        assert "Nothing. All is well."[: size[0] - 4] in "".join(text for text, _ in lines[begins])


def measured(on: Screens) -> None:
    """Have every VM and host be as busy as a test wants."""
    mirror = on.app.mirror
    keys = [row.key for kind in ("VmInstance", "Host") for row in mirror.all(kind)]
    cpu = [10, 20, 30, 40, 50, 60, 70, 85]
    mirror.figures.take({"whole": True, "figures": {key: [cpu, [40] * 8] for key in keys}})
    mirror._note(FIGURES, "", None)
    mirror.flush()


async def test_lists_show_and_sort_by_how_busy_rows_are(cloud: Cloud) -> None:
    calm, busy = await cloud.vm("a-calm"), await cloud.vm("b-busy")
    async with screens(cloud.socket, LARGE) as on:
        await on.sees("a-calm", "b-busy")
        assert "CPU%" not in on.whole()
        measured(on)
        await on.sees("CPU%", "▃▄▅▅▆▇  85%")
        table = on.browser.table
        table.sort(next(column for column in table.noun.columns if column.title == "CPU%"), downward=True)
        for figures in ({calm: [[5], [1]], busy: [[90], [1]]}, {calm: [[99], [1]]}):
            on.app.mirror.figures.take({"whole": False, "figures": figures})
            on.app.mirror._note(FIGURES, "", None)
            on.app.mirror.flush()
            first = calm if calm in figures and figures[calm][0] == [99] else busy
            await on.until(lambda first=first: table.listing.key_at(0) == first)


async def test_memory_that_a_guest_does_not_tell_is_a_dash(cloud: Cloud) -> None:
    uuid = await cloud.vm("web-1")
    async with screens(cloud.socket, LARGE) as on:
        on.app.mirror.figures.take({"whole": True, "figures": {uuid: [[7, 8], [55, None]]}})
        on.app.mirror._note(FIGURES, "", None)
        on.app.mirror.flush()
        await on.sees("MEM%", "8%")
        [line] = [each for each in on.text() if "web-1" in each and "8%" in each]
        assert "–" in line
        assert "0%" not in line
        assert "100%" not in line


async def test_the_detail_has_plots_of_an_hour_and_of_a_day(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, str]] = []

    async def history(session: Any, namespace: str, key: str, span: str) -> History:
        asked.append((namespace, span))
        return History(span, (WAVE,) * 6, (WAVE[-1],) * 6)

    monkeypatch.setattr("zstui.detail.read_history", history)
    await cloud.vm("web-1")
    async with screens(cloud.socket, LARGE) as on:
        await on.sees("the last hour, p shows the day", "network out", "of 256 MiB", "⣿")
        await on.press("p")
        await on.sees("the last day, p shows the hour")
        await on.press("2")
        await on.until(lambda: asked[-1] == ("ZStack/Host", "day"))
        await on.press("3")
        await on.misses("the last day")


async def test_plots_speak_another_language_before_they_are_read_again(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = asyncio.Event()

    async def history(session: Any, namespace: str, key: str, span: str) -> History:
        if read.is_set():
            await asyncio.Event().wait()
        read.set()
        return History(span, (WAVE,) * 6, (WAVE[-1],) * 6)

    monkeypatch.setattr("zstui.detail.read_history", history)
    await cloud.vm("web-1")
    async with screens(cloud.socket, LARGE) as on:
        await on.sees("the last hour, p shows the day")
        on.app.speak("zh_CN")
        await on.sees("最近一小时，p 显示一天", "网络出", "共 256 MiB")


async def test_a_history_that_is_not_to_be_had_is_one_error(cloud: Cloud) -> None:
    async with await Session.connect(cloud.socket) as session:
        await cloud.server.stop()
        with pytest.raises(Unreachable):
            await read_history(session, "ZStack/VM", "0" * 32, "hour")


async def test_history_is_read_from_the_appliance(cloud: Cloud) -> None:
    uuid = await cloud.vm("web-1")
    async with screens(cloud.socket, LARGE) as on:
        await on.sees("web-1")
        history = await read_history(on.app.calls.session, "ZStack/VM", uuid, "hour")
        assert history.now == (None,) * 6
        assert {len(values) for values in history.series} == {POINTS}


class Sampled:
    """An appliance that has sampled a peak long ago, and less since."""

    SAMPLES: tuple[tuple[int, float], ...] = (
        (1_200, 8 << 20), (1_190, 0), (1_180, 0), (10, 4 << 20), (0, 1 << 20),
    )  # fmt: skip

    async def call(self, message: str, *, start_time: int, end_time: int, period: int, **_: Any) -> Any:
        assert message == "GetMetricData"
        readings = [Reading(end_time - ago, rate, rate, rate) for ago, rate in self.SAMPLES]
        return {
            "data": [
                {"time": each.at, "value": each.value, "maximum": each.highest, "latest": each.newest}
                for each in paced(readings, start_time, period)
            ]
        }


async def test_peak_is_the_highest_sample_of_the_span_and_now_is_the_last_one() -> None:
    for span in ("hour", "day"):
        history = await read_history(cast("Session", Sampled()), "ZStack/System", "", span)
        chart = charts(history, 0)[IN]
        assert (chart.now, chart.text) == ("1 MiB/s", "peak 8 MiB/s")


class Young(Sampled):
    """An appliance that has four samples of what is there since half a minute."""

    SAMPLES = ((31, 1), (21, 7), (11, 4), (1, 2))


async def test_half_a_minute_is_plotted_sample_by_sample() -> None:
    history = await read_history(cast("Session", Young()), "ZStack/VM", "a", "hour")
    assert history.seconds == 120, "four samples are no walls that fill all of it"
    heights = [value for value in history.series[IN] if value is not None]
    assert list(dict.fromkeys(heights)) == [1, 7, 4, 2]
    assert len(heights) < 10
    assert history.title == "the last 2m, p shows the day"


@pytest.mark.parametrize("size", [SMALL, LARGE, (40, 10)])
async def test_the_overview(cloud: Cloud, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]) -> None:
    async def history(session: Any, namespace: str, key: str, span: str) -> History:
        assert (namespace, key) == ("ZStack/System", "")
        return History(span, (WAVE,) * 6, (WAVE[-1],) * 6)

    monkeypatch.setattr("zstui.screens.overview.read_history", history)
    uuid = await cloud.vm("web-1")
    async with screens(cloud.socket, size) as on:
        await on.press("0")
        await on.until(lambda: isinstance(on.app.screen, Overview))
        await on.sees("needs attention", "All is well.")
        drawn = on.app.screen.query_one(Board)
        await on.until(lambda: drawn.history is not None)
        assert {width(line) for line in on.text()} == {size[0]}
        if size != (40, 10):
            await on.sees("capacity", "health", "2/2 connected", "◉ 1 running", "the last hour", "⣿")
            await on.press("p")
            await on.sees("the last day")
        host = cloud.host_of(uuid)
        host.reachable = False
        host.cut("power lost")
        await on.sees("✗ host node-")
        # The storage on that machine does not answer either, when it is that machine.
        await on.until(lambda: drawn.found and drawn.found[-1].noun == "vm")
        await on.press(*["down"] * (len(drawn.found) - 1), "enter")
        await on.until(lambda: on.app.screen is on.browser and on.browser.noun.id == "vm")
        assert on.browser.table.cursor == uuid
        await on.press("0", "escape", "0", "2")
        await on.until(lambda: on.browser.noun.id == "host")


@pytest.mark.parametrize("state", ["Running", "Migrating", "Destroyed"])
def test_the_host_of_vms_stays_while_a_state_takes_more_room(state: str) -> None:
    figures = {"CPU%": SPARK + 5, "MEM%": SPARK + 5}
    widths = {
        "NAME": 8,
        "STATE": width(state_piece(state)[0]),
        "ADDRESS": 14,
        "HOST": 10,
        **figures,
        "MEM": 4,
    }
    fitted = [column.title for column, _ in fit_columns(VM, widths, 79)]
    assert fitted[:4] == ["NAME", "STATE", "ADDRESS", "HOST"]
    assert ("MEM%" in fitted) == (state == "Running")


@pytest.mark.parametrize(
    ("state", "why"),
    [("Running", ("its disk is full", "warn")), ("Unknown", ("host does not answer", "warn"))],
)
def test_why_a_guest_stands_still_is_in_the_list_while_that_is_known(
    state: str, why: tuple[str, str]
) -> None:
    column = next(each for each in VM if each.title == "WHY")
    assert (
        column.show(a_row("VmInstance", "vm", state=state, standsStill="its disk is full"), a_mirror()) == why
    )


def test_what_a_wide_column_pushed_out_comes_back_when_that_went_itself() -> None:
    widths = {"NAME": 28, "STATE": 9, "ADDRESS": 8, "WHY": 28, "CPU%": SPARK + 5, "MEM%": SPARK + 5}
    fitted = [column.title for column, _ in fit_columns(VM, widths, 64)]
    assert fitted == ["NAME", "STATE", "ADDRESS", "CPU%"]


def test_a_vm_that_is_off_uses_nothing() -> None:
    mirror = a_mirror()
    mirror.figures.take({"whole": True, "figures": {"vm": [[10, 14], [14, 14]]}})
    shown = [
        [column.show(a_row("VmInstance", "vm", state=state), mirror)[0] for column in VM if column.live]
        for state in ("Running", "Stopped")
    ]
    assert all("14%" in each for each in shown[0])
    assert shown[1] == ["", ""]


@pytest.mark.parametrize(
    ("span", "begin", "end"), [("hour", "17:05", "18:05"), ("day", "01-29 18:05", "01-30 18:05")]
)
def test_the_last_charts_say_when_they_begin_and_end(span: str, begin: str, end: str) -> None:
    at = time.mktime((2016, 1, 30, 18, 5, 0, 0, 0, -1))
    made = charts(History(span, (WAVE,) * 6, (1.0,) * 6, at), 0, across=2)
    assert [chart.axis for chart in made] == [None] * 4 + [(begin, end)] * 2
    [(axis, _)] = made[-1].lines(30)[-1]
    assert axis == begin + end.rjust(30 - len(begin))
    assert [chart.label for chart in made[:2]] == ["cpu used", "memory used"]
