"""Hosts, guests and switches for tests: namespaces of processes that die with the test."""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]

_HOST = """
mount --make-rprivate / && mkdir -p /run/netns && mount -t tmpfs none /run/netns && ip link set dev lo up \
&& echo ready && exec sleep infinity
"""
_PLAIN = "ip link set dev lo up && echo ready && exec sleep infinity"


def until(true: Callable[[], Any], seconds: float = 30.0) -> Any:
    """Wait for something to become true; what it returned."""
    end = time.monotonic() + seconds
    while not (value := true()):
        assert time.monotonic() < end, f"still not so after {seconds} s"
        select.select([], [], [], 0.02)
    return value


class Box:
    """A network namespace held by a process."""

    def __init__(self, *, host: bool = False) -> None:
        kinds = ["--net"] + (["--mount", "--pid", "--mount-proc"] if host else [])
        self._holder = subprocess.Popen(
            ["unshare", *kinds, "--fork", "--kill-child", "sh", "-c", _HOST if host else _PLAIN],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._holder.stdout is not None
        assert self._holder.stdout.readline() == "ready\n"
        children = Path(f"/proc/{self._holder.pid}/task/{self._holder.pid}/children").read_text().split()
        self.pid = int(children[0])
        self._host = host

    def enter(self, *, net_only: bool = False) -> list[str]:
        whole = self._host and not net_only
        return ["nsenter", "-t", str(self.pid), "-n", *(["-m", "-p"] if whole else [])]

    def sh(self, command: str, *, check: bool = True, net_only: bool = False, seconds: float = 10) -> str:
        """Run a test's own command line in the box."""
        done = subprocess.run(
            [*self.enter(net_only=net_only), "sh", "-c", command],
            capture_output=True, text=True, timeout=seconds, check=False,
        )  # fmt: skip
        assert not check or done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout

    def python(self, code: str, *arguments: str, seconds: float = 10) -> str:
        done = subprocess.run(
            [*self.enter(), sys.executable, "-c", code, *arguments],
            capture_output=True, text=True, timeout=seconds, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def close(self) -> None:
        self._holder.kill()
        self._holder.wait()
        assert self._holder.stdout is not None
        self._holder.stdout.close()


class Host(Box):
    """A host with an uplink to a switch, and an agent."""

    def __init__(self, switch: Box, name: str, uplink: str = "eth1") -> None:
        super().__init__(host=True)
        # dnsmasq is not root and reaches its folder beside the run folder.
        self.folder = Path(tempfile.mkdtemp(prefix="zstui-test-"))
        self.folder.chmod(0o755)
        self.agent: subprocess.Popen[str] | None = None
        self._plug(switch, name, uplink)

    def _plug(self, switch: Box, name: str, uplink: str) -> None:
        self._switch, self._name, self._uplink = switch, name, uplink
        switch.sh(f"ip link add name {name} type veth peer name {uplink} netns {self.pid}")
        switch.sh(f"ip link set dev {name} master sw up")
        self.sh(f"ip link set dev {uplink} up")

    def start(self) -> float:
        """Start an agent; the seconds until it had restored everything."""
        began = time.monotonic()
        self.agent = subprocess.Popen(
            [*self.enter(), sys.executable, str(ROOT / "tests/agent/agent_process.py"), str(self.folder)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )  # fmt: skip
        assert self._line()["value"] == "started"
        return time.monotonic() - began

    def kill(self) -> None:
        """Kill -9 the agent, as the kernel would. (The process we see is nsenter, which forked it.)"""
        assert self.agent is not None
        children = Path(f"/proc/{self.agent.pid}/task/{self.agent.pid}/children").read_text().split()
        for child in children:
            os.kill(int(child), signal.SIGKILL)
        self.agent.kill()
        self._reap()

    def stop(self) -> None:
        assert self.agent is not None
        assert self.agent.stdin is not None
        self.agent.stdin.close()
        assert self.agent.wait(10) == 0
        self._reap()

    def reboot(self) -> None:
        """Lose everything but the state folder."""
        if self.agent is not None:
            self.kill()
        super().close()
        shutil.rmtree(self.folder / "run", ignore_errors=True)
        shutil.rmtree(self.folder / "run-dhcp", ignore_errors=True)
        Box.__init__(self, host=True)
        self._switch.sh(f"ip link del dev {self._name}", check=False)
        self._plug(self._switch, self._name, self._uplink)

    def ask(self, verb: str, body: Any = None, **fields: Any) -> Any:
        """What the agent answered; a refusal's code as `{"error": …}`."""
        assert self.agent is not None
        assert self.agent.stdin is not None
        self.agent.stdin.write(json.dumps([verb, fields or body]) + "\n")
        self.agent.stdin.flush()
        answer = self._line()
        return answer if "error" in answer else answer["value"]

    def do(self, verb: str, **fields: Any) -> float:
        answer = self.ask(verb, **fields)
        assert isinstance(answer, float), answer
        return answer

    def close(self) -> None:
        if self.agent is not None:
            self.kill()
        super().close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _line(self) -> dict[str, Any]:
        assert self.agent is not None
        assert self.agent.stdout is not None
        ready, _, _ = select.select([self.agent.stdout], [], [], 20)
        assert ready, "the agent does not answer"
        line = self.agent.stdout.readline()
        assert line, "the agent ended"
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _reap(self) -> None:
        assert self.agent is not None
        self.agent.wait(10)
        for pipe in (self.agent.stdin, self.agent.stdout):
            if pipe is not None and not pipe.closed:
                try:
                    pipe.close()
                except BrokenPipeError:
                    continue
        self.agent = None


class Guest(Box):
    """A guest whose tap is one end of a veth pair."""

    def __init__(self, host: Host, device: str, mac: str, bridge: str = "br_eth1") -> None:
        super().__init__()
        self.mac = mac
        host.sh(
            f"ip link add name {device} type veth peer name eth0 address {mac} netns {self.pid}",
            net_only=True,
        )
        host.sh(f"ip link set dev {device} master {bridge} up", net_only=True)
        self.sh("ip link set dev eth0 up")

    def dhcp(self, *, options: str = "1 3 6 12 15 26 121 249", tries: int = 3) -> dict[str, str]:
        """What udhcpc got, by the names it gives to options; empty without a lease."""
        wanted = " ".join(f"-O {code}" for code in options.split())
        script = 'test "$1" = bound && env; exit 0'
        with tempfile.NamedTemporaryFile("w", suffix=".sh", delete=False) as file:
            file.write("#!/bin/sh\n" + script + "\n")
        Path(file.name).chmod(0o755)
        try:
            out = self.sh(
                f"env -i PATH=$PATH busybox udhcpc -i eth0 -f -q -n -t {tries} -T 1 -A 0 "
                f"-s {file.name} {wanted}",
                check=False, seconds=20,
            )  # fmt: skip
        finally:
            Path(file.name).unlink()
        return dict(line.split("=", 1) for line in out.splitlines() if "=" in line)

    def address(self, ip: str, router: str = "") -> None:
        self.sh(f"ip addr flush dev eth0; ip addr add {ip} dev eth0")
        if router:
            self.sh(f"ip route add default via {router}")

    def get(self, url: str, *headers: str, seconds: int = 2) -> str:
        """The status and body of a request, `000` when there was no answer."""
        extra = " ".join(f"-H '{header}'" for header in headers)
        return self.sh(f"curl -s -m {seconds} -w '|%{{http_code}}' {extra} '{url}'", check=False)


def switch() -> Box:
    box = Box()
    box.sh("ip link add name sw type bridge stp_state 0 forward_delay 0; ip link set dev sw up")
    return box
