"""Files copied to another host through a lane: sent, proved equal there, and named when asked."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from fcntl import F_SETPIPE_SZ, fcntl
from functools import partial
from pathlib import Path
from typing import IO, TypeVar

import msgspec
from msgspec.structs import replace

from agent.image import RAW_ENDINGS, backing_of
from agent.lane import Lanes
from agent.lane_stream import (
    ANEW,
    END,
    PIPE_BYTES,
    RECORD,
    Complaint,
    Have,
    Proof,
    extents,
    give,
    sha256_of,
)
from agent.protocol import AdoptFiles, CopyFiles, FilesCopied, LimitLane, ProgressTo
from agent.refused import Refused
from agent.run import clean_environment
from agent.storage import StorageRoots, disk_refused, is_regular, part_of, publish
from agent.throttle import Throttle

Report = Callable[[int, int, Sequence[str]], object]
"""Hears of bytes done and in all, and which files are sent once more."""
W = TypeVar("W", Have, Proof)
COMPLAINT_BYTES = 4096


class LaneCopies:
    """Sends files on lanes, and names those that came."""

    def __init__(self, lanes: Lanes, storage: StorageRoots) -> None:
        self._lanes = lanes
        self._storage = storage
        self._under_way: dict[str, _UnderWay] = {}

    async def copy(self, request: CopyFiles, progress: ProgressTo) -> FilesCopied:
        """Send files and compare. Raises `Refused`; what has arrived stays beside its place for the next try.

        Who asks for what is being copied already waits for that, which keeps the new limit, and hears of its progress.
        """
        found = self._under_way.get(request.lane_uuid)
        if found is not None and not found.is_for(request):
            raise Refused("lane.busy", f"lane {request.lane_uuid} carries other files", transient=True)
        if found is None:
            found = self._under_way[request.lane_uuid] = _UnderWay(request)
            found.task = asyncio.create_task(self._copy(request, found.report, found.limit))
            found.task.add_done_callback(lambda _: self._under_way.pop(request.lane_uuid))
        found.bytes_per_second = request.bytes_per_second
        found.reports.append(progress)
        return await asyncio.shield(found.task)

    def limit(self, request: LimitLane) -> None:
        """Have a copy keep another limit from now on; where there is none that is fine."""
        found = self._under_way.get(request.lane_uuid)
        if found is not None:
            found.bytes_per_second = request.bytes_per_second

    async def _copy(self, request: CopyFiles, report: Report, limit: Callable[[], int]) -> FilesCopied:
        command = self._lanes.ssh(
            request.lane_uuid, request.address, request.port, request.username, request.host_key
        )
        places = [self._storage.resolve(path) for path in request.files]
        tell = partial(_tell, asyncio.get_running_loop(), report)
        read_end, write_end = os.pipe()
        fcntl(write_end, F_SETPIPE_SZ, PIPE_BYTES)
        answer_read, answer_write = os.pipe()
        with ExitStack() as stack:
            stack.callback(os.close, write_end)
            answers = stack.enter_context(os.fdopen(answer_read, "rb"))
            try:
                process = await asyncio.create_subprocess_exec(
                    *command, "files", stdin=read_end, stdout=answer_write, stderr=asyncio.subprocess.PIPE,
                    env=clean_environment(),
                )  # fmt: skip
            finally:
                os.close(read_end)
                os.close(answer_write)
            with self._lanes.moving(request.lane_uuid, process):
                try:
                    sending = Sending(request, places, answers, write_end, tell, limit)
                    return await asyncio.to_thread(sending.run)
                except (OSError, EOFError) as broken:
                    raise await _broken(process, broken, request.address) from broken
                finally:
                    if process.returncode is None:
                        process.kill()
                    await process.wait()

    async def adopt(self, request: AdoptFiles) -> None:
        """Give files that came their names, the lowest first. Raises `Refused`."""
        await asyncio.to_thread(self._adopt, request)

    def _adopt(self, request: AdoptFiles) -> None:
        places = {self._storage.resolve(asked): below for asked, below in request.files.items()}
        for place, below in places.items():
            there = _arrived(place)
            # What the source says of a file is not believed: it would lead QEMU to any file of this host.
            found = None if place.suffix in RAW_ENDINGS else backing_of(there)
            if found != (below or None):
                raise Refused(
                    "volume.other_backing", f"{place} came and builds on {found!r}, not on {below!r}"
                )
        for place in places:
            try:
                if not is_regular(place):
                    publish(part_of(place), place)
            except OSError as failed:
                raise disk_refused(failed, place) from failed


class _UnderWay:
    """A copy, and everyone who hears of its progress."""

    def __init__(self, request: CopyFiles) -> None:
        self.request = request
        self.bytes_per_second = request.bytes_per_second
        self.reports: list[ProgressTo] = []
        self.task: asyncio.Task[FilesCopied]

    def is_for(self, request: CopyFiles) -> bool:
        """Whether a request asks for the same, at whatever pace."""
        return replace(self.request, bytes_per_second=request.bytes_per_second) == request

    def limit(self) -> int:
        """Bytes a second, as was said last."""
        return self.bytes_per_second

    def report(self, done: int, total: int, anew: Sequence[str]) -> None:
        for report in self.reports:
            report(done, total, anew=anew)


class Sending:
    """One copy under way, in a thread of its own: it waits for nothing but the pipe and the disk."""

    def __init__(
        self,
        request: CopyFiles,
        places: list[Path],
        answers: IO[bytes],
        pipe: int,
        report: Report,
        limit: Callable[[], int],
    ) -> None:
        self._request = request
        self._places = places
        self._answers = answers
        self._pipe = pipe
        self._report = report
        self._limit = limit
        self._done = self._total = self._sent = 0
        self._anew: list[str] = []
        self._seconds = 0.0

    def run(self) -> FilesCopied:
        """Send what the other end has not got, and compare; once more where that differs. Raises `Refused`."""
        try:
            return self._run()
        except BrokenPipeError:
            self._hear(Proof)  # it hung up, and may have said why
            raise

    def _run(self) -> FilesCopied:
        with ExitStack() as stack:
            files = [_opened(stack, place) for place in self._places]
            have = self._hear(Have).have
            own, proved = self._round(files, have)
            wrong = [number for number, _ in enumerate(files) if own[number] != proved[number]]
            standing = [str(self._places[number]) for number in wrong if have[number] < 0]
            if standing:
                raise Refused(
                    "file.exists", f"the target has another file as {', '.join(standing)}; move it away"
                )
            if wrong:
                self._anew = [str(self._places[number]) for number in wrong]
                again = [0 if number in wrong else -1 for number, _ in enumerate(files)]
                own, proved = self._round(files, again)
            self._record(END, 0, 0)
        differing = [
            str(place) for place, left, right in zip(self._places, own, proved, strict=True) if left != right
        ]
        if differing:
            raise Refused(
                "copy.differs",
                f"{', '.join(differing)} arrived with other content twice; check the target's disk",
            )
        named = dict(zip(self._request.files, own, strict=True))
        return FilesCopied(sha256=named, sent_bytes=self._sent, sent_seconds=self._seconds, anew=self._anew)

    def _round(self, files: list[int], have: list[int]) -> tuple[list[str], list[str]]:
        """Send the rest of each file, then compare: ours and theirs."""
        sizes = [os.fstat(file).st_size for file in files]
        have = [0 if there > size else there for there, size in zip(have, sizes, strict=True)]
        spans = [
            list(extents(file, there, size)) if there >= 0 else []
            for file, there, size in zip(files, have, sizes, strict=True)
        ]
        whole = [
            sum(length for _, length in extents(file, 0, size))
            for file, size in zip(files, sizes, strict=True)
        ]
        self._total = sum(whole)
        self._done = self._total - sum(length for span in spans for _, length in span)
        began, throttle = time.monotonic(), Throttle(self._limit)
        for number, (file, span, size) in enumerate(zip(files, spans, sizes, strict=True)):
            if have[number] < 0:
                continue
            if have[number] == 0:
                self._record(number, 0, ANEW)
            for at, length in span:
                self._record(number, at, length)
                give(self._pipe, file, at, length, partial(self._told, throttle), throttle.at_once)
            self._record(number, size, 0)
        self._record(END, 1, 0)
        self._seconds += time.monotonic() - began
        with ThreadPoolExecutor(2) as pool:
            own = list(pool.map(sha256_of, files))
        return own, self._hear(Proof).sha256

    def _told(self, throttle: Throttle, block: int) -> None:
        """Count a block, and wait while the lane has had its share of bytes."""
        throttle.take(block)
        self._done += block
        self._sent += block
        self._report(self._done, self._total, self._anew)

    def _record(self, number: int, at: int, length: int) -> None:
        head = RECORD.pack(number, at, length)
        while head:
            head = head[os.write(self._pipe, head) :]

    def _hear(self, kind: type[W]) -> W:
        """The next word of the other end. Raises `Refused` for its complaint, `EOFError` where it is gone."""
        line = self._answers.readline()
        if not line:
            raise EOFError
        found = msgspec.json.decode(line, type=kind | Complaint)
        if isinstance(found, Complaint):
            raise Refused(found.code, f"on the target: {found.message}", transient=found.transient)
        return found


def _arrived(place: Path) -> Path:
    """Where a file is that has its name already, or waits for it."""
    there = place if is_regular(place) else part_of(place)
    if not is_regular(there):
        raise Refused("file.missing", f"{place} has not come")
    return there


def _opened(stack: ExitStack, place: Path) -> int:
    if not is_regular(place):
        raise Refused("file.missing", f"{place} is not there as a regular file")
    try:
        descriptor = os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as failed:
        raise disk_refused(failed, place) from failed
    stack.callback(os.close, descriptor)
    return descriptor


def _tell(
    loop: asyncio.AbstractEventLoop, report: Report, done: int, total: int, anew: Sequence[str]
) -> None:
    loop.call_soon_threadsafe(report, done, total, anew)


async def _broken(process: asyncio.subprocess.Process, broken: BaseException, address: str) -> Refused:
    """Why a lane broke: what ssh says of it, if it says anything."""
    said = b""
    if process.stderr is not None:
        if process.returncode is None:
            process.kill()
        said = await process.stderr.read(COMPLAINT_BYTES)
    reason = said.decode(errors="replace").strip()[-300:] or str(broken) or "the other end is gone"
    return Refused("copy.interrupted", f"the way to {address} broke: {reason}", transient=True)
