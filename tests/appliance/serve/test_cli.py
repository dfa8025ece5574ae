"""`zstui call` as a script sees it: what it prints, where, and how it exits."""

from __future__ import annotations

import errno
import io
import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from appliance.api.errors import BackupStorageFailed
from appliance.api.image import Image
from appliance.api.storage import BackupStorage
from appliance.serve.cli import SavedSessions, call_once, pretty, transfer_once
from zstui.__main__ import UNREAD, main
from zstui.options import target_url

from .conftest import PASSWORD, Face


@pytest.fixture
def saved(tmp_path: Path) -> SavedSessions:
    return SavedSessions(tmp_path / "state" / "sessions.json")


async def run(target: Path | str, saved: SavedSessions, *words: str) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    code = await call_once(target, list(words), out=out, err=err, saved=saved)
    return code, out.getvalue(), err.getvalue()


async def test_a_reply_is_sorted_json_with_four_spaces(face: Face, saved: SavedSessions) -> None:
    code, out, err = await run(face.socket, saved, "CreateZone", "name=ü z")
    assert (code, err) == (0, "")
    reply = json.loads(out)
    assert out == json.dumps(reply, indent=4, sort_keys=True, ensure_ascii=False) + "\n"
    assert reply["success"] is True
    code, out, _ = await run(
        face.socket, saved, "QueryZone", "fields=name,", f"uuid={reply['inventory']['uuid']}"
    )
    assert json.loads(out)["inventories"] == [{"name": "ü z"}]


async def test_usage_is_1_and_failure_is_3(face: Face, saved: SavedSessions, tmp_path: Path) -> None:
    assert (await run(face.socket, saved))[0] == 1
    code, out, err = await run(face.socket, saved, "CreateZone", "nam=x")
    assert (code, out) == (1, "")
    assert "it has" in err
    code, out, err = await run(face.socket, saved, "CreateZone")
    assert (code, out) == (3, "")
    assert err.startswith(
        "code: SYS.1007\ndescription: One or more API argument is invalid\ndetails: field[name]"
    )
    code, out, err = await run(tmp_path / "none.sock", saved, "QueryZone")
    assert (code, out) == (3, "")
    assert "no appliance answers" in err
    assert await run(face.socket, saved, "CreateEip", "name=x") == (
        3, "", "code: SYS.1014\ndescription: The message is not available yet\n"
        "details: org.zstack.network.service.eip.APICreateEipMsg is a message of ZStack 1.0 "
        "that is not built here yet\n",
    )  # fmt: skip


