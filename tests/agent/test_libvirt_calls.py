"""What libvirt's states mean to us."""

from __future__ import annotations

import json
import re
import time
from contextlib import nullcontext

import libvirt
import libvirt_qemu
import pytest

from agent.domain_xml import MEMORY_SECONDS
from agent.libvirt_calls import TRAY_TRIES, change_medium, power_of, used_by_all


@pytest.mark.parametrize(
    ("state", "reason", "power"),
    [
        (libvirt.VIR_DOMAIN_RUNNING, libvirt.VIR_DOMAIN_RUNNING_BOOTED, ("on", "booted")),
        # Who sees a domain while it starts must know why it is on: nobody tells it again.
        (libvirt.VIR_DOMAIN_PAUSED, libvirt.VIR_DOMAIN_PAUSED_STARTING_UP, ("on", "booted")),
        (libvirt.VIR_DOMAIN_PAUSED, libvirt.VIR_DOMAIN_PAUSED_USER, ("paused", "suspended")),
        (libvirt.VIR_DOMAIN_PAUSED, libvirt.VIR_DOMAIN_PAUSED_IOERROR, ("paused", "io_error")),
        (libvirt.VIR_DOMAIN_PAUSED, libvirt.VIR_DOMAIN_PAUSED_MIGRATION, ("paused", "none")),
        (libvirt.VIR_DOMAIN_PMSUSPENDED, 0, ("paused", "suspended")),
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


class OneDomain:
    """A connection with a domain that is on, and what libvirt counts of it."""

    def __init__(self, **stats: float) -> None:
        self.stats = {f"balloon.{name.replace('_', '-')}": value for name, value in stats.items()}

    def getAllDomainStats(self, *_: int) -> list[tuple[OneDomain, dict[str, float]]]:  # noqa: N802 - libvirt's
        return [(self, {"cpu.time": 5, "balloon.current": 262144, "balloon.rss": 300000, **self.stats})]

    def UUIDString(self) -> str:  # noqa: N802 - libvirt's
        return "c0ffee00-0000-0000-0000-000000000001"


@pytest.mark.parametrize(
    ("stats", "kib"),
    [
        ({}, 0),  # no driver: what QEMU takes of the host is nothing that the guest uses
        ({"available": 200000, "unused": 50000, "usable": 120000, "last_update": 0}, 80000),
        ({"available": 200000, "unused": 50000, "last_update": 0}, 150000),
        ({"available": 200000, "usable": 120000, "last_update": 2 * MEMORY_SECONDS}, 80000),
        ({"available": 200000, "usable": 120000, "last_update": 10 * MEMORY_SECONDS}, 0),
        ({"usable": 120000, "last_update": 0}, 0),
    ],
)
def test_memory_is_what_the_guest_says_of_its_own_or_unknown(stats: dict[str, float], kib: int) -> None:
    if "last_update" in stats:
        stats = {**stats, "last_update": time.time() - stats["last_update"]}
    [used] = used_by_all(OneDomain(**stats)).values()
    assert used.memory_bytes == kib * 1024


class DriveThatClosed:
    """A domain whose CD-ROM drive was reset: libvirt believes its tray open until somebody opens it."""

    def __init__(self, said: str, resets: int) -> None:
        self.said, self.resets, self.medium = said, resets, ""

    def XMLDesc(self, flags: int) -> str:  # noqa: N802
        return "<domain><devices><disk device='cdrom'><alias name='ide0-1-0'/></disk></devices></domain>"

    def updateDeviceFlags(self, xml: str, flags: int) -> None:  # noqa: N802
        if self.resets:
            raise libvirt.libvirtError(self.said)
        self.medium = xml

    def open(self, command: str) -> None:
        assert json.loads(command) == {
            "execute": "blockdev-open-tray",
            "arguments": {"id": "ide0-1-0", "force": True},
        }
        self.resets -= 1


TRAY = "internal error: unable to execute QEMU command 'blockdev-remove-medium': Tray of device 'ide0-1-0' is not open"


@pytest.mark.parametrize(
    ("said", "resets", "changed"), [(TRAY, 2, True), (TRAY, TRAY_TRIES, False), ("No space left", 1, False)]
)
def test_a_tray_that_closed_without_a_word_is_opened_past_libvirt(
    monkeypatch: pytest.MonkeyPatch, said: str, resets: int, changed: bool
) -> None:
    drive = DriveThatClosed(said, resets)
    monkeypatch.setattr(libvirt_qemu, "qemuMonitorCommand", lambda drive, command, flags: drive.open(command))
    with nullcontext() if changed else pytest.raises(libvirt.libvirtError, match=re.escape(said)):
        change_medium(drive, "/ps/i.iso")
    assert ("/ps/i.iso" in drive.medium) == changed
