"""One image made of another by qemu-img, which says how far it is."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from pathlib import Path

import msgspec

from agent.refused import Refused
from agent.run import clean_environment, run
from agent.storage import check_room

READ_BYTES = 4096
SAID_BYTES = 600
MEASURE_SECONDS = 600.0
_PERCENT = re.compile(rb"\((\d+(?:\.\d+)?)/100%\)")

Report = Callable[[int, int], object]


class _Measure(msgspec.Struct):
    required: int


async def _check_room(source: Path, source_format: str, folder: Path, reserved_bytes: int) -> None:
    """Refuse to fill a disk that guests write to."""
    measure = ("qemu-img", "measure", "--output=json", "-f", source_format, "-O", "qcow2", str(source))
    needed = msgspec.json.decode(await run(*measure, timeout_seconds=MEASURE_SECONDS), type=_Measure).required
    check_room(folder, needed, f"a qcow2 copy of {source}", reserved_bytes)


async def convert(
    source: Path, source_format: str, part: Path, size: int, report: Report, *, reserved_bytes: int
) -> None:
    """Write the content of an image, and of what it builds on, to a new qcow2 file that leaves so much room free.

    Raises `Refused`.
    """
    await _check_room(source, source_format, part.parent, reserved_bytes)
    words = ("qemu-img", "convert", "-p", "-f", source_format, "-O", "qcow2", str(source), str(part))
    try:
        process = await asyncio.create_subprocess_exec(
            *words, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE, env=clean_environment(),
        )  # fmt: skip
    except FileNotFoundError as missing:
        raise Refused("program.missing", "qemu-img is not installed on the host; install it") from missing
    try:
        async with asyncio.TaskGroup() as group:
            complaint = group.create_task(_complaint(process))
            group.create_task(_hear(process, size, report))
        status = await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if status != 0:
        said = complaint.result().decode(errors="replace").strip()[-SAID_BYTES:]
        full = "No space left on device" in said
        raise Refused(
            "storage.full" if full else "program.failed",
            f"qemu-img convert of {source}: {said or f'exit status {status}'}",
        )


async def _complaint(process: asyncio.subprocess.Process) -> bytes:
    return await process.stderr.read() if process.stderr is not None else b""


async def _hear(process: asyncio.subprocess.Process, size: int, report: Report) -> None:
    """Tell how far qemu-img says that it is."""
    while process.stdout is not None and (said := await process.stdout.read(READ_BYTES)):
        found = _PERCENT.findall(said)
        if found:
            report(int(size * float(found[-1]) / 100), size)
