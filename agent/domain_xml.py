"""From a domain's spec to libvirt's XML, and back from XML to the few things we look for."""

from __future__ import annotations

import re
import string
from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree import ElementTree as ET

from agent.console import close_console
from agent.libvirt_xml import parsed
from agent.protocol import DiskSpec, DomainSpec, NicSpec, serial_of

MARK_URI = "https://zstui.invalid/domain"
MARK_PREFIX = "zstui"

# Everything that XML 1.0 cannot carry, escaped or not.
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

# Shares above it are refused on hosts with the second version of control groups.
_MIN_SHARES, _MAX_SHARES = 2, 10_000

GUEST_AGENT = "org.qemu.guest_agent.0"
_SERIAL = re.compile("[0-9a-f]{20}")

MEMORY_SECONDS = 10
"""How often a guest's balloon driver is to say how its memory is used."""

ET.register_namespace(MARK_PREFIX, MARK_URI)


@dataclass(frozen=True)
class Mark:
    """What we write into a domain to know it again: its spec's digest, and how often it was rebooted."""

    digest: str
    boot_count: int
    internal_id: int


def domain_xml(spec: DomainSpec, mark: Mark) -> str:
    """The whole domain as libvirt takes it."""
    domain = ET.Element("domain", type="kvm" if spec.accelerator == "kvm" else "qemu")
    _text(domain, "name", spec.vm_uuid)
    _text(domain, "uuid", dashed(spec.vm_uuid))
    _text(domain, "description", spec.name)
    ET.SubElement(domain, "metadata").append(_mark_element(mark, f"{{{MARK_URI}}}vm"))
    _text(domain, "memory", str(spec.memory_bytes // 1024), unit="KiB")
    _text(domain, "vcpu", str(spec.cpu_num), placement="static")
    if spec.cpu_shares:
        shares = min(max(spec.cpu_shares, _MIN_SHARES), _MAX_SHARES)
        _text(ET.SubElement(domain, "cputune"), "shares", str(shares))
    if spec.chassis_asset:
        chassis = ET.SubElement(ET.SubElement(domain, "sysinfo", type="smbios"), "chassis")
        _text(chassis, "entry", spec.chassis_asset, name="asset")
    _os(domain, spec)
    features = ET.SubElement(domain, "features")
    for feature in ("acpi", "apic", "pae"):
        ET.SubElement(features, feature)
    if spec.cpu_mode != "none":
        cpu = ET.SubElement(domain, "cpu", mode=spec.cpu_mode)
        if spec.cpu_mode == "host-model":
            ET.SubElement(cpu, "model", fallback="allow")
    ET.SubElement(domain, "clock", offset="utc")
    _text(domain, "on_poweroff", "destroy")
    _text(domain, "on_reboot", "restart")
    _text(domain, "on_crash", "destroy")
    _devices(domain, spec)
    ET.indent(domain)
    return ET.tostring(domain, encoding="unicode")


def listening_xml(xml: str, address: str) -> str:
    """A domain whose console listens at another address: that of the host it goes to."""
    domain = parsed(xml)
    for graphics in domain.iterfind("devices/graphics"):
        graphics.set("listen", address)
        for listen in graphics.iterfind("listen[@type='address']"):
            listen.set("address", address)
    return ET.tostring(domain, encoding="unicode")


def mark_xml(mark: Mark) -> str:
    """The mark alone, as libvirt's metadata call takes it: without our namespace, which libvirt adds."""
    return ET.tostring(_mark_element(mark, "vm"), encoding="unicode")


def read_mark(xml: str) -> Mark | None:
    """The mark from what libvirt's metadata call returns; None where it is not ours."""
    try:
        element = parsed(xml)
        return Mark(
            digest=element.get("digest", ""),
            boot_count=int(element.get("boot_count", "0")),
            internal_id=int(element.get("internal_id", "0")),
        )
    except (ET.ParseError, ValueError):
        return None


@dataclass(frozen=True)
class Plug:
    """A NIC that a domain has: its tap's name, its MAC in small letters, its bridge."""

    device: str
    mac: str
    bridge: str


def plug_xml(nic: NicSpec) -> str:
    """One NIC, as libvirt takes it for a domain that runs."""
    return ET.tostring(_nic(ET.Element("devices"), nic), encoding="unicode")


def plugged_xml(xml: str, plug: Plug) -> str | None:
    """The element of one NIC of a running domain, as libvirt wants it back; None where it is gone."""
    for element in parsed(xml).iterfind("devices/interface"):
        if _plug_of(element) == plug:
            return ET.tostring(element, encoding="unicode")
    return None


@dataclass(frozen=True)
class DiskPlug:
    """A volume that a domain has: its serial number, and the device that libvirt names it by."""

    serial: str
    target: str


@dataclass(frozen=True)
class Devices:
    """What a domain has that can be changed while it runs.

    Disks that we did not give it are nobody's business here; `iso` is the file in its CD-ROM drive, or empty.
    """

    nics: list[Plug]
    disks: list[DiskPlug]
    iso: str
    writes: dict[str, str]
    """Serial number to the file written to, of each of those disks."""


def devices_of(xml: str) -> Devices:
    """What a domain has that can be changed while it runs."""
    devices = parsed(xml).find("devices")
    if devices is None:
        return Devices([], [], "", {})
    drive = devices.find("disk[@device='cdrom']")
    disks = {
        plug: _said(element, "source", "file")
        for element in devices.iterfind("disk")
        if _SERIAL.fullmatch((plug := _disk_plug(element)).serial)
    }
    return Devices(
        nics=[_plug_of(element) for element in devices.iterfind("interface")],
        disks=list(disks),
        iso="" if drive is None else _said(drive, "source", "file"),
        writes={plug.serial: file for plug, file in disks.items()},
    )


def disk_plug(disk: DiskSpec) -> DiskPlug:
    """A volume as a domain has it."""
    return DiskPlug(serial_of(disk.volume_uuid), _disk_target(disk)[0])


def disk_xml(disk: DiskSpec) -> str:
    """One volume, as libvirt takes it for a domain that runs."""
    return ET.tostring(_disk(ET.Element("devices"), disk), encoding="unicode")


def plugged_disk_xml(xml: str, plug: DiskPlug) -> str | None:
    """The element of one volume of a running domain, as libvirt wants it back; None where it is gone."""
    for element in parsed(xml).iterfind("devices/disk"):
        if _disk_plug(element) == plug:
            return ET.tostring(element, encoding="unicode")
    return None


def overlay_xml(xml: str, plug: DiskPlug, path: str) -> str:
    """What libvirt takes for a snapshot of one volume of a domain, and of no other, into a file that is there."""
    snapshot = ET.Element("domainsnapshot")
    disks = ET.SubElement(snapshot, "disks")
    for element in _disk_elements(xml):
        target = _said(element, "target", "dev")
        if target != plug.target:
            ET.SubElement(disks, "disk", name=target, snapshot="no")
            continue
        disk = ET.SubElement(disks, "disk", name=target, snapshot="external")
        ET.SubElement(disk, "driver", type="qcow2")
        ET.SubElement(disk, "source", file=printable(path))
    return ET.tostring(snapshot, encoding="unicode")


def guest_agent_answers(xml: str) -> bool:
    """Whether the guest of a running domain has opened the channel of its agent."""
    return any(
        target.get("name") == GUEST_AGENT and target.get("state") == "connected"
        for target in parsed(xml).iterfind("devices/channel/target")
    )


def cdrom_xml(iso: str) -> str:
    """The CD-ROM drive with a file in it, or empty, as libvirt takes it for a domain that runs."""
    return ET.tostring(_cdrom(ET.Element("devices"), iso), encoding="unicode")


def drive_alias(xml: str) -> str:
    """What QEMU calls the CD-ROM drive of a domain that runs; empty where it has none."""
    alias = parsed(xml).find("devices/disk[@device='cdrom']/alias")
    return "" if alias is None else alias.get("name", "")


def boot_of(xml: str) -> list[str]:
    """The devices that a domain boots from, in their order."""
    return [boot.get("dev", "") for boot in parsed(xml).iterfind("os/boot")]


def boot_xml(xml: str, order: Sequence[str]) -> str:
    """A domain that boots from these instead. It has no mark, since it is not what any spec says."""
    domain = parsed(xml)
    system, metadata = domain.find("os"), domain.find("metadata")
    if system is not None:
        for boot in system.findall("boot"):
            system.remove(boot)
        for device in order:
            ET.SubElement(system, "boot", dev=device)
    if metadata is not None:
        domain.remove(metadata)
    return ET.tostring(domain, encoding="unicode")


def serial_log_of(xml: str) -> str | None:
    """The file that a domain's serial console is logged to; None where it is not."""
    log = parsed(xml).find("devices/serial/log")
    return None if log is None else log.get("file")


def dashed(vm_uuid: str) -> str:
    """A uuid of 32 hex digits as libvirt writes it."""
    u = vm_uuid
    return f"{u[:8]}-{u[8:12]}-{u[12:16]}-{u[16:20]}-{u[20:]}"


def printable(text: str) -> str:
    """A text without the characters that XML cannot carry."""
    return _NOT_XML.sub("", text)


def _text(parent: ET.Element, tag: str, text: str, **attributes: str) -> ET.Element:
    element = ET.SubElement(parent, tag, attributes)
    element.text = printable(text)
    return element


def _mark_element(mark: Mark, tag: str) -> ET.Element:
    return ET.Element(
        tag,
        digest=mark.digest,
        boot_count=str(mark.boot_count),
        internal_id=str(mark.internal_id),
    )


def _os(domain: ET.Element, spec: DomainSpec) -> None:
    os_element = ET.SubElement(domain, "os")
    _text(os_element, "type", "hvm", arch="x86_64", machine="pc")
    for device in spec.boot:
        ET.SubElement(os_element, "boot", dev=device)
    if spec.chassis_asset:
        ET.SubElement(os_element, "smbios", mode="sysinfo")


def _devices(domain: ET.Element, spec: DomainSpec) -> None:
    devices = ET.SubElement(domain, "devices")
    for disk in spec.disks:
        _disk(devices, disk)
    _cdrom(devices, spec.iso)
    for nic in spec.nics:
        _nic(devices, nic)
    serial = ET.SubElement(devices, "serial", type="pty")
    if spec.serial_log:
        ET.SubElement(serial, "log", file=printable(spec.serial_log), append="on")
    ET.SubElement(serial, "target", port="0")
    console = ET.SubElement(devices, "console", type="pty")
    ET.SubElement(console, "target", type="serial", port="0")
    channel = ET.SubElement(devices, "channel", type="unix")
    ET.SubElement(channel, "target", type="virtio", name=GUEST_AGENT)
    ET.SubElement(devices, "input", type="tablet", bus="usb")
    graphics = ET.SubElement(devices, "graphics", type=spec.console, port="-1", autoport="yes")
    ET.SubElement(graphics, "listen", type="address", address=printable(spec.console_listen))
    if spec.console_guarded:
        close_console(graphics)
    ET.SubElement(ET.SubElement(devices, "video"), "model", type="vga", vram="16384", heads="1")
    balloon = ET.SubElement(devices, "memballoon", model="virtio")
    ET.SubElement(balloon, "stats", period=str(MEMORY_SECONDS))


def _cdrom(devices: ET.Element, iso: str) -> ET.Element:
    cdrom = ET.SubElement(devices, "disk", type="file", device="cdrom")
    ET.SubElement(cdrom, "driver", name="qemu", type="raw")
    if iso:
        ET.SubElement(cdrom, "source", file=printable(iso))
    ET.SubElement(cdrom, "target", dev="hdc", bus="ide")
    ET.SubElement(cdrom, "readonly")
    return cdrom


def _disk(devices: ET.Element, disk: DiskSpec) -> ET.Element:
    element = ET.SubElement(devices, "disk", type="file", device="disk")
    ET.SubElement(element, "driver", name="qemu", type=disk.format, cache=disk.cache, discard="unmap")
    ET.SubElement(element, "source", file=printable(disk.path))
    device, bus = _disk_target(disk)
    ET.SubElement(element, "target", dev=device, bus=bus)
    _text(element, "serial", serial_of(disk.volume_uuid))
    return element


def _disk_target(disk: DiskSpec) -> tuple[str, str]:
    """The device name and bus. The machine has four IDE places and the third is the CD-ROM's."""
    letter = string.ascii_lowercase[disk.device_id]
    if disk.bus == "virtio":
        return f"vd{letter}", "virtio"
    if disk.device_id < 3:
        return f"hd{'abd'[disk.device_id]}", "ide"
    return f"sd{letter}", "sata"


def _plug_of(element: ET.Element) -> Plug:
    mac = _said(element, "mac", "address").lower()
    return Plug(_said(element, "target", "dev"), mac, _said(element, "source", "bridge"))


def _disk_elements(xml: str) -> list[ET.Element]:
    return parsed(xml).findall("devices/disk")


def _disk_plug(element: ET.Element) -> DiskPlug:
    return DiskPlug(element.findtext("serial", ""), _said(element, "target", "dev"))


def _said(element: ET.Element, tag: str, attribute: str) -> str:
    found = element.find(tag)
    return "" if found is None else found.get(attribute, "")


def _nic(devices: ET.Element, nic: NicSpec) -> ET.Element:
    interface = ET.SubElement(devices, "interface", type="bridge")
    ET.SubElement(interface, "mac", address=printable(nic.mac))
    ET.SubElement(interface, "source", bridge=printable(nic.bridge))
    ET.SubElement(interface, "target", dev=printable(nic.device))
    ET.SubElement(interface, "model", type=nic.model)
    ET.SubElement(interface, "mtu", size=str(nic.mtu))
    return interface
