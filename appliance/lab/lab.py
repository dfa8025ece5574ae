"""One lab instance: several KVM hosts inside this machine, brought up, broken and taken down."""

import asyncio
import contextlib
import fcntl
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Collection, Coroutine, Iterable, Sequence
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

from appliance.lab import machine, network, package, process, readiness
from appliance.lab.command import LabError, detach, run
from appliance.lab.instance import (
    HOSTS_MAX,
    ROOT,
    Instance,
    LabHost,
    checked_name,
    load,
    port_name,
    settle,
    uplink_of,
    write_private,
)

_OWNERS = Path("/run/zstui-lab")
_GRACE_SECONDS = 4.0
_LOCK_TRIES = 1200
_LOCK_PAUSE_SECONDS = 0.1
_LAUNCHER = (sys.executable, "-I", str(Path(__file__).with_name("init.py")))


def _silent(_step: str) -> None:
    """Report nothing."""


class Lab:
    """Hosts made of namespaces; every name and address follows from the instance's name.

    `nics` interfaces per host: eth0 is management, eth1 and eth2 are plugged into data switches.
    Hosts whose numbers are in `single_nic` have eth0 alone. `launcher` is the command that runs
    `appliance.lab.init` with one more argument; a frozen program gives its own.
    """

    def __init__(
        self,
        name: str = "demo",
        hosts: int = 2,
        folder: Path | None = None,
        *,
        nics: int = 2,
        single_nic: Collection[int] = (),
        launcher: Sequence[str] = _LAUNCHER,
        progress: Callable[[str], None] = _silent,
    ) -> None:
        self.name = checked_name(name)
        if not 1 <= hosts <= HOSTS_MAX:
            raise LabError(f"a lab has 1 to {HOSTS_MAX} hosts, not {hosts}")
        if not 1 <= nics <= network.NICS_MAX:
            raise LabError(f"a lab host has 1 to {network.NICS_MAX} interfaces, not {nics}")
        self.hosts = hosts
        self.folder = (folder or ROOT / name).absolute()
        self._nics = nics
        self._single_nic = frozenset(single_nic)
        self._launcher = tuple(launcher)
        self._progress = progress

    async def up(self) -> list[LabHost]:
        """Bring up what is not running and give the hosts, once each answers by ssh and libvirt.

        Raises LabError if a host does not come up within its limit, with the end of its log.
        """
        _require_root()
        await package.install(self._progress)
        async with self._alone() as owner:
            running = await self._running()
            other = owner.read_text().strip()
            if running and other not in ("", str(self.folder)):
                raise LabError(f"lab {self.name} runs from {other}: take it down first, or use another name")
            owner.write_text(str(self.folder))
            instance = settle(self.name, self.folder, [] if running else await self._taken())
            await machine.make_key(self.folder / "id_ed25519", f"zstui lab {self.name}")
            self._progress(f"switch {instance.switch}, network {instance.network}")
            await network.make_switch(instance)
            wanted = range(1, self.hosts + 1)
            everyone = sorted({*wanted, *await self._numbers()})
            await _each(self._bring_up(instance, number, everyone) for number in wanted)
            return [machine.described(instance, number) for number in wanted]

    async def down(self) -> None:
        """Stop every host and remove namespaces, links and mounts; the disks in the folder are kept."""
        _require_root()
        async with self._alone() as owner:
            await _each(self._take_down(number) for number in await self._numbers())
            await network.remove_switch(f"zstui-{self.name}-sw", uplink_of(self.name))
            owner.unlink()

    async def purge(self) -> None:
        """Take the lab down and remove its folder, disks included."""
        await self.down()
        if load(self.name, self.folder) is not None:
            await asyncio.to_thread(shutil.rmtree, self.folder)

    async def status(self) -> list[dict[str, Any]]:
        """What is known of each host: name, address, whether it runs, its first process, its cable."""
        instance = load(self.name, self.folder)
        if instance is None:
            return []
        ports = await network.links(instance.switch)
        rows = []
        for number in await self._numbers():
            pid = process.first(instance.namespace(number))
            rows.append(
                {
                    "name": instance.namespace(number),
                    "address": instance.address(number),
                    "state": "off" if pid is None else "running",
                    "pid": pid,
                    "cable": "plugged" if ports.get(port_name(number, 0)) else "unplugged",
                    "folder": str(instance.host_folder(number)),
                }
            )
        return rows

    async def exec(
        self,
        host: LabHost | int,
        argv: Sequence[str],
        *,
        stdin: str | None = None,
        timeout_seconds: float = 30.0,
        check: bool = False,
    ) -> subprocess.CompletedProcess[str]:
        """Run a command as root inside a host, without ssh: it works with the cable unplugged too.

        Raises LabError if the host is off or the command takes longer than its limit.
        """
        namespace = self._instance().namespace(_number(host))
        pid = process.first(namespace)
        if pid is None:
            raise LabError(f"host {namespace} is off: nothing can run in it; start it first")
        enter = ["nsenter", "--target", str(pid), "--mount", "--uts", "--ipc", "--net", "--pid"]
        return await run(
            [*enter, "--root", "--wd", "--", *argv], stdin=stdin, timeout_seconds=timeout_seconds, check=check
        )

    async def kill(self, host: LabHost | int) -> None:
        """Take a host's power away: every process in it is killed, its network configuration is gone."""
        async with self._alone():
            await self._power_off(self._instance(), _number(host), grace_seconds=0)

    async def start(self, host: LabHost | int) -> None:
        """Start a host that is off, with the disks it had; return when it answers."""
        async with self._alone():
            await self._power_on(self._instance(), _number(host))

    async def reboot(self, host: LabHost | int) -> None:
        """Kill a host and start it again with the same disks; /run, /tmp and guests do not survive."""
        async with self._alone():
            await self._power_off(self._instance(), _number(host), grace_seconds=0)
            await self._power_on(self._instance(), _number(host))

    async def cut(self, host: LabHost | int) -> None:
        """Unplug a host's management cable."""
        await network.connect(self._instance(), _number(host), up=False)

    async def heal(self, host: LabHost | int) -> None:
        """Plug a host's management cable in again."""
        await network.connect(self._instance(), _number(host), up=True)

    async def _bring_up(self, instance: Instance, number: int, everyone: Sequence[int]) -> None:
        machine.name_everyone(instance, number, everyone)
        if await self._healthy(instance, number):
            self._progress(f"{instance.namespace(number)} runs at {instance.address(number)}")
            return
        await self._power_off(instance, number, grace_seconds=0)
        self._progress(f"{instance.namespace(number)}: disks, users, keys")
        await machine.prepare(instance, number, everyone)
        await self._power_on(instance, number)

    async def _take_down(self, number: int) -> None:
        namespace = f"zstui-{self.name}-h{number}"
        self._progress(f"{namespace}: stopping")
        await self._stop(namespace, number, _GRACE_SECONDS)
        await network.detach(f"zstui-{self.name}-sw", namespace, number)

    async def _power_off(self, instance: Instance, number: int, *, grace_seconds: float) -> None:
        await self._stop(instance.namespace(number), number, grace_seconds)
        await network.detach(instance.switch, instance.namespace(number), number)

    async def _power_on(self, instance: Instance, number: int) -> None:
        namespace, folder = instance.namespace(number), instance.host_folder(number)
        if process.first(namespace) is not None:
            raise LabError(f"host {namespace} is running already")
        machine.empty_tmp(instance, number)
        await network.attach(instance, number, self._nics_of(number))
        self._progress(f"{namespace}: starting")
        enter = ["setsid", "--fork", "ip", "netns", "exec", namespace, "unshare"]
        apart = ["--mount", "--uts", "--ipc", "--pid", "--fork", "--kill-child", "--mount-proc"]
        described = [*self._launcher, str(folder / "init.json")]
        await detach([*enter, *apart, *described], folder / "log" / "init.log")
        await self._wait_ready(instance, number)
        self._progress(f"{namespace} is up at {instance.address(number)}")

    async def _wait_ready(self, instance: Instance, number: int) -> None:
        """Wait until a host answers by ssh and libvirt; LabError if it does not in time."""
        namespace, folder = instance.namespace(number), instance.host_folder(number)

        async def begun() -> str:
            pid = process.first(namespace)
            if pid is None:
                return "no process runs in it"
            _record(folder, pid)
            return ""

        async def greeted() -> str:
            return await readiness.lack_of_greeting(instance.address(number))

        async def answered() -> str:
            answer = await self.exec(number, ["virsh", "-c", "qemu:///system", "list"])
            return answer.stderr.strip() if answer.returncode else ""

        await readiness.until(begun, 10.0, "init", folder)
        await readiness.until(greeted, 10.0, "sshd", folder)
        await readiness.until(answered, 30.0, "libvirtd", folder)

    async def _healthy(self, instance: Instance, number: int) -> bool:
        if process.first(instance.namespace(number)) is None:
            return False
        if not await network.attached(instance, number, self._nics_of(number)):
            return False
        await network.connect(instance, number, up=True)
        try:
            await self._wait_ready(instance, number)
        except LabError as error:
            self._progress(f"{instance.namespace(number)} does not answer, it is started anew: {error}")
            return False
        return True

    async def _stop(self, namespace: str, number: int, grace_seconds: float) -> None:
        """End what runs in a host, also if its namespace has lost its name meanwhile."""
        await process.clear(namespace, grace_seconds=grace_seconds)
        record = self.folder / f"host{number}" / "run.json"
        if record.exists():
            data = json.loads(record.read_text())
            if process.started(data["pid"]) == data["started"]:
                await process.end(data["pid"], grace_seconds=grace_seconds)
            record.unlink()

    def _nics_of(self, number: int) -> int:
        return 1 if number in self._single_nic else self._nics

    def _instance(self) -> Instance:
        instance = load(self.name, self.folder)
        if instance is None:
            raise LabError(f"lab {self.name} has never been up in {self.folder}: bring it up first")
        return instance

    async def _numbers(self) -> list[int]:
        """The hosts there are signs of, as a namespace or as a folder."""
        pattern = re.compile(rf"zstui-{re.escape(self.name)}-h([0-9]+)")
        names = (path.name for path in process.NAMESPACES.glob("zstui-*"))
        found = {int(match[1]) for name in names if (match := pattern.fullmatch(name))}
        if load(self.name, self.folder) is not None:
            found |= {int(path.name.removeprefix("host")) for path in self.folder.glob("host[0-9]*")}
        return sorted(found)

    async def _running(self) -> list[int]:
        numbers = await self._numbers()
        return [number for number in numbers if process.first(f"zstui-{self.name}-h{number}") is not None]

    async def _taken(self) -> list[IPv4Network]:
        """The networks in use here, once what an earlier run of this lab may have left is removed."""
        await network.remove_switch(f"zstui-{self.name}-sw", uplink_of(self.name))
        return await network.taken()

    @contextlib.asynccontextmanager
    async def _alone(self) -> AsyncIterator[Path]:
        """Hold the instance's lock: no two programs change one instance at a time."""
        owner = _OWNERS / self.name
        handle = await _locked(owner)
        try:
            yield owner
        finally:
            os.close(handle)


