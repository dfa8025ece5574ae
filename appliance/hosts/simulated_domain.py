"""A domain of a simulated host, and what its guest does about its NICs and volumes."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Literal

from agent.protocol import Cause, DomainSpec
from appliance.hosts.simulated_agent import SimulatedRefusal
from appliance.hosts.simulated_console import SimulatedConsole


@dataclass
class Domain:
    """A simulated domain."""

    digest: str
    boot_count: int
    nics: dict[str, str]
    """Tap to NIC uuid."""
    console: Literal["vnc", "spice"] = "vnc"
    console_guarded: bool = False
    console_password: str = ""
    """What its console takes now, once."""
    power: str = "off"
    cause: Cause = "none"
    still: bool = False
    """It is on, and its guest stands still for that cause."""
    starts: int = 0
    clinging: bool = False
    """Its guest lets go of no NIC and no volume."""
    full: bool = False
    """It has no place for one more NIC or volume."""
    mute: str = "no guest agent answers"
    """Why its guest does not hold its writes back; empty where it does."""
    disks: set[str] = field(default_factory=set)
    """The serial numbers of its volumes."""
    writes: dict[str, str] = field(default_factory=dict)
    """Serial number to the file that it writes to."""
    iso: str = ""
    """The file in its CD-ROM drive."""
    order: tuple[str, ...] = ("hd",)
    """What it is defined to boot from."""
    booted_from: tuple[str, ...] = ()
    """What it did boot from."""
    cpu_num: int = 1
    memory_bytes: int = 1 << 28

    def admit(self) -> str:
        """A password for its console, and no other from now on; none where it asks for none."""
        self.console_password = secrets.token_urlsafe(6) if self.console_guarded else ""
        return self.console_password

    def screen(self) -> SimulatedConsole:
        """A viewer's connection to its console."""
        return SimulatedConsole(self._password_taken if self.console_guarded else None)

    def _password_taken(self) -> str:
        password, self.console_password = self.console_password, ""
        return password

    def become(self, spec: DomainSpec) -> None:
        """Have what a definition says that nothing else hangs on; which console, only while it is off."""
        if self.power == "off":
            self.console, self.console_guarded = spec.console, spec.console_guarded
        self.iso, self.order = spec.iso, tuple(spec.boot)
        self.cpu_num, self.memory_bytes = spec.cpu_num, spec.memory_bytes

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

    def check_disks(self, disks: set[str]) -> None:
        """Refuse to change the volumes of a running domain to these as the agent would."""
        if self.clinging and self.disks - disks:
            raise SimulatedRefusal("disk.in_use", "the guest did not let go of its volume")
        if self.full and disks - self.disks:
            raise SimulatedRefusal("libvirt.error", "No more available PCI slots")

    def write_to(self, files: dict[str, str]) -> None:
        """Its volumes are on these files: at once those that it has only now, the others at its next start."""
        on = self.power == "on"
        self.writes = {
            serial: self.writes.get(serial, file) if on else file for serial, file in files.items()
        }


def writes_of(domain: Domain | None) -> dict[str, str]:
    """Serial number to the file written to, of the volumes of a domain that is on."""
    return dict(domain.writes) if domain is not None and domain.power == "on" else {}


def disks_of(domain: Domain | None) -> list[str] | None:
    """The serial numbers of the volumes that a domain has now; None while it is off or unknown."""
    return sorted(domain.disks) if domain is not None and domain.power == "on" else None


def plugged(domain: Domain | None) -> list[str] | None:
    """The taps that a domain has now; None while it is off or unknown."""
    return sorted(domain.nics) if domain is not None and domain.power == "on" else None
