"""What runs in libvirt's threads: looking at domains, and turning libvirt's errors and states into ours."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import libvirt
import libvirt_qemu
from msgspec.structs import replace

from agent.domain_xml import (
    MARK_URI,
    MEMORY_SECONDS,
    Devices,
    DiskPlug,
    Mark,
    boot_of,
    boot_xml,
    cdrom_xml,
    dashed,
    devices_of,
    drive_alias,
    read_mark,
)
from agent.protocol import Cause, DomainSeen, Power, Used
from agent.refused import Refused

T = TypeVar("T")

KEEPALIVE_SECONDS, KEEPALIVE_MISSES = 5, 3
TRAY_TRIES = 5

CLOSED = {
    libvirt.VIR_CONNECT_CLOSE_REASON_EOF: "libvirtd ended",
    libvirt.VIR_CONNECT_CLOSE_REASON_KEEPALIVE: "libvirtd does not answer",
}
"""Why a connection to libvirt ended."""
_OFF_CAUSES: dict[int, Cause] = {
    libvirt.VIR_DOMAIN_SHUTOFF_UNKNOWN: "none",
    libvirt.VIR_DOMAIN_SHUTOFF_SHUTDOWN: "guest_shutdown",
    libvirt.VIR_DOMAIN_SHUTOFF_DESTROYED: "destroyed",
    libvirt.VIR_DOMAIN_SHUTOFF_CRASHED: "crashed",
    libvirt.VIR_DOMAIN_SHUTOFF_MIGRATED: "migrated",
    libvirt.VIR_DOMAIN_SHUTOFF_FAILED: "failed",
}
_ON_CAUSES: dict[int, Cause] = {
    libvirt.VIR_DOMAIN_RUNNING_BOOTED: "booted",
    libvirt.VIR_DOMAIN_RUNNING_MIGRATED: "migrated",
}
_STILL_CAUSES: dict[int, Cause] = {
    libvirt.VIR_DOMAIN_PAUSED_IOERROR: "io_error",
    libvirt.VIR_DOMAIN_PAUSED_USER: "suspended",
}
"""Why a guest stands still until somebody does something; libvirt pauses one for other ends, which pass."""
_LOST_CODES = frozenset({libvirt.VIR_ERR_RPC, libvirt.VIR_ERR_NO_CONNECT, libvirt.VIR_ERR_INVALID_CONN})
_BUSY_CODES = frozenset({libvirt.VIR_ERR_OPERATION_TIMEOUT, libvirt.VIR_ERR_RESOURCE_BUSY})


def with_own_connection(uri: str, act: Callable[[Any], T]) -> T:
    """Do something on a connection that nobody else waits on. Raises `Refused`."""
    try:
        connection = libvirt.open(uri)
    except libvirt.libvirtError as failed:
        raise unreachable(message_of(failed)) from failed
    try:
        connection.setKeepAlive(KEEPALIVE_SECONDS, KEEPALIVE_MISSES)
        return translated(act, connection)
    finally:
        connection.close()


def translated(act: Callable[[Any], T], connection: Any) -> T:
    """Run a call in its thread; libvirt's errors become ours here and nowhere else."""
    if connection is None:
        raise unreachable("there is no connection")
    try:
        return act(connection)
    except libvirt.libvirtError as failed:
        raise _refused(failed, connection) from failed


def _refused(failed: Any, connection: Any) -> Refused:
    code, message = failed.get_error_code(), message_of(failed)
    if code == libvirt.VIR_ERR_NO_DOMAIN:
        return Refused("domain.missing", f"{message}; define it first")
    if code in _LOST_CODES or "client socket is closed" in message or not _alive(connection):
        return unreachable(message)
    # EAGAIN from loading a control group's program under load passes by itself.
    busy = code in _BUSY_CODES or "Resource temporarily unavailable" in message
    return Refused("libvirt.busy" if busy else "libvirt.error", message, transient=busy)


def unreachable(why: str) -> Refused:
    """What everyone is told while there is no libvirt."""
    problem = f"libvirt on this host is not reachable: {why}; start libvirtd"
    return Refused("libvirt.unreachable", problem, transient=True)


def _alive(connection: Any) -> bool:
    try:
        return bool(connection.isAlive())
    except libvirt.libvirtError:
        return False


def message_of(failed: Any) -> str:
    """libvirt's own words for an error."""
    return str(failed.get_error_message() or failed)


def dotted(number: int) -> str:
    """A version as people write it, from libvirt's number."""
    return f"{number // 1_000_000}.{number // 1_000 % 1_000}.{number % 1_000}"


