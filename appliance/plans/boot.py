"""What a VM starts from, as its system tags say it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

ISO = "iso::"
ORDER = "bootOrder::"
USUAL_ORDER = ("HardDisk",)

DEVICES: dict[str, Literal["hd", "cdrom"]] = {"HardDisk": "hd", "CdRom": "cdrom"}
"""What a VM can boot from, and libvirt's word for it."""


@dataclass(frozen=True)
class Medium:
    """An ISO, and where the VM's host has or gets its copy."""

    image_uuid: str
    path: str


def iso_uuid(tags: Iterable[str]) -> str | None:
    """The image in a VM's CD-ROM drive."""
    return next((tag.removeprefix(ISO) for tag in tags if tag.startswith(ISO)), None)


def boot_order(tags: Iterable[str]) -> tuple[str, ...]:
    """The devices that a VM boots from, first one first."""
    found = next((tag.removeprefix(ORDER) for tag in tags if tag.startswith(ORDER)), None)
    return tuple(found.split(",")) if found else USUAL_ORDER
