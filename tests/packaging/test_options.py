"""The installer's options: each says something to what is to be done, or is refused by name."""

from __future__ import annotations

import shutil
import time

import pytest

from .place import DONE, FAILED, REFUSED, WRONG, Place, everything


def upgraded(place: Place, *words: str, old: tuple[str, ...] = ()) -> None:
    place.install(*old)
    code, said = place.script(place.make("1.1"), "-r", str(place.root), "-u", "-z", *words)
    assert code == DONE, said


@pytest.mark.parametrize(
    ("words", "option"),
    [
        (("--rollback", "-I", "127.0.0.1"), "-I"),
        (("--rollback", "--plain-http"), "--plain-http"),
        (("--rollback", "--ssh", "bogus:x"), "--ssh"),
        (("--rollback", "--name", "a"), "--name"),
        (("--rollback", "-D"), "-D"),
        (("--uninstall", "-z"), "-z"),
        (("--uninstall", "-I", "lo"), "-I"),
        (("--host-only", "-D"), "-D"),
        (("--host-only", "-r", "/opt/x"), "-r"),
        (("-u", "-D"), "-D"),
    ],
)
def test_what_says_nothing_to_what_is_to_be_done_is_refused(
    place: Place, words: tuple[str, ...], option: str
) -> None:
    place.install()
    for check in ((), ("--check",)):
        code, said = place.script(place.root / "installer", *words, *check)
        told = f"{option} says nothing to {words[0]}; leave it out"
        assert (code, told in said) == (WRONG, True), said


@pytest.mark.parametrize(
    ("one", "other"), [("-u", "--rollback"), ("--uninstall", "--rollback"), ("-u", "--host-only")]
)
def test_one_thing_is_done_at_once(place: Place, one: str, other: str) -> None:
    code, said = place.run(one, other)
    assert (code, f"{one} and {other} cannot be done at once; give one of them" in said) == (WRONG, True), (
        said
    )


@pytest.mark.parametrize("words", [("-o",), ("-R", "163"), ("-y", "http://proxy:3128")])
def test_what_changes_nothing_is_said_to(place: Place, words: tuple[str, ...]) -> None:
    code, said = place.run("-z", *words)
    assert (code, f"{words[0]} changes nothing here: only --host-only fetches" in said) == (DONE, True), said


def test_a_store_of_what_is_installed_is_not_set_aside(place: Place) -> None:
    place.install()
    for check in ((), ("--check",)):
        code, said = place.run("-D", "-z", *check)
        assert (code, "-D sets aside the store of one that is not there any more" in said) == (REFUSED, True)


@pytest.mark.parametrize("action", ["--uninstall", "--rollback"])
def test_other_data_than_that_of_what_is_installed_is_not_spoken_of(place: Place, action: str) -> None:
    upgraded(place)
    for check in ((), ("--check",)):
        words = (action, "--data", "/srv/other", *check)
        code, said = place.script(place.root / "installer", *words)
        assert (code, f"is in {place.data}, and not in /srv/other; leave" in said) == (REFUSED, True), said
    assert place.data.is_dir()


def test_no_seconds_are_none(place: Place) -> None:
    for seconds in ("0", "00"):
        code, said = place.run("-t", seconds)
        assert (code, f"-t {seconds} is no number of seconds, from 1 on" in said) == (WRONG, True), said


def test_a_version_goes_back_to_its_own_settings(place: Place) -> None:
    old = ("-I", "127.0.0.2:8181", "--ssh", "127.0.0.2:2222", "--name", "a b")
    upgraded(place, "-I", "127.0.0.3:8282", "--plain-http", old=old)
    script = place.root / "installer"
    assert "LISTEN=127.0.0.3:8282\nSERVE=('--plain-http')\n" in (place.root / "settings").read_text()
    code, said = place.script(script, "--rollback", "-z")
    assert code == DONE, said
    assert (
        "LISTEN=127.0.0.2:8181\nSERVE=('--ssh' '127.0.0.2:2222' '--name' 'a b')\n"
        in (place.root / "settings").read_text()
    )
    code, said = place.script(script, "--rollback", "-z")
    assert (code, "there is no version to go back to" in said) == (REFUSED, True), said


