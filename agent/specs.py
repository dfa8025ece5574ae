"""The specs last applied, one file each, so that the host goes on with them when nobody is connected."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

from agent.protocol import Request, digest

R = TypeVar("R", bound=Request)


class Specs(Generic[R]):
    """Requests of one kind by uuid: on disk and in memory. A spec is written before it is carried out."""

    def __init__(self, folder: Path, kind: type[R]) -> None:
        self._folder = folder
        self._kind = kind
        self._by_uuid: dict[str, R] = {}
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for path in sorted(folder.glob("*.json")):
            self._by_uuid[path.stem] = msgspec.json.decode(path.read_bytes(), type=kind)

    def put(self, uuid: str, spec: R) -> None:
        """Remember a spec, atomically."""
        path = self._folder / f"{uuid}.json"
        part = path.with_suffix(".part")
        part.write_bytes(msgspec.json.encode(spec))
        part.replace(path)
        self._by_uuid[uuid] = spec

    def drop(self, uuid: str) -> R | None:
        """Forget a spec and return it; None when there was none."""
        (self._folder / f"{uuid}.json").unlink(missing_ok=True)
        return self._by_uuid.pop(uuid, None)

    def get(self, uuid: str) -> R | None:
        """The spec of a uuid, or None."""
        return self._by_uuid.get(uuid)

    def all(self) -> list[R]:
        """Every spec."""
        return list(self._by_uuid.values())

    def digests(self) -> dict[str, str]:
        """uuid to digest, as observations report it."""
        return {uuid: digest(spec) for uuid, spec in self._by_uuid.items()}


def sync_folder(folder: Path) -> None:
    """Make renames in a folder survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
