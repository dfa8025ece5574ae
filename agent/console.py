"""A guest's screen: where the hypervisor listens for viewers, and the passwords that let them in.

A guarded console is started with a password that is past already, so that nobody gets in before one is given out. What
is given out is good for a time. VNC asks each viewer once, so there it is good once, too; SPICE asks for it again for
each of a viewer's channels.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol
from xml.etree import ElementTree as ET

from agent.libvirt_xml import parsed
from agent.protocol import AdmitToConsole, ConsoleSeen, DomainSeen, ObserveConsole
from agent.refused import Refused

PAST = datetime(1970, 1, 2, tzinfo=UTC)


@dataclass(frozen=True)
class Console:
    """Where a running domain's console listens, and whether it asks for a password."""

    protocol: str
    port: int
    guarded: bool


class ConsoleCalls(Protocol):
    """What consoles need of the hypervisor."""

    async def seen(self, vm_uuid: str) -> DomainSeen: ...
    async def xml(self, vm_uuid: str) -> str: ...
    async def admit(self, vm_uuid: str, password: str, until: datetime) -> DomainSeen: ...


class Consoles:
    """Carries out requests about the screens of guests."""

    def __init__(self, hypervisor: ConsoleCalls) -> None:
        self._hypervisor = hypervisor

    async def observe(self, request: ObserveConsole) -> ConsoleSeen:
        """Where a running domain's console really listens. Refused as `domain.off`."""
        return _seen(await self._console(request.vm_uuid), "")

    async def admit(self, request: AdmitToConsole) -> ConsoleSeen:
        """The same, with a password that is good from now on, and no other. Refused as `domain.off`."""
        console = await self._console(request.vm_uuid)
        if not console.guarded:
            return _seen(console, "")
        password = new_password()
        until = datetime.now(UTC) + timedelta(seconds=request.valid_seconds)
        await self._hypervisor.admit(request.vm_uuid, password, until)
        return _seen(console, password)

    async def _console(self, vm_uuid: str) -> Console:
        seen = await self._hypervisor.seen(vm_uuid)
        if not seen.defined:
            raise Refused("domain.missing", f"libvirt does not know VM {vm_uuid}; define it first")
        console = console_of(await self._hypervisor.xml(vm_uuid)) if seen.power != "off" else None
        if console is None:
            raise Refused("domain.off", f"VM {vm_uuid} has no console while it is off; start it")
        return console


def new_password() -> str:
    """Eight characters of 64: VNC takes no more."""
    return secrets.token_urlsafe(6)


def close_console(graphics: ET.Element) -> None:
    """Have a domain start with a console that nobody has a password for."""
    _set_password(graphics, new_password(), PAST)


def admitting_xml(xml: str, password: str, until: datetime) -> str:
    """The console of a running domain with another password, as libvirt's update of a device takes it.

    Raises `Refused` for a domain without a console.
    """
    graphics = parsed(xml).find("devices/graphics")
    if graphics is None:
        raise Refused("domain.no_console", "the domain has no console")
    _set_password(graphics, password, until)
    return ET.tostring(graphics, encoding="unicode")


def console_of(xml: str) -> Console | None:
    """The console of a running domain; None while it has no port."""
    for graphics in parsed(xml).iterfind("devices/graphics"):
        port = int(graphics.get("port", "-1"))
        if port > 0:
            # The password itself is told by no libvirt that is not asked for secrets.
            return Console(graphics.get("type", ""), port, guarded="passwdValidTo" in graphics.attrib)
    return None


def _set_password(graphics: ET.Element, password: str, until: datetime) -> None:
    graphics.set("passwd", password)
    graphics.set("passwdValidTo", f"{until:%Y-%m-%dT%H:%M:%S}")


def _seen(console: Console, password: str) -> ConsoleSeen:
    return ConsoleSeen(
        protocol="spice" if console.protocol == "spice" else "vnc", port=console.port, password=password
    )
