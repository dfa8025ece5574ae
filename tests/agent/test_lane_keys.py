"""A lane's line among the keys of a user, whose file it is: all else in it stays, whatever that is."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import agent.lane
from agent.lane import Lanes
from agent.paths import Paths
from agent.protocol import CloseLane, OpenLane
from agent.refused import Refused
from agent.storage import StorageRoots

UUID = "5e" * 16
OTHERS = [
    b"",
    b"ssh-rsa AAAA plain\n",
    b"ssh-rsa AAAA no end",
    b"ssh-rsa AAAA caf\xe9\n",
    b"# \xff\xfe\n\nssh-rsa AAAA x\n\n",
    "ssh-rsa AAAA a\u2028b\x0cc\x85d\u0085e\n".encode(),
    b"ssh-rsa AAAA one\r\nssh-rsa BBBB two\rthree\r\n",
]


class Host:
    """A host's lanes, and the file of who may log in."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.keys = folder / "home" / "authorized_keys"
        self.keys.parent.mkdir()
        self.keys.touch(mode=0o640)
        self.paths = Paths(folder / "state", folder / "run")
        self.paths.make()
        self.lanes = Lanes(self.paths, StorageRoots(self.paths))
        monkeypatch.setattr(agent.lane, "_authorized_keys", lambda _: self.keys)

    @property
    def spec(self) -> Path:
        return self.paths.state / "lanes" / f"{UUID}.json"

    async def open(self, key: str = "A") -> None:
        await self.lanes.open(
            OpenLane(lane_uuid=UUID, username="root", public_key=f"ssh-ed25519 {key * 68}",
                     source_address="10.0.0.1")
        )  # fmt: skip

    async def close(self) -> None:
        await self.lanes.close(CloseLane(lane_uuid=UUID, username="root"))


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    return Host(tmp_path, monkeypatch)


@pytest.mark.parametrize("others", OTHERS)
async def test_what_others_wrote_stays_to_the_byte(host: Host, others: bytes) -> None:
    host.keys.write_bytes(others)
    ended = others if not others or others.endswith(b"\n") else others + b"\n"
    for key in ("A", "B"):
        await host.open(key)
        there = host.keys.read_bytes()
        assert there.startswith(ended + b'restrict,from="10.0.0.1"')
        assert there.removeprefix(ended).count(b"\n") == 1
        assert there.endswith(b"%s zstui-lane-%s\n" % (key.encode() * 68, UUID.encode()))
    await host.close()
    assert host.keys.read_bytes() == ended


async def test_a_key_is_found_in_a_file_that_got_other_ends_of_lines(host: Host) -> None:
    await host.open()
    host.keys.write_bytes(host.keys.read_bytes().replace(b"\n", b"\r\n") + b"ssh-rsa AAAA x\r\n")
    await host.close()
    assert host.keys.read_bytes() == b"ssh-rsa AAAA x\r\n"


async def test_a_power_cut_leaves_the_old_file_or_the_new_one(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is there is not written over: it is replaced, by what is on disk and no less theirs."""
    host.keys.write_bytes(b"ssh-rsa AAAA x\n")
    os.chown(host.keys, 1234, 4321)
    host.keys.chmod(0o640)
    os.setxattr(host.keys, "user.label", b"theirs")
    with host.keys.open("rb") as old, monkeypatch.context() as patched:
        patched.setattr(os, "fsync", _fails)
        with pytest.raises(Refused):
            await host.open()
        assert host.keys.read_bytes() == b"ssh-rsa AAAA x\n"
        patched.undo()
        await host.open()
        assert old.read() == b"ssh-rsa AAAA x\n"
    assert host.keys.read_bytes().startswith(b"ssh-rsa AAAA x\nrestrict,")
    there = host.keys.stat()
    assert (there.st_uid, there.st_gid, there.st_mode & 0o7777) == (1234, 4321, 0o640)
    assert os.getxattr(host.keys, "user.label") == b"theirs"
    assert [each.name for each in host.keys.parent.iterdir()] == ["authorized_keys"]


async def test_a_file_kept_elsewhere_stays_there(host: Host, tmp_path: Path) -> None:
    kept = tmp_path / "kept-keys"
    kept.write_bytes(b"ssh-rsa AAAA x\n")
    host.keys.unlink()
    host.keys.symlink_to("../kept-keys")
    await host.open()
    assert kept.read_bytes().startswith(b"ssh-rsa AAAA x\nrestrict,")
    await host.close()
    assert kept.read_bytes() == b"ssh-rsa AAAA x\n"
    assert str(host.keys.readlink()) == "../kept-keys"


async def test_no_user_has_root_write_a_file_of_somebody_else(host: Host, tmp_path: Path) -> None:
    kept = tmp_path / "shadow"
    kept.write_bytes(b"root:x:\n")
    host.keys.unlink()
    host.keys.symlink_to(kept)
    os.chown(host.keys, 1234, 1234, follow_symlinks=False)
    with pytest.raises(Refused) as refused:
        await host.open()
    assert refused.value.refusal.code == "storage.error"
    assert kept.read_bytes() == b"root:x:\n"


def test_lanes_that_are_opened_at_once_keep_their_lines(host: Host) -> None:
    with ThreadPoolExecutor(8) as pool:
        for number in range(40):
            pool.submit(agent.lane._rewrite, host.keys, f"{number}x", f"key zstui-lane-{number}x")
    assert len(host.keys.read_bytes().splitlines()) == 40


async def test_a_lane_whose_key_cannot_be_taken_away_leads_nowhere(host: Host) -> None:
    await host.open()
    host.keys.unlink()
    host.keys.mkdir()
    with pytest.raises(Refused):
        await host.close()
    assert not host.spec.exists()


def _fails(_: int) -> None:
    raise OSError(5, "Input/output error")
