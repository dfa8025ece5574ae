"""One dnsmasq per network: its configuration, its host files, and its life beyond the agent's.

There is no file of leases, for dnsmasq gives each MAC one address and remembers nothing: which that is, is in the
file in `hosts` that is named by the MAC. Whether a guest has taken it, the guest alone knows.
"""

from __future__ import annotations

import asyncio
import contextlib
import grp
import ipaddress
import logging
import os
import pwd
import re
import shutil
import signal
from pathlib import Path

from agent import netns
from agent.protocol import EnsureNetwork, EnsureNic
from agent.refused import Refused
from agent.run import run

PORT_NAME = "service"
"""The inner end of a network's veth pair, the same in every namespace."""

LOG_BYTES = 1 << 20
"""The log of a server, and what is kept of it from before: a guest can have a line written for each packet."""

_FIRST_PAUSE = 0.2
_LONGEST_PAUSE = 30.0
_CALM_SECONDS = 30.0
_log = logging.getLogger(__name__)


def configuration(spec: EnsureNetwork, folder: Path, user: str, group: str) -> str:
    """What dnsmasq is told: DHCP only, for the hosts listed in its folder and nobody else.

    A NIC on its VM's default network (tag `primary`) gets a router, name servers and routes; another one
    gets none, so that a guest with several NICs has one default route.
    """
    network = ipaddress.ip_network(f"{spec.dhcp_ip}/{spec.netmask}", strict=False)
    lines = [
        "port=0",
        "no-resolv",
        "no-hosts",
        "no-ping",
        f"user={user}",
        f"group={group}",
        "bind-interfaces",
        f"interface={PORT_NAME}",
        "except-interface=lo",
        f"pid-file={folder}/pid",
        f"log-facility={folder}/log",
        "quiet-dhcp",
        "leasefile-ro",
        "dhcp-authoritative",
        "dhcp-lease-max=65535",
        "dhcp-ignore=tag:!known",
        f"dhcp-range={network.network_address},static,{network.netmask},{max(spec.lease_seconds, 120)}",
        f"dhcp-hostsdir={folder}/hosts",
        f"dhcp-option=1,{network.netmask}",
        f"dhcp-option=26,{spec.mtu}",
        "dhcp-option=vendor:MSFT,2,1i",
        "dhcp-option=tag:!primary,3",
        "dhcp-option=tag:!primary,6",
    ]
    lines += _primary_options(spec)
    if domain := _domain(spec.domain):
        lines.append(f"domain={domain}")
    return "\n".join(lines) + "\n"


def _primary_options(spec: EnsureNetwork) -> list[str]:
    dns = ",".join(str(ipaddress.IPv4Address(server)) for server in spec.dns)
    lines = [f"dhcp-option=tag:primary,6{',' + dns if dns else ''}"]
    gateway = str(ipaddress.IPv4Address(spec.gateway)) if spec.gateway else ""
    lines.append(f"dhcp-option=tag:primary,3{',' + gateway if gateway else ''}")
    if spec.userdata:
        # A client that takes option 121 ignores option 3, so the default route is said here again.
        routes = f"169.254.169.254/32,{spec.dhcp_ip}" + (f",0.0.0.0/0,{gateway}" if gateway else "")
        lines += [f"dhcp-option=tag:primary,{code},{routes}" for code in (121, 249)]
    return lines


def _domain(text: str) -> str:
    return text if re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?", text) else ""


def label(name: str) -> str:
    """A VM's name as a host name: one DNS label, empty when nothing of the name can stay."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:63].strip("-")


def host_line(nic: EnsureNic) -> str:
    """The line that reserves a NIC's address."""
    fields = [nic.mac.lower()]
    if nic.primary:
        fields.append("set:primary")
    fields.append(str(ipaddress.IPv4Address(nic.ip)))
    if name := label(nic.hostname):
        fields.append(name)
    return ",".join(fields) + "\n"


def unprivileged() -> tuple[str, str]:
    """The user and group that dnsmasq becomes after its start: root only where a host has neither."""
    for name in ("dnsmasq", "nobody", "root"):
        with contextlib.suppress(KeyError):
            return name, grp.getgrgid(pwd.getpwnam(name).pw_gid).gr_name
    return "root", "root"


