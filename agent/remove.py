"""Take the agent from its host: nothing of it runs or is kept afterwards; disks of guests stay."""

from __future__ import annotations

import asyncio
import errno
import shutil
import sys
from pathlib import Path

from agent.guard import Guard
from agent.ledger import claimed, require_host
from agent.paths import Paths
from agent.refused import Refused
from agent.stop import stop


def remove(paths: Paths, host_uuid: str | None = None) -> int:
    """Return 0 once the host is as it was before the agent came; 1, with the reason, when it is not.

    An appliance says which of its hosts the machine is to it, and is refused when that is another one's.
    """
    if host_uuid is not None:
        try:
            require_host(claimed(paths.state), host_uuid)
        except Refused as refused:
            print(f"zstui-agent: {refused}; it stays", file=sys.stderr)  # noqa: T201
            return 1
    served = [name for name in ("nics", "networks", "bridges") if any((paths.state / name).glob("*.json"))]
    if served:
        print(f"zstui-agent: {', '.join(served)} are still kept here; drop them first", file=sys.stderr)  # noqa: T201
        return 1
    if stop(paths) != 0:
        return 1
    try:
        asyncio.run(Guard().remove())
    except Refused as refused:
        print(f"zstui-agent: {refused}", file=sys.stderr)  # noqa: T201
        return 1
    # The folder that the state is in holds this program too, which needs nothing more of it now.
    for folder in (Path(f"{paths.run}-dhcp"), paths.run, paths.state.parent):
        _clear(folder)
    return 0


def _clear(folder: Path) -> None:
    """Remove a folder with all that is in it; one that a disk is mounted on is left empty."""
    if not folder.is_dir():
        return
    for entry in folder.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()
    try:
        folder.rmdir()
    except OSError as kept:
        if kept.errno != errno.EBUSY:
            raise