def test_a_way_back_that_an_older_installer_wrote_is_gone(place: Place) -> None:
    upgraded(place, old=("-I", "127.0.0.2:8181"))
    previous = place.root / "previous"
    previous.write_text("".join(previous.read_text().splitlines(keepends=True)[:2]))
    code, said = place.script(place.root / "installer", "--rollback", "-z")
    assert code == DONE, said
    assert "LISTEN=127.0.0.2:8181\n" in (place.root / "settings").read_text()


def test_an_upgrade_that_is_undone_leaves_no_way_back_to_the_version_that_runs(place: Place) -> None:
    """The script of that version would not know the words of the next."""
    place.install()
    place.tool(
        "rm", f'#!/bin/sh\ncase "$*" in *{place.root}/transition*) exit 1 ;; esac\nexec /bin/rm "$@"\n'
    )
    code, said = place.script(place.make("1.1"), "-r", str(place.root), "-u", "-z")
    assert code == FAILED, said
    (place.tools / "rm").unlink()
    # The guard may be at it, too.
    while place.script(place.root / "installer", "--undo")[0] != DONE:
        time.sleep(0.1)
    assert not (place.root / "previous").exists()


def test_an_older_version_is_no_upgrade(place: Place) -> None:
    upgraded(place)
    for words in (("-u", "-z"), ("-u", "--check"), ("--check",)):
        code, said = place.script(place.file, "-r", str(place.root), *words)
        told = "is installed, and zstui 1.0 is older; use --rollback to go back to 1.0-"
        assert (code, told in said) == (REFUSED, True), said
    code, said = place.script(place.make("1.10"), "-r", str(place.root), "-u", "-z")
    assert code == DONE, said


def test_what_was_not_started_is_said_not_to_run(place: Place) -> None:
    code, said = place.run("-z")
    assert (code, "it does not run now; start it with: setsid bash" in said) == (DONE, True), said
    code, said = place.script(place.make("1.1"), "-r", str(place.root), "-u", "-z")
    assert "it does not run now; start it with: " in said
    code, said = place.script(place.root / "installer", "--rollback", "-z")
    assert "it does not run now; start it with: " in said


def test_a_check_says_of_a_way_back_where_it_leads(place: Place) -> None:
    upgraded(place)
    code, said = place.script(place.root / "installer", "--rollback", "--check")
    names = sorted(path.name for path in (place.root / "versions").iterdir())
    told = f"this would go back from {names[1]} to {names[0]}, with its store and settings from before the upgrade"
    assert (code, told in said) == (DONE, True), said


def test_a_check_asks_the_program_how_it_is_to_be_reached(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    (place.folder / "wrong").write_text("zstui: --certificate without --key: give both\n")
    (place.folder / "scratch").mkdir()
    monkeypatch.setenv("TMPDIR", str(place.folder / "scratch"))
    before = everything(place.folder)
    code, said = place.run("--check")
    assert (code, "Reason: --certificate without --key: give both" in said) == (REFUSED, True), said
    assert everything(place.folder) == before
    (place.folder / "wrong").unlink()
    code, said = place.run("--check")
    assert (code, "this would install zstui 1.0" in said) == (DONE, True), said


def test_one_that_ends_over_and_over_is_not_waited_for(place: Place) -> None:
    code, said = place.run()
    assert (code, "zstui ended 4 times, and did not answer; its last words: " in said) == (FAILED, True), said
    assert not place.root.exists() or not (place.root / "current").exists()


def test_an_empty_folder_that_a_cut_off_installer_has_left_can_be_deleted(place: Place) -> None:
    place.install()
    shutil.rmtree(place.data)
    place.data.mkdir(mode=0o700)
    place.uninstall("-D")
    assert not place.data.exists()


def test_an_older_installer_does_not_name_an_upgrade_that_it_would_refuse(place: Place) -> None:
    upgraded(place)
    for words in ((), ("-u",)):
        code, said = place.run("-z", *words)
        assert (code, "zstui 1.0 is older; use --rollback to go back" in said) == (REFUSED, True), said


def test_an_uninstallation_says_of_the_data_what_is_so(place: Place) -> None:
    place.install()
    assert f"the data stays in {place.data}" in place.uninstall()
    code, said = place.run("--uninstall", "-D")
    told = f"nothing is installed in {place.root}; {place.data}, which is left, is yours to delete"
    assert (code, told in said) == (REFUSED, True), said
    place.install()
    shutil.rmtree(place.data)
    assert "the data stays" not in place.uninstall()
