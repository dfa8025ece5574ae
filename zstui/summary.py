"""What a filled form comes to, in one line, where that says more than the fields."""

from __future__ import annotations

from typing import Any

from zstui import words
from zstui.mirror import Mirror


def summary(message: str, values: dict[str, Any], mirror: Mirror) -> str:
    """The line, or nothing for messages that have none."""
    if message != "CreateVmInstance":
        return ""
    parts = []
    offering = mirror.find(values.get("instanceOfferingUuid"))
    image = mirror.find(values.get("imageUuid"))
    if offering is not None:
        parts.append(
            f"{offering.get('cpuNum')} CPU, {words.long_size(offering.get('memorySize') or 0)} memory"
        )
    if image is not None:
        parts.append(f"root disk {words.long_size(image.get('size') or 0)} from {image.name}")
    networks = values.get("l3NetworkUuids") or []
    parts.append(words.counted(len(networks), "NIC"))
    parts.append(
        f"on {mirror.name(values['hostUuid'])}" if values.get("hostUuid") else "on the host with most room"
    )
    return "  ·  ".join(parts)
