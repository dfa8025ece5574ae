"""What libvirt is asked about the consoles of domains that run."""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Any

import libvirt

from agent.console import PAST, admitting_xml, console_of, new_password
from agent.hypervisor_backup import HypervisorBackups
from agent.protocol import DomainSeen
from agent.refused import Refused

log = logging.getLogger(__name__)


class HypervisorConsoles(HypervisorBackups):
    """The screens of domains."""

    async def admit(self, vm_uuid: str, password: str, until: datetime) -> DomainSeen:
        """Have a running domain's console take this password, and no other, until then."""
        return await self._act(vm_uuid, lambda domain: _admit(domain, password, until))

    async def admit_nobody_else(self, vm_uuid: str) -> None:
        """Forget the password of a VNC console, since a viewer has used it."""

        def act(domain: Any) -> None:
            console = console_of(domain.XMLDesc(0)) if domain.isActive() else None
            if console is not None and console.guarded and console.protocol == "vnc":
                _admit(domain, new_password(), PAST)

        try:
            await self._act(vm_uuid, act)
        except Refused as refused:
            log.warning("could not take back the console password of %s: %s", vm_uuid, refused)


def _admit(domain: Any, password: str, until: datetime) -> None:
    domain.updateDeviceFlags(
        admitting_xml(domain.XMLDesc(0), password, until), libvirt.VIR_DOMAIN_AFFECT_LIVE
    )
