"""What the installer's script finds on a machine and is not this installation's: it stays as it is."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from .place import DONE, REFUSED, Place, everything


@pytest.mark.parametrize("systemd", [True, False])
@pytest.mark.parametrize("data", ["lib/zstui", "lib/other"])
def test_one_machine_has_one_installation(place: Place, systemd: bool, data: str) -> None:
    if systemd:
        place.systemd()
    place.install()
    (place.data / "store.db").write_text("")
    before = everything(place.data), everything(place.root)
    other = ("-r", f"{place.root}-other", "--data", str(place.folder / data))
    for words in (("-z", "-k"), ("--check", "-k")):
        code, said = place.script(place.file, *other, *words)
        told = f"zstui is installed in {place.root}; uninstall that first, or give -r {place.root}"
        assert (code, told in said) == (REFUSED, True), said
    assert (everything(place.data), everything(place.root)) == before
    assert not Path(f"{place.root}-other").exists()
    place.uninstall()
    code, said = place.script(place.file, *other, "-z", "-k")
    assert code == DONE, said


@pytest.mark.parametrize("systemd", [True, False])
def test_one_of_two_that_older_installers_let_be_takes_only_its_own_away(place: Place, systemd: bool) -> None:
    if systemd:
        place.systemd()
    place.install()
    # Nobody's, so that the other is installed, with the same data; then it is the first's again.
    aside = place.folder / "aside"
    kept = {path: aside / path.name for path in (place.command, *([place.unit] if systemd else []))}
    aside.mkdir()
    for path, to in kept.items():
        path.rename(to)
    other = Path(f"{place.root}-other")
    code, said = place.script(place.file, "-r", str(other), "--data", str(place.data), "-z")
    assert code == DONE, said
    for path, to in kept.items():
        to.replace(path)
    (place.data / "service").write_text(
        "systemctl start zstui.service\n"
        if systemd
        else f"setsid bash {place.root}/installer --supervise -r {place.root} &\n"
    )
    service = (place.data / "service").read_text()
    code, said = place.script(other / "installer", "--uninstall")
    assert (code, other.exists()) == (DONE, False), said
    assert (place.data / "service").read_text() == service
    assert place.command.readlink() == place.root / "current/zstui"
    assert (place.unit.exists(), place.enabled.exists()) == (systemd, systemd)
    place.uninstall()
    assert not (place.data / "service").exists()


def test_what_is_left_of_one_that_was_deleted_by_hand_is_in_nobodys_way(place: Place) -> None:
    place.systemd()
    place.install()
    place.root.rename(place.folder / "away")
    code, said = place.script(place.file, "-r", f"{place.root}-other", "--data", f"{place.data}-other", "-z")
    assert code == DONE, said


@pytest.mark.parametrize("which", ["command", "unit"])
def test_a_command_and_a_unit_of_somebody_else_are_not_taken(place: Place, which: str) -> None:
    place.systemd()
    path = place.command if which == "command" else place.unit
    path.write_text("theirs")
    code, said = place.run("-z")
    assert (code, f"{path} is not zstui's; take it away first" in said) == (REFUSED, True), said
    assert (path.read_text(), place.root.exists()) == ("theirs", False)


def test_a_store_of_somebody_else_is_not_taken(place: Place) -> None:
    if os.getuid() != 0:
        pytest.skip("only root can give files away")
    place.data.mkdir(parents=True)
    store = place.data / "store.db"
    store.write_text("theirs")
    for path, mode in ((place.data, 0o777), (store, 0o666)):
        path.chmod(mode)
        before = everything(place.data)
        for words in (("-k", "-z"), ("-D", "-z"), ("-k", "--check")):
            code, said = place.run(*words)
            assert (code, "not root's alone to write to" in said) == (REFUSED, True), said
        assert everything(place.data) == before
        path.chmod(0o755)
    for path in (place.data, store):
        os.chown(path, 65534, -1)
        code, said = place.run("-k", "-z")
        assert (code, "not root's alone to write to" in said) == (REFUSED, True), said
        os.chown(path, 0, -1)
    place.install("-k")


def test_a_disk_that_holds_the_data_stays_where_it_is(place: Place) -> None:
    place.install()
    place.mounted(place.data)
    (place.data / "lost+found").mkdir()
    (place.data / "a b").mkdir()
    said = place.uninstall("-D")
    assert f"{place.data} stays: it is a disk of its own; what was on it is deleted" in said
    assert [path.name for path in place.data.rglob("*")] == ["lost+found"]
    assert not place.root.exists()
    place.install()


def test_a_disk_that_holds_the_programs_stays_where_it_is(place: Place) -> None:
    place.install()
    place.mounted(place.root)
    (place.root / "lost+found").mkdir()
    assert f"{place.root} stays: it is a disk of its own" in place.uninstall()
    assert [path.name for path in place.root.rglob("*")] == ["lost+found"]
    place.install()


def test_a_store_on_a_disk_of_its_own_is_not_set_aside(place: Place) -> None:
    place.data.mkdir(parents=True)
    (place.data / "store.db").write_text("1")
    place.mounted(place.data)
    for words in (("-D", "-z"), ("-D", "--check")):
        code, said = place.run(*words)
        told = f"{place.data} is a disk of its own, which -D cannot set aside"
        assert (code, told in said) == (REFUSED, True), said
    assert not place.root.exists()


def test_what_lies_on_another_disk_in_the_data_is_not_deleted(place: Place) -> None:
    place.install()
    place.mounted(place.data / "backups")
    code, said = place.script(place.root / "installer", "--uninstall", "-D")
    told = f"{place.data}/backups is mounted in {place.data}, and -D would delete what is on it; unmount it first"
    assert (code, told in said) == (REFUSED, True), said
    assert (place.root / "current").is_symlink()
    place.uninstall()


def test_who_deletes_the_data_is_told_that_all_of_it_goes(place: Place) -> None:
    place.install()
    (place.data / "theirs").write_text("1")
    told = f"{place.data} with all that is in it"
    assert told in place.script(place.root / "installer", "--uninstall", "-D", "--check")[1]
    assert f"Delete {place.data}, with all that is in it: ... PASS" in place.uninstall("-D")
