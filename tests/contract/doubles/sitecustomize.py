"""Put on the path of an agent process: a network half kept in memory, and libvirt's test driver made to do."""

from __future__ import annotations

import subprocess
import sys
from types import ModuleType
from typing import Any
from xml.etree import ElementTree

import libvirt

from agent.protocol import digest


class Kept:
    """A noun of the network half: its specs, by uuid."""

    key = ""
    specs: dict[str, Any]

    def __init__(self, *_: object) -> None:
        self.specs = {}

    async def start(self) -> None:
        pass

    async def stop(self) -> None:
        pass

    async def confirm(self, _: object) -> None:
        pass

    async def ensure(self, request: Any) -> None:
        self.specs[getattr(request, self.key)] = request

    async def drop(self, request: Any) -> None:
        self.specs.pop(getattr(request, self.key), None)

    def digests(self) -> dict[str, str]:
        return {uuid: digest(spec) for uuid, spec in self.specs.items()}


class Bridges(Kept):
    """Bridges."""

    key = "l2_uuid"


class Networks(Kept):
    """Networks."""

    key = "l3_uuid"


class Nics(Kept):
    """NICs."""

    key = "nic_uuid"

    def guarded(self, device: str) -> bool:
        return any(spec.device == device for spec in self.specs.values())

    def fetches_after(self, _: int) -> list[object]:
        return []


for name, kind in {"bridge": Bridges, "network": Networks, "nic": Nics}.items():
    module = ModuleType(f"agent.{name}")
    setattr(module, kind.__name__, kind)
    sys.modules[module.__name__] = module

# The test driver knows neither keepalive nor these flags, and its guests switch off when asked.
libvirt.virConnect.setKeepAlive = lambda *_: 0
libvirt.virDomain.shutdownFlags = lambda domain, _: domain.shutdown()
libvirt.virDomain.undefineFlags = lambda domain, _: domain.undefine()


def _with_port(domain: Any, flags: int = 0) -> str:
    """It gives a running guest's console no port either, and does not tell what was plugged."""
    xml = str(_described(domain, flags)).replace("port='-1'", "port='5999'")
    if not domain.isActive():
        _plugged.pop(domain.UUIDString(), None)
    plugged = _plugged.get(domain.UUIDString())
    if plugged is None:
        return xml
    root = ElementTree.fromstring(xml)
    devices = root.find("devices")
    assert devices is not None
    for old in [*devices.findall("interface"), *devices.findall("disk")]:
        devices.remove(old)
    devices.extend(plugged.values())
    return ElementTree.tostring(root, encoding="unicode")


def _attach(domain: Any, xml: str, _: int) -> int:
    _now(domain)[_name(ElementTree.fromstring(xml))] = ElementTree.fromstring(xml)
    return 0


def _detach(domain: Any, xml: str, _: int) -> int:
    """Its guests let go at once."""
    del _now(domain)[_name(ElementTree.fromstring(xml))]
    return 0


def _update(domain: Any, xml: str, _: int) -> int:
    """It takes any medium, and any password of its console."""
    device = ElementTree.fromstring(xml)
    if device.tag != "graphics":
        _now(domain)[_name(device)] = device
    return 0


def _resize(domain: Any, target: str, size_bytes: int, _: int) -> int:
    """It has no disks, only their names: the file grows as QEMU would have it grow."""
    source = _now(domain)[target].find("source")
    assert source is not None
    path = str(source.get("file"))
    subprocess.run(["qemu-img", "resize", "-q", "-f", "qcow2", path, str(size_bytes)], check=True, timeout=20)
    return 0


def _snapshot(domain: Any, xml: str, _: int) -> None:
    """The guest writes to the new file from now on."""
    for disk in ElementTree.fromstring(xml).iterfind("disks/disk[@snapshot='external']"):
        source, new = _now(domain)[str(disk.get("name"))].find("source"), disk.find("source")
        assert source is not None
        assert new is not None
        source.set("file", str(new.get("file")))


def _rebase(domain: Any, target: str, base: str | None, *_: int) -> int:
    source = _now(domain)[target].find("source")
    assert source is not None
    below = ["-b", base, "-F", "qcow2"] if base else ["-b", ""]
    command = ["qemu-img", "rebase", "-q", "-f", "qcow2", *below, str(source.get("file"))]
    subprocess.run(command, check=True, timeout=20)
    return 0


def _now(domain: Any) -> dict[str, ElementTree.Element]:
    devices = ElementTree.fromstring(_with_port(domain)).find("devices")
    assert devices is not None
    found = [*devices.iterfind("interface"), *devices.iterfind("disk")]
    return _plugged.setdefault(domain.UUIDString(), {_name(each): each for each in found})


def _name(device: ElementTree.Element) -> str:
    """An interface's MAC, a disk's target."""
    mac, target = device.find("mac"), device.find("target")
    if device.tag == "interface":
        assert mac is not None
        return str(mac.get("address"))
    assert target is not None
    return str(target.get("dev"))


class EchoStream:
    """Its guests repeat what is typed: it is in their log."""

    def __init__(self, *_: object) -> None:
        self._log = ""

    def attach(self, log: str) -> None:
        self._log = log

    def send(self, data: bytes) -> int:
        with open(self._log, "ab") as log:  # noqa: PTH123 - as QEMU does
            log.write(data)
        return len(data)

    def eventAddCallback(self, *_: object) -> None:  # noqa: N802 - libvirt's name
        """What it would say is in the log."""

    def eventRemoveCallback(self) -> None:  # noqa: N802 - libvirt's name
        pass

    def abort(self) -> None:
        _typing.discard(self._log)


def _console(domain: Any, _: None, stream: EchoStream, flags: int) -> int:
    """One at a time, as libvirt has it where it is asked to be safe."""
    log = ElementTree.fromstring(_with_port(domain)).find("devices/serial/log")
    assert log is not None
    assert flags == libvirt.VIR_DOMAIN_CONSOLE_SAFE
    path = str(log.get("file"))
    assert path not in _typing
    _typing.add(path)
    stream.attach(path)
    return 0


_typing: set[str] = set()
_plugged: dict[str, dict[str, ElementTree.Element]] = {}
"""Interfaces and disks by name, of each running domain that something was plugged into."""
_described = libvirt.virDomain.XMLDesc
libvirt.virDomain.XMLDesc = _with_port
libvirt.virConnect.newStream = EchoStream
libvirt.virDomain.openConsole = _console
libvirt.virDomain.attachDeviceFlags = _attach
libvirt.virDomain.detachDeviceFlags = _detach
libvirt.virDomain.updateDeviceFlags = _update
libvirt.virDomain.blockResize = _resize
libvirt.virDomain.snapshotCreateXML = _snapshot
libvirt.virDomain.blockRebase = _rebase
libvirt.virDomain.blockJobInfo = lambda *_: {}
