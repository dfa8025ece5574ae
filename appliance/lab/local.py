"""This machine itself as a host: its own libvirt, a private sshd on loopback, and a bridge without uplink."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import asyncssh

from appliance.lab.command import LabError, run

PORT = 2262
INTERFACE = "zstui-uplink"
"""A veth whose other end goes nowhere: the kernels of small machines have no dummy links."""
PEER = "zstui-nowhere"
STORAGE = "/var/lib/zstui-local"
"""Not below the data folder: QEMU runs as a user of its own, which must be able to walk there."""
GUEST_LOGS = "/var/log/libvirt/qemu"
KVM = Path("/dev/kvm")
RUN_FOLDERS = ("/run/zstui-agent", "/run/zstui-agent-dhcp")
NETWORK_NAMESPACE = re.compile(r"zstui-[0-9a-f]{12}")
AGENT_STATE = Path("/var/lib/zstui-agent")
GUARD = (("bridge", "zstui-guard"), ("inet", "zstui-guard"))
"""The tables of packet filters that the agent keeps for all taps."""

DAEMONS = ("virtlogd", "virtlockd", "libvirtd")
START_SECONDS = 15.0
PROGRAM = "zstui-agent"


class LocalMachine:
    """What `HOSTS=local` needs on this machine, made and taken away again."""

    def __init__(self, folder: Path, say: Callable[[str], None]) -> None:
        self.folder = folder
        self._say = say

    @property
    def storage(self) -> str:
        """The primary storage's folder."""
        return f"{STORAGE}/ps"

    @property
    def images(self) -> str:
        """The backup storage's folder."""
        return f"{STORAGE}/bs"

    async def up(self, appliance_key: Path) -> None:
        """Start what is missing: libvirt, an sshd that takes only the appliance's key, the uplink."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._say("libvirt and sshd of this machine")
        for daemon in DAEMONS:
            await self._daemon(daemon)
        await self._sshd(appliance_key)
        if not Path(f"/sys/class/net/{INTERFACE}").exists():
            await run(["ip", "link", "add", INTERFACE, "type", "veth", "peer", "name", PEER])
        for link in (INTERFACE, PEER):
            await run(["ip", "link", "set", "dev", link, "up"])

    async def down(self, vm_uuids: Sequence[str]) -> None:
        """Power off the cloud's guests, and take away them and every process, namespace and link of ours."""
        for uuid in vm_uuids:
            destroyed = await run(["virsh", "destroy", uuid], check=False)
            if destroyed.returncode:
                await _stop(Path(f"/run/libvirt/qemu/{uuid}.pid"))
            # The appliance defines it again when it is to run.
            await run(["virsh", "undefine", uuid], check=False)
            for log in Path(GUEST_LOGS).glob(f"{uuid}*.log"):
                log.unlink()
        await self._stop_agent()
        for table in GUARD:
            await run(["nft", "delete", "table", *table], check=False)
        for folder in RUN_FOLDERS:
            shutil.rmtree(folder, ignore_errors=True)
        for name in await self._namespaces():
            await run(["ip", "netns", "delete", name], check=False)
        for link in (f"br_{INTERFACE}"[:15], INTERFACE):
            await run(["ip", "link", "delete", "dev", link], check=False)
        for pid_file in sorted(self.folder.glob("*.pid")):
            await _stop(pid_file)

    def purge(self) -> None:
        """Forget disks and images, and what the agent remembers."""
        shutil.rmtree(self.folder, ignore_errors=True)
        shutil.rmtree(STORAGE, ignore_errors=True)
        for entry in AGENT_STATE.glob("*"):
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
        # The hosts of a lab have folders of their own mounted there, which would be gone with it.
        if not _is_mounted_on(AGENT_STATE):
            shutil.rmtree(AGENT_STATE, ignore_errors=True)

    async def _daemon(self, name: str) -> None:
        if await _running(name):
            return
        program = shutil.which(name)
        if program is None:
            raise LabError(f"{name} is not installed; run make setup")
        Path("/run/libvirt").mkdir(exist_ok=True)
        _let_qemu_reach_kvm()
        await self._start(name, [program])
        if name == "libvirtd":
            await _until(lambda: Path("/run/libvirt/libvirt-sock").exists(), "libvirtd")

    async def _sshd(self, appliance_key: Path) -> None:
        key = asyncssh.read_private_key(appliance_key).export_public_key().decode().strip()
        keys = self.folder / "authorized_keys"
        keys.write_text(key + "\n")
        host_key = self.folder / "ssh_host_ed25519_key"
        if not host_key.exists():
            await run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(host_key)])
        Path("/run/sshd").mkdir(exist_ok=True)
        config = self.folder / "sshd_config"
        config.write_text(
            f"Port {PORT}\nListenAddress 127.0.0.1\nHostKey {host_key}\nAuthorizedKeysFile {keys}\n"
            "PermitRootLogin prohibit-password\nPasswordAuthentication no\nUsePAM no\nStrictModes no\n"
            f"PidFile none\n"
        )
        if not _listens():
            await self._start(
                "sshd", [shutil.which("sshd") or "/usr/sbin/sshd", "-D", "-e", "-f", str(config)]
            )
            await _until(_listens, "sshd")

    async def _start(self, name: str, argv: list[str]) -> None:
        with (self.folder / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        (self.folder / f"{name}.pid").write_text(str(process.pid))

    async def _stop_agent(self) -> None:
        versions = AGENT_STATE / "versions"
        for program in sorted(versions.glob(f"*/{PROGRAM}")):
            await run([str(program), "stop"], check=False, timeout_seconds=15)
        for pid_file in sorted(Path("/run/zstui-agent-dhcp").glob("*/pid")):
            await _stop(pid_file)

    async def _namespaces(self) -> list[str]:
        listed = await run(["ip", "netns", "list"])
        names = [line.split()[0] for line in listed.stdout.splitlines() if line.strip()]
        return [name for name in names if NETWORK_NAMESPACE.fullmatch(name)]


async def _running(name: str) -> bool:
    found = await run(["pgrep", "-x", name, "--ns", str(os.getpid()), "--nslist", "net"], check=False)
    return found.returncode == 0


def _is_mounted_on(folder: Path) -> bool:
    """Whether any process of this machine sees something mounted on a folder."""
    for mounts in Path("/proc").glob("[0-9]*/mountinfo"):
        with contextlib.suppress(OSError):  # it has ended
            if f" {folder} " in mounts.read_text():
                return True
    return False


async def _stop(pid_file: Path) -> None:
    """End the process that a pid file of ours names, and wait for its end."""
    try:
        pid = int(pid_file.read_text())
        os.kill(pid, signal.SIGTERM)
    except (ValueError, ProcessLookupError, FileNotFoundError):
        pid_file.unlink(missing_ok=True)
        return
    await _until(lambda: not Path(f"/proc/{pid}").exists() or _zombie(pid), f"the end of {pid_file.stem}")
    pid_file.unlink(missing_ok=True)


def _zombie(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def _let_qemu_reach_kvm() -> None:
    """Do what udev does on other machines; QEMU's user cannot open the node otherwise.

    libvirtd, which is root, then thinks again at each call about what QEMU can do: seconds for every one.
    """
    with contextlib.suppress(FileNotFoundError, LookupError):
        shutil.chown(KVM, group="kvm")
        KVM.chmod(0o660)


def _listens() -> bool:
    probe = socket.socket()
    probe.settimeout(1)
    with probe:
        return probe.connect_ex(("127.0.0.1", PORT)) == 0


async def _until(done: Callable[[], bool], what: str) -> None:
    deadline = asyncio.get_running_loop().time() + START_SECONDS
    while not done():
        if asyncio.get_running_loop().time() > deadline:
            raise LabError(f"{what} did not come within {START_SECONDS:g} s")
        await asyncio.sleep(0.1)
