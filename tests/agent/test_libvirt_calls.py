"""What libvirt's states mean to us."""

from __future__ import annotations

import libvirt
import pytest

from agent.libvirt_calls import power_of


@pytest.mark.parametrize(
    ("state", "reason", "power"),
    [
        (libvirt.VIR_DOMAIN_RUNNING, libvirt.VIR_DOMAIN_RUNNING_BOOTED, ("on", "booted")),
        # Who sees a domain while it starts must know why it is on: nobody tells it again.
        (libvirt.VIR_DOMAIN_PAUSED, libvirt.VIR_DOMAIN_PAUSED_STARTING_UP, ("on", "booted")),
        (libvirt.VIR_DOMAIN_PAUSED, libvirt.VIR_DOMAIN_PAUSED_USER, ("paused", "none")),
        (libvirt.VIR_DOMAIN_PMSUSPENDED, 0, ("paused", "none")),
        (libvirt.VIR_DOMAIN_SHUTDOWN, 0, ("on", "none")),
        (libvirt.VIR_DOMAIN_SHUTOFF, libvirt.VIR_DOMAIN_SHUTOFF_SHUTDOWN, ("off", "guest_shutdown")),
        (libvirt.VIR_DOMAIN_SHUTOFF, libvirt.VIR_DOMAIN_SHUTOFF_DESTROYED, ("off", "destroyed")),
        (libvirt.VIR_DOMAIN_CRASHED, 0, ("off", "crashed")),
    ],
)
def test_a_state_and_its_reason_are_a_power_and_its_cause(
    state: int, reason: int, power: tuple[str, str]
) -> None:
    assert power_of(state, reason) == power
