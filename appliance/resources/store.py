"""What requests about the store mean."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from appliance.api.errors import InvalidArgument
from appliance.api.store import BackupStore, VerifyStore
from appliance.resources.registry import Caller, Live, asks_host


@asks_host(BackupStore)
async def backup_store(live: Live, request: BackupStore, caller: Caller) -> dict[str, Any]:
    """A checked copy, of mode 0600."""
    path = await asyncio.to_thread(_free_path, request)
    await live.database.backup(path)
    return {"path": str(path), "size": await asyncio.to_thread(lambda: path.stat().st_size)}


def _free_path(request: BackupStore) -> Path:
    path = Path(request.path)
    if not path.is_absolute():
        raise InvalidArgument(f"path[{request.path}] is not absolute; the appliance has a folder of its own")
    if path.exists():
        raise InvalidArgument(f"path[{request.path}] exists already; choose another")
    if not path.parent.is_dir():
        raise InvalidArgument(f"path[{request.path}] is in a folder that does not exist")
    return path


@asks_host(VerifyStore)
async def verify_store(live: Live, request: VerifyStore, caller: Caller) -> dict[str, Any]:
    """What is wrong, if anything is."""
    return {"findings": await live.database.verify_with_log()}