class Dnsmasq:
    """The DHCP server of one network. It is not the agent's child: it outlives the agent and is adopted.

    `folder` must be one that dnsmasq's own user may reach.
    """

    def __init__(self, folder: Path, namespace: str) -> None:
        self._folder = folder
        self._namespace = namespace
        self._live: dict[str, str] = {}
        """The line of each NIC that is to be answered, by its uuid."""
        self._read: dict[str, str] = {}
        """The lines the running server has read, by MAC: more than the live ones."""
        self._spec: EnsureNetwork | None = None
        self._descriptor: int | None = None
        self._ended = asyncio.Event()
        self._watcher: asyncio.Task[None] | None = None
        self._lock = asyncio.Lock()
        self.pid = 0

    async def ensure(self, spec: EnsureNetwork) -> None:
        """Have the server run with this configuration; one that already does is left alone.

        Files that were removed are written again; where more is lost, or says something else, a fresh server
        takes over. Raises `Refused` with code `dhcp.failed` and dnsmasq's own words.
        """
        async with self._lock:
            self._spec = spec
            await asyncio.to_thread(self._shorten_log)
            changed = self._write(spec)
            if self._descriptor is None:
                self._adopt()
            if (changed or not self._all_kept()) and self._descriptor is not None:
                await self._stop()
            if self._descriptor is None:
                await self._launch()
        if self._watcher is None:
            self._watcher = asyncio.create_task(self._watch(), name=f"dnsmasq {self._namespace}")

    async def drop(self) -> None:
        """End the server and remove its folder."""
        await self.detach()
        async with self._lock:
            self._adopt()
            await self._stop()
            shutil.rmtree(self._folder, ignore_errors=True)

    async def detach(self) -> None:
        """Stop watching; the server goes on by itself."""
        if self._watcher is not None:
            self._watcher.cancel()
            await asyncio.wait([self._watcher])
            self._watcher = None
        self._forget()

    async def offer(self, nic: EnsureNic) -> None:
        """Answer a NIC's requests with its address, from the moment this returns.

        A new host is a new file, which dnsmasq notices by itself. What it has read it never forgets: it
        refuses an address that moved to another MAC, and crashes when told to read again hosts that have
        tags. So where a line contradicts one already read, a fresh server takes over; clients notice
        nothing, since every lease is a fixed one.
        """
        line = host_line(nic)
        async with self._lock:
            self._live[nic.nic_uuid] = line
            mac, ip = nic.mac.lower(), nic.ip
            old = self._read.get(mac)
            whole = self._whole()
            if old == line and whole and self._kept(line):
                return
            taken = any(ip in other.strip().split(",") for other in self._read.values())
            if old is not None or taken or not whole:
                await self._stop()
                await self._launch()
            else:
                self._write_host(line)

    async def withdraw(self, nic: EnsureNic) -> None:
        """Answer a NIC that stays no more."""
        async with self._lock:
            self._live.pop(nic.nic_uuid, None)
            mac = nic.mac.lower()
            if mac in self._read:
                self._write_host(f"{mac},ignore\n")

    def offers(self, nic: EnsureNic) -> bool:
        """Whether a NIC is answered, and its line on the disk."""
        line = host_line(nic)
        return self._live.get(nic.nic_uuid) == line == self._on_disk(line)

    def forget(self, nic: EnsureNic) -> None:
        """Expect a NIC no more: without its guard it cannot ask. Asking for it again costs nothing."""
        self._live.pop(nic.nic_uuid, None)
        self._host_file(nic.mac.lower()).unlink(missing_ok=True)

    def _whole(self) -> bool:
        """Whether all is there that whoever adopts the running server goes by, but for single hosts."""
        hosts = not self._read or (self._folder / "read").exists()
        return hosts and self._hosts().exists() and (self._folder / "pid").exists()

    def _kept(self, line: str) -> bool:
        """Have a line that was read be on the disk; not where the file says something else by now.

        dnsmasq complains of such a line in its log, as of a double, and goes on with the one that it has.
        """
        found = self._on_disk(line)
        if found is None:
            _replace(self._host_file(_mac_of(line)), line)
        return found in {None, line}

    def _all_kept(self) -> bool:
        read = [line for line in self._live.values() if self._read.get(_mac_of(line)) == line]
        return self._whole() and all(self._kept(line) for line in read)

    def _on_disk(self, line: str) -> str | None:
        """What the file of a NIC says."""
        try:
            return self._host_file(_mac_of(line)).read_text()
        except FileNotFoundError:
            return None

    def _write_host(self, line: str) -> None:
        mac = _mac_of(line)
        # Noted before dnsmasq can read it, since whoever adopts the server must know all that it has read.
        with (self._folder / "read").open("a") as noted:
            noted.write(line)
        _replace(self._host_file(mac), line)
        self._read[mac] = line

    def _host_file(self, mac: str) -> Path:
        return self._hosts() / mac.replace(":", "")

    def _hosts(self) -> Path:
        return self._folder / "hosts"

    def _write(self, spec: EnsureNetwork) -> bool:
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o755)
        self._hosts().mkdir(exist_ok=True, mode=0o755)
        path = self._folder / "conf"
        text = configuration(spec, self._folder, *unprivileged())
        if path.exists() and path.read_text() == text:
            return False
        _replace(path, text)
        return True

    def _shorten_log(self) -> None:
        """Put a log that has grown aside. dnsmasq goes on at the beginning, since it only ever appends."""
        log = self._folder / "log"
        if log.exists() and log.stat().st_size > LOG_BYTES:
            old = log.with_suffix(".old")
            with log.open("rb") as grown:
                grown.seek(-LOG_BYTES, os.SEEK_END)
                old.write_bytes(grown.read(LOG_BYTES))
            os.truncate(log, 0)

    def _adopt(self) -> None:
        """Take hold of a server that an earlier agent started, if it is the one and in the namespace."""
        try:
            pid = int((self._folder / "pid").read_text())
            descriptor = os.pidfd_open(pid)
        except (OSError, ValueError):
            return
        try:
            arguments = Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            arguments = b""
        ours = f"--conf-file={self._folder}/conf".encode() in arguments.split(b"\0")
        if not (ours and netns.holds(self._namespace, pid)):
            os.close(descriptor)
            return
        self._hold(pid, descriptor)
        noted = self._folder / "read"
        lines = noted.read_text().splitlines(keepends=True) if noted.exists() else []
        self._read = {_mac_of(line): line for line in lines}

    def _hold(self, pid: int, descriptor: int) -> None:
        self.pid = pid
        self._descriptor = descriptor
        self._ended = asyncio.Event()
        asyncio.get_running_loop().add_reader(descriptor, self._ended.set)

    def _forget(self) -> None:
        if self._descriptor is not None:
            asyncio.get_running_loop().remove_reader(self._descriptor)
            os.close(self._descriptor)
        self._descriptor = None
        self.pid = 0

    async def _launch(self) -> None:
        # dnsmasq puts itself into the background, in a session of its own, once it serves.
        if self._spec is not None:
            self._write(self._spec)
        (self._folder / "pid").unlink(missing_ok=True)
        if (self._folder / "log").exists():
            (self._folder / "log").replace(self._folder / "log.old")
        for path in self._hosts().iterdir():
            path.unlink()
        (self._folder / "read").unlink(missing_ok=True)
        self._read.clear()
        for line in self._live.values():
            self._write_host(line)
        try:
            await run(
                "nsenter", f"--net={netns.FOLDER / self._namespace}", "dnsmasq",
                f"--conf-file={self._folder}/conf",
            )  # fmt: skip
        except Refused as refused:
            raise Refused(
                "dhcp.failed",
                f"the DHCP server of {self._namespace} did not start: {refused}",
                transient=True,
            ) from refused
        self._adopt()
        if self._descriptor is None:
            raise Refused(
                "dhcp.failed",
                f"the DHCP server of {self._namespace} ended at its start; its log is {self._folder}/log",
                transient=True,
            )

    async def _stop(self) -> None:
        if self._descriptor is None:
            return
        for request in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._descriptor, request)
            try:
                async with asyncio.timeout(3):
                    await self._ended.wait()
                break
            except TimeoutError:
                _log.warning("dnsmasq %d did not end on signal %s", self.pid, request.name)
        self._forget()

    async def _watch(self) -> None:
        """Start the server again whenever it ends, at once the first time and ever slower in a crash loop."""
        loop = asyncio.get_running_loop()
        pause = _FIRST_PAUSE
        while True:
            began = loop.time()
            await self._ended.wait()
            if loop.time() - began > _CALM_SECONDS:
                pause = _FIRST_PAUSE
            await asyncio.sleep(pause)
            await self._restart(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)

    async def _restart(self, pause: float) -> None:
        async with self._lock:
            if not self._ended.is_set():
                return
            _log.error("dnsmasq of %s ended; starting it again after %g s", self._namespace, pause)
            self._forget()
            try:
                await self._launch()
            except (Refused, OSError) as refused:
                _log.error("%s", refused)


def _mac_of(line: str) -> str:
    return line.split(",", 1)[0].strip()


def _replace(path: Path, text: str) -> None:
    # The folder beside `hosts`, since dnsmasq reads whatever appears in that one.
    folder = path.parent.parent if path.parent.name == "hosts" else path.parent
    part = folder / f".{path.name}.part"
    part.write_text(text)
    part.chmod(0o644)
    part.replace(path)
