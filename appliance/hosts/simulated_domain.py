"""A domain of a simulated host, and what its guest does about its NICs."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from agent.protocol import Cause
from appliance.hosts.simulated_agent import SimulatedRefusal


@dataclass
class Domain:
    """A simulated domain."""

    digest: str
    boot_count: int
    nics: dict[str, str]
    """Tap to NIC uuid."""
    power: str = "off"
    cause: Cause = "none"
    starts: int = 0
    clinging: bool = False
    """Its guest lets go of no NIC."""
    full: bool = False
    """It has no place for one more NIC."""

    def check_plugs(self, nics: Mapping[str, str], guarded: Collection[str]) -> None:
        """Refuse to change the NICs of a running domain to these as the agent would."""
        more, less = nics.keys() - self.nics.keys(), self.nics.keys() - nics.keys()
        for device in sorted(more):
            if nics[device] not in guarded:
                raise SimulatedRefusal("nic.unguarded", f"{device} has no guard")
        if self.clinging and less:
            raise SimulatedRefusal("nic.in_use", "the guest did not let go of its NIC")
        if self.full and more:
            raise SimulatedRefusal("libvirt.error", "No more available PCI slots")


def plugged(domain: Domain | None) -> list[str] | None:
    """The taps that a domain has now; None while it is off or unknown."""
    return sorted(domain.nics) if domain is not None and domain.power == "on" else None
