"""Image files, judged from outside."""

from __future__ import annotations

import struct
from pathlib import Path

from agent.image import observe_image
from agent.paths import Paths
from agent.protocol import EnsureStorage, ObserveImage
from agent.storage import StorageRoots


async def test_an_image_is_as_long_as_its_file_and_takes_what_its_disk_holds_of_it(tmp_path: Path) -> None:
    """Whoever copies an image must know how many bytes will come, and who counts room how many are there."""
    storage = StorageRoots(Paths(tmp_path / "state", tmp_path / "run"))
    storage.ensure(EnsureStorage(storage_uuid="a" * 32, root=str(tmp_path / "images")))
    path = tmp_path / "images" / "sparse.raw"
    with path.open("wb") as file:
        file.write(struct.pack(">I", 1))
        file.truncate(1_000_001)
    facts = await observe_image(storage, ObserveImage(path=str(path), format="raw"))
    assert facts.actual_bytes == 1_000_001
    assert 0 < facts.taken_bytes == path.stat().st_blocks * 512 < 100_000
