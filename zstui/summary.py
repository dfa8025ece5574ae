"""What a filled form comes to, in one line, where that says more than the fields."""

from __future__ import annotations

from typing import Any

from zstui import words
from zstui.i18n import tr, trn
from zstui.mirror import Mirror


def summary(message: str, values: dict[str, Any], mirror: Mirror) -> str:
    """The line, or nothing for messages that have none."""
    if message != "CreateVmInstance":
        return ""
    parts = []
    offering = mirror.find(values.get("instanceOfferingUuid"))
    image = mirror.find(values.get("imageUuid"))
    if offering is not None:
        memory = words.long_size(offering.get("memorySize") or 0)
        parts.append(tr("{cpus} CPU, {memory} memory", cpus=offering.get("cpuNum"), memory=memory))
    if image is not None:
        size = words.long_size(image.get("size") or 0)
        parts.append(tr("root disk {size} from {image}", size=size, image=image.name))
    networks = values.get("l3NetworkUuids") or []
    parts.append(trn("{number} NIC", "{number} NICs", len(networks)))
    parts.append(
        tr("on {host}", host=mirror.name(values["hostUuid"]))
        if values.get("hostUuid")
        else tr("on the host with most room")
    )
    return "  ·  ".join(parts)
