"""The installer's script with a program behind it that only pretends: what it takes, refuses, and leaves alone."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import time
from pathlib import Path

import pytest

from .place import DONE, FAILED, REFUSED, WRONG, Place, everything
from .versions import REPOSITORY


def test_it_installs_and_leaves_nothing_when_it_goes(place: Place) -> None:
    place.install()
    assert place.command.readlink() == place.root / "current/zstui"
    assert place.run("-z")[0] == DONE
    place.uninstall("-D")
    assert not place.root.exists()
    assert not place.data.exists()
    assert not place.command.is_symlink()


@pytest.mark.parametrize("option", ["-r", "--data"])
@pytest.mark.parametrize(
    "folder", ["/opt", "/etc", "/usr", "/srv", "/etc/zstui", "/usr/lib/x", "/var/lib", "/"]
)
def test_a_folder_of_the_system_is_refused(place: Place, option: str, folder: str) -> None:
    code, said = place.run(option, folder, "--check")
    assert (code, f"{folder} " in said) == (REFUSED, True), said
    assert re.search("belongs to the system|cannot be used", said), said


@pytest.mark.parametrize("which", ["root", "data"])
def test_a_folder_with_something_of_others_in_it_is_refused(place: Place, which: str) -> None:
    folder = place.root if which == "root" else place.data
    folder.mkdir(parents=True)
    folder.chmod(0o751)
    (folder / "theirs").write_text("1")
    before = everything(folder)
    code, said = place.run("-z")
    assert (code, f"{folder} is not zstui's: theirs is in it" in said) == (REFUSED, True), said
    assert everything(folder) == before
    assert not (place.data if which == "root" else place.root).exists()
    assert place.run("--uninstall", "-D")[0] == REFUSED
    assert everything(folder) == before


def test_empty_folders_and_an_installation_that_was_cut_off_are_taken(place: Place) -> None:
    place.root.mkdir(parents=True)
    place.data.mkdir(parents=True)
    place.install()
    place.uninstall()
    # Its data folder holds no store yet, and is still its own.
    place.install()
    (place.root / "current").unlink()
    place.install()


def test_settings_of_somebody_else_are_never_run(place: Place, tmp_path: Path) -> None:
    place.root.mkdir(parents=True)
    (place.root / "settings").write_text(f"touch {tmp_path}/run\n")
    for words in (("-z",), ("--check",), ("--uninstall",)):
        assert place.run(*words)[0] == REFUSED
    shutil.rmtree(place.root)
    place.install()
    text = (place.root / "settings").read_text()
    for line in (f"touch {tmp_path}/run", f"DATA=$(touch {tmp_path}/run)", "PATH=/tmp", "SERVE=(; x)"):
        (place.root / "settings").write_text(text + line + "\n")
        code, said = place.script(place.root / "installer", "--uninstall", "-D")
        assert (code, "has a line that zstui did not write" in said) == (REFUSED, True), said
    (place.root / "settings").write_text(text)
    (place.root / "settings").chmod(0o666)
    code, said = place.script(place.root / "installer", "--uninstall")
    assert (code, "others can write to it" in said) == (REFUSED, True), said
    assert not (tmp_path / "run").exists()
    assert (place.root / "current").exists()


def test_settings_are_read_as_they_were_written(place: Place) -> None:
    words = ("-I", "127.0.0.2:8181", "--ssh", "127.0.0.2:2222", "--name", 'a b "c" $d')
    place.install(*words)
    before = (place.root / "settings").read_text()
    code, said = place.script(place.file, "-r", str(place.root), "-z", "--check")
    assert (code, "would change nothing" in said) == (DONE, True), said
    place.install("-t", "9")
    assert (place.root / "settings").read_text() == before


def test_words_of_any_language_are_remembered(place: Place, tmp_path: Path) -> None:
    key = tmp_path / "密钥 é.pem"
    key.touch()
    place.install("--key", str(key), "--name", "云")
    code, said = place.script(place.file, "-r", str(place.root), "-z", "--check")
    assert (code, "would change nothing" in said) == (DONE, True), said
    place.uninstall()


def test_seconds_that_begin_with_a_zero_are_as_many(place: Place) -> None:
    place.tool("sleep", "#!/bin/sh\n[ $1 = 0.3 ] && exec /bin/sleep 0.3\nexec /bin/sleep 60\n")
    code, said = place.run("-t", "08")
    assert (code, "did not answer within 8 s" in said) == (FAILED, True), said


def test_what_others_can_write_to_is_not_started(place: Place) -> None:
    """Above all not with settings that are nobody's."""
    place.install()
    place.root.chmod(0o777)
    code, said = place.script(place.root / "installer", "--launch")
    assert (code, f"{place.root} is not zstui's, or others can write to it" in said) == (REFUSED, True), said


def test_what_others_put_into_it_outlives_an_uninstallation(place: Place) -> None:
    place.install()
    (place.root / "theirs").mkdir()
    (place.root / "theirs" / "file").write_text("1")
    said = place.uninstall()
    assert f"{place.root} stays: what is in it is not the installer's: theirs" in said
    assert [path.name for path in place.root.rglob("*")] == ["theirs", "file"]


