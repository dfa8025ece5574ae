"""The connection to libvirt: its calls, its events, its loss and return."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar
from weakref import WeakValueDictionary

import libvirt

from agent.domain_xml import (
    MARK_PREFIX,
    MARK_URI,
    Devices,
    Mark,
    Plug,
    mark_xml,
    plugged_xml,
)
from agent.hypervisor_console import HypervisorConsoles
from agent.libvirt_calls import (
    CLOSED,
    KEEPALIVE_MISSES,
    KEEPALIVE_SECONDS,
    change_medium,
    cycle_if_once,
    devices_now,
    domain_of,
    dotted,
    key_of,
    mark_of,
    message_of,
    reset_and_run,
    see,
    see_all,
    start_once,
    translated,
    unreachable,
    used_by_all,
    with_own_connection,
)
from agent.libvirt_events import run_event_loop
from agent.ports import Emit
from agent.protocol import (
    DomainChanged,
    DomainSeen,
    HostSeen,
    HypervisorBack,
    HypervisorLost,
    Used,
)
from agent.refused import Refused

log = logging.getLogger(__name__)

T = TypeVar("T")

URI = "qemu:///system"
CALL_SECONDS = 30.0
START_SECONDS = 120.0
RETRY_SECONDS = 1.0
THREADS = 16


class Hypervisor(HypervisorConsoles):
    """Questions go over one connection, from one thread; what a guest may delay has a connection of its own.

    Threads that share a connection stall each other: the client library of libvirt 9 loses wake-ups
    while one of them waits for a guest that hangs. Opening one takes less than a millisecond.
    Events cross into asyncio in one line each and become observations: what is emitted is what libvirt
    says when asked, not what an event implied.
    """

    def __init__(self, emit: Emit, uri: str = URI) -> None:
        super().__init__()
        self._emit = emit
        self.uri = uri
        self._loop = asyncio.get_running_loop()
        self._asking = ThreadPoolExecutor(1, thread_name_prefix="libvirt-ask")
        self._acting = ThreadPoolExecutor(THREADS, thread_name_prefix="libvirt-act")
        self._connection: Any = None
        self._lost: asyncio.Future[str] | None = None
        self._tried = asyncio.Event()
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._dirty: set[str] = set()
        self._reporting: set[str] = set()
        self._rebooted: dict[str, asyncio.Event] = {}
        self._cycles: dict[str, asyncio.Task[None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self.scan_host: Callable[[], Awaitable[HostSeen]] | None = None
        """What `HypervisorBack` carries."""

    def start(self) -> None:
        """Connect, and stay connected."""
        run_event_loop()
        self._own(self._keep_connected())

    def stop(self) -> None:
        """Let go. Calls in flight end by themselves; nothing waits for them."""
        for task in self._tasks:
            task.cancel()
        for threads in (self._asking, self._acting):
            threads.shutdown(wait=False, cancel_futures=True)

    async def version(self) -> str:
        """The version of libvirt. Never asks for QEMU's, which makes libvirtd start several of them first."""
        return await self._ask(lambda connection: dotted(connection.getLibVersion()))

    async def seen(self, vm_uuid: str) -> DomainSeen:
        """One domain as it is now; an unknown one is not `defined`."""
        await self._cycled(vm_uuid)
        return await self._ask(lambda connection: see(connection, vm_uuid))

    async def scan(self) -> list[DomainSeen]:
        """Every domain as it is now."""
        await self._cycled(*self._cycles)
        return await self._ask(see_all)

    async def used(self) -> dict[str, Used]:
        """What each domain that is on has used so far. It takes milliseconds a guest, for which nobody else waits."""
        return await self._apart("the figures of all guests", used_by_all)

    async def _cycled(self, *vm_uuids: str) -> None:
        """Nobody is to see that a guest which restarts is off for a moment."""
        cycles = [self._cycles[vm_uuid] for vm_uuid in vm_uuids if vm_uuid in self._cycles]
        if cycles:
            await asyncio.wait(cycles, timeout=CALL_SECONDS)

    async def define(self, vm_uuid: str, xml: str) -> DomainSeen:
        """Make libvirt know a domain by this XML."""

        def act(connection: Any) -> DomainSeen:
            connection.defineXML(xml)
            return see(connection, vm_uuid)

        return await self._apart(vm_uuid, act)

    async def power_on(self, vm_uuid: str) -> DomainSeen:
        """Start a domain."""
        return await self._act(vm_uuid, lambda domain: domain.create(), START_SECONDS)

    async def power_on_once(self, vm_uuid: str, order: Sequence[str]) -> DomainSeen:
        """Start a domain from other devices than its definition says, until its guest restarts."""

        def act(connection: Any) -> DomainSeen:
            start_once(connection, vm_uuid, order)
            return see(connection, vm_uuid)

        return await self._apart(vm_uuid, act, START_SECONDS)

    async def power_off(self, vm_uuid: str) -> DomainSeen:
        """Stop a domain without asking its guest."""
        return await self._act(vm_uuid, lambda domain: domain.destroy(), START_SECONDS)

    async def ask_power_off(self, vm_uuid: str) -> DomainSeen:
        """Press the power button."""
        flags = libvirt.VIR_DOMAIN_SHUTDOWN_ACPI_POWER_BTN
        return await self._act(vm_uuid, lambda domain: domain.shutdownFlags(flags))

    async def undefine(self, vm_uuid: str) -> DomainSeen:
        """Make libvirt forget a domain, with whatever it kept for it."""
        flags = (
            libvirt.VIR_DOMAIN_UNDEFINE_MANAGED_SAVE
            | libvirt.VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA
            | libvirt.VIR_DOMAIN_UNDEFINE_CHECKPOINTS_METADATA
            | libvirt.VIR_DOMAIN_UNDEFINE_NVRAM
        )
        return await self._act(vm_uuid, lambda domain: domain.undefineFlags(flags))

    async def restart(self, vm_uuid: str, grace_seconds: float) -> None:
        """Restart a guest: by ACPI, and by reset when it did not within its grace."""
        rebooted = self._rebooted.setdefault(vm_uuid, asyncio.Event())
        rebooted.clear()
        try:
            flags = libvirt.VIR_DOMAIN_REBOOT_ACPI_POWER_BTN
            await self._act(vm_uuid, lambda domain: domain.reboot(flags))
            async with asyncio.timeout(grace_seconds):
                await rebooted.wait()
        except TimeoutError:
            await self.reset(vm_uuid)
        finally:
            self._rebooted.pop(vm_uuid, None)

    async def reset(self, vm_uuid: str) -> DomainSeen:
        """Reset a domain without asking its guest; it runs after that, also where it stood still."""
        return await self._act(vm_uuid, reset_and_run)

    async def mark(self, vm_uuid: str, mark: Mark) -> DomainSeen:
        """Replace a domain's mark, for now and for its next start."""
        kind = libvirt.VIR_DOMAIN_METADATA_ELEMENT

        def act(domain: Any) -> None:
            flags = libvirt.VIR_DOMAIN_AFFECT_CONFIG
            if domain.isActive():
                flags |= libvirt.VIR_DOMAIN_AFFECT_LIVE
            domain.setMetadata(kind, mark_xml(mark), MARK_PREFIX, MARK_URI, flags)

        return await self._act(vm_uuid, act)

    async def mark_of(self, vm_uuid: str) -> Mark | None:
        """A domain's mark; None where it has none. Raises `Refused` for an unknown domain."""
        return await self._ask(lambda connection: mark_of(domain_of(connection, vm_uuid)))

    async def xml(self, vm_uuid: str) -> str:
        """A domain's XML as it runs, or as it would start."""
        return await self._apart(vm_uuid, lambda connection: str(domain_of(connection, vm_uuid).XMLDesc(0)))

    async def devices(self, vm_uuid: str) -> Devices | None:
        """What can be changed of a domain that is on; None of one that is off or unknown."""
        return await self._ask(lambda connection: devices_now(connection, vm_uuid))

    async def plug(self, vm_uuid: str, xml: str) -> DomainSeen:
        """Give a running domain one more device; its definition stays."""
        flags = libvirt.VIR_DOMAIN_AFFECT_LIVE
        return await self._act(vm_uuid, lambda domain: domain.attachDeviceFlags(xml, flags))

    async def ask_unplug(self, vm_uuid: str, plug: Plug) -> DomainSeen:
        """Ask the guest of a running domain to let go of a NIC; libvirt waits for some seconds that it does."""

        def act(domain: Any) -> None:
            xml = plugged_xml(domain.XMLDesc(0), plug)
            if xml is not None:
                domain.detachDeviceFlags(xml, libvirt.VIR_DOMAIN_AFFECT_LIVE)

        return await self._act(vm_uuid, act)

    async def insert(self, vm_uuid: str, iso: str) -> DomainSeen:
        """Put a file into the CD-ROM drive of a running domain, or nothing."""
        return await self._act(vm_uuid, lambda domain: change_medium(domain, iso))

    async def _act(
        self, vm_uuid: str, act: Callable[[Any], object], timeout_seconds: float = CALL_SECONDS
    ) -> DomainSeen:
        def both(connection: Any) -> DomainSeen:
            act(domain_of(connection, vm_uuid))
            return see(connection, vm_uuid)

        return await self._apart(vm_uuid, both, timeout_seconds)

    async def _ask(self, question: Callable[[Any], T]) -> T:
        """Ask what no guest can delay, on the one connection."""

        async def run() -> T:
            await self._tried.wait()
            running = self._loop.run_in_executor(self._asking, translated, question, self._connection)
            return await asyncio.shield(running)

        return await _in_time("the host", run(), CALL_SECONDS)

    async def _apart(self, vm_uuid: str, act: Callable[[Any], T], timeout_seconds: float = CALL_SECONDS) -> T:
        """Do what a guest may delay; a second act on the same guest waits, so that it holds one thread."""
        lock = self._locks.setdefault(vm_uuid, asyncio.Lock())

        async def run() -> T:
            await self._tried.wait()
            await lock.acquire()
            if self._connection is None:
                lock.release()
                raise unreachable("there is no connection")
            running = self._loop.run_in_executor(self._acting, with_own_connection, self.uri, act)
            running.add_done_callback(partial(_release, lock))
            return await asyncio.shield(running)

        return await _in_time(vm_uuid, run(), timeout_seconds)

    async def _keep_connected(self) -> None:
        reported: str | None = None
        while True:
            # Before connecting: the connection may be lost again before its opening is heard of here.
            self._lost = self._loop.create_future()
            try:
                connection = await asyncio.shield(self._loop.run_in_executor(self._acting, self._connect))
            except libvirt.libvirtError as refused:
                if reported is None:
                    reported = message_of(refused)
                    log.warning("libvirt is not reachable: %s", reported)
                self._tried.set()
                await asyncio.sleep(RETRY_SECONDS)
                continue
            self._connection = connection
            self._tried.set()
            log.info("connected to libvirt")
            self._own(self._say_back())
            self.let_go()
            reported = await self._lost
            self._connection = None
            log.warning("lost the connection to libvirt: %s", reported)
            self._emit(HypervisorLost(reason=reported))
            await asyncio.sleep(RETRY_SECONDS)

    async def _say_back(self) -> None:
        if self.scan_host is None:
            return
        try:
            seen = await self.scan_host()
            self._emit(HypervisorBack(seen=seen, libvirt_version=await self.version()))
        except Refused as refused:
            log.warning("the scan after connecting failed: %s", refused)

    def _connect(self) -> Any:
        """Open and register, in a thread; events may come before this returns, and wait for the loop."""
        connection = libvirt.open(self.uri)
        connection.registerCloseCallback(lambda _, reason, __: self._cross(self._on_closed, reason), None)
        for kind, hear in (
            (libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE, self._on_event),
            (libvirt.VIR_DOMAIN_EVENT_ID_REBOOT, self._on_reboot),
            (libvirt.VIR_DOMAIN_EVENT_ID_DEVICE_REMOVED, self._on_removed),
            (libvirt.VIR_DOMAIN_EVENT_ID_GRAPHICS, self._on_viewer),
        ):
            connection.domainEventRegisterAny(None, kind, partial(self._hear, hear), None)
        connection.setKeepAlive(KEEPALIVE_SECONDS, KEEPALIVE_MISSES)
        return connection

    def _hear(self, hear: Callable[..., None], _: Any, domain: Any, *rest: Any) -> None:
        self._cross(hear, key_of(domain), *rest)

    def _cross(self, hear: Callable[..., None], *rest: Any) -> None:
        """From libvirt's thread to the loop, which may have ended while libvirt's goes on."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(hear, *rest)

    def _on_closed(self, reason: int) -> None:
        if self._lost is not None and not self._lost.done():
            self._lost.set_result(CLOSED.get(reason, "the connection broke"))

    def _on_viewer(self, vm_uuid: str, phase: int, *_: Any) -> None:
        if phase == libvirt.VIR_DOMAIN_EVENT_GRAPHICS_INITIALIZE:
            self._own(self.admit_nobody_else(vm_uuid))

    def _on_event(self, vm_uuid: str, event: int, *_: Any) -> None:
        # A guest that is shutting down is still on; STOPPED follows in a fifth of a second.
        if event == libvirt.VIR_DOMAIN_EVENT_SHUTDOWN:
            return
        self._look_again(vm_uuid)

    def _on_removed(self, vm_uuid: str, *_: Any) -> None:
        # A guest may let go of a device long after it was asked to.
        self._look_again(vm_uuid)

    def _look_again(self, vm_uuid: str) -> None:
        self._dirty.add(vm_uuid)
        if vm_uuid not in self._reporting:
            self._reporting.add(vm_uuid)
            self._own(self._report(vm_uuid))

    def _on_reboot(self, vm_uuid: str, *_: Any) -> None:
        if (waited_for := self._rebooted.get(vm_uuid)) is not None:
            waited_for.set()
        self._cycles[vm_uuid] = self._own(self._cycle(vm_uuid))

    async def _cycle(self, vm_uuid: str) -> None:
        """A guest that was booted once from elsewhere restarts: only a new start makes its definition count."""
        try:
            await self._apart(vm_uuid, lambda connection: cycle_if_once(connection, vm_uuid), START_SECONDS)
        except Refused as refused:
            log.warning("could not restart %s from its own devices: %s", vm_uuid, refused)
        finally:
            self._cycles.pop(vm_uuid, None)

    async def _report(self, vm_uuid: str) -> None:
        """Emit what a domain is, once for all events that came meanwhile."""
        try:
            while vm_uuid in self._dirty:
                self._dirty.discard(vm_uuid)
                self._emit(DomainChanged(seen=await self.seen(vm_uuid)))
        except Refused as refused:
            # The scan after the next connect, and the appliance's own scans, repair this.
            log.info("could not look at %s after its event: %s", vm_uuid, refused)
        finally:
            self._reporting.discard(vm_uuid)

    def _own(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


async def _in_time(subject: str, work: Awaitable[T], timeout_seconds: float) -> T:
    try:
        async with asyncio.timeout(timeout_seconds):
            return await work
    except TimeoutError as slow:
        raise Refused(
            "libvirt.slow",
            f"libvirt did not answer about {subject} within {timeout_seconds:g} s; "
            "look at libvirtd and at the guest's QEMU",
            transient=True,
        ) from slow


def _release(lock: asyncio.Lock, ended: asyncio.Future[Any]) -> None:
    """The thread is free again, whether or not anybody still waits for its outcome."""
    lock.release()
    if not ended.cancelled():
        ended.exception()
