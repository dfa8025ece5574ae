"""The appliance of a data folder: found, or started as a process of its own. Knows nothing of what it does."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
from pathlib import Path

from appliance.config import Config

START_SECONDS = 20.0

SESSION = "ZSTUI_SESSION"
"""The session or access token that a full screen begins with, when it was started for somebody who has logged in."""

ONLY_ASK = "ZSTUI_START_NONE"
"""The installer's questions must not start an appliance: which version may run is what it is changing."""


class NotStarted(Exception):
    """An appliance could not be started; the text says why."""


def answers(path: Path) -> bool:
    """Whether an appliance listens on a socket."""
    probe = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    probe.settimeout(2.0)
    with probe:
        try:
            with contextlib.chdir(path.parent):
                probe.connect(path.name)
        except OSError:
            return False
    return True


def reached(host: str, port: int) -> bool:
    """Whether anything listens on an address of this machine."""
    everywhere = {"0.0.0.0": "127.0.0.1", "::": "::1"}
    with (
        contextlib.suppress(OSError),
        socket.create_connection((everywhere.get(host, host), port), timeout=2.0),
    ):
        return True
    return False


async def ensure_running(config: Config) -> Path:
    """The socket of the folder's appliance, which is started, detached, when none runs."""
    if answers(config.socket):
        return config.socket
    if os.environ.get(ONLY_ASK):
        raise NotStarted(f"no appliance runs in {config.folder}, and {ONLY_ASK} says to start none")
    config.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    process = _spawn(config)
    deadline = asyncio.get_running_loop().time() + START_SECONDS
    while asyncio.get_running_loop().time() < deadline:
        if answers(config.socket):
            return config.socket
        if process.poll() is not None:
            raise NotStarted(f"the appliance did not start: {_last_words(config)}")
        await asyncio.sleep(0.05)
    raise NotStarted(f"the appliance did not answer within {START_SECONDS:g} s: {_last_words(config)}")


def program() -> list[str]:
    """The words that run zstui as this process runs it."""
    return [sys.executable] if getattr(sys, "frozen", False) else [sys.executable, "-m", "zstui"]


def _spawn(config: Config) -> subprocess.Popen[bytes]:
    listen = f"{config.listen[0]}:{config.listen[1]}" if config.listen else "none"
    words = [*program(), "--serve", "--data", str(config.folder), "--listen", listen]
    with (config.folder / "appliance.log").open("ab") as output:
        os.fchmod(output.fileno(), 0o600)
        return subprocess.Popen(
            words, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )


def _last_words(config: Config) -> str:
    log_file = config.folder / "appliance.log"
    lines = log_file.read_text(errors="replace").splitlines() if log_file.exists() else []
    return " / ".join(lines[-3:]) or "it said nothing"
