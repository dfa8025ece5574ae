"""Where there is no room for all, what is left is whole, and begins with what matters."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import pytest

from appliance.api.message import MESSAGES
from tests.zstui.conftest import SMALL, Cloud, screens
from zstui import histories, words
from zstui.attention import Concern
from zstui.board import attention, cropped, health
from zstui.cells import fit, width
from zstui.controls import Choice
from zstui.details import details
from zstui.fields import LABEL_CELLS
from zstui.figures import History, charts
from zstui.frame import Totals
from zstui.i18n import LANGUAGES, begin, tr
from zstui.mirror import Mirror, Row
from zstui.said import Doc
from zstui.screens.form import Form
from zstui.sheet import Item, heading, label_cells, laid_out
from zstui.values import word
from zstui.verbs import asked, verb_for

TINY = (40, 10)


@pytest.mark.parametrize("size", [SMALL, TINY])
async def test_no_count_of_the_header_is_cut(
    cloud: Cloud, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """However old it is, and whether anything may be changed."""
    late = False
    monkeypatch.setattr(Totals, "_age", lambda _: tr("{age} old", age=tr("14s")) if late else "")
    async with screens(cloud.socket, size, connected=False) as on:
        await on.until(lambda: on.app.mirror.status == "live")
        for at in range(14):
            on.app.mirror._put(Row("Host", str(at), {"status": "Connected"}))
        totals = on.app.screen.query_one(Totals)
        wrong = []
        for late, reads, name in product((False, True), (False, True), LANGUAGES):
            on.app.read_only = reads
            on.app.speak(name)
            *left, gap = totals.parts()[: -len(totals.right())]
            whole = "".join(part.text for part in totals.parts())
            counted = tr("hosts") in whole and "16/16" in whole
            standing = (tr("{age} old", age="14s") if late else tr("live")) in whole
            cut = any(part.text.endswith("…") for part in left)
            if cut or not gap.text or not standing or not (counted or reads):
                wrong.append((late, reads, name, whole))
        assert wrong == []


async def test_the_reason_comes_first_where_something_is_not_possible(cloud: Cloud) -> None:
    await cloud.session.call("StopVmInstance", uuid=await cloud.vm("cache-01"))
    async with screens(cloud.socket, TINY) as on:
        await on.sees("cache-01", "◌")
        await on.press("C")
        await on.sees("cache-01 is Stopped, not Running")


def seen(choice: Choice) -> str:
    """What is drawn of the options."""
    return "".join(part.text for part in choice.render_line(0))


def whole(choice: Choice) -> Iterator[str]:
    """The options that are drawn, as they are read."""
    return (f" {word(each) if each else tr('any')}" for each in choice.options)


@pytest.mark.parametrize("name", LANGUAGES)
async def test_options_are_seen_whole_or_not_at_all(cloud: Cloud, name: str) -> None:
    async with screens(cloud.socket) as on:
        on.app.speak(name)
        on.browser.open_form("AddImage")
        await on.until(lambda: on.app.screen.query(Choice))
        for choice in on.app.screen.query(Choice):
            for _ in choice.options:
                drawn = seen(choice)
                shown = [text for text in whole(choice) if f"{text}  " in f"{drawn}  "]
                assert drawn.count("◌") + drawn.count("◉") == len(shown), drawn
                assert ("…" in drawn) == (len(shown) < len(choice.options)), drawn
                assert width(drawn.partition("◉")[0]) == choice.caret.x, drawn
                choice.action_move(1)


async def test_the_newest_of_many_are_not_called_all(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    await cloud.vm("web-1")
    monkeypatch.setattr(histories, "PAGE", 3)
    async with screens(cloud.socket) as on:
        await on.press("7")
        await on.sees("Events  3  End reads older ones")
        await on.press("1")
        await on.sees("VMs  1")


def test_only_what_connects_anew_is_offered_that() -> None:
    assert verb_for("r", Row("BackupStorage", "b", {"type": "SimulatorBackupStorage"})) is None
    assert verb_for("r", Row("BackupStorage", "b", {"type": "SftpBackupStorage"})) is not None


async def test_what_was_accepted_and_failed_was_not_refused(cloud: Cloud) -> None:
    uuid = await cloud.vm("web-1")
    await cloud.session.call("StopVmInstance", uuid=uuid)
    for host in cloud.dialer.hosts.values():
        host.faults.by_verb["StartDomain"] = 1.0
    async with screens(cloud.socket, (160, 45)) as on:
        await on.sees("◌ Stopped")
        await on.press("s")
        await on.sees("✗ failed", "as the simulator was told")


def test_a_network_without_services_names_the_key_that_adds_some() -> None:
    row = Row("L3Network", "n", {"name": "lan", "state": "Enabled"})

    def said(key: str) -> bool:
        moved = details(
            row, Mirror(()), lambda action, usual: "f8" if action == "panel('services')" else usual
        )
        shown = details(row, Mirror(())) if key == "w" else moved
        return any(item.text == f"none: press {key} to attach some" for item in shown)

    assert said("w")
    assert said("f8")


def test_how_many_more_need_attention_is_counted_from_the_cursor() -> None:
    found = [Concern(f"c{at}", "warn", "vm", str(at)) for at in range(14)]

    def last(cursor: int) -> str:
        return "".join(text for text, _ in attention(found, 40, cursor, 4, known=True)[-1]).strip()

    assert [last(cursor) for cursor in (0, 5, 13)] == ["and 10 more", "and 8 more, 2 above", "10 above"]


@pytest.mark.parametrize("name", LANGUAGES)
def test_every_label_of_every_form_is_whole(name: str) -> None:
    begin(name)
    labels = {tr(words.label(each.wire)) for message in MESSAGES for each in asked(message, ())}
    assert {label for label in labels if fit(f"* {label}", LABEL_CELLS).endswith("…")} == set()


@pytest.mark.parametrize(("cells", "shown"), [(76, "host key fingerprint "), (48, "host key fingerprint ")])
def test_the_labels_of_a_sheet_are_whole_where_that_leaves_half_for_what_they_tell(
    cells: int, shown: str
) -> None:
    items = [heading("host"), Item("host key fingerprint", "SHA256:x"), Item("name", "node-1")]
    label = label_cells(items, cells)
    assert laid_out(items[1], cells, label, first=False)[0][0][0] == shown


@pytest.mark.parametrize("size", [SMALL, TINY])
@pytest.mark.parametrize("name", LANGUAGES)
async def test_what_a_form_is_for_is_said_in_whole_sentences(
    cloud: Cloud, size: tuple[int, int], name: str
) -> None:
    async with screens(cloud.socket, size, connected=False) as on:
        await on.until(lambda: on.app.mirror.status == "live")
        on.app.speak(name)
        for message in ("CreateVmInstance", "AddSimulatorHost", "UpdateHost", "AddKVMHost"):
            await on.app.push_screen(Form(message, on.app.mirror))
            await on.pilot.pause()
            doc, whole = on.app.screen.query_one(Doc), tr(words.first_paragraph(MESSAGES[message].__doc__))
            said = "".join(line.strip() for line in on.text()[doc.region.y : doc.region.bottom])
            if size == SMALL:
                assert said.replace(" ", "") == whole.replace(" ", "")
            else:
                assert doc.size.height <= 1
                assert whole.startswith(said)
                assert not said or said.endswith((".", "。"))
            if message == "CreateVmInstance":
                assert said
            on.app.pop_screen()


STATES = ("Running", "Stopped", "Unknown", "Destroyed", "Migrating", "Starting")


@pytest.mark.parametrize("name", LANGUAGES)
@pytest.mark.parametrize("cells", range(34, 60))
def test_no_state_of_vms_is_cut_on_the_overview(name: str, cells: int) -> None:
    begin(name)
    mirror = Mirror(("VmInstance",))
    for place, state in enumerate((*["Running"] * 32, *["Stopped"] * 5, *STATES)):
        mirror.rows["VmInstance"][f"{place}"] = Row(
            "VmInstance", f"{place}", {"name": f"{place}", "state": state}
        )
    drawn = ["".join(text for text, _ in cropped(line, cells)) for line in health(mirror, cells)]
    counted = " ".join(drawn[3:-1])
    assert "…" not in counted
    assert all(word(state).lower() in counted for state in STATES)


@pytest.mark.parametrize("cells", [24, 30, 36, 38, 44, 60])
def test_sizes_are_said_one_way_in_all_charts_beside_each_other(cells: int) -> None:
    history = History("hour", ((18e9, 17.6 * 1024**2),) * 6, (35e6,) * 6, end=86_400)
    said = [
        "".join(text for text, _ in chart.lines(cells)[0]) for chart in charts(history, 256 * 1024**3)[1:]
    ]
    whole = ["iB" in text for text in said]
    assert whole == [cells >= 40] * len(said), said
    assert all(width(text) <= cells for text in said)
