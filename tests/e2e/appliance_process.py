"""A real appliance process, started from the tree: it can be killed, started again, and its log read."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

from appliance.client import Session
from appliance.starting import answers

TREE = Path(__file__).resolve().parents[2]
PASSWORD = "e2e-Password-1"
START_SECONDS = 30.0


def free_port() -> int:
    """A TCP port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class ApplianceProcess:
    """`zstui --serve` with a data folder and a port of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.log_path = folder / "e2e.log"
        self.tree = TREE
        """The sources that it runs from, from its next start on."""
        self.settings: dict[str, str] = {}
        """More of its environment, from its next start on."""
        self.words: tuple[str, ...] = ()
        """More words of its command line, from its next start on."""
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def socket(self) -> Path:
        """The socket that trusts whoever can open it."""
        return self.folder / "appliance.sock"

    @property
    def url(self) -> str:
        """Where it listens for those who log in."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        assert self._process is not None, "the appliance was not started"
        return self._process.pid

    @property
    def environment(self) -> dict[str, str]:
        """For commands of the program, run from the tree."""
        return {**os.environ, "PYTHONPATH": str(self.tree), "ZSTUI_ADMIN_PASSWORD": PASSWORD, **self.settings}

    def command(self, *words: str) -> list[str]:
        """The program's command line on this data folder."""
        listen = ["--listen", f"127.0.0.1:{self.port}"]
        return [sys.executable, "-m", "zstui", "--data", str(self.folder), *listen, *words]

    async def start(self) -> None:
        """Start it, and wait until it answers."""
        assert self._process is None, "the appliance runs already"
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._process = process = self._spawn()
        async with asyncio.timeout(START_SECONDS):
            while not answers(self.socket):
                assert process.poll() is None, f"the appliance ended: {self.log()[-2000:]}"
                await asyncio.sleep(0.05)
        async with await Session.connect(self.socket):
            pass

    def _spawn(self) -> subprocess.Popen[bytes]:
        with self.log_path.open("ab") as log:
            return subprocess.Popen(
                self.command("--serve", *self.words),
                cwd=self.tree,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    async def kill(self) -> None:
        """kill -9, as a power cut would."""
        await self._end(signal.SIGKILL)

    async def stop(self) -> None:
        """Ask it to end, and wait for that."""
        await self._end(signal.SIGTERM)

    async def _end(self, number: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(number)
        try:
            await asyncio.to_thread(process.wait, 20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise

    @property
    def running(self) -> bool:
        """Whether its process lives."""
        return self._process is not None and self._process.poll() is None

    def log(self, start: int = 0) -> str:
        """What it said, from an offset on."""
        if not self.log_path.exists():
            return ""
        with self.log_path.open("rb") as file:
            file.seek(start)
            return file.read().decode(errors="replace")

    async def run(self, *words: str, seconds: float = 60) -> subprocess.CompletedProcess[str]:
        """Run a command of the program against this appliance, to its end."""
        return await asyncio.to_thread(
            subprocess.run,
            self.command(*words),
            cwd=self.tree,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
