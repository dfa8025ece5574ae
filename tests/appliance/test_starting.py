"""Appliances that faces start: none where none may be, and after a crash one where the last one was to be found."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.config import Config
from appliance.starting import (
    ONLY_ASK,
    SERVICE,
    Listening,
    NotStarted,
    ensure_running,
    reached,
    remember,
    remembered,
)
from tests.e2e.appliance_process import TREE, free_port


async def test_the_installers_questions_start_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(ONLY_ASK, "1")
    with pytest.raises(NotStarted, match="to start none"):
        await ensure_running(Config(tmp_path / "data"))
    assert not (tmp_path / "data").exists()


def test_what_a_service_keeps_running_is_waited_for_and_never_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("appliance.starting.START_SECONDS", 0.3)
    (tmp_path / SERVICE).write_text("systemctl start it\n")
    with pytest.raises(NotStarted, match="if it was stopped, start it with: systemctl start it"):
        asyncio.run(ensure_running(Config(tmp_path)))
    assert [path.name for path in tmp_path.iterdir()] == [SERVICE]


def test_what_is_remembered_is_read_again_and_what_is_no_memory_is_none(tmp_path: Path) -> None:
    assert remembered(tmp_path) == Listening()
    kept = Listening("[::1]:8080", ("cloud.example",), "why")
    remember(tmp_path, kept)
    assert remembered(tmp_path) == kept
    for wrong in ("", "[]", "{}", '{"listen": 1}', "\0"):
        (tmp_path / "listening.json").write_text(wrong)
        assert remembered(tmp_path) == Listening()


def _lives(pid: int) -> bool:
    """Whether a process may have anything open: one that nobody has waited for has not, once its threads are gone."""
    try:
        threads = list(Path(f"/proc/{pid}/task").iterdir())
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return len(threads) > 1 or state != "Z"


class Folder:
    """A data folder, and the program as people call it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        # Nothing here needs the frozen agent, and so nobody may ask for it.
        self.environment = {**os.environ, "PYTHONPATH": str(TREE), "ZSTUI_AGENT_BUNDLE": "/none"}

    def command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "zstui", "--data", str(self.path), *words]

    def call(self, *options: str) -> str:
        """Ask the folder's appliance for something; returns what the face said besides the answer."""
        done = subprocess.run(
            self.command(*options, "call", "QueryZone"), cwd=TREE, env=self.environment, timeout=60,
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert '"inventories": []' in done.stdout
        return done.stderr

    def ask(self, *words: str) -> tuple[int, str]:
        """Carry out a call: the exit code, and all that was said."""
        done = subprocess.run(
            self.command("call", *words),
            check=False,
            cwd=TREE,
            env=self.environment,
            timeout=60,
            capture_output=True,
            text=True,
        )
        return done.returncode, done.stdout + done.stderr

    def made(self, *words: str) -> str:
        """Carry out a call that makes something: its uuid."""
        code, said = self.ask(*words)
        assert code == 0, said
        return str(json.loads(said)["inventory"]["uuid"])

    def kill(self) -> None:
        """kill -9 of its appliance, and wait until its socket is nobody's."""
        pid = int((self.path / "lock").read_text().split()[0])
        os.kill(pid, signal.SIGKILL)
        deadline = time.monotonic() + 10
        while _lives(pid):
            assert time.monotonic() < deadline
            time.sleep(0.02)

    @property
    def log(self) -> str:
        return (self.path / "appliance.log").read_text()


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Folder]:
    made = Folder(tmp_path / "data")
    yield made
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        made.kill()


def welcomes(port: int, name: str) -> bool:
    """Whether a page at a name may call what listens on a port of loopback."""
    headers = {"Host": f"{name}:{port}", "Origin": f"http://{name}:{port}"}
    asked = urllib.request.Request(f"http://127.0.0.1:{port}/healthz", headers=headers)
    try:
        with urllib.request.urlopen(asked, timeout=10) as answer:
            return bool(answer.status == 200)
    except urllib.error.HTTPError as refused:
        return refused.code != 403


