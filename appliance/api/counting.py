"""Numbers with their noun, as errors say them."""

from __future__ import annotations


def counted(number: int, one: str, many: str) -> str:
    """`1 host`, `2 hosts`."""
    return f"{number} {one if number == 1 else many}"
