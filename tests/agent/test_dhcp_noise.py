"""What DHCP packets of a hostile guest do to its host: nothing. Real dnsmasq, real guard, in namespaces.

`ZSTUI_FUZZ=100` sends a million.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.dhcp import LOG_BYTES
from tests.agent.netlab import Box, Guest, Host, switch, until
from tests.agent.test_nic import L3, MAC_A, MAC_B, nic, ready

COUNT = 10_000 * int(os.environ.get("ZSTUI_FUZZ", "1"))
PACE = 2_000
"""Of 10,000 a second the socket of dnsmasq loses four in ten, of these some on a busy machine."""
GROWTH = 8 << 20
NOISE = str(Path(__file__).with_name("dhcp_noise.py"))

pytestmark = [pytest.mark.lab, pytest.mark.timeout(60 + COUNT // 1000)]


@pytest.fixture
def host() -> Iterator[Host]:
    wire = switch()
    made = Host(wire, "h1")
    try:
        ready(made)
        for letter in "ab":
            made.do("EnsureNic", **nic(letter))
        yield made
    finally:
        made.close()
        wire.close()


@pytest.fixture
def victim(host: Host) -> Iterator[Guest]:
    made = Guest(host, "vnic1.0", MAC_B)
    yield made
    made.close()


def begin(guest: Box, count: int, pace: int) -> subprocess.Popen[str]:
    words = [*guest.enter(), sys.executable, NOISE, "eth0", str(count), "6", str(pace)]
    return subprocess.Popen(words, stdout=subprocess.PIPE, text=True)


def resident(pid: int) -> int:
    """Bytes of memory that a process has."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")


def outside(host: Host, pid: int) -> int:
    """A process of the host as it is known here."""
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            lines = dict(line.split(":\t", 1) for line in status.read_text().splitlines() if ":\t" in line)
        except (FileNotFoundError, ProcessLookupError):
            continue
        if lines["NSpid"].split()[1:] == [str(pid)] and f"{host.folder}" in cmdline(status.parent):
            return int(status.parent.name)
    raise AssertionError(f"no process {pid} of {host.folder}")


def cmdline(process: Path) -> str:
    return (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()


def agent_pid(host: Host) -> int:
    assert host.agent is not None
    children = Path(f"/proc/{host.agent.pid}/task/{host.agent.pid}/children").read_text().split()
    return int(children[0])


def lost(host: Host) -> int:
    """Packets that the socket of dnsmasq had no room for."""
    (name,) = host.sh("ip netns list").split()[:1]
    lines = host.sh(f"ip netns exec {name} cat /proc/net/udp").splitlines()[1:]
    return sum(int(line.split()[-1]) for line in lines if line.split()[1].endswith(":0043"))


@pytest.mark.parametrize("guarded", [True, False])
def test_no_dhcp_packet_of_a_guest_hurts_its_host_or_others(
    host: Host, victim: Guest, *, guarded: bool
) -> None:
    """Through the guard at full speed, and past it, so that dnsmasq reads them all."""
    thief = Guest(host, "vnic0.0" if guarded else "past0", MAC_A)
    try:
        before = host.ask("dnsmasq", L3)
        processes = {"agent": agent_pid(host), "dnsmasq": outside(host, before)}
        with begin(thief, 500, 1000) as first:  # what is once used is no growth
            assert first.wait(60) == 0
        folder = next((host.folder / "run-dhcp").iterdir())
        log = folder / "log"
        length = log.stat().st_size
        sizes = {name: resident(pid) for name, pid in processes.items()}
        with begin(thief, COUNT, 0 if guarded else PACE) as noise:
            # Past the guard what the victim says may be lost, too: it asks on, as clients do. udhcpc with `-n`
            # gives up where an offer's request is lost three times.
            until(lambda: victim.dhcp(tries=10).get("ip") == "10.0.0.6", 0 if guarded else 30)
            assert noise.stdout is not None
            assert int(noise.stdout.read()) == COUNT
        assert noise.returncode == 0
        assert victim.dhcp()["ip"] == "10.0.0.6", "and afterwards"
        assert host.ask("dnsmasq", L3) == before
        grown = {name: resident(pid) - sizes[name] for name, pid in processes.items()}
        print(f"{COUNT} packets, {lost(host)} not read, {log.stat().st_size} bytes of log, grown by {grown}")
        assert {name: size for name, size in grown.items() if size > GROWTH} == {}
        assert guarded or lost(host) < COUNT // 2
        assert log.stat().st_size > length, "some of them are heard"
        with log.open("ab") as grown_more:
            grown_more.write(b"as after a month\n" * LOG_BYTES)

        def small() -> bool:
            return all(path.stat().st_size <= LOG_BYTES for path in folder.iterdir() if path.is_file())

        until(small, 25)
        assert victim.dhcp()["ip"] == "10.0.0.6"
    finally:
        thief.close()
