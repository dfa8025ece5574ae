"""What libvirt is told of a domain."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import msgspec
import pytest

from agent.domain_xml import Mark, domain_xml
from agent.protocol import DiskSpec, DomainSpec

SPEC = DomainSpec(
    vm_uuid="c0ffee00000000000000000000000001", name="one", internal_id=1, memory_bytes=32 << 20, cpu_num=1,
    cpu_shares=512, accelerator="kvm", boot=["hd"], console_listen="127.0.0.1",
    disks=[DiskSpec(volume_uuid="v", path="/ps/v.qcow2", format="qcow2", device_id=0, cache="none")], nics=[],
)  # fmt: skip


def made(**changes: object) -> ET.Element:
    return ET.fromstring(domain_xml(msgspec.structs.replace(SPEC, **changes), Mark("", 0, 1)))


def test_without_a_cpu_mode_the_cpu_is_left_to_qemu() -> None:
    assert made().find("cpu") is None


@pytest.mark.parametrize(("mode", "models"), [("host-model", 1), ("host-passthrough", 0)])
def test_a_cpu_mode_is_said(mode: str, models: int) -> None:
    cpu = made(cpu_mode=mode).find("cpu")
    assert cpu is not None
    assert cpu.get("mode") == mode
    assert len(cpu.findall("model[@fallback='allow']")) == models


@pytest.mark.parametrize("console", ["vnc", "spice"])
def test_a_console_mode_is_said_with_where_it_listens(console: str) -> None:
    graphics = made(console=console).find("devices/graphics")
    assert graphics is not None
    assert (graphics.get("type"), graphics.get("port"), graphics.get("autoport")) == (console, "-1", "yes")
    assert "127.0.0.1" in {graphics.get("listen"), *(each.get("address") for each in graphics)}


@pytest.mark.parametrize("console", ["vnc", "spice"])
def test_a_viewer_shares_neither_clipboard_nor_files_nor_devices_with_the_guest(console: str) -> None:
    """All of that needs an agent's channel, or a door for devices."""
    devices = made(console=console).find("devices")
    assert devices is not None
    assert [
        each.tag
        for each in devices
        if each.tag in {"redirdev", "smartcard"} or "spicevmc" in each.attrib.values()
    ] == []


def test_the_balloon_driver_is_asked_how_memory_is_used() -> None:
    stats = made().find("devices/memballoon[@model='virtio']/stats")
    assert stats is not None
    assert int(stats.get("period", "0")) > 0