async def _locked(path: Path) -> int:
    for _ in range(_LOCK_TRIES):
        handle = _try_lock(path)
        if handle is not None:
            return handle
        await asyncio.sleep(_LOCK_PAUSE_SECONDS)
    limit = _LOCK_TRIES * _LOCK_PAUSE_SECONDS
    raise LabError(f"another program has been changing this lab for {limit:g} s; it holds {path}")


def _try_lock(path: Path) -> int | None:
    path.parent.mkdir(mode=0o755, exist_ok=True)
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    with contextlib.suppress(BlockingIOError, FileNotFoundError):
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Whoever took the lab down has removed the file that it held locked.
        if path.stat().st_ino == os.fstat(handle).st_ino:
            return handle
    os.close(handle)
    return None


async def _each(jobs: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Do all at once; the first failure is raised alone."""
    try:
        async with asyncio.TaskGroup() as group:
            for job in jobs:
                group.create_task(job)
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None


def _record(folder: Path, pid: int) -> None:
    write_private(folder / "run.json", json.dumps({"pid": pid, "started": process.started(pid)}) + "\n")


def _require_root() -> None:
    if os.geteuid() != 0:
        raise LabError("the lab makes network namespaces and mounts: run it as root")


def _number(host: LabHost | int) -> int:
    return host if isinstance(host, int) else host.number
