"""A Debian 12 server with systemd, whole from its kernel up, in QEMU with every instruction emulated."""

from __future__ import annotations

import shlex
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from tests.e2e import debian_image
from tests.e2e.appliance_process import free_port

from .machine import Commanded

MEMORY_MIB = 1024
BOOT_SECONDS = 240.0
CPU = "Nehalem"
"""One that has no AVX: glibc would choose it where it is, and emulated it is slower than what it is to speed up."""

FILES = "/mnt"
"""Where the disk with the files that were given is."""

COMMAND_LINE = "root=/dev/vda ro console=ttyS0,115200 mitigations=off quiet net.ifnames=0"


class Server(Commanded):
    """A server that has just been switched on; it is gone, with all that was done to it, when it is closed."""

    def __init__(self, files: list[Path], ports: list[int]) -> None:
        """With files on a disk of their own; `ports` of the server are reached as `port(number)` of loopback."""
        image = debian_image.build().server
        self._scratch = Path(tempfile.mkdtemp(prefix="zstui-server-"))
        self._console = self._scratch / "console"
        self._ports = {number: free_port() for number in (22, *ports)}
        forwards = "".join(f",hostfwd=tcp:127.0.0.1:{ours}-:{theirs}" for theirs, ours in self._ports.items())
        disks = (self._overlay(image.disk), self._disk_of(files))
        self._process = subprocess.Popen(
            [
                *("setpriv", "--pdeathsig", "KILL"),
                *("qemu-system-x86_64", "-accel", "tcg,thread=multi", "-cpu", CPU, "-smp", "2"),
                *("-m", str(MEMORY_MIB), "-nodefaults", "-display", "none"),
                *("-kernel", str(image.vmlinuz), "-initrd", str(image.initrd), "-append", COMMAND_LINE),
                *("-serial", f"file:{self._console}", "-device", "virtio-rng-pci"),
                *(word for disk in disks for word in ("-drive", disk)),
                *("-netdev", f"user,id=net{forwards}", "-device", "virtio-net-pci,netdev=net"),
            ],
            stdin=subprocess.DEVNULL,
        )
        options = ("StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "LogLevel=ERROR", "BatchMode=yes",
                   "ControlMaster=auto", f"ControlPath={self._scratch / 'ssh'}", "ControlPersist=yes")  # fmt: skip
        self._ssh = [
            *("ssh", "-F", "none", "-i", str(image.key), "-p", str(self.port(22)), "root@127.0.0.1"),
            *(word for option in options for word in ("-o", option)),
        ]
        try:
            self._wait()
            self.say("mount", "-o", "ro", "/dev/vdb", FILES)
        except BaseException:
            self.close()
            raise

    def port(self, number: int) -> int:
        """The port of this machine's loopback that leads to one of the server's."""
        return self._ports[number]

    def run(self, *words: str, seconds: float = 500.0) -> subprocess.CompletedProcess[str]:
        """Run a command on it by SSH, and wait for its end."""
        return subprocess.run(
            [*self._ssh, shlex.join(words)],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=seconds,
        )  # fmt: skip

    def close(self) -> None:
        """Switch it off as a power cut does."""
        subprocess.run([*self._ssh, "-O", "exit"], check=False, capture_output=True, timeout=20)
        self._process.kill()
        self._process.wait()
        shutil.rmtree(self._scratch)

    def _overlay(self, disk: Path) -> str:
        path = self._scratch / "disk"
        subprocess.run(
            ["qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", str(disk), str(path)], check=True
        )
        return f"file={path},format=qcow2,if=virtio,cache=unsafe"

    def _disk_of(self, files: list[Path]) -> str:
        path, folder = self._scratch / "files", self._scratch / "folder"
        folder.mkdir()
        for file in files:
            (folder / file.name).hardlink_to(file)
        size = sum(file.stat().st_size for file in files) // debian_image.MIB + 32
        subprocess.run(
            [
                "mke2fs",
                "-q",
                "-F",
                "-t",
                "ext4",
                "-O",
                "^has_journal",
                "-d",
                str(folder),
                str(path),
                f"{size}M",
            ],
            check=True,
        )
        return f"file={path},format=raw,if=virtio,readonly=on"

    def _wait(self) -> None:
        """Until its sshd lets root in."""
        end = time.monotonic() + BOOT_SECONDS
        while True:
            said = self._console.read_text(errors="replace")[-1500:] if self._console.exists() else ""
            assert time.monotonic() < end, f"it did not come up within {BOOT_SECONDS:g} s: {said}"
            assert self._process.poll() is None, f"QEMU ended: {said}"
            if self._greeted() and self.run("true", seconds=60).returncode == 0:
                return
            time.sleep(0.5)

    def _greeted(self) -> bool:
        """Whether an sshd answers: what forwards ports lets everybody in, and ends them."""
        try:
            with socket.create_connection(("127.0.0.1", self.port(22)), timeout=10) as probe:
                return probe.recv(4) == b"SSH-"
        except OSError:
            return False