def test_a_command_of_somebody_else_stays(place: Place) -> None:
    place.install()
    place.command.unlink()
    place.command.write_text("theirs")
    place.uninstall()
    assert place.command.read_text() == "theirs"


@pytest.mark.parametrize(("root", "data"), [("a", "a/data"), ("a/b", "a"), ("a", "a")])
def test_data_and_programs_in_each_other_are_refused(
    place: Place, tmp_path: Path, root: str, data: str
) -> None:
    code, said = place.run("-r", f"{tmp_path}/{root}", "--data", f"{tmp_path}/{data}", "-z")
    assert (code, "must not be in each other" in said) == (REFUSED, True), said
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize("inside", ["data", "versions/data", "versions/1.0-000000000000/data"])
def test_data_in_an_installation_outlives_it(place: Place, inside: str) -> None:
    """Older installers let it lie there."""
    place.install()
    data = place.root / inside
    data.parent.mkdir(exist_ok=True)
    place.data.rename(data)
    (data / "store.db").write_text("precious")
    settings = place.root / "settings"
    settings.write_text(settings.read_text().replace(str(place.data), str(data)))
    place.uninstall()
    assert (data / "store.db").read_text() == "precious"
    assert not (place.root / "current").is_symlink()


def test_data_that_is_not_zstuis_is_not_deleted(place: Place, tmp_path: Path) -> None:
    """Older installers took any folder."""
    place.install()
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "letter").write_text("1")
    settings = place.root / "settings"
    settings.write_text(settings.read_text().replace(str(place.data), str(tmp_path / "home")))
    code, said = place.script(place.root / "installer", "--uninstall", "-D")
    assert (code, "is no folder of zstui's own, and -D would delete it" in said) == (REFUSED, True), said
    place.uninstall()
    assert (tmp_path / "home" / "letter").exists()


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("-I", "0.0.0.0:99999"), "99999 is no port"),
        (("-I", "127.0.0.1:0"), "0 is no port"),
        (("-I", "127.0.0.1:"), "is no port"),
        (("-I", "127.0.0.999:80"), "127.0.0.999 is no IPv4 address"),
        (("-I", "127.1"), "127.1 is no IPv4 address"),
        (("-I", "198.51.100.7"), "198.51.100.7 is no address of this machine"),
        (("-I", "::1"), "-I ::1: give an IPv4 address"),
        (("-I", "nothing0"), "nothing0 is neither an IPv4 address nor an interface"),
        (("--ssh", "nowhere"), "--ssh: 'nowhere' is not ADDRESS:PORT"),
        (("--ssh", "127.0.0.1:70000"), "--ssh: '127.0.0.1:70000' is not ADDRESS:PORT"),
    ],
)
def test_addresses_that_cannot_be_are_refused_at_the_start(
    place: Place, words: tuple[str, ...], why: str
) -> None:
    for check in ((), ("--check",)):
        code, said = place.run("-z", *words, *check)
        assert (code, why in said) == (REFUSED, True), said
        assert not place.root.exists()


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("-y", 'http://a";Dir "/'),
        ("-y", "http://a b"),
        ("-y", "ftp://a"),
        ("-R", "http://a b"),
        ("-R", "163x"),
    ],
)
def test_what_cannot_be_told_to_apt_is_no_mirror_and_no_proxy(place: Place, option: str, value: str) -> None:
    code, said = place.run("--host-only", option, value)
    assert (code, f"{option} {value} is not " in said) == (WRONG, True), said


def test_a_port_that_is_taken_is_refused_for_what_is_installed_too(place: Place) -> None:
    place.install()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        for check in ((), ("--check",)):
            code, said = place.run("-z", "-I", address, *check)
            assert (code, f"something listens on {address} already" in said) == (REFUSED, True), said


def test_a_check_says_one_true_sentence(place: Place) -> None:
    def would(*words: str) -> list[str]:
        code, said = place.run("--check", *words)
        assert code == DONE, said
        return re.findall(r"^.*\bwould\b.*$", said, re.MULTILINE)

    where = f"zstui 1.0 is installed in {place.root} already: this would"
    listening = f"listening on {place.listen}"
    new = f"this would install zstui 1.0 in {place.root}, with its data in {place.data}, {listening}"
    assert would("-z") == [new]
    place.install()
    assert would() == [f"{where} start it"]
    assert would("-z", "-u") == [f"{where} change nothing"]
    assert would("-I", "127.0.0.3:81") == [f"{where} start it anew, listening on 127.0.0.3:81"]
    (name,) = (path.name for path in (place.root / "versions").iterdir())
    other = name.replace(name[-12:], "0" * 12)
    (place.root / "versions" / name).rename(place.root / "versions" / other)
    (place.root / "current").unlink()
    (place.root / "current").symlink_to(f"versions/{other}")
    assert would() == [f"{other} is installed in {place.root}: with -u this would upgrade it to {name}"]


