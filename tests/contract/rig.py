"""The kinds of host that the contract is asked of, behind one face."""

from __future__ import annotations

import asyncio
import os
import shutil
import struct
import subprocess
import sys
from itertools import count
from pathlib import Path
from typing import Literal, Protocol
from uuid import uuid4

from agent.protocol import DestroyDomain, EnsureStorage, Hello, HostFacts, UndefineDomain
from appliance.hosts.link import Pipe
from appliance.hosts.simulator import SimulatedHost
from tests.agent.libvirt_host import LibvirtHost
from tests.contract.peer import PATIENCE_SECONDS, Peer

ROOT = Path(__file__).resolve().parents[2]
SOURCES = "/srv/images"
Kind = Literal["qcow2", "garbage", "backed"]


class Rig(Protocol):
    """A host. `storage` is a folder that may become a storage root; `sources` one that file:// may name."""

    storage: str
    sources: str

    async def peer(self, *, greet: bool = True) -> Peer:
        """A new link, in an epoch that nobody had before."""

    def put(self, path: str, kind: Kind) -> None:
        """Let a file be there that is, or is not, an image."""

    def files(self) -> set[str]:
        """Every file below the storage folder."""

    async def door(self, port: int) -> Pipe:
        """A stream to a port of the host's loopback."""

    async def close(self) -> None:
        """End the links of this test."""


class Outside(Rig, Protocol):
    """A host on which somebody can act behind the appliance's back."""

    async def power(self, vm_uuid: str, power: Literal["on", "off"]) -> None:
        """What `virsh start` and `virsh destroy` do."""

    def cling(self, vm_uuid: str) -> None:
        """Let the guest of a running domain let go of nothing."""


class SimulatedRig:
    """The simulator."""

    storage = "/zstack_ps"
    sources = SOURCES

    def __init__(self) -> None:
        self.host = SimulatedHost("10.0.0.1")
        self._epochs = count(1)

    async def peer(self, *, greet: bool = True) -> Peer:
        peer = await Peer(self.host.attach(), next(self._epochs)).open()
        if greet:
            await greeted(peer, self.storage)
        return peer

    def put(self, path: str, kind: Kind) -> None:
        things = self.host.things
        things.files[path] = 1 << 20
        if kind == "garbage":
            things.unsound[path] = ("image.not_an_image", f"{path} is declared qcow2 and is not")
        elif kind == "backed":
            things.unsound[path] = ("image.backing_file", f"{path} builds on another file")

    def files(self) -> set[str]:
        return {path for path in self.host.things.files if path.startswith(self.storage)}

    async def power(self, vm_uuid: str, power: Literal["on", "off"]) -> None:
        if power == "on":
            self.host.power_on(vm_uuid)
        else:
            self.host.power_off(vm_uuid, "destroyed")

    def cling(self, vm_uuid: str) -> None:
        self.host.domains[vm_uuid].clinging = True

    async def door(self, port: int) -> Pipe:
        found = self.host.enter(port)
        if found is None:
            raise ConnectionRefusedError(port)
        return found

    async def close(self) -> None:
        self.host.cut("the test is over")


class ProcessWire:
    """The pipes of a process."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    async def read(self) -> bytes:
        assert self.process.stdout is not None
        return await self.process.stdout.read(1 << 16)

    def write(self, data: bytes) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(data)

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()


class SocketPipe:
    """A connection to a port of this machine."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def read(self) -> bytes:
        return await self._reader.read(1 << 16)

    def write(self, data: bytes) -> None:
        self._writer.write(data)

    async def drain(self) -> None:
        await self._writer.drain()

    def close(self) -> None:
        self._writer.close()


class AgentHost:
    """A real agent of this machine, with libvirt's test driver and a network half in memory."""

    enter: tuple[str, ...] = ()

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.epochs = count(1)
        self.environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "ZSTUI_AGENT_STATE": str(folder / "state"),
            "ZSTUI_AGENT_RUN": str(folder / "run"),
        }

    def stop(self) -> None:
        command = [*self.enter, sys.executable, "-m", "agent", "stop"]
        subprocess.run(command, env=self.environment, cwd="/", check=True, timeout=30)


