"""What a simulated host has besides domains: bridges, networks, NICs, storage folders and files."""

from __future__ import annotations

from dataclasses import dataclass, field

from agent.protocol import (
    AnyRequest,
    Capacity,
    ConfirmBridge,
    Done,
    DropBridge,
    DropFile,
    DropNetwork,
    DropNic,
    DropStorage,
    EnsureBridge,
    EnsureNetwork,
    EnsureNic,
    EnsureStorage,
    EnsureVolume,
    FetchImage,
    ImageFacts,
    ObserveImage,
    Struct,
    digest,
)

STORAGE_BYTES = 1 << 44
IMAGE_BYTES = 1 << 26


@dataclass
class Things:
    """The things, by uuid or path; specs as their digests."""

    bridges: dict[str, str] = field(default_factory=dict)
    networks: dict[str, str] = field(default_factory=dict)
    nics: dict[str, tuple[str, str]] = field(default_factory=dict)
    """NIC uuid to digest and VM uuid."""
    storage: dict[str, Capacity] = field(default_factory=dict)
    files: dict[str, int] = field(default_factory=dict)

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
                capacity = Capacity(total_bytes=STORAGE_BYTES, available_bytes=STORAGE_BYTES)
                self.storage[request.storage_uuid] = capacity
                return capacity
            case DropStorage():
                self.storage.pop(request.storage_uuid, None)
            case EnsureVolume():
                self.files.setdefault(request.path, request.size_bytes)
            case DropFile():
                self.files.pop(request.path, None)
            case FetchImage():
                self.files[request.path] = IMAGE_BYTES
                return _image(request.format)
            case ObserveImage():
                return _image(request.format)
            case ConfirmBridge():
                pass
        return Done()


def _image(image_format: str) -> ImageFacts:
    return ImageFacts(format=image_format, size_bytes=IMAGE_BYTES, actual_bytes=IMAGE_BYTES, md5="0" * 32)
