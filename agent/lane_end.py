"""The other end of a lane: what sshd runs for a lane's key, and nothing else."""

from __future__ import annotations

import os
import socket
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path

import msgspec

from agent.lane import LOOPBACK, end_holder, pid_path
from agent.lane_libvirt import Gate
from agent.lane_stream import ANEW, END, Complaint, Have, Proof, Taker, sha256_of
from agent.paths import Paths
from agent.pidfile import PidFile
from agent.protocol import LIBVIRT_DOOR, OpenLane
from agent.refused import Refused
from agent.storage import StorageRoots, check_room, disk_refused, is_regular, make_folders, part_of

DOOR_BYTES = 1 << 16


def lane(paths: Paths, uuid: str, asked: str) -> int:
    """Do what the source asked for on a lane that is open: `files`, or `door WORD`. Returns the exit status."""
    try:
        spec = _spec(paths, uuid)
        words = asked.split(" ")
        if words == ["files"]:
            _files(paths, spec)
        elif words[0] == "door" and len(words) == 2 and words[1] in spec.doors:
            PidFile(pid_path(paths, uuid, str(os.getpid()))).take()
            _require_open(paths, spec)
            _door(spec, words[1])
        else:
            raise Refused("lane.command", f"lane {uuid} does not lead to {asked[:100]!r}")
    except Refused as refused:
        found = refused.refusal
        _say(Complaint(code=found.code, message=found.message, transient=found.transient))
        return 1
    except EOFError:
        return 1  # the source is gone: it comes back, or the lane is closed
    return 0


def _spec(paths: Paths, uuid: str) -> OpenLane:
    path = paths.state / "lanes" / f"{uuid}.json"
    if not uuid.isalnum() or not path.exists():
        raise Refused("lane.unknown", f"no lane {uuid} is open on this host", transient=True)
    return msgspec.json.decode(path.read_bytes(), type=OpenLane)


def _require_open(paths: Paths, spec: OpenLane) -> None:
    """Refuse a lane that is not open as it was: who closes it ends those whom he sees, and we were not to be seen."""
    if _spec(paths, spec.lane_uuid) != spec:
        raise Refused("lane.unknown", f"no lane {spec.lane_uuid} is open on this host", transient=True)


def _files(paths: Paths, spec: OpenLane) -> None:
    """Take the files of a lane to beside their places, and prove what is there then."""
    holder = PidFile(pid_path(paths, spec.lane_uuid, "files"))
    end_holder(holder)  # a source that lost its way begins again, and only we know that the old one is dead
    if not holder.take():
        raise Refused("lane.busy", f"lane {spec.lane_uuid} is used already; wait for that", transient=True)
    _require_open(paths, spec)
    storage = StorageRoots(paths)
    places = [storage.resolve(path) for path in spec.files]
    with ExitStack() as stack:
        descriptors = [_opened(stack, place) for place in places]
        there = [is_regular(place) for place in places]
        _say(
            Have(
                have=[
                    -1 if whole else os.fstat(each).st_size
                    for each, whole in zip(descriptors, there, strict=True)
                ]
            )
        )
        taker = Taker(0)
        while _take_round(taker, descriptors, there, places, reserved_bytes=spec.reserved_bytes):
            with ThreadPoolExecutor(2) as pool:
                _say(Proof(sha256=list(pool.map(_kept, descriptors, places))))


def _kept(descriptor: int, place: Path) -> str:
    """What a file holds once that is on its disk. Not earlier: while a disk is waited for nothing more is taken."""
    try:
        os.fsync(descriptor)
    except OSError as failed:
        raise disk_refused(failed, place) from failed
    return sha256_of(descriptor)


def _take_round(
    taker: Taker, descriptors: list[int], there: list[bool], places: list[Path], *, reserved_bytes: int
) -> bool:
    """Records up to the end of a round; False when there is no other."""
    place = places[0]
    try:
        while True:
            number, at, length = taker.record()
            if number == END:
                return bool(at)
            if number >= len(descriptors) or there[number]:
                raise Refused("lane.record", f"record of file {number}, which is not to be written")
            descriptor, place = descriptors[number], places[number]
            if length == ANEW:
                os.ftruncate(descriptor, 0)
            elif length:
                if reserved_bytes:
                    check_room(place.parent, length, f"the next part of {place}", reserved_bytes)
                taker.take(descriptor, at, length)
            else:
                os.ftruncate(descriptor, at)
    except OSError as failed:
        raise disk_refused(failed, place) from failed


def _opened(stack: ExitStack, place: Path) -> int:
    """A file's descriptor: the whole one, to be read, or the part beside its place, to be written."""
    try:
        if is_regular(place):
            descriptor = os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        else:
            make_folders(place.parent)
            descriptor = os.open(part_of(place), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
    except OSError as failed:
        raise disk_refused(failed, place) from failed
    stack.callback(os.close, descriptor)
    return descriptor


def _door(spec: OpenLane, word: str) -> None:
    """Join standard input and output to what is behind a door, until who is there hangs up.

    That is a unix socket or a port of the loopback; to libvirt goes only what a move needs.
    """
    behind = spec.doors[word]
    try:
        if behind.isdecimal():
            door = socket.create_connection((LOOPBACK, int(behind)))
        else:
            door = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            door.connect(behind)
    except OSError as failed:
        raise Refused("lane.door", f"{behind}: {failed.strerror}", transient=True) from failed
    gate = Gate(spec, door, 0, 1) if word == LIBVIRT_DOOR else Pour(door)
    # A thread that waits for the source's next word is no reason to stay.
    threading.Thread(target=gate.forth, daemon=True).start()
    gate.back()


class Pour:
    """What goes through any other door, unseen."""

    def __init__(self, door: socket.socket) -> None:
        self._door = door

    def forth(self) -> None:
        """Let all through that comes."""
        _pour(0, self._door.fileno())
        with suppress(OSError):
            self._door.shutdown(socket.SHUT_WR)

    def back(self) -> None:
        """Let all through that is answered."""
        _pour(self._door.fileno(), 1)


def _pour(source: int, target: int) -> None:
    through = os.pipe()
    try:
        while moved := os.splice(source, through[1], DOOR_BYTES):
            while moved:
                moved -= os.splice(through[0], target, moved)
    except (BrokenPipeError, ConnectionResetError):
        return  # the other side is gone, and what is left has nowhere to go
    finally:
        os.close(through[0])
        os.close(through[1])


def _say(word: Have | Proof | Complaint) -> None:
    sys.stdout.write(msgspec.json.encode(word).decode() + "\n")
    sys.stdout.flush()