class DoubledHost(AgentHost):
    """Needs neither root nor libvirtd."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.environment["PYTHONPATH"] = f"{ROOT / 'tests/contract/doubles'}:{ROOT}"
        self.environment["ZSTUI_AGENT_LIBVIRT"] = "test:///default"


class LabHost(AgentHost):
    """The whole agent beside a libvirtd of its own, in namespaces of their own."""

    def __init__(self, folder: Path, libvirt: LibvirtHost) -> None:
        super().__init__(folder)
        self.enter = ("nsenter", "-t", str(libvirt.child("sh")), "-m", "-n", "-u", "-p")
        self.environment["ZSTUI_AGENT_RUN"] = "/run/zstui-agent"
        add = "mkdir -p /run/netns && mount -t tmpfs none /run/netns && ip link add eth1 type veth peer name eth1-far"
        subprocess.run([*self.enter, "sh", "-c", add], check=True, timeout=10)


class AgentRig:
    """A link to an agent process, and what one test leaves on it removed."""

    def __init__(self, host: AgentHost) -> None:
        self.host = host
        folder = host.folder / uuid4().hex[:8]
        self.storage = str(folder / "ps")
        self.sources = str(folder / "sources")
        Path(self.sources).mkdir(parents=True)
        self._open: list[asyncio.subprocess.Process] = []
        self._defined: set[str] = set()

    async def peer(self, *, greet: bool = True) -> Peer:
        process = await asyncio.create_subprocess_exec(
            *self.host.enter, sys.executable, "-m", "agent", "attach",
            env=self.host.environment, cwd="/",
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        self._open.append(process)
        peer = await Peer(ProcessWire(process), next(self.host.epochs)).open()
        if greet:
            await greeted(peer, self.storage)
        return peer

    def put(self, path: str, kind: Kind) -> None:
        if kind == "garbage":
            Path(path).write_bytes(b"<html>not found</html>")
            return
        image = bytearray(qcow2_bytes())
        if kind == "backed":
            image[8:20] = struct.pack(">QI", 512, len(b"/etc/shadow"))
            image[512 : 512 + len(b"/etc/shadow")] = b"/etc/shadow"
        Path(path).write_bytes(bytes(image))

    def files(self) -> set[str]:
        return {str(path) for path in Path(self.storage).rglob("*") if path.is_file()}

    async def power(self, vm_uuid: str, power: Literal["on", "off"]) -> None:
        verb = "start" if power == "on" else "destroy"
        process = await asyncio.create_subprocess_exec(
            *self.host.enter, "virsh", "-c", "qemu:///system", "-q", verb, vm_uuid
        )
        assert await asyncio.wait_for(process.wait(), PATIENCE_SECONDS) == 0

    async def door(self, port: int) -> Pipe:
        return SocketPipe(*await asyncio.open_connection("127.0.0.1", port))

    def cling(self, vm_uuid: str) -> None:
        """Its disks hold no system, so nobody answers in its guests."""

    async def close(self) -> None:
        for process in self._open:
            assert process.stdin is not None
            process.stdin.close()
            await asyncio.wait_for(process.communicate(), PATIENCE_SECONDS)
        shutil.rmtree(Path(self.storage).parent)


async def greeted(peer: Peer, storage: str) -> None:
    """Say hello, and have a storage root."""
    await peer.told(Hello(), HostFacts)
    assert await peer.code(EnsureStorage(storage_uuid=uuid4().hex, root=storage)) == "ok"


async def removed(peer: Peer, vm_uuid: str) -> None:
    """Have a domain gone."""
    assert await peer.code(DestroyDomain(vm_uuid=vm_uuid)) == "ok"
    assert await peer.code(UndefineDomain(vm_uuid=vm_uuid)) == "ok"


def qcow2_bytes(size: int = 1 << 20) -> bytes:
    """A small empty qcow2 image, as qemu-img makes it."""
    path = Path(f"/dev/shm/zstui-contract-{uuid4().hex}")
    try:
        command = ["qemu-img", "create", "-q", "-f", "qcow2", str(path), str(size)]
        subprocess.run(command, check=True, timeout=20)
        return path.read_bytes()
    finally:
        path.unlink(missing_ok=True)
