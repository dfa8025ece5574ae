"""Every request the appliance may make of a host, each with the reply it gets."""

from __future__ import annotations

from typing import ClassVar, Literal

from agent.protocol.backups import BackUpVolumes, JoinBackups
from agent.protocol.console import AdmitToConsole, ObserveConsole
from agent.protocol.figures import ReadFigures
from agent.protocol.lanes import (
    AdoptFiles,
    CloseLane,
    CopyFiles,
    LimitLane,
    MigrateDomain,
    OfferLane,
    OpenLane,
)
from agent.protocol.request import PROTOCOL, Request
from agent.protocol.serial import KeepSerialHistory, OpenSerial, ReadSerialHistory
from agent.protocol.values import (
    Accelerator,
    Capacity,
    DomainSeen,
    DomainSpec,
    Fetches,
    HostFacts,
    HostSeen,
    ImageFacts,
    Metadata,
    OverlayMade,
    ProbedAccelerator,
    Struct,
    VmSeen,
)


class Hello(Request, tag=True, frozen=True, omit_defaults=False):
    """First request of every link, and the one that raises the epoch: older requests are refused after it.

    All of it is always on the wire: who leaves its own protocol out is taken for one that speaks the other's.
    `host_uuid` is the host that the appliance takes the machine for, empty where it is none of its hosts, absent
    from an appliance that does not say. A machine is one host: another uuid than the one that claimed it is
    refused with `host.other`, unless `instead_of` is that one.
    """

    reply: ClassVar[type[Struct]] = HostFacts
    protocol: int = PROTOCOL
    host_uuid: str | None = None
    instead_of: str = ""


class Ping(Request, tag=True, frozen=True):
    """Proof that both ends live; the agent closes a link that has been silent for `DEAD_LINK_SECONDS`."""


class ObserveHost(Request, tag=True, frozen=True):
    """Ask for everything on the host."""

    reply: ClassVar[type[Struct]] = HostSeen


class ObserveVm(Request, tag=True, frozen=True):
    """Ask for everything that belongs to one VM, and whether the named files are complete."""

    reply: ClassVar[type[Struct]] = VmSeen
    vm_uuid: str
    volume_paths: list[str] = []
    cache_paths: list[str] = []


class EnsureStorage(Request, tag=True, frozen=True):
    """Make a folder a storage root: files are made and removed below such roots and nowhere else."""

    reply: ClassVar[type[Struct]] = Capacity
    storage_uuid: str
    root: str


class DropStorage(Request, tag=True, frozen=True):
    """Forget a storage root; its files stay."""

    storage_uuid: str


class EnsureBridge(Request, tag=True, frozen=True):
    """Make a bridge over a physical interface (a VLAN of it where `vlan` is given) exist and be up.

    Where the interface has addresses the bridge takes them and their routes over, and gives them back
    unless `ConfirmBridge` arrives within `confirm_seconds`. Without an interface it is a bridge with no
    uplink.
    """

    l2_uuid: str
    bridge: str
    physical_interface: str
    vlan: int | None = None
    confirm_seconds: float = 20.0


class ConfirmBridge(Request, tag=True, frozen=True):
    """The appliance still reaches the host: keep the addresses on the bridge."""

    bridge: str


class DropBridge(Request, tag=True, frozen=True):
    """Remove a bridge and give its addresses back to the interface below."""

    l2_uuid: str
    bridge: str


class EnsureNetwork(Request, tag=True, frozen=True):
    """Serve an L3 network on this host: a namespace with DHCP, and with user data where `userdata` says so.

    `dhcp_ip` is the same on every host and is kept from crossing the uplink in either direction.
    """

    l3_uuid: str
    bridge: str
    physical_interface: str
    dhcp_ip: str
    netmask: str
    gateway: str
    dns: list[str] = []
    domain: str = ""
    mtu: int = 1500
    lease_seconds: int = 3600
    userdata: bool = False


class DropNetwork(Request, tag=True, frozen=True):
    """Stop serving an L3 network on this host."""

    l3_uuid: str


class EnsureNic(Request, tag=True, frozen=True):
    """Guard a tap, offer its address by DHCP, and answer for its user data; all before its guest starts.

    `primary` marks the NIC on the VM's default L3 network: only it gets a router and name servers.
    """

    nic_uuid: str
    vm_uuid: str
    l3_uuid: str
    device: str
    bridge: str
    mac: str
    ip: str
    hostname: str
    primary: bool
    dhcp: bool = True
    metadata: Metadata | None = None


class DropNic(Request, tag=True, frozen=True):
    """Take back address offer, user data and guard of a NIC."""

    nic_uuid: str


class EnsureVolume(Request, tag=True, frozen=True):
    """Make a qcow2 file of a virtual size exist, a child of `backing` (an image cache path) if given."""

    volume_uuid: str
    path: str
    size_bytes: int
    backing: str | None = None
    backing_format: Literal["qcow2", "raw"] = "qcow2"


class GrowVolume(Request, tag=True, frozen=True):
    """Make a qcow2 file have a larger virtual size: under its guest while the VM named runs with it.

    Refused as `volume.larger` when it is larger already: a volume never shrinks.
    """

    volume_uuid: str
    path: str
    size_bytes: int
    vm_uuid: str = ""


class EnsureOverlay(Request, tag=True, frozen=True):
    """Have what is written to a volume go to a new qcow2 file on top of `backing`, which stays as it is.

    Under its guest while the VM named runs with it, quiesced where the guest's agent answers.
    """

    reply: ClassVar[type[Struct]] = OverlayMade
    volume_uuid: str
    path: str
    backing: str
    size_bytes: int
    vm_uuid: str = ""


