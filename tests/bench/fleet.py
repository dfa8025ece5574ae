"""Ten thousand VMs on zstui's screen, driven from a line beside the terminal, as the DataTable's (`stock`) are.

`python -m tests.bench.fleet COUNT`. Both show the same columns of the same VMs and carry out the same changes; what
they are asked for and what they answer is one line of JSON each, on the descriptor `CONTROL`.
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
from typing import TYPE_CHECKING, Any, Protocol

import zstui.app
from zstui import later
from zstui.app import Zstui, show

if TYPE_CHECKING:
    from zstui.mirror import Mirror

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
    from zstui.inventories import shared
    from zstui.mirror import Row

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
        mirror.rows["VmInstance"][data["uuid"]] = Row("VmInstance", data["uuid"], shared(data))


class Ours(Zstui):
    """zstui itself, with its mirror filled and changed in place of the event stream."""

    CSS_PATH = Path(zstui.app.__file__).with_name("zstui.tcss")

    def __init__(self, count: int) -> None:
        super().__init__(Path("/nonexistent/appliance.sock"))
        self.count = count

    async def _keep_connected(self) -> None:
        await later.connection()  # not used, but loaded before the first row as it always is
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
        from appliance.client import Push

        data = vm_data(number, cpu=100 + turn % 900)
        self.mirror._apply(Push("change", "VmInstance", data["uuid"], "upsert", data))


class Shown(Protocol):
    """A program with the VMs on its screen."""

    screen: Any

    def visible(self) -> list[int]:
        """Numbers of the VMs on the screen."""

    def change(self, number: int, turn: int) -> None:
        """One cell of one VM's row is another now."""


async def listen(app: Shown) -> None:
    """Do what is asked for on the line."""
    reader, writer = await asyncio.open_connection(sock=socket.socket(fileno=int(os.environ["CONTROL"])))
    while line := await reader.readline():
        fields = json.loads(line)
        said = await DOES[fields.pop("do")](app, **fields)
        writer.write(json.dumps(said).encode() + b"\n")


def numbers(app: Shown, where: str) -> list[int]:
    """The VMs to change: all that are seen, or some hundreds that are not."""
    seen = app.visible()
    return seen if where == "seen" else [number for number in range(5000, 9000, 7) if number not in seen]


turns = itertools.count()
"""No two changes of a row are alike."""


async def one_by_one(app: Shown, where: str, count: int) -> float:
    """Seconds of CPU that one changed row takes, each painted before the next."""
    chosen = numbers(app, where)
    await asyncio.sleep(0.2)
    begun = time.process_time()
    for _ in range(count):
        turn = next(turns)
        app.change(chosen[turn % len(chosen)], turn)
        await asyncio.sleep(0.05)
    return (time.process_time() - begun) / count


async def load(app: Shown, where: str, rate: int, seconds: float) -> dict[str, float]:
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


async def used(app: Shown) -> float:
    """Seconds of CPU since the start."""
    del app
    return time.process_time()


async def settle(app: Shown) -> None:
    """Set aside what is there: to walk all of it again and again is no part of what is measured."""
    del app
    gc.collect()
    gc.freeze()


async def lines(app: Shown) -> list[str]:
    """The screen as it is."""
    return ["".join(part.text for part in strip) for strip in app.screen._compositor.render_strips()]


DOES: dict[str, Any] = {
    "settle": settle,
    "one_by_one": one_by_one,
    "load": load,
    "used": used,
    "lines": lines,
}

if __name__ == "__main__":
    gc.disable()  # as in `zstui.__main__`
    raise SystemExit(show(Ours(int(sys.argv[1]))))