def key_of(domain: Any) -> str:
    """The VM uuid of a domain."""
    return str(domain.UUIDString()).replace("-", "")


def domain_of(connection: Any, vm_uuid: str) -> Any:
    """The domain of a VM. Raises `libvirtError` when there is none."""
    return connection.lookupByUUIDString(dashed(vm_uuid))


def see(connection: Any, vm_uuid: str) -> DomainSeen:
    """A domain as it is now. The clock is read first, so that nothing newer is thought older."""
    at = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    try:
        return _describe(domain_of(connection, vm_uuid), vm_uuid, at)
    except libvirt.libvirtError as failed:
        if failed.get_error_code() == libvirt.VIR_ERR_NO_DOMAIN:
            return DomainSeen(vm_uuid=vm_uuid, at=at)
        raise


def see_all(connection: Any) -> list[DomainSeen]:
    """Every domain as it is now."""
    found = []
    for domain in connection.listAllDomains():
        seen = see(connection, key_of(domain))
        if seen.defined:
            found.append(seen)
    return found


USED = (
    libvirt.VIR_DOMAIN_STATS_CPU_TOTAL
    | libvirt.VIR_DOMAIN_STATS_BALLOON
    | libvirt.VIR_DOMAIN_STATS_INTERFACE
    | libvirt.VIR_DOMAIN_STATS_BLOCK
)
MEMORY_OLD_SECONDS = 3 * MEMORY_SECONDS
"""A guest that was reset keeps QEMU's copy of what it said before, though it may say nothing any more."""

# One that is busy with another call is told of as far as that goes, and holds up nobody.
OF_THOSE_ON = (
    libvirt.VIR_CONNECT_GET_ALL_DOMAINS_STATS_ACTIVE | libvirt.VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT
)


def used_by_all(connection: Any) -> dict[str, Used]:
    """What each domain that is on has used so far, in one call; those that are busy are left out."""
    return {
        key_of(domain): _used(stats)
        for domain, stats in connection.getAllDomainStats(USED, OF_THOSE_ON)
        if _whole(stats)
    }


def _whole(stats: dict[str, int]) -> bool:
    """Whether a domain's totals are all there: those of disks are left out while it is busy."""
    return not stats.get("block.count") or any(name.endswith(".rd.bytes") for name in stats)


def _used(stats: dict[str, int]) -> Used:
    def total(group: str, name: str) -> int:
        return sum(stats.get(f"{group}.{place}.{name}", 0) for place in range(stats.get(f"{group}.count", 0)))

    return Used(
        cpu_ns=stats.get("cpu.time", 0),
        memory_bytes=_memory(stats) * 1024,
        disk_read_bytes=total("block", "rd.bytes"),
        disk_write_bytes=total("block", "wr.bytes"),
        # libvirt tells a guest's traffic from the guest's side.
        network_in_bytes=total("net", "rx.bytes"),
        network_out_bytes=total("net", "tx.bytes"),
    )


def _memory(stats: dict[str, int]) -> int:
    """KiB that a guest cannot give away at once, as its kernel says; 0 when it has not said so lately.

    What QEMU takes of the host's memory tells nothing: it holds what a guest has ever touched.
    """
    old = time.time() - stats.get("balloon.last-update", 0) > MEMORY_OLD_SECONDS
    # Kernels before 4.6 do not say what they could free.
    left = stats.get("balloon.usable", stats.get("balloon.unused"))
    total = stats.get("balloon.available")
    return 0 if old or left is None or total is None else max(0, total - left)


def pulling(connection: Any, vm_uuid: str, plug: DiskPlug) -> bool:
    """Whether a volume of a domain is still taking in what lies below it."""
    try:
        return bool(domain_of(connection, vm_uuid).blockJobInfo(plug.target))
    except libvirt.libvirtError as failed:
        if failed.get_error_code() in (libvirt.VIR_ERR_NO_DOMAIN, libvirt.VIR_ERR_OPERATION_INVALID):
            return False  # it went off meanwhile, and its job with it
        raise


