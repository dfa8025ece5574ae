"""Sizes as people write them, in settings and tags: `512M`."""

from __future__ import annotations

import contextlib
import re
from typing import Any

UNITS = {"": 1, "B": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}

LARGEST = 1 << 60
"""Bytes, or CPUs times MHz: more is a mistake, and what is counted with it must fit the store."""


def parse_size(text: str) -> int:
    """`512M` in bytes; raises `ValueError`."""
    found = re.fullmatch(r"\s*([0-9]{1,19})\s*([KMGT]?)B?\s*", text.upper())
    if not found:
        raise ValueError(f"{text} is not a size like 512M")
    size = int(found.group(1)) * UNITS[found.group(2)]
    if size > LARGEST:
        raise ValueError(f"{text} is more than anything has: {LARGEST} at most")
    return size


def wanted_number(name: str, value: Any) -> str:
    """What a parameter of numbers has to be; sizes on the wire are bytes, as ZStack has it, and `900G` is none."""
    if name.endswith("_size") and isinstance(value, str):
        with contextlib.suppress(ValueError):
            return f"in bytes, for example {parse_size(value)}"
    return "a whole number"