class RebaseVolume(Request, tag=True, frozen=True):
    """Have a volume's file build on `backing`, which is below it already, or on nothing, with the same content.

    What lies between goes into the file: under its guest while the VM named runs with it.
    """

    volume_uuid: str
    path: str
    backing: str | None = None
    backing_format: Literal["qcow2", "raw"] = "qcow2"
    vm_uuid: str = ""


class FlattenVolume(Request, tag=True, frozen=True):
    """Have a qcow2 file at `path` with the content of `source` and all that this builds on, building on nothing.

    Nobody may write to those meanwhile, which QEMU's locks see to. What is there already is left as it is. Sends
    progress in bytes of content. Refused as `flatten.ended` when the file is dropped meanwhile, and as
    `storage.full` where it would leave less than `reserved_bytes` free.
    """

    path: str
    source: str
    reserved_bytes: int = 0


class DropFile(Request, tag=True, frozen=True):
    """Remove a file below a storage root, and its folder when that became empty. Absent is fine.

    One that is being made flat is made no further.
    """

    path: str


class ObserveImage(Request, tag=True, frozen=True):
    """Say what a file below a storage root is, refusing anything but a self-contained image."""

    reply: ClassVar[type[Struct]] = ImageFacts
    path: str
    format: str


class FetchImage(Request, tag=True, frozen=True):
    """Bring an image to `path` on this host, check it, and say what it is. Sends progress in bytes.

    `url` is `file:///…` (below one of `allowed_folders`, or with `from_storage` a storage root, where there are other
    accounts' volumes and images, too) or `http(s)://…`. With a
    `source_format` that is what is there, and a qcow2 image is made of it. Refused as `storage.full` where it
    would leave less than `reserved_bytes` free.
    """

    reply: ClassVar[type[Struct]] = ImageFacts
    image_uuid: str
    url: str
    path: str
    format: str
    allowed_folders: list[str] = []
    from_storage: bool = False
    max_bytes: int = 1 << 40
    source_format: str = ""
    reserved_bytes: int = 0


class DefineDomain(Request, tag=True, frozen=True):
    """Make libvirt know the domain exactly as specified.

    Of one that runs the NICs and data volumes are plugged and unplugged and the CD-ROM is changed now;
    everything else is so from its next start on. Refused unless every NIC to plug is guarded, and when a guest
    does not let go of a NIC or volume within `unplug_seconds`. `boot_count` is where its count of reboots
    starts.
    """

    reply: ClassVar[type[Struct]] = DomainSeen
    spec: DomainSpec
    boot_count: int = 0
    unplug_seconds: float = 30.0


class StartDomain(Request, tag=True, frozen=True):
    """Power a defined domain on. Refused unless every NIC of it is guarded.

    With `boot_once` it boots from these this time; when its guest restarts it is powered off and on again, and
    boots from what its definition says.
    """

    reply: ClassVar[type[Struct]] = DomainSeen
    vm_uuid: str
    boot_once: list[Literal["hd", "cdrom"]] = []


class ShutdownDomain(Request, tag=True, frozen=True):
    """Ask the guest to power off (ACPI). The answer comes at once; an event tells when it did."""

    reply: ClassVar[type[Struct]] = DomainSeen
    vm_uuid: str


class DestroyDomain(Request, tag=True, frozen=True):
    """Power a domain off, now."""

    reply: ClassVar[type[Struct]] = DomainSeen
    vm_uuid: str


class RebootDomain(Request, tag=True, frozen=True):
    """Restart a guest: ACPI first, reset after `grace_seconds`. Counts up to `boot_count`, never past it."""

    reply: ClassVar[type[Struct]] = DomainSeen
    vm_uuid: str
    boot_count: int
    grace_seconds: float = 60.0


class UndefineDomain(Request, tag=True, frozen=True):
    """Make libvirt forget a domain that is off. Absent is fine."""

    reply: ClassVar[type[Struct]] = DomainSeen
    vm_uuid: str


class DropTraces(Request, tag=True, frozen=True):
    """Remove the logs, and whatever else is left here of a domain that libvirt has forgotten. Absent is fine.

    Refused as `domain.defined` while libvirt knows it.
    """

    vm_uuid: str


class ReadFetches(Request, tag=True, frozen=True):
    """Ask for the recorded metadata requests after a sequence number, at most 1,000."""

    reply: ClassVar[type[Struct]] = Fetches
    after: int


class ProbeAccelerator(Request, tag=True, frozen=True):
    """Decide KVM or TCG by starting a real guest and waiting for its kernel to print a line.

    `forced` skips the trial.
    """

    reply: ClassVar[type[Struct]] = ProbedAccelerator
    forced: Accelerator | None = None


AnyRequest = (
    Hello
    | Ping
    | ObserveHost
    | ObserveVm
    | EnsureStorage
    | DropStorage
    | EnsureBridge
    | ConfirmBridge
    | DropBridge
    | EnsureNetwork
    | DropNetwork
    | EnsureNic
    | DropNic
    | EnsureVolume
    | GrowVolume
    | EnsureOverlay
    | RebaseVolume
    | FlattenVolume
    | DropFile
    | ObserveImage
    | FetchImage
    | OfferLane
    | OpenLane
    | CopyFiles
    | AdoptFiles
    | CloseLane
    | LimitLane
    | MigrateDomain
    | BackUpVolumes
    | JoinBackups
    | DefineDomain
    | StartDomain
    | ShutdownDomain
    | DestroyDomain
    | RebootDomain
    | UndefineDomain
    | DropTraces
    | ObserveConsole
    | AdmitToConsole
    | OpenSerial
    | ReadSerialHistory
    | KeepSerialHistory
    | ReadFetches
    | ReadFigures
    | ProbeAccelerator
)
