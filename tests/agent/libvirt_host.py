"""A libvirtd of our own in its own namespaces, for tests that need the real thing."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from pathlib import Path

# Everything libvirt keeps is on file systems of this mount namespace; --kill-child ends all of it.
_SCRIPT = """
set -e
mount -t tmpfs none /run
mount -t tmpfs none /etc/libvirt
mount -t tmpfs none /var/lib/libvirt
mount -t tmpfs none /var/log/libvirt
mount -t tmpfs none /var/cache/libvirt
mkdir -p /run/libvirt /var/log/libvirt/qemu /var/lib/libvirt/qemu
printf 'user = "root"\\ngroup = "root"\\nsecurity_driver = "none"\\n' > /etc/libvirt/qemu.conf
ip link set dev lo up
ip link add br-test type bridge
ip link set dev br-test up
virtlogd -d
while true; do
  libvirtd || true
  read -r _ || exit 0
done
"""


class LibvirtHost:
    """Starts on entry, is gone on exit with everything it started."""

    def __enter__(self) -> LibvirtHost:
        self._process = subprocess.Popen(
            ["unshare", "-m", "-n", "-u", "-p", "-f", "--mount-proc", "--kill-child", "sh", "-c", _SCRIPT],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self.wait_for_socket()
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.kill()
        self._process.wait()

    @property
    def uri(self) -> str:
        return f"qemu+unix:///system?socket={self.socket}"

    @property
    def socket(self) -> Path:
        return Path(f"/proc/{self.child('sh')}/root/run/libvirt/libvirt-sock")

    def wait_for_socket(self, timeout_seconds: float = 20.0) -> None:
        deadline = time.monotonic() + timeout_seconds
        while time.monotonic() < deadline:
            with socket.socket(socket.AF_UNIX) as door:
                try:
                    door.connect(str(self.socket))
                except (OSError, LookupError):
                    time.sleep(0.05)
                    continue
                return
        raise TimeoutError("the private libvirtd did not come up")

    def kill_libvirtd(self) -> None:
        os.kill(self.child("libvirtd"), signal.SIGKILL)

    def start_libvirtd(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(b"\n")
        self._process.stdin.flush()
        self.wait_for_socket()

    def child(self, name: str) -> int:
        """The pid of a process inside, by its name. Raises `LookupError`."""
        namespace = self._namespace()
        for entry in Path("/proc").iterdir():
            if entry.name.isdecimal() and _name(entry) == name and _pid_namespace(entry) == namespace:
                return int(entry.name)
        raise LookupError(name)

    def _namespace(self) -> str:
        return str(Path(f"/proc/{self._process.pid}/ns/pid_for_children").readlink())


def _name(entry: Path) -> str:
    try:
        return (entry / "comm").read_text().strip()
    except OSError:
        return ""


def _pid_namespace(entry: Path) -> str:
    try:
        return str((entry / "ns/pid").readlink())
    except OSError:
        return ""
