"""A folder that stands for a machine, and installers for it whose program only pretends."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.e2e.appliance_process import free_port

from .versions import REPOSITORY

CLOSE_SECONDS = 20.0
DONE, WRONG, REFUSED, FAILED = 0, 1, 2, 3

PROGRAM = """#!/bin/sh
case "$*" in
*--version) echo "zstui VERSION" ;;
"--serve --check "*) [ ! -e FOLDER/wrong ] || { cat FOLDER/wrong >&2; exit 2; } ;;
*migrate) exit 0 ;;
*" backup "*) mkdir -p "$(dirname "$4")" && echo sound >"$4" ;;
*" restore "*) grep -q sound "$4" || {
    echo "zstui: the store is damaged (file is not a database); stop the appliance and restore the newest backup" >&2
    exit 1
} ;;
"--serve "*) [ ! -e FOLDER/words ] || cat FOLDER/words >&2; exit 7 ;;
*) exit 7 ;;
esac
"""
"""What is installed: it says its version and, when asked, what the file `wrong` says is wrong; its backups are sound as
long as nobody touches them. It serves nothing, and says what is in the file `words`."""

MAKING = """
import installer, pathlib, sys
folder = installer.SCRIPTS = pathlib.Path(sys.argv[1])
known = {"VERSION": sys.argv[2], "GLIBC": "2.17", "LIBVIRT": "1.0.0", "SCHEMA": "1"}
sys.stdout.buffer.write(installer.assemble(installer.compress(folder / "program", 0), **known))
"""

SYSTEMCTL = """#!/bin/bash
case $1 in
enable) touch {folder}/enabled ;;
disable) [ -e {folder}/unit ] && rm -f {folder}/enabled ;;
start) [ ! -e {folder}/no-start ] ;;
esac
"""
"""systemd as far as the script asks for it: what is enabled is a file."""

COUNTING = """#!/bin/bash
{{
    flock 5
    number=$(($(cat {folder}/count) + 1))
    echo $number >{folder}/count
}} 5>>{folder}/count.lock
[ $number != {moment} ] || {{ kill -KILL "$(cat {folder}/victim)"; exit 1; }}
{real} "$@"
code=$?
[ $number != {after} ] || kill -KILL "$(cat {folder}/victim)"
exit $code
"""
"""A tool that kills the installer just before or just after one of its calls."""


def everything(folder: Path) -> list[tuple[str, int, bytes]]:
    """All that is in a folder, and itself, with modes."""
    paths = [folder, *sorted(folder.rglob("*"))]
    return [(str(p), p.stat().st_mode, p.read_bytes() if p.is_file() else b"") for p in paths]


class Place:
    """A folder that stands for the machine: an installer that writes to nothing outside it, unless told to."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.tools = folder, folder / "first"
        self.root, self.data, self.command = folder / "opt/zstui", folder / "lib/zstui", folder / "command"
        self.log, self.unit, self.enabled = folder / "log", folder / "unit", folder / "enabled"
        self.mounts = folder / "mounts"
        self.mounts.write_text("22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw\n")
        self.listen = f"127.0.0.1:{free_port()}"
        self.tools.mkdir()
        self.file = self.make("1.0")

    def make(self, version: str, changes: dict[str, str] | None = None) -> Path:
        """The installer of a version, with a unit that names it, and with changes to its script."""
        scripts, source = self.folder / f"scripts-{version}", REPOSITORY / "packaging" / "install"
        program = scripts / "program"
        (program / "_internal" / "agent").mkdir(parents=True)
        (program / "_internal" / "agent" / "zstui-agent-1.tar").write_bytes(b"")
        (program / "_internal" / "appliance/store/migrations").mkdir(parents=True)
        (program / "zstui").write_text(
            PROGRAM.replace("VERSION", version).replace("FOLDER", str(self.folder))
        )
        (program / "zstui").chmod(0o755)
        (program / "share").mkdir()
        (program / "share" / "zstui.service").write_text(
            (source / "zstui.service").read_text() + f"# {version}\n"
        )
        changes = (changes or {}) | {
            "LOG=/var/log/zstui-install.log": f"LOG={self.log}",
            "LISTEN=127.0.0.1:8080": f"LISTEN={self.listen}",
            "COMMAND=/usr/local/bin/zstui": f"COMMAND={self.command}",
            "UNIT=/etc/systemd/system/zstui.service": f"UNIT={self.unit}",
            "/proc/self/mountinfo": str(self.mounts),
            "/run/systemd/system": str(self.folder / "systemd"),
            '"$(id -u)" = 0': "0 = 0",
            '"$(id -u)" != 0': "0 != 0",
        }
        for path in source.glob("*.sh"):
            text = path.read_text()
            for old, new in changes.items():
                text = text.replace(old, new)
            (scripts / path.name).write_text(text)
        command = [sys.executable, "-c", MAKING, str(scripts), version]
        made = subprocess.run(
            command, cwd=REPOSITORY / "packaging", capture_output=True, check=True, timeout=60
        )
        file = self.folder / f"installer-{version}.bin"
        file.write_bytes(made.stdout)
        return file

    def tool(self, name: str, text: str) -> None:
        """Let scripts find this one first."""
        (self.tools / name).write_text(text)
        (self.tools / name).chmod(0o755)

    def mounted(self, path: Path, options: str = "rw") -> None:
        """From now on a disk is mounted there."""
        with self.mounts.open("a") as file:
            file.write(f"36 22 254:16 / {path} {options} shared:2 - ext4 /dev/vdb rw\n")

    def systemd(self) -> None:
        """From now on there is a systemd here."""
        (self.folder / "systemd").mkdir()
        self.tool("systemctl", SYSTEMCTL.format(folder=self.folder))
        self.tool("journalctl", "#!/bin/sh\n")

    def run(self, *words: str, path: str | None = None) -> tuple[int, str]:
        """How the installer ended, and all that it said."""
        return self.script(self.file, "-r", str(self.root), "--data", str(self.data), *words, path=path)

    def script(self, file: Path, *words: str, path: str | None = None) -> tuple[int, str]:
        """The same of any script, with nothing but what is given."""
        done = subprocess.run(
            ["bash", str(file), *words], env=self.environment(path),
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", check=False, timeout=60,
        )  # fmt: skip
        return done.returncode, done.stdout

    def environment(self, path: str | None = None) -> dict[str, str]:
        """What scripts are run with."""
        return os.environ | {"PATH": path or f"{self.tools}:{os.environ['PATH']}"}

    def killed(self, file: Path, *words: str, tools: tuple[str, ...], moment: float) -> bool:
        """Start an installer that dies with its guard at its call number `moment` of the tools; False when it ended.

        At 2 that is just before the second call, at 2.5 just after it.
        """
        self.tool("setsid", "#!/bin/sh\n")
        (self.folder / "count").write_text("0")
        before = int(moment) if moment == int(moment) else 0
        after = 0 if before else int(moment)
        for name in tools:
            text = COUNTING.format(folder=self.folder, real=f"/bin/{name}", moment=before, after=after)
            self.tool(name, text)
        beginning = f'echo $$ >{self.folder}/victim; exec bash "$@"'
        done = subprocess.run(
            ["bash", "-c", beginning, "bash", str(file), "-r", str(self.root), *words],
            env=self.environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, timeout=60,
        )  # fmt: skip
        for name in (*tools, "setsid"):
            (self.tools / name).unlink()
        assert done.returncode in (DONE, -9), done.stdout.decode()
        return done.returncode != DONE

    def close(self) -> None:
        """End what was left to run: the supervisor of an undone installation, and the guard that may begin one."""
        end = time.monotonic() + CLOSE_SECONDS
        while found := self._running():
            assert time.monotonic() < end, f"they do not end: {found}"
            for pid in found:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGTERM)
            time.sleep(0.05)

    def _running(self) -> list[int]:
        found = []
        for words in Path("/proc").glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):
                if str(self.root).encode() in words.read_bytes():
                    found.append(int(words.parent.name))
        return found

    def install(self, *words: str) -> None:
        """Install, and wait for the guard, which would undo what a test pretends that somebody left."""
        code, said = self.run("-z", *words)
        assert code == DONE, said
        end = time.monotonic() + CLOSE_SECONDS
        while found := self._running():
            assert time.monotonic() < end, f"they do not end: {found}"
            time.sleep(0.02)

    def uninstall(self, *words: str) -> str:
        code, said = self.script(self.root / "installer", "--uninstall", *words)
        assert code == DONE, said
        return said
