"""A volume on its way to another host: which files go, in which order, and on what each builds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def in_order(paths: Sequence[str], backings: Mapping[str, str], base: str | None) -> dict[str, str]:
    """Each file to the one it builds on, the lowest first. Raises `ValueError` where one builds on a stranger.

    `base` is the image below all of them, if they have one; it goes first where it must be taken along.
    """
    left = dict.fromkeys(paths)
    found: dict[str, str] = {}
    while left:
        ready = [path for path in left if backings.get(path, "") not in left]
        if not ready:
            raise ValueError(f"{', '.join(left)} build on each other")
        for path in ready:
            below = backings.get(path, "")
            if below not in (*found, base, ""):
                raise ValueError(f"{path} builds on {below}, which is no file of this volume")
            found[path] = below
            del left[path]
    return found