@pytest.mark.timeout(120)
@pytest.mark.long
def test_an_appliance_that_a_face_starts_again_is_found_where_it_was(folder: Folder) -> None:
    port, ssh = free_port(), free_port()
    words = (
        "--listen",
        f"127.0.0.1:{port}",
        "--ssh",
        f"127.0.0.1:{ssh}",
        "--name",
        "cloud.example",
        "--serve",
    )
    served = folder.command(*words)
    process = subprocess.Popen(served, cwd=TREE, env=folder.environment, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 30
    kept = Listening(f"127.0.0.1:{port}", ("cloud.example",), ssh=f"127.0.0.1:{ssh}")
    while remembered(folder.path) != kept:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert (welcomes(port, "cloud.example"), welcomes(port, "evil.example")) == (True, False)

    folder.kill()
    process.wait()
    assert not reached("127.0.0.1", port)
    assert folder.call() == ""
    assert (welcomes(port, "cloud.example"), welcomes(port, "evil.example")) == (True, False)
    assert reached("127.0.0.1", ssh)

    folder.kill()
    with socket.create_server(("127.0.0.1", ssh)):
        wrong = folder.call()
        assert (
            f"cannot listen on 127.0.0.1:{ssh}: Address already in use; the full screen is not shown" in wrong
        )
        assert reached("127.0.0.1", port)

    folder.kill()
    with socket.create_server(("127.0.0.1", port)):
        wrong = folder.call()
        assert f"cannot listen on 127.0.0.1:{port}: Address already in use; only the socket" in wrong
        assert wrong.removeprefix("zstui: ").strip() in folder.log
        assert folder.call() == wrong  # it is still so

    folder.kill()
    assert folder.call() == ""
    assert reached("127.0.0.1", port)

    folder.kill()
    other = free_port()
    assert folder.call("--listen", f"127.0.0.1:{other}") == ""
    assert (reached("127.0.0.1", other), reached("127.0.0.1", port)) == (True, False)
    assert remembered(folder.path).listen == f"127.0.0.1:{other}"

    folder.kill()
    assert folder.call("--listen", "none") == ""
    assert not reached("127.0.0.1", other)
    folder.kill()
    assert folder.call() == ""
    assert not reached("127.0.0.1", other)


@pytest.mark.timeout(120)
@pytest.mark.long
def test_plain_http_is_remembered_and_an_address_without_it_speaks_tls(folder: Folder) -> None:
    port = free_port()
    assert folder.call("--plain-http", "--listen", f"0.0.0.0:{port}") == ""
    assert "0.0.0.0 without TLS, as --plain-http says" in folder.log
    folder.kill()
    assert folder.call() == ""
    assert welcomes(port, "localhost")

    folder.kill()
    assert folder.call("--listen", f"0.0.0.0:{port}") == ""
    with pytest.raises(http.client.RemoteDisconnected):
        welcomes(port, "localhost")
    assert not remembered(folder.path).plain_http


@pytest.mark.parametrize("wrong", ["8080", ":8080", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:http"])
def test_no_address_is_refused_before_anything_else(folder: Folder, wrong: str) -> None:
    done = subprocess.run(
        folder.command("--serve", "--ssh", wrong), capture_output=True, text=True, check=False, cwd=TREE,
        env=folder.environment, timeout=60,
    )  # fmt: skip
    assert (done.returncode, f"argument --ssh: {wrong!r} is not ADDR:PORT" in done.stderr) == (1, True)
    assert not folder.path.exists()


@pytest.mark.timeout(120)
@pytest.mark.long
def test_only_real_machines_need_the_frozen_agent(folder: Folder) -> None:
    zone = folder.made("CreateZone", "name=z")
    simulated = folder.made("CreateCluster", "name=s", f"zoneUuid={zone}", "hypervisorType=Simulator")
    folder.made("AddSimulatorHost", "name=s", f"clusterUuid={simulated}", "managementIp=10.0.0.1",
                "cpuCapacity=1000", "memoryCapacity=1000000000")  # fmt: skip
    real = folder.made("CreateCluster", "name=k", f"zoneUuid={zone}", "hypervisorType=KVM")
    access = ("username=root", "password=x", "name=k")
    for code, words in (
        ("HOST.1000", ("AddKVMHost", f"clusterUuid={real}", "managementIp=127.0.0.1", *access)),
        ("BS.1000", ("AddSftpBackupStorage", "url=/bs", "hostname=127.0.0.1", *access)),
    ):
        exit_code, said = folder.ask(*words)
        assert (exit_code, f"code: {code}" in said) == (3, True), said
        assert "there is no file /none, which ZSTUI_AGENT_BUNDLE names as the frozen agent" in said
    _, hosts = folder.ask("QueryHost", "fields=name")
    assert [each["name"] for each in json.loads(hosts)["inventories"]] == ["s"]
    assert "Traceback" not in folder.log


@pytest.mark.timeout(120)
@pytest.mark.long
def test_why_an_appliance_does_not_start_is_told_and_nothing_that_was_said_before(folder: Folder) -> None:
    folder.made("CreateZone", "name=before")
    folder.kill()
    with contextlib.closing(sqlite3.connect(folder.path / "store.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        exit_code, said = folder.ask("QueryZone")
    assert exit_code != 0
    assert said.startswith("zstui: the appliance did not start: ")
    assert f"another program has {folder.path}/store.db locked" in said
    assert "before" not in said
