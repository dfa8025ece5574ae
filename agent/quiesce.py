"""Guests that hold their writes back while a snapshot is taken: waited for in seconds, and let go whatever happens.

libvirt waits without end for an agent that has answered before, so it is told how long first. A guest that is told to
freeze and says nothing in that time may do it when it wakes, and libvirt's own thaw never reaches it: so what a guest
is owed stands in its running domain, and ends with it, until a thaw was answered.
"""

from __future__ import annotations

from typing import Any

import libvirt

from agent.domain_xml import DiskPlug, guest_agent_answers, overlay_xml
from agent.libvirt_calls import domain_of, key_of, message_of

AGENT_SECONDS = 10
"""How long a guest's agent has for an answer."""

FROZEN_URI, FROZEN_PREFIX = "https://zstui.invalid/frozen", "zstuifrozen"

_AGENT_CODES = frozenset(
    {libvirt.VIR_ERR_AGENT_UNRESPONSIVE, libvirt.VIR_ERR_AGENT_UNSYNCED, libvirt.VIR_ERR_INTERNAL_ERROR,
     libvirt.VIR_ERR_OPERATION_UNSUPPORTED}
)  # fmt: skip
_SILENT_CODES = frozenset({libvirt.VIR_ERR_AGENT_UNRESPONSIVE, libvirt.VIR_ERR_AGENT_UNSYNCED})


def overlay(domain: Any, plug: DiskPlug, path: str) -> str:
    """Have a running domain write a volume to another file; why its guest did not hold its writes back, if so.

    A guest whose agent does not do as it is told is taken as it is: a disk after a power cut, no worse.
    """
    flags = (
        libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_DISK_ONLY
        | libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_NO_METADATA
        | libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_ATOMIC
        | libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_REUSE_EXT
    )
    xml = str(domain.XMLDesc(0))
    wanted = overlay_xml(xml, plug, path)
    why = _asleep(domain) if guest_agent_answers(xml) else "no guest agent answers"
    if not why:
        why = _quiesced(domain, wanted, flags | libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_QUIESCE)
    if why:
        domain.snapshotCreateXML(wanted, flags)
    return why


def frozen(connection: Any) -> list[str]:
    """The VMs whose guests may be frozen still."""
    running = connection.listAllDomains(libvirt.VIR_CONNECT_LIST_DOMAINS_ACTIVE)
    return [key_of(domain) for domain in running if _owed(domain)]


def thawed(connection: Any, vm_uuid: str) -> bool:
    """Thaw a guest that may be frozen; False when its agent does not do so yet."""
    try:
        domain = domain_of(connection, vm_uuid)
        if not domain.isActive() or not _owed(domain):
            return True
        domain.agentSetResponseTimeout(AGENT_SECONDS)
        domain.fsThaw()
    except libvirt.libvirtError as failed:
        if failed.get_error_code() in {libvirt.VIR_ERR_NO_DOMAIN, libvirt.VIR_ERR_OPERATION_INVALID}:
            return True  # it went off meanwhile
        if failed.get_error_code() in _AGENT_CODES:
            return False
        raise
    _owe(domain, None)
    return True


def _asleep(domain: Any) -> str:
    """Why a guest's agent does not answer now, if so. One that hangs is not told to freeze: it might, long after."""
    domain.agentSetResponseTimeout(AGENT_SECONDS)
    try:
        domain.getTime()
    except libvirt.libvirtError as failed:
        if failed.get_error_code() in _SILENT_CODES:
            return f"its guest agent does not answer: {message_of(failed)}"
        if failed.get_error_code() not in _AGENT_CODES:
            raise
    return ""  # to know no time is an answer, too


def _quiesced(domain: Any, wanted: str, flags: int) -> str:
    _owe(domain, f"<frozen xmlns='{FROZEN_URI}'/>")
    try:
        domain.snapshotCreateXML(wanted, flags)
    except libvirt.libvirtError as failed:
        if failed.get_error_code() not in _AGENT_CODES:
            raise
        return f"its guest agent did not hold the writes back: {message_of(failed)}"
    _owe(domain, None)
    return ""


def _owe(domain: Any, mark: str | None) -> None:
    kind, flags = libvirt.VIR_DOMAIN_METADATA_ELEMENT, libvirt.VIR_DOMAIN_AFFECT_LIVE
    domain.setMetadata(kind, mark, FROZEN_PREFIX, FROZEN_URI, flags)


def _owed(domain: Any) -> bool:
    kind, flags = libvirt.VIR_DOMAIN_METADATA_ELEMENT, libvirt.VIR_DOMAIN_AFFECT_LIVE
    try:
        return bool(domain.metadata(kind, FROZEN_URI, flags))
    except libvirt.libvirtError as failed:
        gone = {
            libvirt.VIR_ERR_NO_DOMAIN_METADATA,
            libvirt.VIR_ERR_NO_DOMAIN,
            libvirt.VIR_ERR_OPERATION_INVALID,
        }
        if failed.get_error_code() in gone:
            return False
        raise
