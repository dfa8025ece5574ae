"""How an appliance is to be reached is checked before anything listens, and before an installer stops anything."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from appliance.serve.certificate import server_tls
from zstui.__main__ import main


@pytest.fixture(autouse=True)
def nothing_is_served(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("appliance.process.serve", lambda _: pytest.fail("it was served"))


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two certificates with their keys, in folders a and b."""
    place = tmp_path_factory.mktemp("pairs")
    for name in ("a", "b"):
        (place / name).mkdir()
        server_tls(place / name, "192.0.2.1")
    return place


PEM, KEY = "{pairs}/a/certificate.pem", "{pairs}/a/certificate.key"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--ssh lo:2222", "--ssh lo:2222: lo is no address of this machine ("),
        ("--listen 192.0.2.1:8080", "--listen 192.0.2.1:8080: 192.0.2.1 is no address of this machine ("),
        (
            "--listen [2001:db8::1]:80",
            "--listen [2001:db8::1]:80: 2001:db8::1 is no address of this machine (",
        ),
        ("--listen 127.0.0.1:1 --ssh 127.0.0.1:1", "--ssh 127.0.0.1:1: --listen has that address already"),
        ("--name bad\u00a0name", "--name 'bad\\xa0name' is no host name"),
        ("--name ''", "--name \"''\" is no host name"),
        (
            f"--certificate {PEM}",
            "--serve takes a certificate of its own by --certificate and --key together",
        ),
        (f"--key {KEY}", "--serve takes a certificate of its own by --certificate and --key together"),
        (f"--certificate {KEY} --key {KEY}", "are no certificate with its own key"),
        (f"--certificate {PEM} --key {{pairs}}/b/certificate.key", "are no certificate with its own key"),
        (
            f"--certificate /none/x --key {KEY}",
            "--certificate /none/x cannot be read: No such file or directory",
        ),
        (f"--certificate {PEM} --key /", "--key / cannot be read: Is a directory"),
    ],
)
@pytest.mark.parametrize("serve", [["--serve"], ["--serve", "--check"], ["--check"]])
def test_what_cannot_be_is_refused_and_nothing_is_made(
    tmp_path: Path, pairs: Path, capsys: pytest.CaptureFixture[str], serve: list[str], words: str, said: str
) -> None:
    given = [word.format(pairs=pairs) for word in words.split(" ")]
    assert main(["--data", str(tmp_path / "data"), *serve, *given]) == 2
    told = capsys.readouterr().err
    assert told.startswith("zstui: --")
    assert (said in told, told.count("\n")) == (True, 1)
    assert not (tmp_path / "data").exists()


def test_a_space_in_a_name_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--data", str(tmp_path), "--serve", "--name", "bad name", "--ssh", "eth:0:22"]) == 2
    told = capsys.readouterr().err.splitlines()
    assert told[0].startswith("zstui: --ssh [eth:0]:22: eth:0 is no address of this machine (")
    assert (
        told[1]
        == "zstui: --name 'bad name' is no host name: it has letters, digits and dashes, with dots between"
    )


def test_what_can_be_is_said_by_the_exit_code_while_another_listens_there(
    tmp_path: Path, pairs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = [word.format(pairs=pairs) for word in ("--certificate", PEM, "--key", KEY)]
    names = ["--name", "cloud.example", "--name", "192.0.2.9", "--name", "::1"]
    with socket.create_server(("127.0.0.1", 0)) as running:
        port = running.getsockname()[1]
        place = ["--listen", f"127.0.0.1:{port}", "--ssh", f"0.0.0.0:{port}"]
        assert main(["--data", str(tmp_path / "data"), "--serve", "--check", *place, *names, *own]) == 0
    assert main(["--data", str(tmp_path / "data"), "--serve", "--check", "--listen", "none"]) == 0
    assert main(["--data", str(tmp_path / "data"), "--serve", "--check", "--listen", "localhost:1"]) == 0
    assert capsys.readouterr() == ("", "")
    assert not (tmp_path / "data").exists()
