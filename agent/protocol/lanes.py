"""Lanes: what one host may send to another, by SSH with a key that is good for nothing else."""

from __future__ import annotations

from typing import ClassVar

from agent.protocol.request import Request
from agent.protocol.values import DomainSpec, Done, FilesCopied, LaneOffer, Struct

LIBVIRT_DOOR, MEMORY_DOOR, DISKS_DOOR = "libvirt", "memory", "disks"
"""The doors that a running domain goes through. The first lets through only what a move of that domain needs."""
MOVE_BROKE_OFF, MOVE_UNSAFE = "migrate.broke_off", "migrate.unsafe"
"""Refusals of `MigrateDomain`: it broke off so that the domain may not move again as it runs; it did so before."""
MOVE_UNSAFE_WORDS = (
    "a move of it as it runs broke off before, and QEMU without KVM would lose some of its guest's memory in the next "
    "one; stop and start the VM, then move it, or stop it and move its volumes with LocalStorageMigrateVolume"
)


class OfferLane(Request, tag=True, frozen=True):
    """Have a key of this lane on the source, and say from which address the target will see it come.

    Also names so many `ports` of the loopback that are free on the source.
    """

    reply: ClassVar[type[Struct]] = LaneOffer
    lane_uuid: str
    address: str
    port: int = 22
    ports: int = 0


class OpenLane(Request, tag=True, frozen=True):
    """Let the holder of a key use the files and doors named on this host, from one address, and nothing else.

    `files` are the places beside which it may write. `doors` are words and what is behind them: the path of a
    unix socket, or a port of the loopback.
    `username` is who it logs in as: root, or whom the appliance logs in as. `coming` is the domain that goes through
    the doors: what libvirt finds there for it, and does not make itself, is made. The files leave `reserved_bytes`
    of their storage free; 0 lets them fill it.
    """

    lane_uuid: str
    public_key: str
    source_address: str
    username: str
    files: list[str] = []
    doors: dict[str, str] = {}
    coming: DomainSpec | None = None
    reserved_bytes: int = 0


class CopyFiles(Request, tag=True, frozen=True):
    """Copy files through a lane to beside the places that it was opened for, in their order; prove them equal.

    Holes stay holes. What an interrupted copy has brought is not sent again. Sends progress in bytes.
    `host_key` is the target's, as a line of known_hosts has it. 0 bytes a second are no limit. Refused as
    `copy.interrupted` when the way broke, which may pass, and as `copy.differs` when the target has other
    content even after a second try.
    """

    reply: ClassVar[type[Struct]] = FilesCopied
    lane_uuid: str
    address: str
    port: int
    username: str
    host_key: str
    files: list[str]
    bytes_per_second: int = 0


class LimitLane(Request, tag=True, frozen=True):
    """Have what moves on a lane keep another limit from now on, as `CopyFiles` and `MigrateDomain` say it.

    Asked of the source. Where nothing moves that is fine.
    """

    lane_uuid: str
    bytes_per_second: int


class AdoptFiles(Request, tag=True, frozen=True):
    """Give copied files their names on the target: each with the file that it builds on, empty for none.

    In this order, and refused as `volume.other_backing` before any has its name where one builds on another.
    """

    files: dict[str, str]


class CloseLane(Request, tag=True, frozen=True):
    """End a lane on source or target, with what moves on it. Absent is fine.

    With the uuid of a domain that goes on it, that stays for good, or has gone, when this is answered.
    """

    lane_uuid: str
    username: str
    vm_uuid: str = ""


class MigrateDomain(Request, tag=True, frozen=True):
    """Move a running domain, with what its guest writes, to the host at the other end of an open lane.

    The lane's doors are `libvirt`, and `memory` and `disks`, which lead to these ports there and are taken here.
    The target has the domain's NICs, and its volumes with all that they build on; what is written to the
    topmost file of each is sent. It is defined there as `spec` says, and not here any more. Sends progress in
    bytes. The limit is kept by each volume and by the memory; 0 is none. Refused as `migrate.failed` with
    libvirt's reason, the guest going on here; as `MOVE_BROKE_OFF` with that when it cannot be tried again before it
    is off, and as `MOVE_UNSAFE` when it is; as `domain.off`.
    """

    reply: ClassVar[type[Struct]] = Done
    lane_uuid: str
    address: str
    port: int
    username: str
    host_key: str
    spec: DomainSpec
    memory_port: int
    disks_port: int
    bytes_per_second: int = 0
