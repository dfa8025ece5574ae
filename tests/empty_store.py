"""An empty store, made once in a process and copied from then on: making one takes longer than most tests with one."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

from appliance.store.folder import Folder
from appliance.store.opening import create


def lay(folder: Path) -> None:
    """Put an empty store into a folder in which there never was one."""
    if not Folder(folder).is_there():
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        Folder(folder).database.write_bytes(_empty())


@cache
def _empty() -> bytes:
    with tempfile.TemporaryDirectory() as path:
        folder = Folder(Path(path))
        create(folder, durable=False)
        return folder.database.read_bytes()
