"""The appliance of a data folder: found, or started as a process of its own. Knows nothing of what it does.

The folder remembers where its appliance was last told to listen, so that one that a face starts again, after a crash
say, is found there again.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from appliance.config import Config

START_SECONDS = 20.0

SESSION = "ZSTUI_SESSION"
"""The session or access token that a full screen begins with, when it was started for somebody who has logged in."""
AGAIN = "again"
"""Instead of an address after `--listen`: where the folder remembers, and on the socket alone if that is taken."""

ONLY_ASK = "ZSTUI_START_NONE"
"""The installer's questions must not start an appliance: which version may run is what it is changing."""


class NotStarted(Exception):
    """An appliance could not be started; the text says why."""


@dataclass(frozen=True)
class Listening:
    """What a folder remembers: the address, `ADDR:PORT` or empty for none, and the names of who listens there."""

    listen: str = ""
    names: tuple[str, ...] = ()
    trouble: str = ""
    """Why the appliance that runs now does not listen there, and what to do; empty when it does."""

    ssh: str = ""
    """Where it shows the full screen by SSH, as `listen`."""


def remembered(folder: Path) -> Listening:
    """Where the folder's appliance was last told to listen; nowhere when it never was, or nobody can read that."""
    try:
        kept = json.loads(_memory(folder).read_text())
        names = tuple(str(each) for each in kept["names"])
        return Listening(str(kept["listen"]), names, str(kept["trouble"]), str(kept.get("ssh", "")))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return Listening()


def remember(folder: Path, listening: Listening) -> None:
    """Keep it, whole or as it was before."""
    fresh = folder / "listening.new"
    fresh.write_text(json.dumps(asdict(listening)) + "\n")
    fresh.replace(_memory(folder))


def _memory(folder: Path) -> Path:
    return folder / "listening.json"


def address_text(address: tuple[str, int] | None) -> str:
    """`ADDR:PORT`, an IPv6 address in brackets; empty for none."""
    if address is None:
        return ""
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


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
    everywhere = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # nosec B104  # compared, not bound
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
    listen = AGAIN if config.again else address_text(config.listen) or "none"
    ssh = [] if config.again else ["--ssh", address_text(config.ssh) or "none"]
    names = [word for name in config.names for word in ("--name", name)]
    words = [*program(), "--serve", "--data", str(config.folder), "--listen", listen, *ssh, *names]
    with (config.folder / "appliance.log").open("ab") as output:
        os.fchmod(output.fileno(), 0o600)
        return subprocess.Popen(
            words, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )


def _last_words(config: Config) -> str:
    log_file = config.folder / "appliance.log"
    lines = log_file.read_text(errors="replace").splitlines() if log_file.exists() else []
    return " / ".join(lines[-3:]) or "it said nothing"
