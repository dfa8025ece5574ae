"""Which request is answered by which function."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, Protocol, TypeVar

from agent.accelerator import AcceleratorProbe
from agent.backup import Backups
from agent.console import ConsoleCalls, Consoles
from agent.domain import Domains
from agent.download import Downloads
from agent.facts import host_facts, qemu_version
from agent.figures import FigureReader
from agent.flatten import Flattenings
from agent.image import observe_image
from agent.lane import Lanes
from agent.lane_copy import LaneCopies
from agent.migrate import Migrations
from agent.ports import BridgesPort, NetworksPort, NicsPort
from agent.protocol import (
    AdmitToConsole,
    AdoptFiles,
    AnyRequest,
    BackUpVolumes,
    CloseLane,
    ConfirmBridge,
    CopyFiles,
    DefineDomain,
    DestroyDomain,
    DomainSeen,
    Done,
    DropBridge,
    DropFile,
    DropNetwork,
    DropNic,
    DropStorage,
    DropTraces,
    EnsureBridge,
    EnsureNetwork,
    EnsureNic,
    EnsureOverlay,
    EnsureStorage,
    EnsureVolume,
    Fetches,
    FetchImage,
    FlattenVolume,
    GrowVolume,
    Hello,
    HostFacts,
    HostSeen,
    JoinBackups,
    KeepSerialHistory,
    LimitLane,
    MigrateDomain,
    ObserveConsole,
    ObserveHost,
    ObserveImage,
    ObserveVm,
    OfferLane,
    OpenLane,
    OpenSerial,
    Ping,
    ProbeAccelerator,
    ProgressTo,
    ReadFetches,
    ReadFigures,
    ReadSerialHistory,
    RebaseVolume,
    RebootDomain,
    Request,
    ShutdownDomain,
    StartDomain,
    Struct,
    UndefineDomain,
    Used,
    VmSeen,
)
from agent.refused import Refused
from agent.serial import Serials
from agent.snapshot import Overlays
from agent.storage import StorageRoots
from agent.volume import Volumes

R = TypeVar("R", bound=Request)
Answering = Callable[[Any, ProgressTo], Awaitable[Struct]]

MAX_FETCHES = 1_000
HELLO_SECONDS = 2.0


class HypervisorCalls(ConsoleCalls, Protocol):
    """What requests about the whole host need of the hypervisor."""

    async def scan(self) -> list[DomainSeen]: ...
    async def version(self) -> str: ...
    async def used(self) -> dict[str, Used]: ...


class HostVerbs:
    """Every request and what answers it: a table, made once."""

    def __init__(
        self,
        bridges: BridgesPort,
        networks: NetworksPort,
        nics: NicsPort,
        *,
        storage: StorageRoots,
        volumes: Volumes,
        overlays: Overlays,
        downloads: Downloads,
        backups: Backups,
        lanes: Lanes,
        hypervisor: HypervisorCalls,
        domains: Domains,
        migrations: Migrations,
        serials: Serials,
        accelerator: AcceleratorProbe,
    ) -> None:
        self._bridges = bridges
        self._networks = networks
        self._nics = nics
        self._storage = storage
        self._volumes = volumes
        self._overlays = overlays
        self._hypervisor = hypervisor
        self._domains = domains
        self._accelerator = accelerator
        self.table: dict[type[Request], Answering] = dict(
            [
                _says(Hello, lambda _: self._facts()),
                _does(Ping, _nothing),
                _says(ObserveHost, lambda _: self.observe_host()),
                _says(ObserveVm, self._observe_vm),
                _says(EnsureStorage, _in_thread(storage.ensure)),
                _does(DropStorage, _in_thread(storage.drop)),
                _does(EnsureBridge, bridges.ensure),
                _does(ConfirmBridge, bridges.confirm),
                _does(DropBridge, bridges.drop),
                _does(EnsureNetwork, networks.ensure),
                _does(DropNetwork, networks.drop),
                _does(EnsureNic, nics.ensure),
                _does(DropNic, nics.drop),
                _does(EnsureVolume, volumes.ensure),
                *_under_guests(volumes, overlays, domains),
                *_files(storage, downloads, backups),
                *_between_hosts(lanes, LaneCopies(lanes, storage), migrations),
                *_of_guests(domains, Consoles(hypervisor), serials),
                _says(ReadFetches, self._read_fetches),
                _says(ReadFigures, FigureReader(hypervisor).read),
                _says(ProbeAccelerator, accelerator.probe),
            ]
        )

    def answer(self, request: AnyRequest, progress: ProgressTo) -> Awaitable[Struct]:
        """The reply to a request. Raises `Refused`."""
        return self.table[type(request)](request, progress)

    async def observe_host(self) -> HostSeen:
        """Everything on this host. Raises `Refused` while libvirt is not reachable."""
        at = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        domains = await self._hypervisor.scan()
        return HostSeen(
            at=at,
            domains=domains,
            bridges=self._bridges.digests(),
            networks=self._networks.digests(),
            nics=self._nics.digests(),
            storage=await asyncio.to_thread(self._storage.capacities),
        )

    async def _observe_vm(self, request: ObserveVm) -> VmSeen:
        devices = await self._domains.devices(request.vm_uuid)
        domain = await self._domains.observe(request.vm_uuid)
        volumes, cached, backings, taken = await asyncio.to_thread(self._files, request)
        return VmSeen(
            domain=domain,
            volumes=volumes,
            cached=cached,
            bridges=self._bridges.digests(),
            networks=self._networks.digests(),
            nics=self._nics.digests(),
            plugged=sorted(plug.device for plug in devices.nics) if devices else None,
            disks=sorted(plug.serial for plug in devices.disks) if devices else None,
            iso=devices.iso if devices else None,
            backings=backings,
            taken=taken,
            writes=devices.writes if devices else {},
            traces=await self._domains.leaves(domain),
        )

    def _files(self, request: ObserveVm) -> tuple[dict[str, int], list[str], dict[str, str], dict[str, int]]:
        paths = request.volume_paths
        volumes, cached = self._volumes.sizes(paths), self._volumes.complete(request.cache_paths)
        return volumes, cached, self._overlays.backings(paths), self._volumes.taken(paths)

    async def _facts(self) -> HostFacts:
        async with asyncio.TaskGroup() as group:
            asked = [
                group.create_task(_if_in_time(version))
                for version in (
                    self._hypervisor.version(),
                    qemu_version("qemu-system-x86_64"),
                    qemu_version("qemu-img"),
                )
            ]
        libvirt, qemu, qemu_img = (task.result() for task in asked)
        return host_facts(libvirt, qemu, qemu_img, self._accelerator.known())

    async def _read_fetches(self, request: ReadFetches) -> Fetches:
        return Fetches(fetches=self._nics.fetches_after(request.after)[:MAX_FETCHES])


def _under_guests(
    volumes: Volumes, overlays: Overlays, domains: Domains
) -> list[tuple[type[Request], Answering]]:
    """What is done to a volume's files under its guest, if it has one that runs."""
    return [
        _does(GrowVolume, lambda request: volumes.grow(request, domains.grow)),
        _says(EnsureOverlay, lambda request: overlays.ensure(request, domains.overlay)),
        _does(RebaseVolume, lambda request: overlays.rebase(request, domains.rebase)),
    ]


