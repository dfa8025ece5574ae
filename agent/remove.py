"""Take the agent from its host: nothing of it runs or is kept afterwards; disks of guests stay."""

from __future__ import annotations

import asyncio
import shutil
import sys

from agent.guard import Guard
from agent.paths import Paths
from agent.refused import Refused
from agent.stop import stop


def remove(paths: Paths) -> int:
    """Return 0 once the host is as it was before the agent came; 1, with the reason, when it is not."""
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
    shutil.rmtree(f"{paths.run}-dhcp", ignore_errors=True)
    shutil.rmtree(paths.run)
    # The folder that the state is in holds this program too, which needs nothing more of it now.
    shutil.rmtree(paths.state.parent)
    return 0
