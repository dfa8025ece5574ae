"""What the installer's script finds wrong before anything has changed: with itself, the machine, or what it is told."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import pytest

from .place import DONE, REFUSED, Place, everything


@pytest.mark.parametrize("action", ["-z", "-u", "--uninstall", "--rollback", "--host-only"])
def test_a_script_of_which_a_byte_is_another_does_nothing(place: Place, tmp_path: Path, action: str) -> None:
    place.install()
    before = everything(place.root)
    whole = place.file.read_bytes()
    bad = tmp_path / "bad"
    words = (action,) if action == "--host-only" else (action, "-r", str(place.root))
    for found in (b"and $1 needs", b"SCRIPT_SHA256=", b"# Delete what", b"VERSION="):
        at = whole.index(found) + len(found)
        other = b"0" if whole[at : at + 1] != b"0" else b"1"
        bad.write_bytes(whole[:at] + other + whole[at + 1 :])
        code, said = place.script(bad, *words)
        told = f"{bad} is damaged: the checksum of its script is another; download it again"
        assert (code, told in said) == (REFUSED, True), said
    assert everything(place.root) == before


def test_whichever_byte_of_a_script_is_another_it_does_nothing(place: Place, tmp_path: Path) -> None:
    """Where bash does not understand it, it says that."""
    whole = place.file.read_bytes()
    end = whole.index(b'main "$@"\nexit\n')
    for at in range(whole.index(b"VERSION="), end, 1201):
        (tmp_path / "bad").write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        code, said = place.script(tmp_path / "bad", "-r", str(place.root), "--data", str(place.data), "-z")
        assert code != DONE, (at, said)
        assert not place.root.exists(), (at, said)
        assert not place.data.exists(), (at, said)


def test_a_host_is_made_by_no_file_that_is_damaged(place: Place, tmp_path: Path) -> None:
    place.tool("apt-get", f"#!/bin/sh\ntouch {place.folder}/fetched\n")
    place.install()
    whole = place.file.read_bytes()
    bad = tmp_path / "bad"
    bad.write_bytes(whole[:-9] + bytes([whole[-9] ^ 1]) + whole[-8:])
    code, said = place.script(bad, "--host-only", "--check")
    assert (code, "is damaged: its checksum is another" in said) == (REFUSED, True), said
    # The script that an installation keeps brings nothing.
    code, said = place.script(place.root / "installer", "--host-only", "--check")
    assert "Check this file: ... PASS" in said, said


@pytest.mark.parametrize("option", ["-r", "--data"])
def test_a_folder_that_cannot_be_made_is_refused(place: Place, tmp_path: Path, option: str) -> None:
    (tmp_path / "file").write_text("1")
    (tmp_path / "dangling").symlink_to("nowhere")
    (tmp_path / "disk").mkdir()
    place.mounted(tmp_path / "disk", "ro,relatime")
    for folder, why in (
        ("file/a/b", f"{tmp_path}/file is no folder"),
        ("dangling/a", f"{tmp_path}/dangling is no folder"),
        ("disk/a/b", f"the disk of {tmp_path}/disk can only be read"),
    ):
        for check in ((), ("--check",)):
            code, said = place.run("-z", option, f"{tmp_path}/{folder}", *check)
            told = f"Reason: {tmp_path}/{folder} cannot be: {why}; give another with {option}"
            assert (code, told in said) == (REFUSED, True), said
    assert not place.root.exists()
    assert not place.data.exists()


@pytest.mark.parametrize(("option", "needed"), [("-r", 300), ("--data", 50)])
def test_a_disk_without_room_is_refused(place: Place, tmp_path: Path, option: str, needed: int) -> None:
    df = "#!/bin/sh\necho\ncase $2 in {}*) echo a b c 51199 ;; *) echo a b c 307200 ;; esac\n"
    (tmp_path / "disk").mkdir()
    place.tool("df", df.format(tmp_path / "disk"))
    for check in ((), ("--check",)):
        code, said = place.run("-z", option, f"{tmp_path}/disk/a", *check)
        told = (
            f"{tmp_path}/disk has 49 MB free, and {tmp_path}/disk/a needs {needed} MB; "
            f"make room, or give another folder with {option}"
        )
        assert (code, told in said) == (REFUSED, True), said


def test_a_disk_that_runs_nothing_is_refused_for_the_programs(place: Place, tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    place.mounted(tmp_path / "disk", "rw,nosuid,noexec")
    code, said = place.run("-z", "-r", f"{tmp_path}/disk/a")
    assert (code, f"nothing on the disk of {tmp_path}/disk/a may be run" in said) == (REFUSED, True), said
    place.install("--data", f"{tmp_path}/disk/data")


def test_a_disk_that_became_one_to_read_from_is_told_of_before_an_upgrade(place: Place) -> None:
    place.install()
    place.mounted(place.data, "ro")
    code, said = place.script(place.make("1.1"), "-r", str(place.root), "-u", "-z")
    assert (code, f"the disk of {place.data} can only be read" in said) == (REFUSED, True), said


def test_a_log_that_cannot_be_written_is_refused(place: Place) -> None:
    place.log = place.folder / "none" / "log"
    place.file = place.make("1.1")
    for check in ((), ("--check",)):
        code, said = place.run("-z", *check)
        told = f"{place.log}, to which all is written that is done, cannot be written"
        assert (code, told in said) == (REFUSED, True), said
    assert not place.root.exists()


def test_how_it_cannot_be_reached_is_refused_before_what_runs_is_stopped(place: Place) -> None:
    wrong = place.folder / "wrong"
    wrong.write_text("zstui: --key is missing\nzstui: --name 'a b' is no host name\n")
    why = "Reason: --key is missing --name 'a b' is no host name\n"
    code, said = place.run("-z")
    assert (code, why in said, place.root.exists()) == (REFUSED, True, False), said
    wrong.unlink()
    place.install()
    before = everything(place.root)
    wrong.write_text("zstui: --key is missing\nzstui: --name 'a b' is no host name\n")
    for file, words in ((place.file, ("--name", "a b")), (place.make("1.1"), ("-u",))):
        code, said = place.script(file, "-r", str(place.root), "-z", *words)
        assert (code, why in said, "Stop zstui" in said) == (REFUSED, True, False), said
        assert everything(place.root) == before


def test_a_program_that_fails_when_it_is_asked_stops_nothing(place: Place) -> None:
    place.install()
    before = everything(place.root)
    (place.folder / "wrong").write_text("Traceback\nImportError: file too short\n")
    code, said = place.script(place.make("1.1"), "-r", str(place.root), "-z", "-u")
    told = "fails: ImportError: file too short\n"
    assert (code, told in said, "Stop zstui" in said) == (REFUSED, True, False), said
    assert everything(place.root) == before


def test_who_is_refused_leaves_what_an_earlier_one_has_begun(place: Place) -> None:
    """Its store is not there yet, and is found by what it wrote down."""
    assert place.killed(place.file, "--data", str(place.data), "-z", tools=("ln",), moment=1)
    (place.folder / "wrong").write_text("zstui: no\n")
    assert place.run("-z")[0] == REFUSED
    assert (place.root / "unfinished").read_text() == str(place.data)


def test_one_that_is_about_to_end_is_waited_for(place: Place) -> None:
    place.install()
    lock = place.root / "lock"
    for seconds, expected in ((2, DONE), (20, REFUSED)):
        holder = subprocess.Popen(["flock", str(lock), "sleep", str(seconds)])
        while subprocess.run(["flock", "-n", str(lock), "true"], check=False).returncode == 0:
            time.sleep(0.02)
        code, said = place.run("-z")
        assert (code, "another installer is at work" in said) == (expected, expected == REFUSED), said
        holder.kill()
        holder.wait()


def test_who_waited_for_an_uninstallation_is_refused(place: Place) -> None:
    """What it holds then is the lock of nothing."""
    place.install()
    holder = subprocess.Popen(
        ["flock", str(place.root / "lock"), "sh", "-c", f"sleep 2; rm {place.root}/lock"]
    )
    while subprocess.run(["flock", "-n", str(place.root / "lock"), "true"], check=False).returncode == 0:
        time.sleep(0.02)
    code, said = place.run("-z")
    holder.wait()
    assert (code, "another installer is at work" in said) == (REFUSED, True), said
