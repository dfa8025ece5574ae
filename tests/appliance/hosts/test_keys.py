"""The appliance's key in a user's list of keys: what else is in the list stays."""

from __future__ import annotations

import fcntl
import os
import subprocess
import time
from pathlib import Path

import pytest

from appliance.hosts.ssh import INSTALL_KEY, REMOVE_KEY

KEY = b"ssh-ed25519 NEW zstui\n"
ANYTHING = b"# caf\xe9\r\nssh-ed25519 OLD \xff me\n\0\n"


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    (tmp_path / ".ssh").mkdir()
    return tmp_path / ".ssh/authorized_keys"


def begin(script: str, keys: Path) -> subprocess.Popen[bytes]:
    begun = subprocess.Popen(
        ["sh", "-c", script],
        stdin=subprocess.PIPE,
        env={"HOME": str(keys.parents[1]), "PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"},
    )
    assert begun.stdin is not None
    begun.stdin.write(KEY)
    begun.stdin.close()
    return begun


def run(script: str, keys: Path) -> None:
    assert begin(script, keys).wait(10) == 0
    assert list(keys.parent.iterdir()) == [keys]


@pytest.mark.parametrize("before", [b"", b"ssh-ed25519 OLD me", b"ssh-ed25519 OLD me\n", ANYTHING])
def test_a_key_is_installed_on_a_line_of_its_own(keys: Path, before: bytes) -> None:
    keys.write_bytes(before)
    for _ in range(2):
        run(INSTALL_KEY, keys)
    ended = before + b"\n" if before and not before.endswith(b"\n") else before
    assert keys.read_bytes() == ended + KEY


@pytest.mark.parametrize("others", [b"", b"ssh-ed25519 OLD me\n", ANYTHING])
def test_only_the_key_itself_is_removed(keys: Path, others: bytes) -> None:
    keys.write_bytes(others + KEY + others)
    run(REMOVE_KEY, keys)
    assert keys.read_bytes() == others + others


def test_a_list_that_is_not_there_is_made_for_its_owner_alone(keys: Path) -> None:
    keys.parent.rmdir()
    run(INSTALL_KEY, keys)
    assert keys.read_bytes() == KEY
    assert [oct(path.stat().st_mode & 0o777) for path in (keys.parent, keys)] == ["0o700", "0o600"]


@pytest.mark.parametrize("script", [INSTALL_KEY, REMOVE_KEY], ids=["install", "remove"])
def test_a_list_is_replaced_whole_by_one_that_is_as_much_its_owners(keys: Path, script: str) -> None:
    kept = keys.parent.parent / "kept"
    kept.write_bytes(ANYTHING + (KEY if script == REMOVE_KEY else b""))
    kept.chmod(0o640)
    keys.symlink_to(kept)
    with kept.open("rb") as open_before:
        assert begin(script, keys).wait(10) == 0
        assert open_before.read() == ANYTHING + (KEY if script == REMOVE_KEY else b""), "never a part of it"
    assert keys.is_symlink()
    assert kept.stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("script", [INSTALL_KEY, REMOVE_KEY], ids=["install", "remove"])
def test_nobody_elses_change_is_lost(keys: Path, script: str) -> None:
    """As an agent changes the list: held, and replaced by another one."""
    keys.write_bytes(KEY if script == REMOVE_KEY else b"")
    with keys.open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        begun = begin(script, keys)
        time.sleep(0.3)
        assert begun.poll() is None, "it waits"
        other = keys.with_name("other")
        other.write_bytes(b"ssh-ed25519 LANE\n" + keys.read_bytes())
        other.replace(keys)
    assert begun.wait(10) == 0
    assert keys.read_bytes() == b"ssh-ed25519 LANE\n" + (KEY if script == INSTALL_KEY else b"")
