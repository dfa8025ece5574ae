"""What a simulated host has besides domains: bridges, networks, NICs, storage folders and files."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from dataclasses import dataclass, field

from agent.protocol import (
    AdoptFiles,
    AnyRequest,
    BackUpVolumes,
    Capacity,
    CloseLane,
    ConfirmBridge,
    CopyFiles,
    Done,
    DropBridge,
    DropFile,
    DropNetwork,
    DropNic,
    DropStorage,
    EnsureBridge,
    EnsureNetwork,
    EnsureNic,
    EnsureOverlay,
    EnsureStorage,
    EnsureVolume,
    FetchImage,
    FlattenVolume,
    GrowVolume,
    ImageFacts,
    JoinBackups,
    LimitLane,
    ObserveImage,
    OfferLane,
    OpenLane,
    OverlayMade,
    RebaseVolume,
    Struct,
    digest,
)
from appliance.hosts.simulated_agent import SimulatedRefusal
from appliance.hosts.simulated_backup import back_up, join
from appliance.hosts.simulated_lane import SimulatedLanes

STORAGE_BYTES = 1 << 44
IMAGE_BYTES = 1 << 26
OVERLAY_BYTES = 1 << 20
"""What a file below a new one takes on a simulated disk."""
FORMATS = ("qcow2", "raw", "iso")
NO_FORMAT = "simulator"
"""Of images that are on no real machine, so that nothing is looked for at their URL."""


class Nics(MutableMapping[str, tuple[str, str]]):
    """NIC uuid to digest and VM uuid; a host has thousands, and is asked for those of one VM."""

    def __init__(self) -> None:
        self._found: dict[str, tuple[str, str]] = {}
        self._of_vm: dict[str, dict[str, str]] = {}

    def of_vm(self, vm_uuid: str) -> dict[str, str]:
        """The NICs of a VM, to their digests."""
        return dict(self._of_vm.get(vm_uuid, {}))

    def __getitem__(self, nic_uuid: str) -> tuple[str, str]:
        return self._found[nic_uuid]

    def __setitem__(self, nic_uuid: str, found: tuple[str, str]) -> None:
        self.pop(nic_uuid, None)
        self._found[nic_uuid] = found
        self._of_vm.setdefault(found[1], {})[nic_uuid] = found[0]

    def __delitem__(self, nic_uuid: str) -> None:
        _, vm_uuid = self._found.pop(nic_uuid)
        del self._of_vm[vm_uuid][nic_uuid]
        if not self._of_vm[vm_uuid]:
            del self._of_vm[vm_uuid]

    def __iter__(self) -> Iterator[str]:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)


@dataclass
class Things:
    """The things, by uuid or path; specs as their digests."""

    bridges: dict[str, str] = field(default_factory=dict)
    networks: dict[str, str] = field(default_factory=dict)
    nics: Nics = field(default_factory=Nics)
    storage: dict[str, Capacity] = field(default_factory=dict)
    roots: dict[str, str] = field(default_factory=dict)
    """Storage uuid to folder."""
    files: dict[str, int] = field(default_factory=dict)
    backings: dict[str, str] = field(default_factory=dict)
    """Path to the file it builds on."""
    capacities: dict[str, Capacity] = field(default_factory=dict)
    """Storage uuid to its size, where it is not `STORAGE_BYTES`."""
    bitmaps: dict[str, str] = field(default_factory=dict)
    """Path to the name under which a volume's file notes what is written."""
    unsound: dict[str, tuple[str, str]] = field(default_factory=dict)
    """URL or path of what is no sound image, to the code and words that refuse it."""

    lanes: SimulatedLanes = field(default_factory=SimulatedLanes)

    def carry_out(self, request: AnyRequest) -> Struct:  # noqa: C901 - a table of verbs
        """Make one request hold."""
        match request:
            case EnsureBridge():
                self.bridges[request.l2_uuid] = digest(request)
            case DropBridge():
                self.bridges.pop(request.l2_uuid, None)
            case EnsureNetwork():
                self.networks[request.l3_uuid] = digest(request)
            case DropNetwork():
                self.networks.pop(request.l3_uuid, None)
            case EnsureNic():
                self.nics[request.nic_uuid] = (digest(request), request.vm_uuid)
            case DropNic():
                self.nics.pop(request.nic_uuid, None)
            case EnsureStorage():
                return self.ensure_storage(request)
            case DropStorage():
                self.storage.pop(request.storage_uuid, None)
                self.roots.pop(request.storage_uuid, None)
            case EnsureVolume():
                self._make_volume(request)
            case GrowVolume():
                self._grow(request)
            case RebaseVolume():
                self._rebase(request)
            case FlattenVolume():
                self._flatten(request)
            case DropFile():
                self.resolve(request.path)
                self.files.pop(request.path, None)
                self.backings.pop(request.path, None)
                self.lanes.arrived.pop(request.path.removesuffix(".part"), None)
            case OfferLane() | OpenLane() | CopyFiles() | LimitLane() | AdoptFiles() | CloseLane():
                return self.lanes.carry_out(self, request)
            case FetchImage():
                return self._fetch(request)
            case BackUpVolumes():
                return back_up(self, request)
            case JoinBackups():
                join(self, request)
            case ObserveImage():
                self.resolve(request.path)
                return self._sound(request.path, request.format)
            case ConfirmBridge():
                pass
        return Done()

    def ensure_storage(self, request: EnsureStorage) -> Capacity:
        """A folder for a storage, and its size."""
        self.roots[request.storage_uuid] = request.root.rstrip("/")
        usual = Capacity(total_bytes=STORAGE_BYTES, available_bytes=STORAGE_BYTES)
        capacity = self.capacities.get(request.storage_uuid, usual)
        self.storage[request.storage_uuid] = capacity
        return capacity

    def lacks_room(self, path: str, size: int, reserved_bytes: int) -> str:
        """That a file would not leave so much of its storage free; empty where it does."""
        for uuid, root in self.roots.items():
            if path.startswith(f"{root}/"):
                free = self.storage[uuid].available_bytes
                if size > free - reserved_bytes:
                    return f"{path} takes {size} bytes; {free} are free, of which {reserved_bytes} are kept in reserve"
        return ""

    def refuse_full(self, path: str, size: int, reserved_bytes: int) -> None:
        """Refuse a file that would not leave so much of its storage free."""
        if lacking := self.lacks_room(path, size, reserved_bytes):
            raise SimulatedRefusal("storage.full", lacking)

    def resolve(self, path: str) -> None:
        """Refuse a path that is not plain, or below no storage root."""
        below = any(path.startswith(f"{root}/") for root in self.roots.values())
        # A storage that exists only here may be said to be at any URL.
        if (
            not (below or path.startswith("/"))
            or {".", ".."} & set(path.split("/"))
            or not path.isprintable()
        ):
            raise SimulatedRefusal("path.bad", f"{path[:200]!r} is not a plain absolute path")
        if not below:
            raise SimulatedRefusal("path.outside", f"{path} is below no storage root of this host")

    def _make_volume(self, request: EnsureVolume) -> None:
        self.resolve(request.path)
        if request.backing is not None:
            self.resolve(request.backing)
        _check_size(request.size_bytes)
        there = self.files.get(request.path)
        if there is None and request.backing is not None and request.backing not in self.files:
            raise SimulatedRefusal("file.missing", f"{request.backing} is not there as a regular file")
        if there not in (None, request.size_bytes):
            code = "volume.smaller" if there < request.size_bytes else "volume.larger"
            raise SimulatedRefusal(code, f"{request.path} is there with {there} bytes")
        self.files[request.path] = request.size_bytes
        if request.backing is not None:
            self.backings[request.path] = request.backing

    def _grow(self, request: GrowVolume) -> None:
        self.resolve(request.path)
        _check_size(request.size_bytes)
        there = self.files.get(request.path)
        if there is None:
            raise SimulatedRefusal("file.missing", f"{request.path} is not there as a regular file")
        if there > request.size_bytes:
            raise SimulatedRefusal("volume.larger", f"{request.path} is there with {there} bytes")
        self.files[request.path] = request.size_bytes

    def overlay(self, request: EnsureOverlay) -> OverlayMade:
        """An empty file on top of another."""
        self.resolve(request.path)
        self.resolve(request.backing)
        _check_size(request.size_bytes)
        if request.backing not in self.files:
            raise SimulatedRefusal("file.missing", f"{request.backing} is not there as a regular file")
        if request.path in self.files and self.backings.get(request.path) != request.backing:
            raise SimulatedRefusal("volume.other_backing", f"{request.path} builds on another file")
        self.files.setdefault(request.path, request.size_bytes)
        self.backings[request.path] = request.backing
        return OverlayMade(backing_bytes=OVERLAY_BYTES)

    def _rebase(self, request: RebaseVolume) -> None:
        self.resolve(request.path)
        if request.path not in self.files:
            raise SimulatedRefusal("file.missing", f"{request.path} is not there as a regular file")
        if request.backing is None:
            self.backings.pop(request.path, None)
            return
        self.resolve(request.backing)
        if request.backing not in self.files:
            raise SimulatedRefusal("program.failed", f"{request.backing}: No such file or directory")
        self.backings[request.path] = request.backing

    def _flatten(self, request: FlattenVolume) -> None:
        self.resolve(request.path)
        self.resolve(request.source)
        if request.path in self.files:
            return
        if request.source not in self.files:
            raise SimulatedRefusal("file.missing", f"{request.source} is not there as a regular file")
        self.refuse_full(request.path, self.files[request.source], request.reserved_bytes)
        self.files[request.path] = self.files[request.source]

    def _fetch(self, request: FetchImage) -> Struct:
        self.resolve(request.path)
        if request.format not in (*FORMATS, NO_FORMAT):
            raise SimulatedRefusal("image.format", f"{request.format!r} is none of {', '.join(FORMATS)}")
        if request.source_format not in ("", *FORMATS, "vmdk"):
            raise SimulatedRefusal("image.format", f"{request.source_format!r} is no format of images")
        if request.path not in self.files:
            if request.format == NO_FORMAT:
                pass
            elif request.url.startswith("file://"):
                roots = self.roots.values() if request.from_storage else ()
                self._look_for(request.url.removeprefix("file://"), [*request.allowed_folders, *roots])
            elif not request.url.startswith(("http://", "https://")):
                raise SimulatedRefusal("url.scheme", f"{request.url!r} is neither file:// nor http(s)://")
            if request.url in self.unsound:
                raise SimulatedRefusal(*self.unsound[request.url])
            self.refuse_full(request.path, IMAGE_BYTES, request.reserved_bytes)
            self.files[request.path] = IMAGE_BYTES
        return self._sound(request.path, request.format)

    def _look_for(self, path: str, allowed: list[str]) -> None:
        """Refuse a local file that is not there, or in none of the folders that may be named."""
        if not any(path.startswith(f"{folder}/") for folder in allowed):
            raise SimulatedRefusal("url.folder", f"{path} is below none of the folders allowed")
        if path not in self.files:
            raise SimulatedRefusal("file.missing", f"{path}: No such file or directory")
        if path in self.unsound:
            raise SimulatedRefusal(*self.unsound[path])

    def _sound(self, path: str, image_format: str) -> ImageFacts:
        if path not in self.files:
            raise SimulatedRefusal("file.missing", f"{path} is not there as a regular file")
        if path in self.unsound:
            raise SimulatedRefusal(*self.unsound[path])
        return ImageFacts(
            format=image_format,
            size_bytes=IMAGE_BYTES,
            actual_bytes=IMAGE_BYTES,
            taken_bytes=IMAGE_BYTES,
            md5="0" * 32,
        )


def _check_size(size_bytes: int) -> None:
    if size_bytes <= 0 or size_bytes % 512:
        raise SimulatedRefusal("volume.size", f"{size_bytes} bytes is no whole number of sectors")
