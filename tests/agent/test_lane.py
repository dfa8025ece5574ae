"""Files sent on a lane: whole, sparse, resumed, verified; and the key that is good for nothing else."""

from __future__ import annotations

import asyncio
import os
import pwd
import socket
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from agent.lane import Lanes
from agent.lane_copy import LaneCopies
from agent.paths import Paths
from agent.protocol import (
    AdoptFiles,
    CloseLane,
    CopyFiles,
    Copying,
    EnsureStorage,
    FilesCopied,
    LimitLane,
    OfferLane,
    OpenLane,
)
from agent.refused import Refused
from agent.storage import StorageRoots

UUID = "5e" * 16
MIB = 1 << 20


class Ends:
    """Two hosts on one machine: their own folders, and a way between them that is a process and no network."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.source, self.target = (
            Paths(folder / name / "state", folder / name / "run") for name in ("a", "b")
        )
        self.roots = [folder / "disk-a", folder / "disk-b"]
        self.storages = []
        for paths, root in zip((self.source, self.target), self.roots, strict=True):
            paths.make()
            storage = StorageRoots(paths)
            storage.ensure(EnsureStorage(storage_uuid="ab" * 16, root=str(root)))
            self.storages.append(storage)
        self.lanes = Lanes(self.source, self.storages[0])
        self.other = Lanes(self.target, self.storages[1])
        self.copies = LaneCopies(self.lanes, self.storages[0])
        self.wrapped: list[str] = []
        self.anew: set[str] = set()
        monkeypatch.setattr(self.lanes, "ssh", lambda *_: [*self.wrapped, *self._command()])
        monkeypatch.setenv("PYTHONPATH", str(Path.cwd()))
        home = folder / "home"
        (home / ".ssh").mkdir(parents=True)
        self.keys = home / ".ssh" / "authorized_keys"
        self.keys.write_text("ssh-ed25519 AAAA somebody else\n")
        entry = pwd.getpwnam("root")
        monkeypatch.setattr(pwd, "getpwnam", lambda _: pwd.struct_passwd((*entry[:5], str(home), entry[6])))

    def _command(self) -> list[str]:
        """What sshd would run; the source's paths are replaced by the target's on the way."""
        environment = [f"ZSTUI_AGENT_STATE={self.target.state}", f"ZSTUI_AGENT_RUN={self.target.run}"]
        return ["env", *environment, sys.executable, "-m", "agent", "lane", UUID]

    def places(self, *names: str) -> tuple[list[str], list[str]]:
        return [str(self.roots[0] / name) for name in names], [str(self.roots[1] / name) for name in names]

    async def open(self, *names: str) -> CopyFiles:
        """Open the lane for files, and what copies them."""
        ours, theirs = self.places(*names)
        offer = await self.lanes.offer(OfferLane(lane_uuid=UUID, address="127.0.0.1"))
        await self.other.open(
            OpenLane(lane_uuid=UUID, username="root", files=theirs,
                     public_key=offer.public_key, source_address=offer.source_address)
        )  # fmt: skip
        return CopyFiles(
            lane_uuid=UUID, address="127.0.0.1", port=22, username="root", host_key="-", files=ours
        )

    async def copy(self, request: CopyFiles) -> int:
        """Copy, and how many bytes were sent for it."""
        return (await self.whole(request)).sent_bytes

    async def whole(self, request: CopyFiles) -> FilesCopied:
        """Copy, and all that is answered; `anew` is what was told of on the way."""

        def tell(done: int, total: int, guest: Copying | None = None, anew: Sequence[str] = ()) -> None:
            self.anew |= {*anew}

        return await self.copies.copy(request, tell)

    async def close(self) -> None:
        for end in (self.lanes, self.other):
            await end.close(CloseLane(lane_uuid=UUID, username="root"))


@pytest.fixture
def ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ends:
    return Ends(tmp_path, monkeypatch)


def sparse(path: Path, size: int, *data: tuple[int, int]) -> bytes:
    """A file of holes with random data at (offset, length)."""
    with path.open("wb") as file:
        file.truncate(size)
        for at, length in data:
            file.seek(at)
            file.write(os.urandom(length))
    return path.read_bytes()


async def test_files_arrive_equal_and_holes_stay_holes(ends: Ends) -> None:
    request = await ends.open("one", "two")
    one = sparse(ends.roots[0] / "one", 64 * MIB, (0, MIB), (40 * MIB, 2 * MIB))
    two = sparse(ends.roots[0] / "two", 3 * MIB + 17, (MIB, 2 * MIB + 17))
    sent = await ends.copy(request)
    assert 5 * MIB <= sent <= 5 * MIB + 2 * 4096
    arrived = ends.roots[1] / "one.part"
    assert arrived.read_bytes() == one
    assert arrived.stat().st_blocks * 512 <= 3 * MIB + 64 * 1024
    assert (ends.roots[1] / "two.part").read_bytes() == two
    assert not (ends.roots[1] / "one").exists()


async def test_what_has_arrived_is_not_sent_again(ends: Ends) -> None:
    request = await ends.open("one")
    one = sparse(ends.roots[0] / "one", 16 * MIB, (0, 16 * MIB))
    (ends.roots[1] / "one.part").write_bytes(one[: 10 * MIB])
    assert await ends.copy(request) == 6 * MIB
    assert (ends.roots[1] / "one.part").read_bytes() == one
    assert await ends.copy(request) == 0


async def test_wrong_bytes_on_the_target_are_found_and_sent_anew(ends: Ends) -> None:
    request = await ends.open("one", "two")
    one = sparse(ends.roots[0] / "one", 8 * MIB, (0, 8 * MIB))
    sparse(ends.roots[0] / "two", MIB, (0, MIB))
    (ends.roots[1] / "one.part").write_bytes(bytes([one[0] ^ 1]) + one[1 : 4 * MIB])
    copied = await ends.whole(request)
    assert copied.sent_bytes == 4 * MIB + MIB + 8 * MIB
    assert [*ends.anew] == copied.anew == [str(ends.roots[0] / "one")]
    assert (ends.roots[1] / "one.part").read_bytes() == one


async def test_bytes_that_stay_wrong_are_no_copy(ends: Ends) -> None:
    request = await ends.open("one")
    sparse(ends.roots[0] / "one", 2 * MIB, (0, 2 * MIB))
    # A target that gives other bytes than it was sent, each time.
    spoil = (
        "import agent.lane_end as end\nwhole = end.sha256_of\nend.sha256_of = lambda file: whole(file)[::-1]\n"
        "import sys\nfrom agent.__main__ import main\nsys.exit(main(sys.argv[1:]))"
    )
    command = ends._command()
    ends.lanes.ssh = lambda *_: [*command[:3], sys.executable, "-c", spoil, "lane", UUID]  # type: ignore[method-assign]
    with pytest.raises(Refused) as refused:
        await ends.copy(request)
    assert refused.value.refusal.code == "copy.differs"


async def test_a_copy_that_is_cut_off_says_so_and_goes_on_later(ends: Ends) -> None:
    request = await ends.open("one")
    one = sparse(ends.roots[0] / "one", 64 * MIB, (0, 64 * MIB))
    slow = CopyFiles(**{name: getattr(request, name) for name in request.__struct_fields__}
                     | {"bytes_per_second": 20 * MIB})  # fmt: skip
    copying = asyncio.create_task(ends.copy(slow))
    part = ends.roots[1] / "one.part"
    async with asyncio.timeout(20):
        while not (part.exists() and part.stat().st_size > 8 * MIB):
            await asyncio.sleep(0.02)
    (process,) = ends.lanes._moving[UUID]
    process.kill()
    with pytest.raises(Refused) as refused:
        await copying
    assert (refused.value.refusal.code, refused.value.refusal.transient) == ("copy.interrupted", True)
    assert 0 < await ends.copy(request) <= 56 * MIB
    assert part.read_bytes() == one


async def test_a_limit_that_is_changed_holds_for_what_is_under_way(ends: Ends) -> None:
    request = await ends.open("one")
    sparse(ends.roots[0] / "one", 64 * MIB, (0, 64 * MIB))
    slow = CopyFiles(**{name: getattr(request, name) for name in request.__struct_fields__}
                     | {"bytes_per_second": 64 << 10})  # fmt: skip
    copying = asyncio.create_task(ends.copy(slow))
    part = ends.roots[1] / "one.part"
    async with asyncio.timeout(20):
        while not (part.exists() and part.stat().st_blocks):
            await asyncio.sleep(0.02)
    # At the old limit it would take a quarter of an hour; who asks again, at another pace, waits for the same.
    ends.copies.limit(LimitLane(lane_uuid=UUID, bytes_per_second=128 << 10))
    again = asyncio.create_task(ends.copy(request))
    await asyncio.sleep(0)
    ends.copies.limit(LimitLane(lane_uuid=UUID, bytes_per_second=32 * MIB))
    began = time.monotonic()
    async with asyncio.timeout(20):
        assert await again == await copying
    assert time.monotonic() - began > 1.5
    ends.copies.limit(LimitLane(lane_uuid=UUID, bytes_per_second=1))


async def test_closing_a_lane_ends_what_moves_on_it(ends: Ends) -> None:
    request = await ends.open("one")
    sparse(ends.roots[0] / "one", 64 * MIB, (0, 64 * MIB))
    slow = CopyFiles(**{name: getattr(request, name) for name in request.__struct_fields__}
                     | {"bytes_per_second": 4 * MIB})  # fmt: skip
    copying = asyncio.create_task(ends.copy(slow))
    async with asyncio.timeout(20):
        while not (ends.roots[1] / "one.part").exists():
            await asyncio.sleep(0.02)
    await ends.close()
    with pytest.raises(Refused):
        async with asyncio.timeout(10):
            await copying
    assert list(ends.source.run.glob("lanes/*")) == [] == list(ends.target.run.glob("lanes/*"))
    assert ends.keys.read_text() == "ssh-ed25519 AAAA somebody else\n"
    with pytest.raises(Refused) as refused:
        await ends.copy(request)
    assert refused.value.refusal.code == "lane.unknown"


async def test_a_full_target_is_named(ends: Ends) -> None:
    request = await ends.open("one")
    sparse(ends.roots[0] / "one", 8 * MIB, (0, 8 * MIB))
    ends.wrapped = ["prlimit", f"--fsize={4 * MIB}"]
    with pytest.raises(Refused) as refused:
        await ends.copy(request)
    assert refused.value.refusal.code == "storage.error"
    assert "on the target" in str(refused.value)


async def test_a_name_that_nobody_knows_holds_up_nobody_else(
    ends: Ends, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = threading.Event()
    monkeypatch.setattr("agent.lane.NAME_SECONDS", 0.2)
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: asked.wait(5) and [])
    offering = asyncio.create_task(ends.lanes.offer(OfferLane(lane_uuid=UUID, address="slow.example")))
    try:
        async with asyncio.timeout(2):
            with pytest.raises(Refused, match="cannot be reached from this host") as refused:
                await offering
    finally:
        asked.set()
    assert (refused.value.refusal.code, refused.value.refusal.transient) == ("lane.no_way", True)


async def test_the_key_is_good_for_one_command_from_one_address(ends: Ends) -> None:
    await ends.open("one")
    await ends.open("one")
    other, line = ends.keys.read_text().splitlines()
    assert other.endswith("somebody else")
    assert line.startswith('restrict,from="127.0.0.1",command="')
    assert f'lane {UUID} \\"$SSH_ORIGINAL_COMMAND\\"" ssh-ed25519 ' in line
    assert line.endswith(f" zstui-lane-{UUID}")


KEY = f"ssh-ed25519 {'A' * 68}"


@pytest.mark.parametrize(
    ("key", "address"),
    [
        (f"{KEY}\n{KEY}", "127.0.0.1"),
        (KEY, '*",command="sh'),
        (KEY, "*"),
        (KEY, "127.0.0.1,*"),
        (KEY, "127.0.0.1\n"),
        (f'command="sh" {KEY}', "127.0.0.1"),
        (f"{KEY} comment", "127.0.0.1"),
        ("", ""),
    ],
)
async def test_a_lost_host_offers_no_key_that_is_good_for_more(ends: Ends, key: str, address: str) -> None:
    """What it offers becomes a line of sshd's on the other host."""
    before = ends.keys.read_text()
    with pytest.raises(Refused) as refused:
        await ends.other.open(
            OpenLane(lane_uuid=UUID, username="root", public_key=key, source_address=address)
        )
    assert refused.value.refusal.code == "lane.offer"
    assert ends.keys.read_text() == before


