"""Where the appliance keeps its things, and which version it is: settings of the process."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path


def version_text() -> str:
    """The version of zstui."""
    try:
        return version("zstui")
    except PackageNotFoundError:
        return "0.1.0"


def default_folder() -> Path:
    """The data folder unless told otherwise: `/var/lib/zstui` as root, else the XDG state folder."""
    if os.geteuid() == 0:
        return Path("/var/lib/zstui")
    state = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(state) / "zstui"


@dataclass(frozen=True)
class Config:
    """One appliance's folder, and where it listens besides the socket in it."""

    folder: Path
    listen: tuple[str, int] | None = None
    bundle: Path | None = None
    names: tuple[str, ...] = ()
    """Host names, beyond the machine's own, that it is reached by."""

    @property
    def socket(self) -> Path:
        """The socket that every face connects to."""
        return self.folder / "appliance.sock"

    @property
    def keys(self) -> Path:
        """The appliance's own SSH keys."""
        return self.folder / "ssh"


class BundleMissing(Exception):
    """The frozen agent is not where it should be."""


def agent_bundle() -> Path:
    """The archive of the frozen agent: beside the frozen appliance, or in the tree's build folder."""
    named = os.environ.get("ZSTUI_AGENT_BUNDLE")
    if named:
        return Path(named)
    roots = [Path(getattr(sys, "_MEIPASS", "")) / "agent_bundle"] if getattr(sys, "frozen", False) else []
    roots.append(Path(__file__).resolve().parent.parent / "build" / "agent")
    for root in roots:
        found = sorted(root.glob("zstui-agent-*.tar.gz"), key=lambda path: path.stat().st_mtime)
        if found:
            return found[-1]
    raise BundleMissing(f"no frozen agent in {', '.join(str(root) for root in roots)}; run make agent")
