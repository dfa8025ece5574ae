"""Of what only grows the newest rows are held, older ones as one goes there, and what failed, runs or moved always."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from appliance.api.errors import OperationFailed
from appliance.client import Push
from tests.zstui.conftest import Cloud, screens
from zstui import histories, words
from zstui.attention import concerns
from zstui.histories import ALL, MOVES
from zstui.mirror import Mirror

NOW = words.seconds("Jan 30, 2026 3:30:00 PM")
MANY = 1200


class Store:
    """Jobs as an appliance tells them, the newest last."""

    def __init__(self) -> None:
        self.jobs: list[dict[str, Any]] = []
        self.asked = 0

    def add(self, name: str = "StopVmInstance", state: str = "Succeeded") -> dict[str, Any]:
        """One more job, a second later than the one before it but for every third."""
        at = len(self.jobs)
        second = at - at % 3
        date = f"Jan 30, 2026 {3 + second // 3600}:{second // 60 % 60:02}:{second % 60:02} PM"
        failure = json.dumps({"details": "it is full"}) if state == "Failed" else None
        self.jobs.append({"uuid": f"{at * 7919 % 100_003:032x}", "name": name, "state": state, "createDate": date,
                          "lastOpDate": date, "jobResult": failure, "place": at})  # fmt: skip
        return self.jobs[-1]

    async def query(
        self, kind: str, *_: Any, limit: int, start: int | None = None, sort_by: str, **wanted: Any
    ) -> Any:
        """What `Session.query` answers."""
        assert kind == "LongJob"
        self.asked += 1
        assert wanted.pop("sort_direction") == "desc"
        found = [job for job in reversed(self.jobs)
                 if all(job[wire] in values for wire, values in wanted.items())]  # fmt: skip
        assert sort_by in ("createDate", "lastOpDate")
        return found[start or 0 :][:limit]


async def held(store: Store) -> Mirror:
    """What is held of those jobs once they were read."""
    mirror = Mirror(("LongJob",))
    mirror._set_status("live")
    await mirror._load(store, "LongJob")  # type: ignore[arg-type]  # it asks for queries only
    mirror.flush()
    return mirror


def in_order(mirror: Mirror) -> list[int]:
    """The places of all rows, the newest first, as the list of jobs has them."""
    rows = sorted(mirror.all("LongJob"), key=mirror.histories.order, reverse=True)
    return [row.get("place") for row in rows]


def filled() -> Store:
    """A failed one, one that runs and a move, and after them very many others."""
    store = Store()
    store.add(state="Failed")
    store.add(state="Running")
    store.add("MigrateVm")
    for _ in range(MANY):
        store.add()
    return store


async def test_a_failure_needs_attention_however_many_jobs_are_newer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(words, "now", lambda: NOW)
    mirror = await held(filled())
    assert [each.text for each in concerns(mirror)] == ["stop VM failed: it is full"]
    assert mirror.tally("LongJob", "state")["Running"] == 1
    assert (("LongJob", ALL) in mirror.histories.cut, ("LongJob", MOVES) in mirror.histories.cut) == (
        True,
        False,
    )


async def test_older_jobs_are_read_page_by_page_and_stand_in_order() -> None:
    store = filled()
    mirror = await held(store)
    assert len(mirror.rows["LongJob"]) == histories.PAGE + 3
    for job in (store.add(), store.add()):  # come in while somebody looks
        mirror._apply(Push("change", "LongJob", job["uuid"], "upsert", job))
    while ("LongJob", ALL) in mirror.histories.cut:
        await mirror.read_older(store, "LongJob")  # type: ignore[arg-type]
    assert in_order(mirror)[:-3] == list(range(MANY + 4, 2, -1))
    assert {*in_order(mirror)[-3:]} == {0, 1, 2}  # of one second, and read apart
    mirror.flush()


async def test_a_page_that_only_brings_what_is_held_is_followed_by_the_next() -> None:
    store = filled()
    mirror = await held(store)
    for _ in range(histories.PAGE):
        job = store.add()
        mirror._apply(Push("change", "LongJob", job["uuid"], "upsert", job))
    await mirror.read_older(store, "LongJob")  # type: ignore[arg-type]
    assert in_order(mirror)[:1500] == list(range(1702, 202, -1))
    mirror.flush()


async def test_what_was_read_by_itself_stays_when_the_oldest_are_forgotten() -> None:
    store = filled()
    mirror = await held(store)
    for _ in range(3 * histories.HISTORY_ROWS):
        job = store.add()
        mirror._apply(Push("change", "LongJob", job["uuid"], "upsert", job))
    assert len(mirror.rows["LongJob"]) <= 2 * histories.HISTORY_ROWS + 3
    assert {*in_order(mirror)[-3:]} == {0, 1, 2}
    await mirror.read_older(store, "LongJob")  # type: ignore[arg-type]
    newest = in_order(mirror)[:-3]
    assert newest == list(range(newest[0], newest[-1] - 1, -1)), "a gap"
    mirror.flush()


async def test_what_is_read_anew_meanwhile_begins_at_the_newest() -> None:
    store = filled()
    mirror = await held(store)
    query, answered = store.query, asyncio.Event()

    async def waits(kind: str, *_: Any, start: int | None = None, **options: Any) -> Any:
        found = await query(kind, start=start, **options)
        if start:
            await answered.wait()
        return found

    store.query = waits  # type: ignore[method-assign]
    older = asyncio.create_task(mirror.read_older(store, "LongJob"))  # type: ignore[arg-type]
    await asyncio.sleep(0)
    await mirror._load(store, "LongJob")  # type: ignore[arg-type]
    answered.set()
    await older
    assert len(mirror.rows["LongJob"]) == histories.PAGE + 3
    await mirror.read_older(store, "LongJob")  # type: ignore[arg-type]
    assert len(mirror.rows["LongJob"]) == 2 * histories.PAGE + 3
    mirror.flush()


async def many_jobs(cloud: Cloud) -> str:
    """A few jobs on a cloud where a page holds three; the oldest made the first VM."""
    uuid = await cloud.vm("web-1")
    for _ in range(4):
        await cloud.session.call("StopVmInstance", uuid=uuid)
        await cloud.session.call("StartVmInstance", uuid=uuid)
    return uuid


async def test_the_end_of_the_list_of_jobs_reads_older_ones(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    await many_jobs(cloud)
    monkeypatch.setattr(histories, "PAGE", 3)
    async with screens(cloud.socket) as on:
        await on.press("6")
        await on.sees("Jobs  3  End reads older ones")
        await on.press("end")
        await on.sees("Jobs  6  End reads older ones")
        await on.press("down", "down", "down")
        await on.sees("Jobs  9  End reads older ones")
        while "older ones" in on.whole():
            await on.press("G")
        await on.sees("create zone")


async def test_what_a_filter_finds_nowhere_is_looked_for_further_back(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    await many_jobs(cloud)
    monkeypatch.setattr(histories, "PAGE", 3)
    async with screens(cloud.socket) as on:
        await on.press("6", "slash")
        await on.write("create")
        await on.press("enter")
        await on.sees("0 of 3", "No row holds that")
        await on.press("G")
        await on.sees("0 of 6")
        await on.press("G", "G", "G")
        await on.sees("create VM")


@pytest.mark.parametrize("noun", ["audit", "ev"])
async def test_the_end_of_any_history_reads_older_rows(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, noun: str
) -> None:
    await many_jobs(cloud)
    monkeypatch.setattr(histories, "PAGE", 3)
    async with screens(cloud.socket) as on:
        await on.press("colon")
        await on.write(noun)
        await on.press("enter")
        await on.sees("  3  End reads older ones")
        await on.press("G")
        await on.sees("  6  End reads older ones")


async def test_what_cannot_be_read_further_back_is_told(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    await many_jobs(cloud)
    monkeypatch.setattr(histories, "PAGE", 3)
    async with screens(cloud.socket) as on:
        await on.press("6")
        await on.sees("Jobs  3")

        async def refuses(*_: Any, **__: Any) -> Any:
            raise OperationFailed("its disk is gone")

        query, on.app.calls.session.query = on.app.calls.session.query, refuses
        await on.press("end")
        await on.sees("Its disk is gone")
        on.app.calls.session.query = query
        await on.press("end")
        await on.sees("Jobs  6")
