"""What a domain that comes from another host may be here: the one that was announced, with what is its own."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as ET

from agent.domain_xml import MARK_URI, dashed
from agent.image import read_header
from agent.libvirt_xml import parsed
from agent.protocol import DomainSpec
from agent.refused import Refused

_ANYTHING = ("features", "cpu", "clock")
"""What is in these is the guest's processor and board, and nothing of the host."""

_KNOWN = {
    "domain": "name uuid title description metadata memory currentMemory vcpu cputune resource sysinfo os features "
    "cpu clock on_poweroff on_reboot on_crash pm devices seclabel",
    "metadata": f"{{{MARK_URI}}}vm",
    "cputune": "shares",
    "resource": "partition",
    "sysinfo": "chassis",
    "chassis": "entry",
    "os": "type boot smbios",
    "pm": "suspend-to-mem suspend-to-disk",
    "devices": "emulator disk controller interface serial console channel input graphics audio video memballoon",
    "disk": "driver source backingStore target serial readonly alias address",
    "backingStore": "format source backingStore",
    "controller": "target model alias address",
    "interface": "mac source target model mtu alias address",
    "serial": "log target alias address",
    "console": "log target alias address",
    "channel": "target alias address",
    "input": "alias address",
    "graphics": "listen",
    "video": "model alias address",
    "memballoon": "stats alias address",
    "target": "model",
}
"""What may be in what: whatever else libvirt knows can be a device, a file or a program of the host."""

_TYPES = {
    "/domain": ("kvm", "qemu"),
    "domain/seclabel": ("dynamic",),
    "devices/disk": ("file",),
    "devices/interface": ("bridge",),
    "devices/serial": ("pty",),
    "devices/console": ("pty",),
    "devices/channel": ("unix", "spicevmc"),
    "devices/input": ("tablet", "mouse", "keyboard"),
    "devices/graphics": ("vnc", "spice"),
    "devices/audio": ("none", "spice"),
}
_ALONE = ("disk", "backingStore", "interface")
"""Of what is in these libvirt would take one, and we might look at another."""

_PLACES = {
    ("partition", "/machine"),
    *(("emulator", f"/usr/{place}") for place in ("bin/qemu-system-x86_64", "bin/kvm", "libexec/qemu-kvm")),
}
"""What every domain may name of its host."""

_SEEN_ELSEWHERE = ("description", "title", "entry", "source")
"""Texts for people and guests; and what is looked at with its disk or NIC."""


class Denied(Exception):
    """What is not let through. Who calls hears it as a word of libvirt's, and a move fails of it as of any of those."""


def check_coming(text: str, spec: DomainSpec) -> None:
    """Raise `Denied` for a domain, as XML, that is another than announced or has more of this host than that has.

    How much memory and how many processors it has is not looked at: its guest began with what it has.
    """
    _check(_read(text), spec)


def check_cookie(cookie: bytes, spec: DomainSpec) -> None:
    """The same of what a libvirt tells another about a domain beside its definition. Raises `UnicodeDecodeError`."""
    if cookie:
        for element in _read(cookie.removesuffix(b"\0").decode()).iter():
            if element.tag.rpartition("}")[2] == "domain":
                _check(element, spec)


def _check(domain: ET.Element, spec: DomainSpec) -> None:
    named = [each.text for tag in ("name", "uuid") for each in domain.iterfind(tag)]
    if named != [spec.vm_uuid, dashed(spec.vm_uuid)]:
        raise _strange(spec, f"the name and uuid {named}")
    _check_elements(domain, spec)
    _check_disks(domain, spec)
    nics = {(nic.mac.lower(), nic.bridge, nic.device) for nic in spec.nics}
    for nic in domain.iterfind("devices/interface"):
        if _nic(nic) not in nics:
            raise _strange(spec, f"a NIC {' '.join(_nic(nic))}")
    for listen in domain.iterfind("devices/graphics"):
        if {listen.get("listen"), *(each.get("address") for each in listen)} - {None, spec.console_listen}:
            raise _strange(spec, "a console that listens elsewhere")


def _read(text: str) -> ET.Element:
    """XML in which nothing can be read in two ways: libvirt has another parser than we have."""
    if "<!" in text or "<?" in text:
        raise Denied("XML with more than elements in it")
    try:
        return parsed(text)
    except ET.ParseError as wrong:
        raise Denied(f"XML that cannot be read: {wrong}") from wrong


def _check_elements(domain: ET.Element, spec: DomainSpec) -> None:
    """All is of a known kind, and names no place of the host but where that is looked at."""
    if domain.tag != "domain":
        raise _strange(spec, f"<{domain.tag}>")
    own = {"log": spec.serial_log}
    below = [("", domain)]
    while below:
        parent, element = below.pop()
        tag, inside = element.tag, [each.tag for each in element]
        if tag not in _ANYTHING:
            below += [(tag, each) for each in element]
            if unknown := {*inside} - {*_KNOWN.get(tag, "").split()}:
                raise _strange(spec, f"<{min(unknown)}> in <{tag}>")
        if tag in _ALONE and len(inside) != len({*inside}):
            raise _strange(spec, f"two of the same in <{tag}>")
        if (types := _TYPES.get(f"{parent}/{tag}")) and element.get("type") not in types:
            raise _strange(spec, f"<{tag}> of type {element.get('type')}")
        for value in () if tag in _SEEN_ELSEWHERE else (element.text or "", *element.attrib.values()):
            if "/" in value and (tag, value) not in _PLACES and value != own.get(tag):
                raise _strange(spec, f"{value} in <{tag}>")


def _check_disks(domain: ET.Element, spec: DomainSpec) -> None:
    """Each is one of the spec's, as what it is there: a guest writes what another format would make a header of."""
    own: dict[tuple[str, str, str], list[tuple[str, str]]] = {
        ("disk", disk.path, disk.format): _chain(disk.path, disk.format) for disk in spec.disks
    }
    if spec.iso:
        own["cdrom", spec.iso, "raw"] = [(spec.iso, "raw")]
    for disk in domain.iterfind("devices/disk"):
        device, kind = disk.get("device", ""), _said(disk, "driver", "type")
        file = _said(disk, "source", "file")
        if device == "cdrom" and disk.find("source") is None:
            continue
        if (device, file, kind) not in own:
            raise _strange(spec, f"{file} as a {device} of format {kind}")
        chain = [
            (_said(each, "source", "file"), _said(each, "format", "type"))
            for each in disk.iter("backingStore")
            if len(each)
        ]
        if chain != own[device, file, kind][1 : len(chain) + 1]:
            raise _strange(spec, f"{file} on {chain}")


def _chain(path: str, kind: str) -> list[tuple[str, str]]:
    """A file and those that it builds on, topmost first, with their formats, as they are on this host."""
    chain = [(path, kind)]
    try:
        while kind == "qcow2" and (header := read_header(Path(path), "qcow2")).backing is not None:
            path, kind = header.backing, header.backing_format
            chain.append((path, kind))
    except Refused as damaged:
        raise Denied(str(damaged)) from damaged
    return chain


def _nic(interface: ET.Element) -> tuple[str, str, str]:
    return (
        _said(interface, "mac", "address").lower(),
        _said(interface, "source", "bridge"),
        _said(interface, "target", "dev"),
    )


def _said(element: ET.Element, tag: str, attribute: str) -> str:
    found = element.find(tag)
    return "" if found is None else found.get(attribute, "")


def _strange(spec: DomainSpec, what: str) -> Denied:
    return Denied(f"VM {spec.vm_uuid} is not to come with {what[:200]}")
