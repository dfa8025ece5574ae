"""A volume on its way to another host: which files go, in which order, and on what each builds."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

FILES = "files"
"""The part of a job that a move's files are, sent before a guest's own."""
GUEST = "guest"
"""The part of a job that a VM's memory is, and what its guest writes to of its disks."""


def in_order(paths: Sequence[str], backings: Mapping[str, str], bases: Collection[str]) -> dict[str, str]:
    """Each file to the one it builds on, the lowest first. Raises `ValueError` where one builds on a stranger.

    `bases` are the images that its files build on, where they do: a volume that was restored stands beside
    the tree of snapshots that it left.
    """
    left = dict.fromkeys(paths)
    found: dict[str, str] = {}
    while left:
        ready = [path for path in left if backings.get(path, "") not in left]
        if not ready:
            raise ValueError(f"{', '.join(left)} build on each other")
        for path in ready:
            below = backings.get(path, "")
            if below and below not in found and below not in bases:
                raise ValueError(f"{path} builds on {below}, which is no file of this volume")
            found[path] = below
            del left[path]
    return found


def parts_of_vm(
    taken: Mapping[str, int], heads: Collection[str], elsewhere: Collection[str], memory_bytes: int
) -> dict[str, int]:
    """Bytes of what moves with a running VM, by the part of the job: out of those that each file takes.

    `heads` are what its guest writes to; what comes from `elsewhere`, or is there, is not the source's to send.
    """
    below = [size for path, size in taken.items() if path not in heads and path not in elsewhere]
    return {FILES: sum(below), GUEST: sum(taken.get(path, 0) for path in heads) + memory_bytes}
