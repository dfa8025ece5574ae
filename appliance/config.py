"""Where the appliance keeps its things, and which version it is: settings of the process."""

from __future__ import annotations

import os
import re
import stat
import sys
from dataclasses import dataclass
from pathlib import Path

SOCKET = "appliance.sock"
"""The name, in the data folder, of what every face connects to."""


def frozen_folder() -> Path | None:
    """Where the frozen appliance keeps what it brought along; None when it runs from its sources."""
    return Path(getattr(sys, "_MEIPASS", "")) if getattr(sys, "frozen", False) else None


def version_text() -> str:
    """The version of zstui: the frozen one has it in a file."""
    frozen = frozen_folder()
    if frozen is not None:
        return (frozen / "VERSION").read_text().strip()
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("zstui")
    except PackageNotFoundError:
        return "0.1.0"


def default_folder() -> Path:
    """The data folder unless told otherwise: as root the installation's, or `/var/lib/zstui`; else XDG's.

    Raises ValueError when the installation does not say it: in another folder a second appliance would begin.
    """
    if os.geteuid() == 0:
        return _installed_folder() or Path("/var/lib/zstui")
    state = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(state) / "zstui"


def _installed_folder() -> Path | None:
    """The data folder of the installation that the frozen appliance is a version of; None when it is of none.

    `packaging/install` writes it down in `settings`, above the folder of the versions.
    """
    frozen = frozen_folder()
    if frozen is None or frozen.resolve().parent.parent.name != "versions":
        return None
    settings = frozen.resolve().parent.parent.parent / "settings"
    try:
        with settings.open(encoding="utf-8", errors="replace") as file:
            status = os.fstat(file.fileno())
            said = file.read()
    except FileNotFoundError:
        return None
    instead = "give the data folder by --data"
    if status.st_uid != os.geteuid() or status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise ValueError(f"{settings} is not root's, or others can write to it; {instead}")
    # As the installer reads it back: nothing that has to be quoted is ever in it.
    found = re.search(r"^DATA=(/[A-Za-z0-9/._:+-]*)$", said, re.MULTILINE | re.ASCII)
    if found is None:
        raise ValueError(f"{settings} names no data folder as zstui writes it; {instead}")
    return Path(found[1])


AGAIN = "again"
"""Instead of an address after `--listen`: where the folder remembers, and on the socket alone if that is taken."""


@dataclass(frozen=True)
class Config:
    """One appliance's folder, and where it listens besides the socket in it."""

    folder: Path
    listen: tuple[str, int] | None = None
    ssh: tuple[str, int] | None = None
    """Where it shows the full screen to whoever logs in by SSH."""

    names: tuple[str, ...] = ()
    """Host names, beyond the machine's own, that it is reached by."""
    plain_http: bool = False
    """Whether it speaks without TLS even where others on the network can read along."""
    again: bool = False
    """Whether it is to listen where the folder remembers, rather than where somebody says."""

    @property
    def socket(self) -> Path:
        """The socket that every face connects to."""
        return self.folder / SOCKET

    @property
    def faces_socket(self) -> Path:
        """The socket of full screens that run here for users elsewhere: nobody is trusted there."""
        return self.folder / "faces.sock"

    @property
    def homes(self) -> Path:
        """What such users' full screens remember, each in a folder of its own."""
        return self.folder / "faces"

    @property
    def keys(self) -> Path:
        """The appliance's own SSH keys."""
        return self.folder / "ssh"


class BundleMissing(Exception):
    """The frozen agent is not where it should be; the text says what to do."""


def agent_bundle() -> Path:
    """The archive of the frozen agent: beside the frozen appliance, or in the tree's build folder.

    Raises `BundleMissing`. Only real machines need it, so that it is asked for when the first of them is reached.
    """
    named = os.environ.get("ZSTUI_AGENT_BUNDLE")
    if named:
        if not Path(named).is_file():
            raise BundleMissing(
                f"there is no file {named}, which ZSTUI_AGENT_BUNDLE names as the frozen agent"
            )
        return Path(named)
    frozen = frozen_folder()
    root = frozen / "agent" if frozen else _built("agent")
    found = sorted(root.glob("zstui-agent-*.tar.gz"), key=lambda path: path.stat().st_mtime)
    if found:
        return found[-1]
    advice = "install zstui again" if frozen else "run make agent"
    raise BundleMissing(
        f"there is no frozen agent in {root}, which real machines need; {advice}, then try again"
    )


def tiny_image_file() -> Path:
    """Where the tiny image is, if it is there: beside the frozen appliance, or in the tree's build folder."""
    named = os.environ.get("ZSTUI_TINY_IMAGE")
    if named:
        return Path(named)
    return (frozen_folder() or _built("")) / "tiny" / "zstui-tiny.qcow2"


def _built(name: str) -> Path:
    return Path(__file__).resolve().parent.parent / "build" / name
