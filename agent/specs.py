"""The specs last applied, one file each, so that the host goes on with them when nobody is connected."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

from agent.protocol import Request, digest

R = TypeVar("R", bound=Request)
S = TypeVar("S")

_log = logging.getLogger(__name__)


class Specs(Generic[R]):
    """Requests of one kind by uuid: on disk and in memory. A spec is written before it is carried out."""

    def __init__(self, folder: Path, kind: type[R]) -> None:
        self._folder = folder
        self._kind = kind
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._by_uuid = read_all(folder, kind)

    def put(self, uuid: str, spec: R) -> None:
        """Remember a spec, atomically. A power cut may lose the last ones, and the guests that had them."""
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


def read_all(folder: Path, kind: type[S]) -> dict[str, S]:
    """What a folder keeps, by uuid. What cannot be read is set aside: the rest of the host goes on."""
    found = {}
    for path in sorted(folder.glob("*.json")):
        try:
            found[path.stem] = msgspec.json.decode(path.read_bytes(), type=kind)
        except msgspec.DecodeError as error:
            path.replace(path.with_suffix(".unreadable"))
            _log.error(
                "%s cannot be read (%s) and is set aside; it is sent anew when it is needed", path, error
            )
    return found


def keep(path: Path, content: bytes) -> None:
    """Write a file so that it is there whole after a power cut, or as it was."""
    part = path.with_suffix(".part")
    with part.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make renames in a folder survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
