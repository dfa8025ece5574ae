"""The plan of a volume, by itself and as one of a VM's: made once, never made again, grown and never shrunk."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest

from agent.protocol import (
    DefineDomain,
    DiskSpec,
    DomainSeen,
    DropFile,
    EnsureVolume,
    GrowVolume,
    VmSeen,
    digest,
    serial_of,
)
from appliance.plans.step import Ask, CopyImage, Step
from appliance.plans.vm import lost_volume
from appliance.plans.vm import plan as plan_vm
from appliance.plans.volume import VolumeIntent, plan
from tests.appliance.plans.test_vm import BRIDGE, CACHE, INTENT, NETWORK, NIC, PATH, SPEC, VM

ROOT, DATA = "a" * 32, "d" * 32
FILE = "/ps/data/d.qcow2"
NEW = VolumeIntent(EnsureVolume(volume_uuid=DATA, path=FILE, size_bytes=1 << 20))
WHOLE = replace(NEW, whole=True)
OF_IMAGE = replace(NEW, volume=msgspec.structs.replace(NEW.volume, backing=CACHE), image_uuid="i")
DISKS = [
    DiskSpec(volume_uuid=ROOT, path=PATH, format="qcow2", device_id=0),
    DiskSpec(volume_uuid=DATA, path=FILE, format="qcow2", device_id=1),
]
GROW = GrowVolume(volume_uuid=DATA, path=FILE, size_bytes=1 << 20)


def asked(steps: list[Step]) -> list[object]:
    return [step.request if isinstance(step, Ask) else type(step) for step in steps]


@pytest.mark.parametrize(
    ("intent", "sizes", "cached", "left"),
    [
        (NEW, {}, [], [NEW.volume]),
        (NEW, {FILE: 1 << 20}, [], []),
        (WHOLE, {}, [], []),
        (WHOLE, {FILE: 1 << 19}, [], [GROW]),
        (WHOLE, {FILE: 1 << 21}, [], []),
        (WHOLE, {FILE: 0}, [], []),
        (OF_IMAGE, {}, [], [CopyImage, OF_IMAGE.volume]),
        (OF_IMAGE, {}, [CACHE], [OF_IMAGE.volume]),
        (replace(WHOLE, present=False), {FILE: 1 << 20}, [], [DropFile(path=FILE)]),
        (replace(WHOLE, present=False), {}, [], []),
    ],
)
def test_what_is_left_for_a_volume(
    intent: VolumeIntent, sizes: dict[str, int], cached: list[str], left: list[object]
) -> None:
    seen = VmSeen(domain=DomainSeen(vm_uuid=VM, at=1), volumes=sizes, cached=cached)
    assert asked(plan(intent, seen)) == left


def seen(*, on: bool, files: dict[str, int], disks: list[str] | None = None) -> VmSeen:
    spec = msgspec.structs.replace(SPEC, disks=DISKS)
    return VmSeen(
        domain=DomainSeen(vm_uuid=VM, at=1, defined=True, power="on" if on else "off", digest=digest(spec)),
        volumes=files,
        cached=[CACHE],
        bridges={"l2": digest(BRIDGE)},
        networks={"l3": digest(NETWORK)},
        nics={"n": digest(NIC)},
        plugged=["vnic1.0"] if on else None,
        disks=disks,
    )


FILES = {PATH: 1 << 20, FILE: 1 << 20}
HAVING = replace(INTENT, spec=msgspec.structs.replace(SPEC, disks=DISKS), data=(WHOLE,))


def test_a_running_vm_gets_the_file_and_then_the_disk() -> None:
    intent = replace(HAVING, data=(NEW,))
    steps = asked(plan_vm(intent, seen(on=True, files={PATH: 1 << 20}, disks=[serial_of(ROOT)]), 0.0))
    assert steps == [NEW.volume, DefineDomain(spec=intent.spec)]  # type: ignore[arg-type]  # it has one
    both = sorted([serial_of(ROOT), serial_of(DATA)])
    assert plan_vm(intent, seen(on=True, files=FILES, disks=both), 0.0) == []
    assert plan_vm(intent, seen(on=True, files=FILES, disks=None), 0.0) == []


def test_a_running_vm_lets_go_of_the_disk_and_then_the_file_goes() -> None:
    both = sorted([serial_of(ROOT), serial_of(DATA)])
    less = replace(HAVING, spec=SPEC, data=(), dropped=(FILE,))
    left = asked(plan_vm(less, seen(on=True, files=FILES, disks=both), 0.0))
    assert left == [DefineDomain(spec=SPEC), DropFile(path=FILE)]


def test_a_stopped_vm_has_its_files_made_and_grown() -> None:
    off = replace(HAVING, intended="Stopped", spec=None)
    assert asked(plan_vm(replace(off, data=(NEW,)), seen(on=False, files={PATH: 1}), 0.0))[-1] == NEW.volume
    small = {PATH: 1 << 20, FILE: 1 << 19}
    grow = msgspec.structs.replace(GROW, vm_uuid=VM)
    assert asked(plan_vm(off, seen(on=False, files=small), 0.0)) == [grow]
    assert plan_vm(off, seen(on=False, files={PATH: 1 << 20}), 0.0) == []


@pytest.mark.parametrize("intended", ["Destroyed", "Absent"])
def test_a_vm_that_goes_leaves_the_files_of_its_whole_volumes(intended: str) -> None:
    gone = replace(HAVING, intended=intended, spec=None)
    dropped = [
        step.path
        for step in asked(plan_vm(gone, seen(on=False, files=FILES), 0.0))
        if isinstance(step, DropFile)
    ]
    assert dropped == ([] if intended == "Destroyed" else [PATH])
    never = replace(gone, dropped=(FILE,))
    dropped = [
        step.path
        for step in asked(plan_vm(never, seen(on=False, files=FILES), 0.0))
        if isinstance(step, DropFile)
    ]
    assert FILE in dropped


def test_a_vm_is_not_started_without_its_content() -> None:
    created = replace(HAVING, created=True)
    assert lost_volume(created, seen(on=False, files=FILES)) is None
    assert lost_volume(created, seen(on=False, files={FILE: 1})) == f"root volume {PATH}"
    assert lost_volume(created, seen(on=False, files={PATH: 1})) == f"data volume {FILE}"
    assert lost_volume(created, seen(on=True, files={}, disks=[serial_of(ROOT), serial_of(DATA)])) is None
    assert lost_volume(created, seen(on=True, files={}, disks=[serial_of(ROOT)])) == f"data volume {FILE}"
    assert lost_volume(replace(created, data=(NEW,)), seen(on=False, files={PATH: 1})) is None
