"""Files written with holes where they have nothing but zeros."""

from __future__ import annotations

import os

HOLE_BYTES = 64 << 10
_ZEROS = bytes(HOLE_BYTES)


def append(descriptor: int, at: int, data: bytes) -> int:
    """Add bytes to a file that ends at `at`; where it ends now. Raises `OSError`.

    Its length is right at every moment: who is killed here leaves what can be gone on with.
    """
    start = 0
    while start < len(data):
        # Blocks begin where those of the disk do, whatever the pieces that come.
        block = data[start : start + HOLE_BYTES - at % HOLE_BYTES]
        if block == _ZEROS[: len(block)]:
            os.ftruncate(descriptor, at + len(block))
        else:
            _write_all(descriptor, at, block)
        at += len(block)
        start += len(block)
    return at


def _write_all(descriptor: int, at: int, block: bytes) -> None:
    view = memoryview(block)
    while view:
        written = os.pwrite(descriptor, view, at)
        at += written
        view = view[written:]
