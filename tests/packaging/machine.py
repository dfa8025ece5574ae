"""A fresh Debian 12 machine without systemd: a root file system from debootstrap, in namespaces of its own."""

from __future__ import annotations

import fcntl
import shutil
import subprocess
import tempfile
from abc import ABC, abstractmethod
from pathlib import Path

from tests.e2e.debian_image import RELEASE, mirror

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build"
# The first process of the machine: it does nothing but bury the dead.
_FIRST = "ip link set lo up; exec chroot {tree} bash -c 'echo ready; while :; do sleep 3600 & wait $!; done'"


def debian_root() -> Path:
    """The tree of the smallest Debian 12, made now unless it is there; takes a minute then. Needs root."""
    folder = BUILD / f"debian-root-{RELEASE}"
    BUILD.mkdir(exist_ok=True)
    with (BUILD / "debian-root.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.is_dir():
            scratch = BUILD / f"{folder.name}.part"
            shutil.rmtree(scratch, ignore_errors=True)
            command = ["debootstrap", "--variant=minbase", RELEASE, str(scratch), mirror()]
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=500)
            assert done.returncode == 0, done.stdout[-1500:] + done.stderr[-1500:]
            scratch.rename(folder)
    return folder


class Commanded(ABC):
    """What commands can be run on as root."""

    @abstractmethod
    def run(self, *words: str, seconds: float = 240.0) -> subprocess.CompletedProcess[str]:
        """Run a command on it, and wait for its end."""

    def say(self, *words: str, seconds: float = 240.0) -> str:
        """What a command printed; it must succeed."""
        done = self.run(*words, seconds=seconds)
        assert done.returncode == 0, f"{words} ended with {done.returncode}: {done.stdout}{done.stderr}"
        return done.stdout


class Machine(Commanded):
    """A machine that is gone, with all that ran on it, when it is closed."""

    def __init__(self) -> None:
        self._scratch = Path(tempfile.mkdtemp(prefix="zstui-machine-"))
        layers = {name: self._scratch / name for name in ("upper", "work", "tree")}
        for layer in layers.values():
            layer.mkdir()
        self.tree = layers["tree"]
        places = f"lowerdir={debian_root()},upperdir={layers['upper']},workdir={layers['work']}"
        script = " && ".join((
            "mount --make-rprivate /",
            # An overlay that lies on an overlay is refused; a file system in memory carries its upper half.
            f"mount -t tmpfs none {self._scratch}",
            f"mkdir -p {' '.join(map(str, layers.values()))}",
            f"mount -t overlay none -o {places} {self.tree}",
            f"mount -t proc none {self.tree}/proc && mount -t sysfs none {self.tree}/sys",
            f"mount --rbind /dev {self.tree}/dev",
            _FIRST.format(tree=self.tree),
        ))  # fmt: skip
        kinds = ["--mount", "--pid", "--net", "--ipc", "--uts", "--fork", "--kill-child"]
        self._holder = subprocess.Popen(
            ["unshare", *kinds, "sh", "-c", f"cd /; {script}"],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        assert self._holder.stdout is not None
        assert self._holder.stdout.readline() == b"ready\n"
        children = Path(f"/proc/{self._holder.pid}/task/{self._holder.pid}/children").read_text().split()
        self.first = children[0]
        """The process that all of it lives by."""

    def command(self, *words: str) -> list[str]:
        """The command that runs another inside."""
        return ["nsenter", "--target", self.first, "--all", "--root", "env", "-C", "/", *words]

    def run(self, *words: str, seconds: float = 240.0) -> subprocess.CompletedProcess[str]:
        """Run a command inside, and wait for its end."""
        return subprocess.run(
            self.command(*words), capture_output=True, text=True, check=False, timeout=seconds,
            env={"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root"},
        )  # fmt: skip

    def address(self, address: str) -> None:
        """Give it an address that is not loopback."""
        words = ["nsenter", "--target", self.first, "--net", "ip", "address", "add", address, "dev", "lo"]
        subprocess.run(words, check=True, timeout=20)

    def bring(self, path: Path) -> str:
        """Copy a file into the machine's /root; returns where it is."""
        with path.open("rb") as file:
            subprocess.run(
                self.command("sh", "-c", f"cat >/root/{path.name}"), stdin=file, check=True, timeout=60
            )
        return f"/root/{path.name}"

    def close(self) -> None:
        """End everything on it."""
        self._holder.kill()
        self._holder.wait()
        if self._holder.stdout is not None:
            self._holder.stdout.close()
        shutil.rmtree(self._scratch)
