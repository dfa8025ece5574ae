"""Who says whether a running guest finds its CPU on another host: libvirt, when it is asked to move it, and no list."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import libvirt
import pytest

from agent.hypervisor_move import Destination, _migrate
from agent.protocol import MOVE_BROKE_OFF, MOVE_UNSAFE, MOVE_UNSAFE_WORDS
from agent.refused import Refused

VM = "ab" * 16
OTHER_MODEL = "the CPU is incompatible with host CPU: Host CPU does not provide required features: avx512f"
OTHER_FEATURES = (
    "operation failed: guest CPU doesn't match specification: missing features: pcid,erms,invpcid"
)
DOMAIN = "<domain><devices><graphics type='vnc'/></devices></domain>"


class Libvirt:
    """A connection that knows one running domain, which does not go."""

    def __init__(self, code: int, said: str) -> None:
        self.failed = libvirt.libvirtError(said)
        self.failed.err = (code, libvirt.VIR_FROM_QEMU, said, libvirt.VIR_ERR_ERROR, None, None, None, 0, 0)
        self.asked: list[tuple[str, int]] = []
        self.definition = DOMAIN

    def lookupByUUIDString(self, _: str) -> Libvirt:  # noqa: N802 - libvirt's name
        return self

    def XMLDesc(self, _: int) -> str:  # noqa: N802
        return self.definition

    def isActive(self) -> bool:  # noqa: N802
        return True

    def migrateToURI3(self, uri: str, parameters: dict[str, Any], flags: int) -> None:  # noqa: N802
        self.asked.append((uri, flags))
        raise self.failed


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (libvirt.VIR_ERR_CPU_INCOMPATIBLE, OTHER_MODEL),
        (libvirt.VIR_ERR_OPERATION_FAILED, OTHER_FEATURES),
    ],
)
def test_a_cpu_that_is_not_to_be_had_there_is_what_libvirt_says_and_has_a_way_out(
    code: int, said: str
) -> None:
    there = Destination(Path("/run/lane.libvirt"), 1, 2, DOMAIN, "127.0.0.1", lambda: 0)
    connection = Libvirt(code, said)
    with pytest.raises(Refused) as refused:
        _migrate(connection, VM, there, 0)
    ((uri, flags),) = connection.asked
    assert uri == "qemu+unix:///system?socket=/run/lane.libvirt"
    assert flags & libvirt.VIR_MIGRATE_LIVE
    assert not flags & libvirt.VIR_MIGRATE_UNSAFE
    assert refused.value.refusal.code == "migrate.cpu"
    message = refused.value.refusal.message
    assert message.startswith(f"the new host has not the CPU that its guest sees: {said}; ")
    assert "set the global config kvm vm.cpuMode to none" in message


def test_a_guest_that_found_no_room_is_told_how_to_leave() -> None:
    there = Destination(Path("/run/lane.libvirt"), 1, 2, DOMAIN, "127.0.0.1", lambda: 0)
    said = "Requested operation is not valid: cannot migrate domain with I/O error"
    with pytest.raises(Refused) as refused:
        _migrate(Libvirt(libvirt.VIR_ERR_OPERATION_INVALID, said), VM, there, 0)
    assert refused.value.refusal.code == "migrate.stands_still"
    assert "stop the VM, move its volumes with LocalStorageMigrateVolume" in refused.value.refusal.message


def test_what_else_goes_wrong_is_said_as_it_is() -> None:
    there = Destination(Path("/run/lane.libvirt"), 1, 2, DOMAIN, "127.0.0.1", lambda: 0)
    with pytest.raises(Refused) as refused:
        _migrate(Libvirt(libvirt.VIR_ERR_OPERATION_FAILED, "Connection reset by peer"), VM, there, 0)
    assert (refused.value.refusal.code, refused.value.refusal.message) == (
        "migrate.failed",
        "Connection reset by peer",
    )


@pytest.mark.parametrize(
    ("before", "after", "code", "tries"),
    [
        ("none", "failed", MOVE_BROKE_OFF, 1),
        ("none", "cancelled", "migrate.failed", 1),
        ("cancelled", "cancelled", "migrate.failed", 1),
        ("failed", "failed", MOVE_UNSAFE, 0),
    ],
)
@pytest.mark.parametrize("accelerator", ["qemu", "kvm"])
def test_a_guest_without_kvm_whose_move_broke_off_is_not_moved_again(
    before: str, after: str, code: str, tries: int, accelerator: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = Destination(Path("/run/lane.libvirt"), 1, 2, DOMAIN, "127.0.0.1", lambda: 0)
    connection = Libvirt(libvirt.VIR_ERR_OPERATION_FAILED, "Connection reset by peer")
    connection.definition = DOMAIN.replace("<domain>", f"<domain type='{accelerator}'>")

    def tell(domain: Libvirt, command: str) -> dict[str, str]:
        assert command == "query-migrate"
        return {"status": after if domain.asked else before}

    monkeypatch.setattr("agent.hypervisor_move.tell_qemu", tell)
    with pytest.raises(Refused) as refused:
        _migrate(connection, VM, there, 0)
    if accelerator == "kvm":
        code, tries = "migrate.failed", 1
    assert (refused.value.refusal.code, len(connection.asked)) == (code, tries)
    told = MOVE_UNSAFE_WORDS if code == MOVE_UNSAFE else "Connection reset by peer"
    assert refused.value.refusal.message == told
