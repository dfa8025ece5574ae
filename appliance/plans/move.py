"""A volume on its way to another host: which files go, in which order, and on what each builds."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence


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