@pytest.mark.parametrize("before", ["nothing", "empty folders"])
def test_an_installation_that_fails_leaves_nothing_of_itself(place: Place, before: str) -> None:
    if before != "nothing":
        place.data.mkdir(parents=True)
        place.data.chmod(0o751)
    code, said = place.run("-t", "1")
    assert (code, "everything is as it was before\n" in said) == (FAILED, True), said
    assert not place.root.exists()
    if before == "nothing":
        assert not place.data.exists()
    else:
        assert (place.data.stat().st_mode & 0o777, list(place.data.iterdir())) == (0o751, [])
    # And the next finds nothing in its way, wherever its data is to be.
    place.install("--data", f"{place.data}-other")


def test_what_was_in_a_data_folder_before_stays_when_an_installation_fails(place: Place) -> None:
    """It was zstui's, but for a store."""
    place.install()
    place.uninstall()
    (place.data / "certificate.pem").write_text("1")
    code, said = place.run("-t", "1")
    told = f"but for {place.root} and what is in {place.data}, with which the next installation goes on\n"
    assert (code, told in said) == (FAILED, True), said
    assert (place.data / "certificate.pem").exists()
    (place.data / "store.db").write_text("begun")
    place.install()


def test_what_was_not_begun_yet_leaves_nothing_either(place: Place) -> None:
    place.tool("tar", "#!/bin/sh\nexit 1\n")
    code, said = place.run("-z")
    assert (code, "the payload could not be unpacked" in said) == (FAILED, True), said
    assert not place.root.exists()


def test_an_interface_is_known_without_an_ip_command(place: Place, tmp_path: Path) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    for folder in ("/bin", "/usr/bin"):
        for path in Path(folder).iterdir():
            if path.name != "ip" and not (tools / path.name).exists():
                (tools / path.name).symlink_to(path)
    # The script adds these by itself.
    place.file = place.make("1.1", {"PATH=$PATH:/usr/sbin:/sbin\n": "PATH=$PATH\n"})
    code, said = place.run("-I", "lo:8123", "-z", "--check", path=str(tools))
    assert (code, "listening on 127.0.0.1:8123" in said) == (DONE, True), said


def test_a_store_that_is_kept_keeps_its_passwords(place: Place) -> None:
    place.data.mkdir(parents=True)
    (place.data / "store.db").write_text("")
    code, said = place.run("-k", "-z")
    assert code == DONE, said
    assert "accounts and their passwords are those of the store that was kept" in said
    assert "password of admin" not in said


def test_a_script_that_is_cut_off_says_so_and_does_nothing(place: Place, tmp_path: Path) -> None:
    whole = place.file.read_bytes()
    end = whole.index(b'main "$@"\nexit\n')
    begin = whole.index(b"VERSION=")
    for length in {*range(begin, end, 997), end, end + 4}:
        (tmp_path / "cut").write_bytes(whole[:length])
        code, said = place.script(tmp_path / "cut", "-r", str(place.root), "--data", str(place.data), "-z")
        assert code == REFUSED, (length, said)
        assert "download it again" in said, (length, said)
        assert not place.root.exists()


def test_the_log_says_how_the_appliance_ended(place: Place) -> None:
    place.install()
    assert place.run("-t", "1")[0] == FAILED
    assert "the appliance ended with 7\n" in (place.data / "appliance.log").read_text()


def test_an_appliance_that_ends_by_itself_is_stopped(place: Place) -> None:
    place.install()
    gone = 1 << 22  # more than there can be
    (place.data / "lock").write_text(f"{gone} 1\n")
    program = f"{place.root}/versions/1/zstui"
    place.tool("readlink", f'#!/bin/sh\n[ "$1" != /proc/{gone}/exe ] || exec echo {program}\n'
               'exec /bin/readlink "$@"\n')  # fmt: skip
    place.uninstall()


def test_a_supervisor_that_has_not_said_yet_which_process_it_is_is_waited_for(place: Place) -> None:
    place.install()
    supervisor = subprocess.Popen(["flock", str(place.root / "supervisor.lock"), "sleep", "2"])
    while (
        subprocess.run(["flock", "-n", str(place.root / "supervisor.lock"), "true"], check=False).returncode
        == 0
    ):
        time.sleep(0.02)
    place.uninstall()
    assert supervisor.poll() == 0


def test_the_script_has_no_fault_that_shellcheck_knows() -> None:
    folder = REPOSITORY / "packaging" / "install"
    parts = ("head", "mirrors", "places", "journal", "checks", "service", "steps", "main")
    text = "".join((folder / f"{part}.sh").read_text() for part in parts)
    # SC2317: steps are called through their names.
    done = subprocess.run(
        ["shellcheck", "--shell=bash", "--exclude=SC2317", "-"],
        input=re.sub(r"@\w+@", "1", text), capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout


def test_mirrors_stand_in_one_place_only() -> None:
    named = [
        path.name
        for path in (REPOSITORY / "packaging").rglob("*")
        if path.suffix in (".sh", ".py") and re.search(r"mirrors?\.\w+\.com", path.read_text())
    ]
    assert named == ["mirrors.sh"]
