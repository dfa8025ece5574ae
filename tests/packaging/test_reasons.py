"""What the installer's script says of why it does not go on, and the ways out that it names: each can be walked."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from .place import DONE, FAILED, REFUSED, Place, everything

ERROR = "ImportError: /opt/_rust.abi3.so: file too short"
DYING = f"""Traceback (most recent call last):
  File "zstui/__main__.py", line 3, in <module>
{ERROR}
[PYI-837:ERROR] Failed to execute script '__main__' due to unhandled exception!
"""
UNIT_SAYS = """zstui.service: Main process exited, code=exited, status=1/FAILURE
zstui.service: Failed with result 'exit-code'.
zstui.service: Scheduled restart job, restart counter is at 4.
Started zstui.service - zstui, a private cloud.
"""
SCHEMA_AT = 60
"""Where SQLite keeps the version of a store in its file."""


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where scripts unpack to try, with nothing left in it at the end."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    yield folder
    assert list(folder.iterdir()) == []


def upgraded(place: Place) -> Path:
    """Install and upgrade; returns the backup that the way back needs."""
    place.install()
    code, said = place.script(place.make("1.1"), "-r", str(place.root), "-u", "-z")
    assert code == DONE, said
    (backup,) = (place.data / "backups").iterdir()
    return backup


def store(place: Place, version: int) -> None:
    """Leave a store of that version."""
    place.data.mkdir(parents=True)
    head = bytearray(100)
    head[:16] = b"SQLite format 3\0"
    head[SCHEMA_AT : SCHEMA_AT + 4] = version.to_bytes(4)
    (place.data / "store.db").write_bytes(head)


@pytest.mark.parametrize("quiet", [(), ("-q",)])
@pytest.mark.parametrize("systemd", [False, True])
def test_a_version_that_dies_at_its_start_is_named_by_its_own_error(
    place: Place, systemd: bool, quiet: tuple[str, ...]
) -> None:
    if systemd:
        place.systemd()
        (place.folder / "journal").write_text(DYING + UNIT_SAYS)
        place.tool("journalctl", f"#!/bin/sh\ncat {place.folder}/journal\n")
    place.install()
    (place.folder / "words").write_text(DYING)
    new = place.make("1.1")
    code, said = place.script(new, "-r", str(place.root), "-u", *(("-t", "2") if systemd else ()), *quiet)
    reason = f"its last words: {ERROR}; {place.log} has all of them"
    assert (code, f"; {reason}\n" in said) == (FAILED, True), said
    assert f"it failed: zstui {'did not answer' if systemd else 'ended 4 times'}" in said
    log = place.log.read_text()
    assert (DYING in log, f"{reason}\n" in log) == (True, True), log


def test_of_one_that_says_nothing_it_is_said_how_it_ended(place: Place) -> None:
    place.install()
    # Of an earlier start.
    (place.data / "appliance.log").write_text(DYING)
    code, said = place.run("-t", "2")
    assert (code, "the appliance ended with 7; " in said, ERROR in said) == (FAILED, True, False), said


def test_a_loader_that_cannot_load_is_quoted(place: Place) -> None:
    """It says why by itself, then."""
    why = "[PYI-9:ERROR] Failed to load Python shared library 'libpython3.11.so.1.0'"
    (place.folder / "words").write_text(why + "\n")
    code, said = place.run()
    assert (code, f"its last words: {why}; " in said) == (FAILED, True), said


def test_a_program_that_fails_when_it_is_asked_is_named_by_its_own_error(place: Place) -> None:
    (place.folder / "wrong").write_text(DYING)
    for check in ((), ("--check",)):
        code, said = place.run("-z", *check)
        assert (code, f"fails: {ERROR}\n" in said) == (REFUSED, True), said


@pytest.mark.parametrize("kept", [True, False])
def test_where_there_is_no_way_back_another_way_is_named_and_leads_there(place: Place, kept: bool) -> None:
    new = place.make("1.1")
    code, said = place.script(new, "-r", str(place.root), "--data", str(place.data), "-z")
    assert code == DONE, said
    (place.data / "store.db").write_text("precious")
    if not kept:
        (migrations,) = place.root.glob("versions/*/_internal/appliance/store/migrations")
        for number in (1, 2):
            (migrations / f"{number}.sql").touch()
    option = "-k, which keeps its store" if kept else "-D, which sets its store aside"
    words = ("-r", str(place.root), "--data", str(place.data), option[:2])
    told = (
        f"is installed, and zstui 1.0 is older; to have this one, run bash {place.root}/installer --uninstall, "
        f"then this with {' '.join(words[:4])} {option}\n"
    )
    for given in ((), ("-u",), ("--check",), ("-u", "--check")):
        code, said = place.script(place.file, "-r", str(place.root), "-z", *given)
        assert (code, told in said, "--rollback" in said) == (REFUSED, True, False), said
    place.uninstall()
    code, said = place.script(place.file, *words, "-z")
    assert code == DONE, said
    assert (place.data / "store.db").exists() == kept


def test_a_way_back_that_is_damaged_is_not_named(place: Place, scratch: Path) -> None:
    assert scratch.is_dir()
    backup = upgraded(place)
    assert "use --rollback to go back to 1.0-" in place.run("-z", "-u")[1]
    backup.write_text("rotten")
    code, said = place.run("-z", "-u")
    assert (code, "--rollback" in said, "to have this one, run" in said) == (REFUSED, False, True), said


def test_a_newer_schema_of_the_same_version_is_refused_with_a_way_out(place: Place) -> None:
    place.install()
    (folder,) = (place.root / "versions").iterdir()
    for number in (1, 2):
        (folder / f"_internal/appliance/store/migrations/{number}.sql").touch()
    other = folder.with_name("1.0-" + "0" * 12)
    folder.rename(other)
    (place.root / "current").unlink()
    (place.root / "current").symlink_to(f"versions/{other.name}")
    code, said = place.run("-z", "-u")
    told = f"{other.name} keeps a store of version 2, and zstui 1.0 knows versions up to 1; to have this one, run"
    assert (code, told in said) == (REFUSED, True), said


@pytest.mark.parametrize("what", ["backup", "rotten", "program"])
def test_a_way_back_that_cannot_be_gone_is_refused_before_anything_is_stopped(
    place: Place, scratch: Path, what: str
) -> None:
    backup = upgraded(place)
    assert place.script(place.root / "installer", "--rollback", "--check")[0] == DONE
    (before,) = (place.root / "versions").glob("1.0-*")
    new = (place.root / "current").readlink().name
    if what == "backup":
        backup.unlink()
        why = f"{backup}, the store that {before.name} goes back to, is gone; put it there again, or stay with {new}\n"
    elif what == "rotten":
        backup.write_text("rotten")
        why = (
            f"{backup}, the store that {before.name} goes back to, cannot be restored: file is not a database; "
            f"put a sound one in its place, or stay with {new}\n"
        )
    else:
        (before / "zstui").unlink()
        why = (
            f"{before.name}, the version to go back to, is not in {before.parent} any more; stay with {new}\n"
        )
    state = everything(place.root)
    for check in ((), ("--check",)):
        code, said = place.script(place.root / "installer", "--rollback", "-z", *check)
        assert (code, f"Reason: {why}" in said, "Stop zstui" in said) == (REFUSED, True, False), said
        assert everything(place.root) == state
        assert list(scratch.iterdir()) == []
    if what != "program":
        backup.write_text("sound")
        assert place.script(place.root / "installer", "--rollback", "-z")[0] == DONE


def test_a_backup_that_there_is_no_room_to_try_is_told_of(place: Place, scratch: Path) -> None:
    upgraded(place)
    place.tool(
        "df", f"#!/bin/sh\necho\ncase $2 in {scratch}*) echo a b c 9 ;; *) echo a b c 307200 ;; esac\n"
    )
    code, said = place.script(place.root / "installer", "--rollback", "--check")
    told = f"{scratch} has 0 MB free, and {scratch} needs 1 MB; make room, or give another folder with TMPDIR"
    assert (code, told in said) == (REFUSED, True), said


def test_a_store_that_is_newer_is_refused_before_anything_is_begun(place: Place) -> None:
    store(place, 2)
    before = everything(place.folder / "lib")
    told = (
        f"{place.data} has a store of version 2, and zstui 1.0 knows versions up to 1; install a later zstui "
        f"with -k, or set that store aside with -D\n"
    )
    for words in ((), ("-k",), ("--check",), ("-k", "--check")):
        code, said = place.run("-z", *words)
        assert (code, f"Reason: {told}" in said, place.root.exists()) == (REFUSED, True, False), said
    assert everything(place.folder / "lib") == before
    assert place.run("-z", "-D", "--check")[0] == DONE
    assert place.run("-z", "-D")[0] == DONE


def test_a_store_of_this_version_is_kept(place: Place) -> None:
    store(place, 1)
    code, said = place.run("-z", "-k", "--check")
    assert code == DONE, said
    place.install("-k")