def change_medium(domain: Any, iso: str) -> None:
    """Put a file into the CD-ROM drive of a running domain, or nothing; its guest's lock on the tray is broken.

    When a guest's firmware resets the drive, QEMU closes the tray without a word: libvirt believes it open and can
    never again change the medium. Opened past libvirt, the tray is as both of them think.
    """
    flags = libvirt.VIR_DOMAIN_AFFECT_LIVE | libvirt.VIR_DOMAIN_DEVICE_MODIFY_FORCE
    for tries_left in reversed(range(TRAY_TRIES)):
        try:
            domain.updateDeviceFlags(cdrom_xml(iso), flags)
            return
        except libvirt.libvirtError as failed:
            if not tries_left or "Tray of" not in message_of(failed):
                raise
            drive = {"id": drive_alias(domain.XMLDesc(0)), "force": True}
            wanted = json.dumps({"execute": "blockdev-open-tray", "arguments": drive})
            libvirt_qemu.qemuMonitorCommand(
                domain, wanted, libvirt_qemu.VIR_DOMAIN_QEMU_MONITOR_COMMAND_DEFAULT
            )


def tell_qemu(domain: Any, command: str, **arguments: object) -> Any:
    """What QEMU returns, told past libvirt; None where the job that it is about has ended meanwhile.

    Raises `Refused` for what QEMU would not do.
    """
    asked = json.dumps({"execute": command, "arguments": arguments})
    said = json.loads(libvirt_qemu.qemuMonitorCommand(domain, asked, 0))
    wrong = said.get("error")
    if wrong is not None and wrong["class"] != "DeviceNotActive":
        raise Refused("qemu.refused", f"QEMU does not do {command}: {wrong['desc']}")
    return said.get("return")


def devices_now(connection: Any, vm_uuid: str) -> Devices | None:
    """What can be changed of a domain that is on; None of one that is off or unknown."""
    try:
        domain = domain_of(connection, vm_uuid)
        return devices_of(domain.XMLDesc(0)) if domain.isActive() else None
    except libvirt.libvirtError as failed:
        if failed.get_error_code() == libvirt.VIR_ERR_NO_DOMAIN:
            return None
        raise


def start_once(connection: Any, vm_uuid: str, order: Sequence[str]) -> None:
    """Start a domain from other devices than its definition says, which stays as it is."""
    domain = domain_of(connection, vm_uuid)
    defined = domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE | libvirt.VIR_DOMAIN_XML_SECURE)
    # Killed in between this leaves a definition without a mark, which is made anew before the next start.
    connection.defineXML(boot_xml(defined, order))
    try:
        domain.create()
    finally:
        connection.defineXML(defined)


def cycle_if_once(connection: Any, vm_uuid: str) -> None:
    """Power a domain off and on that was started from other devices than its definition says."""
    domain = domain_of(connection, vm_uuid)
    defined = domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)
    if domain.isActive() and boot_of(domain.XMLDesc(0)) != boot_of(defined):
        domain.destroy()
        domain.create()


def reset_and_run(domain: Any) -> None:
    """Reset a domain, and have it run: QEMU leaves one that stood still as it was."""
    state, _ = domain.state()
    if state == libvirt.VIR_DOMAIN_PMSUSPENDED:
        domain.pMWakeup()  # libvirt resumes none that sleeps
    domain.reset()
    if state == libvirt.VIR_DOMAIN_PAUSED:
        domain.resume()


def _describe(domain: Any, vm_uuid: str, at: int) -> DomainSeen:
    state, reason = domain.state()
    power, cause = power_of(state, reason)
    seen = DomainSeen(vm_uuid=vm_uuid, at=at, defined=True, power=power, cause=cause)
    mark = mark_of(domain)
    return seen if mark is None else replace(seen, digest=mark.digest, boot_count=mark.boot_count)


def mark_of(domain: Any) -> Mark | None:
    """What we wrote into a domain; None for one that is not ours."""
    try:
        return read_mark(domain.metadata(libvirt.VIR_DOMAIN_METADATA_ELEMENT, MARK_URI))
    except libvirt.libvirtError as failed:
        if failed.get_error_code() == libvirt.VIR_ERR_NO_DOMAIN_METADATA:
            return None
        raise


def power_of(state: int, reason: int) -> tuple[Power, Cause]:
    if state == libvirt.VIR_DOMAIN_SHUTOFF:
        return "off", _OFF_CAUSES.get(reason, "unknown")
    if state == libvirt.VIR_DOMAIN_CRASHED:
        return "off", "crashed"
    # A domain is paused for a moment while it starts; that is no state of its own, and its cause is known.
    if (state, reason) == (libvirt.VIR_DOMAIN_PAUSED, libvirt.VIR_DOMAIN_PAUSED_STARTING_UP):
        return "on", "booted"
    if state == libvirt.VIR_DOMAIN_PAUSED:
        return "paused", _STILL_CAUSES.get(reason, "none")
    if state == libvirt.VIR_DOMAIN_PMSUSPENDED:
        return "paused", "suspended"
    return "on", _ON_CAUSES.get(reason, "none")