async def test_files_get_their_names_only_with_the_chain_that_is_expected(ends: Ends, tmp_path: Path) -> None:
    ours, _ = ends.places("low", "high")
    for name, below in (("low", None), ("high", ours[0])):
        backing = ["-u", "-b", below, "-F", "qcow2"] if below else []
        argv = ["qemu-img", "create", "-q", "-f", "qcow2", *backing, f"{ends.roots[0] / name}.part", "1M"]
        done = await asyncio.create_subprocess_exec(*argv)
        assert await done.wait() == 0
    with pytest.raises(Refused) as refused:
        await ends.copies.adopt(AdoptFiles(files={ours[0]: "", ours[1]: "/elsewhere/low"}))
    assert refused.value.refusal.code == "volume.other_backing"
    assert sorted(path.name for path in ends.roots[0].iterdir()) == ["high.part", "low.part"]
    await ends.copies.adopt(AdoptFiles(files={ours[0]: "", ours[1]: ours[0]}))
    await ends.copies.adopt(AdoptFiles(files={ours[0]: "", ours[1]: ours[0]}))
    assert sorted(path.name for path in ends.roots[0].iterdir()) == ["high", "low"]


@pytest.mark.parametrize(
    ("below", "code"),
    [
        (["-b", "/etc/shadow", "-F", "raw"], "volume.other_backing"),
        (["-b", "/etc/shadow"], "image.backing_format"),
    ],
)
async def test_a_lost_host_sends_no_file_that_leads_out_of_storage(
    ends: Ends, below: list[str], code: str
) -> None:
    """Also where nothing is expected below, as with the lowest of a volume's files."""
    place = ends.roots[0] / "low.qcow2"
    create = [
        "qemu-img",
        "create",
        "-q",
        "-f",
        "qcow2",
        "-u",
        "-b",
        "/etc/shadow",
        "-F",
        "raw",
        f"{place}.part",
        "1M",
    ]
    assert await (await asyncio.create_subprocess_exec(*create)).wait() == 0
    if "-F" not in below:
        part = ends.roots[0] / "low.qcow2.part"
        part.write_bytes(
            part.read_bytes().replace(b"\xe2\x79\x2a\xca\0\0\0\3raw", b"\xe2\x79\x2a\xcb\0\0\0\3raw")
        )
    with pytest.raises(Refused) as refused:
        await ends.copies.adopt(AdoptFiles(files={str(place): ""}))
    assert refused.value.refusal.code == code
    assert not place.exists()


async def test_what_is_sent_as_raw_is_not_looked_into(ends: Ends) -> None:
    place = ends.roots[0] / "low.raw"
    (ends.roots[0] / "low.raw.part").write_bytes(b"QFI\xfb" + bytes(508))
    await ends.copies.adopt(AdoptFiles(files={str(place): ""}))
    assert place.exists()
