"""What a lost host can do with the key of a move: have its guest come, and nothing else of its new host's libvirt."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

import libvirt
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.domain_xml import Mark, domain_xml
from agent.hypervisor_move import Destination
from agent.lane_coming import Denied
from agent.lane_doors import doors
from agent.lane_libvirt import MAX_BYTES, check_call, denial
from agent.migrate import Migrations
from agent.protocol import (
    DISKS_DOOR,
    LIBVIRT_DOOR,
    MEMORY_DOOR,
    DiskSpec,
    DomainSeen,
    DomainSpec,
    NicSpec,
    OfferLane,
    OpenLane,
    ProgressTo,
)
from agent.refused import Refused
from tests.agent.libvirt_host import LibvirtHost
from tests.agent.test_lane import UUID, Ends, ends
from tests.agent.test_parsers import changed, thorough

__all__ = ["ends"]

VM, OTHER = "ab" * 16, "cd" * 16
OPEN, LOOK_UP, DEFINE, PREPARE, FINISH = 1, 23, 11, 303, 306


class Absent:
    """A hypervisor that is not asked."""

    async def seen(self, vm_uuid: str) -> DomainSeen:
        raise AssertionError(vm_uuid)

    async def migrating(self, vm_uuid: str) -> bool:
        raise AssertionError(vm_uuid)

    async def stop_migration(self, vm_uuid: str) -> None:
        raise AssertionError(vm_uuid)

    async def migrate(self, vm_uuid: str, there: Destination, report: ProgressTo) -> None:
        raise AssertionError(vm_uuid)


@pytest.fixture
def lane(tmp_path: Path) -> OpenLane:
    """A lane for a VM with a disk of two files, an ISO and a NIC."""
    base, top, iso = (tmp_path / name for name in ("base.qcow2", "top.qcow2", "iso"))
    for path, below in ((base, ()), (top, ("-b", str(base), "-F", "qcow2"))):
        subprocess.run(
            ["qemu-img", "create", "-q", "-f", "qcow2", *below, str(path), "1M"], check=True, timeout=60
        )
    spec = DomainSpec(
        vm_uuid=VM, name="web </description> & more", internal_id=7, memory_bytes=64 << 20, cpu_num=1, cpu_shares=2,
        accelerator="tcg", boot=["hd"], serial_log=f"/var/log/libvirt/qemu/{VM}-serial.log", iso=str(iso),
        disks=[DiskSpec(volume_uuid="ef" * 16, path=str(top), device_id=0, format="qcow2")],
        nics=[NicSpec(nic_uuid="01" * 16, mac="FA:00:00:00:00:01", bridge="br-test", device="zt-1")],
        console_listen="192.0.2.1", console_guarded=True, chassis_asset="a/b",
    )  # fmt: skip
    places = {LIBVIRT_DOOR: "/run/libvirt/libvirt-sock", MEMORY_DOOR: "45001", DISKS_DOOR: "45002"}
    return OpenLane(
        lane_uuid=UUID, public_key="-", source_address="-", username="root", doors=places, coming=spec
    )


def coming(lane: OpenLane) -> str:
    """A domain as libvirt gives it of one that runs: with what it has added."""
    assert lane.coming is not None
    xml = domain_xml(lane.coming, Mark("1f", 3, 7))
    base = Path(lane.coming.disks[0].path).with_name("base.qcow2")
    changes = {
        "<devices>": "<devices><emulator>/usr/bin/qemu-system-x86_64</emulator>"
        "<controller type='ide' index='0'><alias name='ide'/></controller><audio id='1' type='none'/>",
        '<target dev="vda" bus="virtio" />': "<target dev='vda' bus='virtio'/><alias name='virtio-disk0'/>"
        "<address type='pci' domain='0x0000' bus='0x00' slot='0x05' function='0x0'/>"
        "<backingStore type='file'><format type='qcow2'/>"
        f"<source file='{base}'/><backingStore/></backingStore>",
        "</domain>": "<resource><partition>/machine</partition></resource>"
        "<seclabel type='dynamic' model='apparmor' relabel='yes'/></domain>",
        'machine="pc"': 'machine="pc-i440fx-7.2"',
    }
    for old, new in changes.items():
        assert old in xml
        xml = xml.replace(old, new)
    return xml


def text(said: str | bytes) -> bytes:
    words = said.encode() if isinstance(said, str) else said
    return struct.pack(">I", len(words)) + words + bytes(-len(words) % 4)


def message(procedure: int, body: bytes = b"", program: int = 0x20008086, kind: int = 0) -> bytes:
    return struct.pack(">IIIIIII", 28 + len(body), program, 1, procedure, kind, 5, 0) + body


def move(
    lane: OpenLane,
    procedure: int = PREPARE,
    xml: str | None = None,
    cookie: bytes = b"",
    **changed: str | int | None,
) -> bytes:
    """The call with which a move begins or ends."""
    told: dict[str, str | int | None] = {
        "destination_xml": coming(lane) if xml is None else xml,
        "migrate_uri": "tcp://127.0.0.1:45001",
        "listen_address": "127.0.0.1",
        "disks_port": 45002,
    }
    told |= {"destination_name": VM} if procedure == FINISH else {}
    body = b""
    said = {name: value for name, value in (told | changed).items() if value is not None}
    for name, value in said.items():
        words = struct.pack(">II", 1, value) if isinstance(value, int) else struct.pack(">I", 7) + text(value)
        body += text(name) + words
    return message(
        procedure, struct.pack(">I", len(said)) + body + text(cookie) + struct.pack(">II", 0x9B, 0)
    )


def cookie_of(xml: str) -> bytes:
    """What a libvirt says with the end of a move: the definition that stays."""
    return f"<qemu-migration>\n<name>{VM}</name>{xml}<nbd/></qemu-migration>\n".encode() + b"\0"


def test_what_a_move_needs_is_let_through(lane: OpenLane) -> None:
    assert lane.coming is not None
    own = domain_xml(lane.coming, Mark("1f", 3, 7))
    for call in (
        message(66), message(60, bytes(4)), message(360), message(361), message(2),
        message(OPEN, struct.pack(">I", 1) + text("qemu:///system") + bytes(4)),
        message(1, program=0x6B656570, kind=2),
        move(lane), move(lane, bandwidth=50), move(lane, cookie=b"<qemu-migration/>\0"),
        move(lane, FINISH, cookie=cookie_of(own)),
    ):  # fmt: skip
        check_call(call, lane)


@pytest.mark.parametrize(
    "call",
    [
        message(OPEN, struct.pack(">I", 1) + text("lxc:///system") + bytes(4)),
        message(OPEN, bytes(8)),
        message(LOOK_UP, text(OTHER)),
        message(DEFINE, text("<domain/>")),
        message(PREPARE),
        message(PREPARE, struct.pack(">I", 1 << 31)),
        message(PREPARE, struct.pack(">I", 1) + text("x") + struct.pack(">I", 99)),
        message(1, program=0x20008087),
        message(PREPARE, kind=3),
        message(PREPARE, kind=4),
    ],
)
def test_no_other_call_is(lane: OpenLane, call: bytes) -> None:
    with pytest.raises(Denied):
        check_call(call, lane)
    with pytest.raises(Denied):
        check_call(message(66), OpenLane(lane_uuid=UUID, public_key="-", source_address="-", username="root"))


@pytest.mark.parametrize(
    "changed",
    [
        {"migrate_uri": "tcp://0.0.0.0:45001"},
        {"migrate_uri": "tcp://127.0.0.1:45003"},
        {"migrate_uri": None},
        {"listen_address": "0.0.0.0"},
        {"listen_address": None},
        {"disks_port": 45003},
        {"disks_port": None},
        {"destination_name": OTHER},
        {"persistent_xml": "<domain/>"},
        {"migrate_disks": "vda"},
        {"xml": None, "destination_xml": None},
    ],
)
def test_a_move_goes_to_its_own_ports_alone(lane: OpenLane, changed: dict[str, str | int | None]) -> None:
    with pytest.raises(Denied):
        check_call(move(lane, **changed), lane)  # type: ignore[arg-type]
    with pytest.raises(Denied):
        check_call(move(lane, FINISH, destination_name=None), lane)


CHANGES: dict[str, Callable[[str], str]] = {
    "another's name": lambda xml: xml.replace(f"<name>{VM}", f"<name>{OTHER}"),
    "two names": lambda xml: xml.replace("<uuid>", f"<name>{OTHER}</name><uuid>"),
    "another's uuid": lambda xml: xml.replace("abababab-", "cdabcdab-"),
    "a device": lambda xml: xml.replace(
        "</devices>", "<hostdev mode='subsystem' type='pci'><source/></hostdev></devices>"
    ),
    "a folder": lambda xml: xml.replace(
        "</devices>", "<filesystem type='mount'><source dir='/'/><target dir='x'/></filesystem></devices>"
    ),
    "a disk": lambda xml: xml.replace(
        "</devices>", "<disk type='block' device='disk'><source dev='/dev/sda'/></disk></devices>"
    ),
    "another's file": lambda xml: xml.replace("top.qcow2", "other.qcow2"),
    "its lower file": lambda xml: xml.replace("top.qcow2", "base.qcow2"),
    "another file below": lambda xml: xml.replace("base.qcow2", "other.qcow2"),
    "another format": lambda xml: xml.replace('type="qcow2"', 'type="raw"'),
    "another format below": lambda xml: xml.replace("<format type='qcow2'/>", "<format type='raw'/>"),
    "an image to write to": lambda xml: xml.replace('device="cdrom"', 'device="disk"'),
    "an image as qcow2": lambda xml: xml.replace('type="raw"', 'type="qcow2"'),
    "no format": lambda xml: xml.replace('type="qcow2" ', ""),
    "two files in one disk": lambda xml: xml.replace(
        "<alias name='virtio", "<source file='/etc/shadow'/><alias name='v"
    ),
    "what is of a network": lambda xml: xml.replace('<disk type="file"', '<disk type="network"'),
    "another program": lambda xml: xml.replace("/usr/bin/qemu-system-x86_64", "/bin/sh"),
    "two programs": lambda xml: xml.replace("<emulator>", "<emulator>/bin/sh</emulator><emulator>"),
    "QEMU's own words": lambda xml: xml.replace(
        "<devices>",
        "<q:commandline xmlns:q='http://libvirt.org/schemas/domain/qemu/1.0'><q:arg value='-x'/></q:commandline>"
        "<devices>",
    ),
    "a file for its console": lambda xml: xml.replace('<serial type="pty"', '<serial type="file"'),
    "another log": lambda xml: xml.replace("-serial.log", "-other.log"),
    "a log into an image": lambda xml: xml.replace(f"/var/log/libvirt/qemu/{VM}-serial.log", "/ps/iso"),
    "another bridge": lambda xml: xml.replace("br-test", "br-other"),
    "another's MAC": lambda xml: xml.replace("FA:00:00:00:00:01", "fa:00:00:00:00:02"),
    "another tap": lambda xml: xml.replace("zt-1", "zt-2"),
    "a network": lambda xml: xml.replace('<interface type="bridge"', '<interface type="network"'),
    "a console for all": lambda xml: xml.replace("192.0.2.1", "0.0.0.0"),
    "a socket for its console": lambda xml: xml.replace('autoport="yes"', 'autoport="yes" socket="/run/x"'),
    "no confinement": lambda xml: xml.replace("type='dynamic'", "type='none'"),
    "a kernel of the host": lambda xml: xml.replace("<boot ", "<kernel>/boot/x</kernel><boot "),
    "sound to a file": lambda xml: xml.replace("type='none'", "type='file' path='/x'"),
    "words for the parser": lambda xml: f"<!DOCTYPE x>{xml}",
    "another space": lambda xml: xml.replace("<domain ", "<domain xmlns='x' "),
    "no XML": lambda xml: xml[:-3],
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_guest_comes_with_what_is_its_own_and_nothing_else(lane: OpenLane, what: str) -> None:
    xml = coming(lane)
    changed = CHANGES[what](xml)
    assert changed != xml
    for call in (
        move(lane, xml=changed),
        move(lane, cookie=cookie_of(changed)),
        move(lane, FINISH, cookie=cookie_of(changed)),
    ):
        with pytest.raises(Denied):
            check_call(call, lane)


def test_a_domain_is_no_part_of_something_else(lane: OpenLane) -> None:
    with pytest.raises(Denied):
        check_call(move(lane, xml=f"<x>{coming(lane)}</x>"), lane)
    with pytest.raises(Denied):
        check_call(move(lane, cookie=cookie_of(coming(lane).replace(VM, OTHER) + coming(lane))), lane)


@thorough
@given(st.sampled_from([PREPARE, FINISH]), st.integers(0, 20_000), st.binary(min_size=1, max_size=8))
def test_a_call_with_bytes_changed_is_a_move_or_refused(
    lane: OpenLane, procedure: int, at: int, new: bytes
) -> None:
    with contextlib.suppress(Denied):
        check_call(changed(move(lane, procedure, cookie=cookie_of(coming(lane))), at, new), lane)


@thorough
@given(st.sampled_from([OPEN, PREPARE, FINISH, 66]), st.binary(max_size=200))
def test_any_call_is_of_a_move_or_refused(lane: OpenLane, procedure: int, body: bytes) -> None:
    with contextlib.suppress(Denied):
        check_call(message(procedure, body), lane)


def test_who_is_not_let_through_is_told_why(lane: OpenLane) -> None:
    said = denial(message(DEFINE), "not this")
    length, program, version, procedure, kind, serial, status = struct.unpack_from(">IIIIIII", said)
    assert (length, program, version, procedure) == (len(said), 0x20008086, 1, DEFINE)
    assert (kind, serial, status) == (1, 5, 1)
    assert b"not this" in said
    assert len(said) < MAX_BYTES


async def test_its_doors_lead_to_no_port_that_somebody_has(ends: Ends, lane: OpenLane) -> None:
    """Which ports they are is the source's to say."""
    expected: list[DomainSpec] = []
    migrations = Migrations(Absent(), ends.other, expected.append)
    offer = await ends.lanes.offer(OfferLane(lane_uuid=UUID, address="127.0.0.1"))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        for word in (MEMORY_DOOR, DISKS_DOOR):
            asked = msgspec.structs.replace(
                lane, public_key=offer.public_key, source_address="127.0.0.1", doors=lane.doors | {word: port}
            )
            with pytest.raises(Refused, match=port):
                await migrations.open(asked)
    assert expected == []
    assert UUID not in ends.keys.read_text()
    await migrations.open(asked)
    assert expected == [lane.coming]


