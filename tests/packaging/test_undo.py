"""What the installer's script has begun and cannot end: all of it is undone, at whatever moment it was cut off."""

from __future__ import annotations

import itertools
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from .place import DONE, FAILED, REFUSED, Place

INTERRUPTED, AGAIN, NOTHING_TO_START = 130, 255, 1
CHANGING = ("mv", "rm", "ln")


def moments() -> Iterator[float]:
    """Before and after each call of a tool."""
    return itertools.count(1, 0.5)


def undo(place: Place) -> int:
    """What the unit does before it starts; the answer is how that ended."""
    code, said = place.script(place.file, "--undo", "-r", str(place.root))
    assert code in (DONE, NOTHING_TO_START), said
    return code


def begin(place: Place, *words: str | Path) -> subprocess.Popen[str]:
    """A script that hears signals, which nothing begun in the background of a shell does."""
    return subprocess.Popen(
        ["env", "--default-signal=INT", "bash", *map(str, words)],
        env=place.environment(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def versions(place: Place) -> list[str]:
    """Which version each part is of: the program, the script, and the unit."""
    script = (place.root / "installer").read_text()
    return [
        (place.root / "current").readlink().name.split("-")[0],
        script.split("# The installer of zstui ")[1].split(":")[0],
        place.unit.read_text().split("# ")[-1].strip(),
    ]


def test_a_change_that_cannot_be_written_down_is_not_begun(place: Place) -> None:
    place.install()
    before = (place.root / "settings").read_text()
    (place.root / "transition.new").mkdir()
    code, said = place.run("-z", "-I", "127.0.0.2:81")
    assert code == FAILED, said
    assert "Write down the way back: ... FAIL" in said
    assert "Stop zstui" not in said
    assert (place.root / "settings").read_text() == before


def test_an_upgrade_that_fails_leaves_the_unit_and_the_script_of_the_version_before(place: Place) -> None:
    place.systemd()
    place.install()
    assert versions(place) == ["1.0", "1.0", "1.0"]
    script = (place.root / "installer").read_bytes()
    new = place.make("1.1")
    code, said = place.script(new, "-r", str(place.root), "-u", "-t", "1")
    assert (code, "everything is as it was before" in said) == (FAILED, True), said
    assert versions(place) == ["1.0", "1.0", "1.0"]
    assert (place.root / "installer").read_bytes() == script


def test_a_version_is_run_by_its_own_unit_and_script_forth_and_back(place: Place) -> None:
    place.systemd()
    place.install()
    # An older installer kept its script for the installation alone.
    for kept in (place.root / "versions").glob("*/share/installer"):
        kept.unlink()
    code, said = place.script(place.make("1.1"), "-r", str(place.root), "-u", "-z")
    assert (code, versions(place)) == (DONE, ["1.1", "1.1", "1.1"]), said
    code, said = place.script(place.root / "installer", "--rollback", "-z")
    assert (code, versions(place)) == (DONE, ["1.0", "1.0", "1.0"]), said


@pytest.mark.long
@pytest.mark.timeout(300)
def test_a_power_cut_at_any_moment_of_an_upgrade_leaves_all_of_one_version(place: Place) -> None:
    place.systemd()
    place.install("-I", "127.0.0.1:8081")
    settings, new = (place.root / "settings").read_text(), place.make("1.1")
    for moment in moments():
        cut = place.killed(new, "-u", "-z", "-I", "127.0.0.1:8082", tools=CHANGING, moment=moment)
        assert undo(place) == DONE
        now = versions(place)
        assert now in (["1.0"] * 3, ["1.1"] * 3), moment
        same = (place.root / "settings").read_text() == settings
        assert same == (now[0] == "1.0"), moment
        assert place.enabled.exists()
        if now[0] == "1.1":
            break
        assert cut, moment
    assert moment > 10


@pytest.mark.long
@pytest.mark.timeout(300)
def test_a_power_cut_at_any_moment_of_a_first_installation_leaves_nothing_that_is_started(
    place: Place,
) -> None:
    place.systemd()
    data = ("--data", str(place.data))
    for moment in moments():
        cut = place.killed(place.file, *data, "-z", tools=CHANGING, moment=moment)
        code = undo(place)
        if code == DONE:
            break
        assert cut
        assert (place.unit.exists(), place.enabled.exists(), place.command.is_symlink()) == (False,) * 3, (
            moment
        )
    assert moment > 10
    assert versions(place) == ["1.0"] * 3


def test_what_is_left_of_a_first_installation_is_not_started_and_says_what_to_do(place: Place) -> None:
    place.install()
    (place.root / "current").unlink()
    said = "is undone; install zstui again"
    for action, expected in (("--undo", NOTHING_TO_START), ("--launch", DONE)):
        code, words = place.script(place.root / "installer", action)
        assert (code, said in words) == (expected, True), words
    # It ends, and does not try for ever.
    assert place.script(place.root / "installer", "--supervise")[0] == DONE
    assert said in (place.data / "appliance.log").read_text()


def test_what_cannot_be_undone_before_a_start_is_tried_again(place: Place) -> None:
    place.install()
    (place.root / "transition").write_text("touch /tmp/x\n")
    code, said = place.script(place.root / "installer", "--undo")
    assert (code, "has a line that zstui did not write" in said) == (AGAIN, True), said


def test_a_store_that_was_set_aside_is_back_when_what_is_new_fails(place: Place) -> None:
    place.data.mkdir(parents=True)
    (place.data / "store.db").write_text("precious")
    code, said = place.run("-D", "-t", "1")
    assert (code, "everything is as it was before" in said) == (FAILED, True), said
    assert [path.name for path in place.data.parent.iterdir()] == [place.data.name]
    assert [path.name for path in place.data.iterdir()] == ["store.db"]
    assert (place.data / "store.db").read_text() == "precious"


@pytest.mark.long
@pytest.mark.timeout(300)
def test_a_store_that_is_set_aside_outlives_a_power_cut_at_any_moment(place: Place) -> None:
    place.data.mkdir(parents=True)
    (place.data / "store.db").write_text("precious")
    for moment in moments():
        cut = place.killed(
            place.file, "--data", str(place.data), "-D", "-z", tools=("mv", "rm"), moment=moment
        )
        if undo(place) == DONE:
            break
        assert cut
        assert [path.name for path in place.data.parent.iterdir()] == [place.data.name], moment
        assert (place.data / "store.db").read_text() == "precious", moment
    (aside,) = place.data.parent.glob("zstui.dropped-*")
    assert (aside / "store.db").read_text() == "precious"
    assert not (place.data / "store.db").exists()


def test_who_undoes_it_does_not_choose_where_the_data_is(place: Place) -> None:
    """Neither the guard, nor the next installer with another folder."""
    other = place.data.with_name("other")
    for folder in (place.data, other):
        folder.mkdir(parents=True)
        (folder / "store.db").write_text(folder.name)
    moment = 1.0
    while place.killed(place.file, "--data", str(place.data), "-D", "-z", tools=("mv",), moment=moment):
        if not (place.data / "store.db").exists():
            break
        moment += 1
    code, said = place.run("--data", str(other), "-k", "-z")
    assert code == DONE, said
    assert {path.name: (path / "store.db").read_text() for path in place.data.parent.iterdir()} == {
        "zstui": "zstui",
        "other": "other",
    }


def test_a_data_folder_of_which_a_part_is_elsewhere_is_not_deleted(place: Place) -> None:
    place.install()
    (place.root / "current").unlink()
    aside = place.data.with_name("zstui.dropped-1")
    Path(f"{aside}.part").mkdir()
    (place.data / "store.db").write_text("half")
    (place.root / "transition").write_text(f"FROM=''\nTO=1.0-0\nBACKUP=''\nSTAGE=stopping\nASIDE={aside}\n")
    code, said = place.script(place.root / "installer", "--undo")
    assert (code, "bring both together" in said) == (AGAIN, True), said
    assert (place.data / "store.db").read_text() == "half"


@pytest.mark.parametrize("undoing", ["works", "fails"])
def test_who_interrupts_is_told_whether_it_was_undone(place: Place, undoing: str) -> None:
    place.install()
    place.tool("sleep", f"#!/bin/sh\ntouch {place.folder}/waits\nexec /bin/sleep $1\n")
    process = begin(place, place.make("1.1"), "-r", str(place.root), "-u", "-t", "60")
    end = time.monotonic() + 30
    while not (place.folder / "waits").exists() or not (place.root / "transition").exists():
        assert time.monotonic() < end
        time.sleep(0.05)
    if undoing == "fails":
        # What the store goes back by is not there.
        for program in (place.root / "versions").glob("1.0-*/zstui"):
            program.unlink()
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert "\ninterrupted\n" in said
    if undoing == "works":
        assert process.returncode == INTERRUPTED, said
        assert (place.root / "current").readlink().name.startswith("1.0-")
    else:
        assert (process.returncode, "undoing what was begun failed; see" in said) == (FAILED, True), said
    place.script(place.file, "-r", str(place.root), "--uninstall")


def test_what_is_installed_and_does_not_start_says_why(place: Place) -> None:
    place.systemd()
    place.install()
    (place.folder / "no-start").touch()
    code, said = place.run("-t", "1")
    assert (code, "Start zstui: ... FAIL\n   Reason: " in said) == (FAILED, True), said
    (place.folder / "no-start").unlink()
    code, said = place.run("-t", "1")
    assert (code, "Reason: zstui did not answer within 1 s" in said) == (FAILED, True), said
    assert versions(place) == ["1.0"] * 3


def test_what_is_found_after_another_installer_has_ended_counts(place: Place) -> None:
    """The checks are made before the lock is taken."""
    first = place.make("0.9")
    place.tool(
        "chmod",
        f"#!/bin/sh\n[ -e {place.folder}/once ] || {{ touch {place.folder}/once\n"
        f'bash {first} -r {place.root} --data {place.data} -z >/dev/null; }}\nexec /bin/chmod "$@"\n',
    )
    code, said = place.run("-z")
    assert (code, "upgrade it with -u" in said) == (REFUSED, True), said
    assert (place.root / "current").readlink().name.startswith("0.9-")


def test_a_kept_store_that_was_taken_to_this_version_is_not_said_to_be_as_before(place: Place) -> None:
    place.data.mkdir(parents=True)
    (place.data / "store.db").write_text("")
    code, said = place.run("-k", "-t", "1")
    assert (code, "but for the store that was kept: it is now one of zstui 1.0" in said) == (FAILED, True), (
        said
    )


def test_an_uninstallation_that_is_interrupted_is_not_said_to_be_undone(place: Place) -> None:
    place.install()
    place.tool("rm", f'#!/bin/sh\ntouch {place.folder}/waits\n/bin/sleep 1\nexec /bin/rm "$@"\n')
    process = begin(place, place.root / "installer", "--uninstall")
    while not (place.folder / "waits").exists():
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert (process.returncode, "run it again to end it" in said) == (FAILED, True), said
    (place.tools / "rm").unlink()
    assert place.script(place.file, "-r", str(place.root), "--uninstall")[0] == DONE
    assert not place.root.exists()


def test_a_guard_that_has_ended_already_is_no_failure(place: Place) -> None:
    place.tool("setsid", "#!/bin/sh\n")
    place.file = place.make("1.1", {"9>&- &\n": "9>&- &\n    wait\n"})
    place.install()
