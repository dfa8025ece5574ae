"""Real processes: daemon and supervisor bring each other back, and links come in through attach."""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from agent.keeper import keep, kept
from agent.paths import Paths
from agent.pidfile import PidFile

pytestmark = pytest.mark.long

ROOT = Path(__file__).resolve().parents[2]
HEALED_SECONDS = 5.0
AGENT = [sys.executable, "-m", "agent"]


class Agent:
    """The commands of an agent whose folders are a test's own."""

    def __init__(self, folder: Path) -> None:
        self.paths = Paths(state=folder / "state", run=folder / "run")
        self.environment = {
            **os.environ,
            "PYTHONPATH": f"{ROOT / 'tests/agent/doubles'}:{ROOT}",
            "ZSTUI_AGENT_LIBVIRT": "test:///default",
            "ZSTUI_AGENT_STATE": str(self.paths.state),
            "ZSTUI_AGENT_RUN": str(self.paths.run),
        }
        self.open: list[subprocess.Popen[bytes]] = []

    def attach(self) -> subprocess.Popen[bytes]:
        link = self.launch()
        assert self.line(link) == b"zstui-agent ready\n"
        return link

    def launch(self) -> subprocess.Popen[bytes]:
        link = subprocess.Popen(
            [*AGENT, "attach"],
            env=self.environment,
            # Python would look for modules in the current folder first.
            cwd="/",
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self.open.append(link)
        return link

    def line(self, link: subprocess.Popen[bytes], seconds: float = 15.0) -> bytes:
        assert link.stdout is not None
        readable, _, _ = select.select([link.stdout], [], [], seconds)
        assert readable, "nothing was said in time"
        return link.stdout.readline()

    def ask(self, link: subprocess.Popen[bytes], verb: str, **fields: object) -> dict[str, Any]:
        call = {"frame": "call", "id": 1, "owner": "o", "epoch": 1, "request": {"verb": verb, **fields}}
        assert link.stdin is not None
        link.stdin.write(msgspec.json.encode(call) + b"\n")
        link.stdin.flush()
        while (answer := msgspec.json.decode(self.line(link)))["frame"] != "answer":
            continue
        assert isinstance(answer, dict)
        return answer

    def pid(self, name: str) -> int | None:
        return PidFile(self.paths.run / f"{name}.pid").holder()

    def kill(self, name: str) -> int:
        pid = self.pid(name)
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        return pid

    def stop(self) -> None:
        for link in self.open:
            link.kill()
            link.wait(5)
            for pipe in (link.stdin, link.stdout):
                assert pipe is not None
                pipe.close()
        subprocess.run([*AGENT, "stop"], env=self.environment, cwd="/", check=True, timeout=20)


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[Agent]:
    agent = Agent(tmp_path)
    yield agent
    agent.stop()


def within(seconds: float, holds: Callable[[], object]) -> float:
    """Wait until something holds and say after how many seconds it did."""
    began = time.monotonic()
    while not holds():
        assert time.monotonic() - began < seconds, "it did not come to hold in time"
        time.sleep(0.02)
    return time.monotonic() - began


def test_attach_starts_everything_and_ends_with_its_link(agent: Agent) -> None:
    link = agent.attach()
    answer = agent.ask(link, "Hello")
    assert answer["result"]["cpu_num"] >= 1
    assert agent.ask(link, "Ping") == {"frame": "answer", "id": 1, "result": {}}
    daemon, supervisor = agent.pid("daemon"), agent.pid("supervisor")
    assert daemon is not None
    assert supervisor is not None
    assert len({os.getsid(pid) for pid in (daemon, supervisor, os.getpid())}) == 3
    assert link.stdin is not None
    link.stdin.close()
    assert link.wait(5) == 0
    assert (agent.pid("daemon"), agent.pid("supervisor")) == (daemon, supervisor)


@pytest.mark.parametrize("victim", ["daemon", "supervisor"])
def test_a_killed_one_is_back_in_time_and_alone(agent: Agent, victim: str) -> None:
    agent.attach()
    within(5, lambda: agent.pid("supervisor"))
    for _ in range(3):
        dead = agent.kill(victim)
        within(HEALED_SECONDS, lambda dead=dead: agent.pid(victim) not in {None, dead})  # type: ignore[misc]
    agent.ask(agent.attach(), "Hello")


def test_both_killed_are_back_with_the_next_attach(agent: Agent) -> None:
    agent.attach()
    agent.kill("supervisor")
    agent.kill("daemon")
    assert "result" in agent.ask(agent.attach(), "Hello")


def test_a_daemon_that_dies_closes_its_link(agent: Agent) -> None:
    link = agent.attach()
    agent.kill("daemon")
    link.wait(5)


def test_two_that_attach_at_once_get_one_daemon(agent: Agent) -> None:
    links = [agent.launch() for _ in range(3)]
    assert {agent.line(link) for link in links} == {b"zstui-agent ready\n"}
    began = [
        line for line in (agent.paths.state / "daemon.log").read_text().splitlines() if " starts as " in line
    ]
    assert len(began) == 1


def test_the_owner_and_epoch_survive_a_kill(agent: Agent) -> None:
    agent.ask(agent.attach(), "Hello")
    agent.kill("daemon")
    link = agent.attach()
    call = {"frame": "call", "id": 1, "owner": "o", "epoch": 0, "request": {"verb": "Hello"}}
    assert link.stdin is not None
    link.stdin.write(msgspec.json.encode(call) + b"\n")
    link.stdin.flush()
    assert msgspec.json.decode(agent.line(link))["error"]["code"] == "epoch.stale"


def test_another_build_takes_the_place_of_the_one_that_runs(agent: Agent) -> None:
    agent.attach()
    old = agent.pid("daemon")
    agent.environment["PYTHONPATH"] = (
        f"{other_version(agent.paths.run.parent)}:{agent.environment['PYTHONPATH']}"
    )
    assert agent.ask(agent.attach(), "Hello")["result"]["agent_version"].startswith("9.9.9")
    assert agent.pid("daemon") not in {None, old}


def other_version(folder: Path) -> Path:
    """A copy of the agent with another version, and the doubles that it needs."""
    copy = folder / "other"
    copy.mkdir()
    subprocess.run(["cp", "-r", str(ROOT / "agent"), str(copy)], check=True)
    module = copy / "agent" / "version.py"
    module.write_text(module.read_text().replace('AGENT_VERSION = "', 'AGENT_VERSION = "9.9.9-'))
    return copy


def test_what_a_daemon_listened_on_is_kept_when_it_is_killed(agent: Agent) -> None:
    agent.attach()
    with socket.socket() as listening, socket.socket() as guest:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        where = listening.getsockname()
        keep(agent.paths, {"l3": listening.fileno()})
        listening.close()
        old = agent.kill("daemon")
        guest.connect(where)
        within(HEALED_SECONDS, lambda: agent.pid("daemon") not in (None, old))
        (found,) = kept(agent.paths).values()
        with found, found.accept()[0] as accepted:
            assert accepted.getpeername() == guest.getsockname()
        keep(agent.paths, {})
        assert kept(agent.paths) == {}
    with socket.socket() as late, pytest.raises(ConnectionRefusedError):
        late.connect(where)