def _of_guests(
    domains: Domains, consoles: Consoles, serials: Serials
) -> list[tuple[type[Request], Answering]]:
    """What becomes of a guest as a whole."""
    return [
        _says(DefineDomain, domains.define),
        _says(StartDomain, domains.start),
        _says(ShutdownDomain, domains.shutdown),
        _says(DestroyDomain, domains.destroy),
        _says(RebootDomain, domains.reboot),
        _says(UndefineDomain, domains.undefine),
        _does(DropTraces, domains.drop_traces),
        _says(ObserveConsole, consoles.observe),
        _says(AdmitToConsole, consoles.admit),
        _says(OpenSerial, serials.open),
        _says(ReadSerialHistory, domains.serial_history),
        _does(KeepSerialHistory, domains.keep_serial_history),
    ]


def _files(
    storage: StorageRoots, downloads: Downloads, backups: Backups
) -> list[tuple[type[Request], Answering]]:
    """Files that come and go whole."""
    flattenings = Flattenings(storage)
    return [
        (FlattenVolume, flattenings.flatten),
        _does(DropFile, flattenings.drop),
        _says(ObserveImage, lambda request: observe_image(storage, request)),
        (FetchImage, downloads.fetch),
        (BackUpVolumes, backups.back_up),
        _does(JoinBackups, backups.join),
    ]


def _between_hosts(
    lanes: Lanes, copies: LaneCopies, migrations: Migrations
) -> list[tuple[type[Request], Answering]]:
    """What goes from this host to another, or comes from one.

    Each lane is opened and closed by `migrations`, also one for volumes alone: those have no domain that comes or goes.
    """

    async def limit(request: LimitLane) -> None:
        copies.limit(request)
        migrations.limit(request)

    return [
        _says(OfferLane, lanes.offer),
        _does(OpenLane, migrations.open),
        (CopyFiles, copies.copy),
        _does(AdoptFiles, copies.adopt),
        _does(LimitLane, limit),
        _does(CloseLane, migrations.close),
        (MigrateDomain, migrations.migrate),
    ]


async def _if_in_time(version: Awaitable[str]) -> str:
    """A version, or nothing: a host whose libvirt is down or slow is still a host, and Hello cannot wait."""
    try:
        async with asyncio.timeout(HELLO_SECONDS):
            return await version
    except (Refused, TimeoutError):
        return ""


async def _nothing(_: Ping) -> None:
    return


def _says(kind: type[R], act: Callable[[R], Awaitable[Struct]]) -> tuple[type[Request], Answering]:
    """A request answered by what its function returns."""
    return kind, lambda request, _: act(request)


def _does(kind: type[R], act: Callable[[R], Awaitable[object]]) -> tuple[type[Request], Answering]:
    """A request answered by `Done` once its function has returned."""

    async def answer(request: R, _: ProgressTo) -> Struct:
        await act(request)
        return Done()

    return kind, answer


def _in_thread(act: Callable[[R], Any]) -> Callable[[R], Awaitable[Any]]:
    """A function that waits for a disk, which may be slow or gone."""
    return lambda request: asyncio.to_thread(act, request)
