"""What is on a host and what should be: the values that requests and replies are made of."""

from __future__ import annotations

from typing import Literal

import msgspec

Power = Literal["on", "off", "paused"]
Cause = Literal[
    "none",
    "booted",
    "guest_shutdown",
    "destroyed",
    "crashed",
    "failed",
    "migrated",
    "io_error",
    "suspended",
    "unknown",
]
Accelerator = Literal["kvm", "tcg"]


class Struct(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Base of every value on the wire: unknown fields are ignored, and new fields have defaults.

    A default is not sent, so it never changes, and is never what the two ends may have differently. Nor is a value of a
    field of few (`Power`, `Cause`) said to who may not know it: that shows by the protocol of its `Hello`.
    """


class Claim(Struct, frozen=True):
    """Who drives a host, since which of its starts, and as which of its hosts: what `claim.json` says.

    `host_uuid` is empty where the machine is no host, or where its appliance has not said which.
    """

    owner: str = ""
    epoch: int = 0
    host_uuid: str = ""


class HostFacts(Struct, frozen=True):
    """What a host is. Sizes in bytes, CPU speed in MHz; `boot_id` changes with every boot of the host.

    `release` is the number of its distribution's release and `codename` that one's name. `hvm` is the CPU's
    flag for hardware virtualization, vmx or svm. What cannot be learned is empty.
    """

    protocol: int
    agent_version: str
    boot_id: str
    hostname: str
    cpu_num: int
    cpu_mhz: int
    memory_bytes: int
    distribution: str
    release: str
    libvirt_version: str
    qemu_version: str
    accelerator: Accelerator | None = None
    interfaces: list[str] = []
    codename: str = ""
    qemu_img_version: str = ""
    hvm: str = ""
    cpu_model: str = ""


class DomainSeen(Struct, frozen=True):
    """One libvirt domain as it is now. `at` is the host's monotonic clock in nanoseconds: larger is newer.

    `digest` is that of the `DomainSpec` it was defined from, empty for a domain that is not ours.
    """

    vm_uuid: str
    at: int
    defined: bool = False
    power: Power = "off"
    cause: Cause = "none"
    digest: str = ""
    boot_count: int = 0


class VmSeen(Struct, frozen=True):
    """Everything on one host that belongs to one VM. Digests are those of the specs last applied."""

    domain: DomainSeen
    volumes: dict[str, int] = {}
    """Path to virtual size in bytes, for each volume asked for that exists."""
    cached: list[str] = []
    """The image cache paths asked for that are complete."""
    bridges: dict[str, str] = {}
    networks: dict[str, str] = {}
    nics: dict[str, str] = {}
    plugged: list[str] | None = None
    """The taps that the domain has now, in order of their names; None while it is off."""
    iso: str | None = None
    """The file in its CD-ROM drive now, empty when there is none; None while it is off."""
    disks: list[str] | None = None
    """The serial numbers of the volumes that the domain has now, in their order; None while it is off."""
    backings: dict[str, str] = {}
    """Path to the file it builds on, for each volume asked for that exists and does."""
    taken: dict[str, int] = {}
    """Path to bytes that its file takes on its disk, for each volume asked for that exists."""
    writes: dict[str, str] = {}
    """Serial number to the file that the domain writes to, for each volume that it has now."""
    traces: bool = False
    """Whether logs or other things of it are left, though libvirt knows it no more."""


class Capacity(Struct, frozen=True):
    """Size of the file system under a storage root, in bytes."""

    total_bytes: int
    available_bytes: int


class HostSeen(Struct, frozen=True):
    """All that is on a host: the level that repairs every lost event."""

    at: int
    domains: list[DomainSeen] = []
    bridges: dict[str, str] = {}
    networks: dict[str, str] = {}
    nics: dict[str, str] = {}
    storage: dict[str, Capacity] = {}


class ImageFacts(Struct, frozen=True):
    """What an image file is.

    `size_bytes` is the virtual size, `actual_bytes` the length of the file, `taken_bytes` what that takes on its disk:
    less where it has holes.
    """

    format: str
    size_bytes: int
    actual_bytes: int
    taken_bytes: int
    md5: str


class UserdataFetch(Struct, frozen=True):
    """One request of a guest to the metadata server. `sequence` rises by one per host and never repeats."""

    sequence: int
    vm_uuid: str
    nic_uuid: str
    at: float
    """Seconds since 1970."""
    path: str
    status: int
    user_agent: str = ""


class Fetches(Struct, frozen=True):
    """Recorded metadata requests, oldest first."""

    fetches: list[UserdataFetch]


class ProbedAccelerator(Struct, frozen=True):
    """The accelerator found, and why: the kernel line seen, or what KVM did instead."""

    accelerator: Accelerator
    reason: str


class OverlayMade(Struct, frozen=True):
    """A new file takes what is written from now on. `backing_bytes` is what the file below takes on its disk.

    `quiesced` says whether the guest held its writes back meanwhile, and is None where none wrote; `reason` why not.
    """

    backing_bytes: int
    quiesced: bool | None = None
    reason: str = ""


class LaneOffer(Struct, frozen=True):
    """The public key of a lane, as a line of authorized_keys has it, and where its holder comes from."""

    public_key: str
    source_address: str
    ports: list[int] = []


class FilesCopied(Struct, frozen=True):
    """SHA-256 of each file as source and target have it, hex; how many bytes were sent for them, and how long.

    `anew` are those that had arrived with other content, and were sent once more.
    """

    sha256: dict[str, str]
    sent_bytes: int = 0
    sent_seconds: float = 0.0
    anew: list[str] = []


class Copying(Struct, frozen=True):
    """How far a running domain's disks and memory are on their way to another host, in bytes.

    Memory goes in rounds, each of what the guest wrote during the one before; in round 0 it has not begun, and all of
    it is left.
    """

    disks_done: int
    disks_left: int
    memory_done: int
    memory_left: int
    memory_round: int = 0


class Done(Struct, frozen=True):
    """The requested state holds; there is nothing more to say."""


class Metadata(Struct, frozen=True):
    """What a guest is told about itself at 169.254.169.254 and at its DHCP server's address.

    `user_data` is the tag's text as the operator wrote it; the agent normalises it when it serves it.
    """

    instance_id: str
    local_hostname: str
    public_keys: list[str] = []
    user_data: str | None = None


class NicSpec(Struct, frozen=True):
    """A NIC of a VM as its domain needs it. `device` is the tap's name on the host."""

    nic_uuid: str
    device: str
    mac: str
    bridge: str
    model: Literal["virtio", "e1000"] = "virtio"
    mtu: int = 1500


SERIAL_LENGTH = 20
"""A virtio disk has no longer serial number."""


def serial_of(volume_uuid: str) -> str:
    """The serial number by which a guest, and we, find a volume among its disks."""
    return volume_uuid[:SERIAL_LENGTH]


class DiskSpec(Struct, frozen=True):
    """A disk of a VM as its domain needs it. `device_id` 0 is the root volume."""

    volume_uuid: str
    path: str
    format: Literal["qcow2", "raw"]
    device_id: int
    bus: Literal["virtio", "ide"] = "virtio"
    cache: Literal["none", "writethrough", "writeback"] = "none"


class DomainSpec(Struct, frozen=True):
    """A whole domain. The XML is built from this and from nothing else."""

    vm_uuid: str
    name: str
    internal_id: int
    memory_bytes: int
    cpu_num: int
    cpu_shares: int
    accelerator: Accelerator
    disks: list[DiskSpec]
    nics: list[NicSpec]
    boot: list[Literal["hd", "cdrom"]]
    console: Literal["vnc", "spice"] = "vnc"
    console_listen: str = "127.0.0.1"
    console_guarded: bool = False
    """Whether the console lets nobody in but by a password of `AdmitToConsole`."""
    cpu_mode: Literal["none", "host-model", "host-passthrough"] = "none"
    chassis_asset: str = ""
    serial_log: str = ""
    iso: str = ""
    """The file in the CD-ROM drive; empty when there is none."""