def test_a_call_without_a_name_is_wrong_usage_too() -> None:
    assert main(["--connect", "http://127.0.0.1:1", "call"]) == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["bogus"], "invalid choice: 'bogus'"),
        (["--bogus"], "unrecognized arguments: --bogus"),
        (["call", "--bogus"], "unrecognized arguments: --bogus"),
        (["lab", "sideways"], "invalid choice: 'sideways'"),
        (["upload"], "the following arguments are required"),
        (["--connect", "ftp://x", "call", "QueryZone"], "'ftp://x' is no address; write http://HOST:PORT"),
        (["--connect", "http://", "call", "QueryZone"], "'http://' is no address"),
        (["--connect", "http://[", "shell"], "'http://[' is no address"),
    ],
)
def test_words_of_the_program_that_are_wrong_are_wrong_usage(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 1
    assert said in capsys.readouterr().err


async def test_a_session_is_kept_between_commands_for_its_owner(face: Face, saved: SavedSessions) -> None:
    code, _, err = await run(face.url, saved, "QueryZone")
    assert code == 3
    assert "log in first" in err
    code, _, _ = await run(face.url, saved, "LogInByAccount", "accountName=admin", f"password={PASSWORD}")
    assert code == 0
    assert stat.S_IMODE(saved._path.stat().st_mode) == 0o600
    assert (await run(face.url, saved, "QueryZone"))[0] == 0
    assert (await run(face.url, saved, "LogOut"))[0] == 0
    assert saved.get(face.url) is None
    saved.put(face.url, "forged")
    assert (await run(face.url, saved, "QueryZone"))[0] == 3
    assert saved.get(face.url) is None


async def test_a_local_file_becomes_an_image(face: Face, saved: SavedSessions, tmp_path: Path) -> None:
    from appliance.api.job import LongJob
    from appliance.store.transaction import Transaction

    storage = BackupStorage(uuid="b" * 32, name="bs", url="/bs", hostname="h")
    await face.database.write(lambda tx: tx.insert(storage))
    image = tmp_path / "my image.qcow2"
    image.write_bytes(b"QFI\xfb" * 1000)
    words = ["AddImage", "name=i", "format=qcow2", f"backupStorageUuids={storage.uuid}"]
    code, _, err = await run(face.socket, saved, *words, "url=upload:///no/such/file")
    assert code == 1
    assert "there is no file /no/such/file" in err

    def end(tx: Transaction) -> None:
        [job] = tx.all(LongJob, name="AddImage")
        tx.update(job, state="Succeeded")

    face.on_upload = lambda: face.database.write(end)
    code, out, err = await run(face.socket, saved, *words, f"url=upload://{image}")
    assert (code, err) == (0, "")
    inventory = json.loads(out)["inventory"]
    assert inventory["url"] == "upload://my image.qcow2"
    assert face.uploads[inventory["uuid"]] == image.read_bytes()


@pytest.mark.parametrize("waits", [True, False])
async def test_who_is_refused_an_upload_is_told_why_first_and_then_what_is_so(
    face: Face, saved: SavedSessions, tmp_path: Path, capsys: pytest.CaptureFixture[str], waits: bool
) -> None:
    storage = BackupStorage(uuid="b" * 32, name="bs", url="/bs", hostname="h")
    await face.database.write(lambda tx: tx.insert(storage))
    path = tmp_path / "my image.qcow2"
    path.write_bytes(b"x" * 1000)

    async def refuse() -> None:
        [image] = await face.database.read(lambda snapshot: snapshot.all(Image))
        status = "Downloading" if waits else "Deleted"
        await face.database.write(lambda tx: tx.update(tx.get(Image, image.uuid), status=status))
        raise BackupStorageFailed("on h: storage.full: /bs/i takes 1000 bytes")

    face.on_upload = refuse
    words = ("name=i", "format=qcow2", f"backupStorageUuids={storage.uuid}", f"url=upload://{path}")
    code, _, err = await run(face.socket, saved, "AddImage", *words)
    [image] = await face.database.read(lambda snapshot: snapshot.all(Image))
    why, *further = err.splitlines()[2:]
    assert (code, why) == (3, "details: on h: storage.full: /bs/i takes 1000 bytes")
    told = (
        "the image waits for its file, and is given up when nothing comes for half an hour; once that is mended, "
        f"go on with: zstui upload {image.uuid} '{path}'"
    )
    assert further == ([told] if waits else [])
    assert capsys.readouterr().err == ""


async def test_an_upload_says_what_was_sent_and_what_became_of_the_image(
    face: Face, saved: SavedSessions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("appliance.serve.cli.SavedSessions", lambda: saved)
    image = Image(uuid="1" * 32, name="golden", url="upload://a.raw", format="raw", status="Creating")
    await face.database.write(lambda tx: tx.insert(image))
    path = tmp_path / "a.raw"
    path.write_bytes(b"x" * 5000)

    async def ready() -> None:
        await face.database.write(lambda tx: tx.update(tx.get(Image, image.uuid), status="Ready"))

    face.on_upload = ready
    out, err = io.StringIO(), io.StringIO()
    assert await transfer_once(face.socket, "upload", image.uuid, path, out=out, err=err) == 0
    assert out.getvalue() == f"{path}: 5000 bytes sent; image golden[uuid:{image.uuid}] is Ready\n"


def test_what_a_terminal_would_obey_is_escaped() -> None:
    text = pretty({"name": "\x1b[2J\x9b\u202e ü"})
    assert "\x1b" not in text
    assert "\x9b" not in text
    assert json.loads(text) == {"name": "\x1b[2J\x9b\u202e ü"}


@pytest.mark.parametrize("words", [["api"], ["api", "CreateZone"]])
def test_output_that_nobody_reads_ends_the_program_silently(words: list[str]) -> None:
    """As in `zstui api | head`, whether it finds out while it writes or when it ends."""
    ends, output = os.pipe()
    os.close(ends)
    try:
        ended = subprocess.run(
            [sys.executable, "-m", "zstui", *words],
            stdout=output,
            stderr=subprocess.PIPE,
            timeout=30,
            check=False,
        )
    finally:
        os.close(output)
    assert (ended.returncode, ended.stderr) == (UNREAD, b"")


def test_a_connection_that_breaks_is_said(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def broken(_: object) -> int:
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")

    monkeypatch.setattr("zstui.__main__._api", broken)
    assert main(["api"]) == 1
    assert "Broken pipe" in capfd.readouterr().err


async def test_the_stars_of_a_log_are_refused_with_a_code(face: Face, saved: SavedSessions) -> None:
    code, out, err = await run(face.socket, saved, "CreateUser", "name=a", "password=******")
    assert (code, out) == (3, "")
    assert err == (
        "code: SYS.1007\ndescription: One or more API argument is invalid\n"
        "details: field[password]: a password or key is hidden here: type it instead of ******\n"
    )


@pytest.mark.parametrize("word", ['l3NetworkUuids=["x"', 'l3NetworkUuids={"a":1}', "nonsense=1", "name"])
async def test_what_is_no_call_is_refused_with_a_code_as_other_errors_are(
    face: Face, saved: SavedSessions, word: str
) -> None:
    code, out, err = await run(face.socket, saved, "CreateVmInstance", word)
    assert (code, out) == (1, "")
    assert err.startswith("code: SYS.1007\ndescription: One or more API argument is invalid\ndetails: ")


def test_an_appliance_has_one_name_with_and_without_a_slash() -> None:
    assert target_url("http://h:8080/") == target_url("http://h:8080") == "http://h:8080"
