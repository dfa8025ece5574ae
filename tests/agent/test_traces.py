"""What is left of a domain on its host: found by its own uuid, removed, and nothing of anybody else's."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID, uuid4

import pytest

from agent.refused import Refused
from agent.traces import PLACES, Traces


def left_by(root: Path, vm_uuid: str) -> list[Path]:
    """Everything that a domain can leave."""
    dashed = str(UUID(vm_uuid))
    logs = root / "var/log/libvirt/qemu"
    files = [root / place.format(name=vm_uuid, dashed=dashed) for place in PLACES]
    files += [logs / f"{vm_uuid}.log.0", logs / f"{vm_uuid}-serial.log.1.gz"]
    state = root / "var/lib/libvirt/swtpm" / dashed
    files = [file if file != state else state / "tpm2/tpm2-00.permall" for file in files]
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("x")
    return files


def test_all_of_one_domain_goes_and_nothing_of_another(tmp_path: Path) -> None:
    ours, theirs, traces = uuid4().hex, uuid4().hex, Traces(tmp_path)
    assert not traces.exist(ours)
    traces.remove(ours)
    left_by(tmp_path, ours)
    kept = left_by(tmp_path, theirs)
    beside = tmp_path / f"var/log/libvirt/qemu/x{ours}.log"
    beside.write_text("x")
    assert traces.exist(ours)
    traces.remove(ours)
    assert not traces.exist(ours)
    assert sorted(path for path in tmp_path.rglob("*") if path.is_file()) == sorted([*kept, beside])
    traces.remove(ours)


@pytest.mark.parametrize("place", PLACES)
def test_each_place_is_looked_at(tmp_path: Path, place: str) -> None:
    vm, traces = uuid4(), Traces(tmp_path)
    path = tmp_path / place.format(name=vm.hex, dashed=vm)
    path.parent.mkdir(parents=True)
    path.write_text("x")
    assert traces.exist(vm.hex)
    traces.remove(vm.hex)
    assert not path.exists()


def test_a_link_is_removed_and_not_followed(tmp_path: Path) -> None:
    vm, traces, outside = uuid4().hex, Traces(tmp_path / "root"), tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").write_text("x")
    place = tmp_path / "root/var/lib/libvirt/qemu/snapshot" / vm
    place.parent.mkdir(parents=True)
    place.symlink_to(outside)
    assert traces.exist(vm)
    traces.remove(vm)
    assert (place.is_symlink(), (outside / "kept").exists()) == (False, True)


def test_what_cannot_be_removed_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    vm, traces = uuid4().hex, Traces(tmp_path)
    left_by(tmp_path, vm)

    def broken(self: Path, missing_ok: bool = False) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(Path, "unlink", broken)
    with pytest.raises(Refused) as refused:
        traces.remove(vm)
    assert refused.value.refusal.code == "storage.read_only"