@pytest.mark.lab
async def test_the_key_of_a_move_opens_nothing_else_of_the_new_hosts_libvirt(
    ends: Ends, lane: OpenLane, tmp_path: Path
) -> None:
    with LibvirtHost() as host:
        there = libvirt.open(host.uri)
        other = f"<domain type='qemu'><name>{OTHER}</name><memory>16384</memory><os><type>hvm</type></os></domain>"
        there.createXML(other)
        offer = await ends.lanes.offer(OfferLane(lane_uuid=UUID, address="127.0.0.1"))
        await ends.other.open(
            OpenLane(
                lane_uuid=UUID, username="root", coming=lane.coming, public_key=offer.public_key,
                source_address=offer.source_address, doors=lane.doors | {LIBVIRT_DOOR: str(host.socket)},
            )
        )  # fmt: skip
        command = ends.lanes.ssh(UUID, "127.0.0.1", 22, "root", "-")
        place = tmp_path / "here.sock"
        async with doors(ends.lanes, UUID, command, {LIBVIRT_DOOR: place}):
            said = await asyncio.to_thread(_tried, f"qemu+unix:///system?socket={place}")
        assert [(what, code) for what, code in said.items() if code != libvirt.VIR_ERR_ACCESS_DENIED] == []
        assert [domain.name() for domain in there.listAllDomains()] == [OTHER]
        assert there.lookupByName(OTHER).isActive()
        there.lookupByName(OTHER).destroy()
        there.close()


def _tried(uri: str) -> dict[str, int]:
    """What libvirt says to each of many things that a lost host may want; 0 where it does them."""
    connection = libvirt.open(uri)
    evil = "<domain type='qemu'><name>evil</name><memory>16384</memory><os><type>hvm</type></os></domain>"
    pool = "<pool type='dir'><name>all</name><target><path>/</path></target></pool>"
    wishes: dict[str, Callable[[], object]] = {
        "list": connection.listAllDomains,
        "look up": lambda: connection.lookupByName(OTHER),
        "define": lambda: connection.defineXML(evil),
        "run": lambda: connection.createXML(evil),
        "take storage": lambda: connection.storagePoolCreateXML(pool),
        "ask for capabilities": connection.getCapabilities,
        "ask where it is": connection.getHostname,
    }
    said = {}
    for what, wish in wishes.items():
        try:
            wish()
            said[what] = 0
        except libvirt.libvirtError as refused:
            said[what] = refused.get_error_code()
    connection.close()
    return said
