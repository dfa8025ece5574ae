"""Ten thousand VMs on a screen: on zstui's, or on Textual's own DataTable, driven from a line beside the terminal.

`python -m tests.bench.fleet ours|stock COUNT`. Both show the same columns of the same VMs and carry out the same
changes; what they are asked for and what they answer is one line of JSON each, on the descriptor `CONTROL`.
"""

from __future__ import annotations

import asyncio
import gc
import itertools
import json
import os
import socket
import sys
import time
from pathlib import Path
from typing import Any, ClassVar

from textual.app import App, ComposeResult
from textual.widgets import DataTable, Footer, Header, Input

import zstui.app
from appliance.client import Push
from zstui.app import Zstui
from zstui.columns import VM
from zstui.mirror import Mirror, Row
from zstui.nouns import WATCHED

HOSTS = 64
RARE = 50
"""One VM in so many has a letter in its name that no other word of its row has."""

TURN_SECONDS = 0.01
LAG_SECONDS = 0.005


def vm_data(number: int, cpu: int = 100) -> dict[str, Any]:
    """The inventory of a VM."""
    uuid = f"{number:032x}"
    name = f"vm-{number:05}" + ("-q" if number % RARE == 0 else "")
    return {
        "uuid": uuid, "name": name, "state": "Running", "cpuNum": cpu, "memorySize": 1 << 28, "imageUuid": "i" * 32,
        "hostUuid": f"{number % HOSTS:04x}{'f' * 28}", "lastOpDate": "Jan 30, 2016 3:01:03 PM",
        "vmNics": [{"ip": f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"}],
    }  # fmt: skip


def fill(mirror: Mirror, count: int) -> None:
    """Hosts, an image, and so many VMs."""
    for number in range(HOSTS):
        uuid = f"{number:04x}{'f' * 28}"
        mirror.rows["Host"][uuid] = Row("Host", uuid, {
            "uuid": uuid, "name": f"node-{number:02}", "status": "Connected", "state": "Enabled",
            "totalCpuCapacity": 1000, "availableCpuCapacity": 400,
            "totalMemoryCapacity": 1 << 38, "availableMemoryCapacity": 1 << 37,
        })  # fmt: skip
    mirror.rows["Image"]["i" * 32] = Row(
        "Image", "i" * 32, {"uuid": "i" * 32, "name": "debian", "status": "Ready"}
    )
    for number in range(count):
        data = vm_data(number)
        mirror.rows["VmInstance"][data["uuid"]] = Row("VmInstance", data["uuid"], data)


class Ours(Zstui):
    """zstui itself, with its mirror filled and changed in place of the event stream."""

    CSS_PATH = Path(zstui.app.__file__).with_name("zstui.tcss")

    def __init__(self, count: int) -> None:
        super().__init__(Path("/nonexistent/appliance.sock"))
        self.count = count

    async def _keep_connected(self) -> None:
        fill(self.mirror, self.count)
        self.mirror._set_status("live")
        for kind, rows in self.mirror.rows.items():
            for row in rows.values():
                self.mirror._note(kind, row.key, row)
        self.mirror.flush()
        await listen(self)

    def visible(self) -> list[int]:
        """Numbers of the VMs on the screen."""
        table = self.screen_stack[1].table  # type: ignore[attr-defined]
        top = int(table.scroll_offset.y)
        places = range(top, min(top + table.size.height - 1, len(table.listing)))
        return [int(table.listing.key_at(place), 16) for place in places]

    def change(self, number: int, turn: int) -> None:
        """One cell of one VM's row is another now."""
        data = vm_data(number, cpu=100 + turn % 900)
        self.mirror._apply(Push("change", "VmInstance", data["uuid"], "upsert", data))


class Stock(App[None]):
    """What one would write with Textual's DataTable: add all, update cells, rebuild to filter."""

    BINDINGS: ClassVar = [("O", "flip", "Turn the order"), ("slash", "find", "Find")]
    CSS = "Input { display: none; }"

    def __init__(self, count: int) -> None:
        super().__init__()
        self.mirror = Mirror(WATCHED)
        fill(self.mirror, count)
        self.rows = list(self.mirror.all("VmInstance"))
        self.downward = False

    def compose(self) -> ComposeResult:
        yield Header()
        yield DataTable(cursor_type="row")
        yield Input()
        yield Footer()

    def on_mount(self) -> None:
        table = self.query_one(DataTable)
        for column in VM:
            table.add_column(column.title, key=column.title)
        self.add("")
        table.focus()
        self.run_worker(listen(self))

    def add(self, holding: str) -> None:
        """Show the rows that hold a text."""
        table = self.query_one(DataTable)
        for row in self.rows:
            cells = [column.show(row, self.mirror)[0] for column in VM]
            if holding in " ".join(cells):
                table.add_row(*cells, key=row.key)

    def action_flip(self) -> None:
        self.downward = not self.downward
        self.query_one(DataTable).sort("NAME", reverse=self.downward)

    def action_find(self) -> None:
        self.query_one(Input).styles.display = "block"
        self.query_one(Input).focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        self.query_one(DataTable).clear()
        self.add(event.value)

    def on_input_submitted(self) -> None:
        self.query_one(DataTable).focus()

    def visible(self) -> list[int]:
        """Numbers of the VMs on the screen."""
        table = self.query_one(DataTable)
        top = int(table.scroll_offset.y)
        return list(range(top, min(top + table.size.height - 2, len(self.rows))))

    def change(self, number: int, turn: int) -> None:
        """One cell of one VM's row is another now."""
        self.query_one(DataTable).update_cell(f"{number:032x}", "CPU", str(100 + turn % 900))


async def listen(app: Ours | Stock) -> None:
    """Do what is asked for on the line."""
    gc.collect()
    gc.freeze()
    reader, writer = await asyncio.open_connection(sock=socket.socket(fileno=int(os.environ["CONTROL"])))
    while line := await reader.readline():
        fields = json.loads(line)
        said = await DOES[fields.pop("do")](app, **fields)
        writer.write(json.dumps(said).encode() + b"\n")


def numbers(app: Ours | Stock, where: str) -> list[int]:
    """The VMs to change: all that are seen, or some hundreds that are not."""
    seen = app.visible()
    return seen if where == "seen" else [number for number in range(5000, 9000, 7) if number not in seen]


turns = itertools.count()
"""No two changes of a row are alike."""


async def one_by_one(app: Ours | Stock, where: str, count: int) -> float:
    """Seconds of CPU that one changed row takes, each painted before the next."""
    chosen = numbers(app, where)
    await asyncio.sleep(0.2)
    begun = time.process_time()
    for _ in range(count):
        turn = next(turns)
        app.change(chosen[turn % len(chosen)], turn)
        await asyncio.sleep(0.05)
    return (time.process_time() - begun) / count


async def load(app: Ours | Stock, where: str, rate: int, seconds: float) -> dict[str, float]:
    """So many changes a second: the share of a core that they take, changes made, and how late the loop came."""
    chosen = numbers(app, where)
    late = 0.0

    async def watch() -> None:
        nonlocal late
        while True:
            due = time.perf_counter() + LAG_SECONDS
            await asyncio.sleep(LAG_SECONDS)
            late = max(late, time.perf_counter() - due)

    watching = asyncio.create_task(watch())
    begun, used, made = time.perf_counter(), time.process_time(), 0
    while (passed := time.perf_counter() - begun) < seconds:
        for _ in range(int(passed * rate) - made):
            turn = next(turns)
            app.change(chosen[turn % len(chosen)], turn)
            made += 1
        await asyncio.sleep(TURN_SECONDS)
    passed = time.perf_counter() - begun
    watching.cancel()
    return {"share": (time.process_time() - used) / passed, "late": late, "rate": made / passed}


async def used(app: Ours | Stock) -> float:
    """Seconds of CPU since the start."""
    del app
    return time.process_time()


async def lines(app: Ours | Stock) -> list[str]:
    """The screen as it is."""
    return ["".join(part.text for part in strip) for strip in app.screen._compositor.render_strips()]


DOES: dict[str, Any] = {"one_by_one": one_by_one, "load": load, "used": used, "lines": lines}

if __name__ == "__main__":
    kind, count = sys.argv[1:]
    app: Ours | Stock = {"ours": Ours, "stock": Stock}[kind](int(count))
    app.run()
