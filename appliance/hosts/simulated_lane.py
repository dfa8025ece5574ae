"""Lanes between simulated hosts: what one may send to another, kept as the agent keeps it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from agent.protocol import (
    AdoptFiles,
    AnyRequest,
    CloseLane,
    CopyFiles,
    Done,
    FilesCopied,
    LaneOffer,
    LimitLane,
    MigrateDomain,
    OfferLane,
    OpenLane,
    Struct,
)
from appliance.hosts.simulated_agent import SimulatedRefusal

if TYPE_CHECKING:
    from appliance.hosts.simulated_things import Things

LaneRequest = OfferLane | OpenLane | CopyFiles | LimitLane | AdoptFiles | CloseLane
SHA256 = "0" * 64
PORT = 49152


def check_place(request: MigrateDomain, there: Things) -> None:
    """Refuse to move a domain to a host that has not all that it needs, as libvirt would."""
    if request.lane_uuid not in there.lanes.opened:
        raise SimulatedRefusal("migrate.failed", "Unable to read from socket: Connection reset by peer")
    for disk in request.spec.disks:
        if disk.path not in there.files:
            raise SimulatedRefusal("migrate.failed", f"Cannot access storage file '{disk.path}'")
    for nic in request.spec.nics:
        if nic.nic_uuid not in there.nics:
            raise SimulatedRefusal("migrate.failed", f"{nic.device} is not guarded there")


@dataclass
class SimulatedLanes:
    """The lanes of a simulated host, and what has come on them and has no name yet."""

    offered: set[str] = field(default_factory=set)
    opened: dict[str, OpenLane] = field(default_factory=dict)
    arrived: dict[str, str] = field(default_factory=dict)
    """Path to what it builds on, empty for nothing."""
    sizes: dict[str, int] = field(default_factory=dict)
    limits: dict[str, int] = field(default_factory=dict)
    """What was last said of a lane's, in bytes a second: nothing here takes long enough to keep it."""
    reach: Callable[[str], Things | None] = lambda _: None
    """What is on the host at `address:port`, if that answers."""

    def carry_out(self, things: Things, request: LaneRequest) -> Struct:
        """Make one request hold."""
        match request:
            case OfferLane(lane_uuid=uuid):
                self.offered.add(uuid)
                ports = [*range(PORT, PORT + request.ports)]
                return LaneOffer(public_key=f"ssh-ed25519 {uuid}", source_address="127.0.0.1", ports=ports)
            case OpenLane():
                for path in request.files:
                    things.resolve(path)
                self.opened[request.lane_uuid] = request
            case CopyFiles():
                return self._copy(things, request)
            case AdoptFiles():
                self._adopt(things, request)
            case LimitLane(lane_uuid=uuid):
                self.limits[uuid] = request.bytes_per_second
            case CloseLane(lane_uuid=uuid):
                self.offered.discard(uuid)
                self.opened.pop(uuid, None)
        return Done()

    def _copy(self, things: Things, request: CopyFiles) -> FilesCopied:
        uuid = request.lane_uuid
        if uuid not in self.offered:
            raise SimulatedRefusal("lane.unknown", f"this host has no key of lane {uuid}", transient=True)
        other = self.reach(f"{request.address}:{request.port}")
        if other is None:
            raise SimulatedRefusal("copy.interrupted", f"the way to {request.address} broke", transient=True)
        if uuid not in other.lanes.opened:
            raise SimulatedRefusal("lane.unknown", f"on the target: no lane {uuid} is open", transient=True)
        for path in request.files:
            if path not in things.files:
                raise SimulatedRefusal("file.missing", f"{path} is not there as a regular file")
        opened = other.lanes.opened[uuid]
        for path, place in zip(request.files, opened.files, strict=True):
            if place not in other.files:
                if opened.reserved_bytes:
                    other.refuse_full(place, things.files[path], opened.reserved_bytes)
                other.lanes.arrived[place] = things.backings.get(path, "")
                other.lanes.sizes[place] = things.files[path]
        return FilesCopied(sha256=dict.fromkeys(request.files, SHA256))

    def _adopt(self, things: Things, request: AdoptFiles) -> None:
        for path, below in request.files.items():
            things.resolve(path)
            if path not in things.files and path not in self.arrived:
                raise SimulatedRefusal("file.missing", f"{path} has not come")
            found = things.backings.get(path, "") if path in things.files else self.arrived[path]
            if below and found != below:
                raise SimulatedRefusal("volume.other_backing", f"{path} came and builds on {found!r}")
        for path in request.files:
            if path in self.arrived:
                below = self.arrived.pop(path)
                things.files[path] = self.sizes.pop(path, 0)
                if below:
                    things.backings[path] = below


@dataclass(frozen=True)
class Sending:
    """What a request sends on a lane: so many bytes, for as long as the lane is offered."""

    total: int
    lane_uuid: str
    lanes: SimulatedLanes
    ends_as: str
    """The code of the refusal when that is closed meanwhile."""

    @classmethod
    def of(cls, request: AnyRequest, things: Things) -> Sending | None:
        """What a request of a host with these things sends; None where it sends nothing."""
        match request:
            case CopyFiles(files=paths, lane_uuid=uuid):
                return cls(
                    sum(things.files.get(path, 0) for path in paths), uuid, things.lanes, "copy.interrupted"
                )
            case MigrateDomain(spec=spec, lane_uuid=uuid):
                disks = sum(things.files.get(disk.path, 0) for disk in spec.disks)
                return cls(spec.memory_bytes + disks, uuid, things.lanes, "migrate.failed")
        return None

    def check(self) -> None:
        """Raise `SimulatedRefusal` once the lane is closed, as the agent does."""
        if self.lane_uuid not in self.lanes.offered:
            raise SimulatedRefusal(self.ends_as, "operation aborted: the lane was closed")
