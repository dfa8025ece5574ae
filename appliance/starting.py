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

from appliance.config import AGAIN, Config

START_SECONDS = 20.0

SESSION = "ZSTUI_SESSION"
"""The session or access token that a full screen begins with, when it was started for somebody who has logged in."""
ONLY_ASK = "ZSTUI_START_NONE"
"""The installer's questions must not start an appliance: which version may run is what it is changing."""

SERVICE = "service"
"""The file in a data folder whose appliance an installed service keeps running: it says how that is started.

A face that started one of its own there would keep the service's out, and run it without the service's limits.
"""


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

    plain_http: bool = False
    """Whether it speaks there without TLS even where others on the network can read along."""


def remembered(folder: Path) -> Listening:
    """Where the folder's appliance was last told to listen; nowhere when it never was, or nobody can read that."""
    try:
        kept = json.loads(_memory(folder).read_text())
        names = tuple(str(each) for each in kept["names"])
        trouble, ssh = str(kept["trouble"]), str(kept.get("ssh", ""))
        return Listening(str(kept["listen"]), names, trouble, ssh, kept.get("plain_http") is True)
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
    """Whether anything listens on an address of this machine, which for Linux may be the one that means all."""
    with contextlib.suppress(OSError), socket.create_connection((host, port), timeout=2.0):
        return True
    return False


async def ensure_running(config: Config) -> Path:
    """The socket of the folder's appliance, which is started, detached, when none runs and no service is to."""
    if answers(config.socket):
        return config.socket
    if os.environ.get(ONLY_ASK):
        raise NotStarted(f"no appliance runs in {config.folder}, and {ONLY_ASK} says to start none")
    service = _service(config)
    said_before, process = 0, None
    if not service:
        config.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        said_before, process = _said(config), _spawn(config)
    deadline = asyncio.get_running_loop().time() + START_SECONDS
    while asyncio.get_running_loop().time() < deadline:
        if answers(config.socket):
            return config.socket
        if process is not None and process.poll() is not None:
            raise NotStarted(f"the appliance did not start: {_last_words(config, said_before)}")
        await asyncio.sleep(0.05)
    late = f"did not answer within {START_SECONDS:g} s"
    if service:
        raise NotStarted(
            f"the service of {config.folder} {late}; if it was stopped, start it with: {service}"
        )
    raise NotStarted(f"the appliance {late}: {_last_words(config, said_before)}")


def _service(config: Config) -> str:
    """How the service that keeps the folder's appliance running is started; empty when there is none."""
    try:
        return (config.folder / SERVICE).read_text().strip()
    except FileNotFoundError:
        return ""


def program() -> list[str]:
    """The words that run zstui as this process runs it."""
    return [sys.executable] if getattr(sys, "frozen", False) else [sys.executable, "-m", "zstui"]


def _spawn(config: Config) -> subprocess.Popen[bytes]:
    listen = AGAIN if config.again else address_text(config.listen) or "none"
    ssh = [] if config.again else ["--ssh", address_text(config.ssh) or "none"]
    names = [word for name in config.names for word in ("--name", name)]
    plain = ["--plain-http"] if config.plain_http else []
    words = [*program(), "--serve", "--data", str(config.folder), "--listen", listen, *ssh, *names, *plain]
    with (config.folder / "appliance.log").open("ab") as output:
        os.fchmod(output.fileno(), 0o600)
        return subprocess.Popen(
            words, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )


def _said(config: Config) -> int:
    """How many bytes the folder's appliances have said."""
    log_file = config.folder / "appliance.log"
    return log_file.stat().st_size if log_file.exists() else 0


def _last_words(config: Config, before: int) -> str:
    """The end of what an appliance has said since."""
    with (config.folder / "appliance.log").open("rb") as log_file:
        log_file.seek(before)
        lines = log_file.read().decode(errors="replace").splitlines()
    return " / ".join(line.removeprefix("zstui: ") for line in lines[-3:]) or "it said nothing"
