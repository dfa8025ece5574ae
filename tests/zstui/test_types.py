"""What is proposed for a row or a list is of the type that is there."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from zstui.mirror import Row
from zstui.nouns import NOUNS, create_message
from zstui.verbs import update_message


@pytest.mark.parametrize(
    ("kind", "data", "message"),
    [
        ("Host", {"hypervisorType": "KVM"}, "UpdateKVMHost"),
        ("Host", {"hypervisorType": "Simulator"}, "UpdateHost"),
        ("BackupStorage", {"type": "SftpBackupStorage"}, "UpdateSftpBackupStorage"),
        ("BackupStorage", {"type": "SimulatorBackupStorage"}, "UpdateBackupStorage"),
        ("VmInstance", {"type": "UserVm"}, "UpdateVmInstance"),
        ("Zone", {}, "UpdateZone"),
        ("Event", {}, None),
    ],
)
def test_a_row_is_changed_by_the_message_for_its_type(kind: str, data: dict, message: str | None) -> None:
    assert update_message(Row(kind, "1" * 32, data)) == message


@pytest.mark.parametrize(
    ("types", "message"),
    [
        ([], "AddKVMHost"),
        (["KVM", "Simulator"], "AddKVMHost"),
        (["Simulator", "Simulator"], "AddSimulatorHost"),
    ],
)
def test_a_new_host_is_one_that_a_cluster_can_take(types: list[str], message: str) -> None:
    rows = {str(at): Row("Cluster", str(at), {"hypervisorType": each}) for at, each in enumerate(types)}
    mirror = SimpleNamespace(rows={"Cluster": rows})
    assert create_message(NOUNS["host"], mirror) == message  # type: ignore[arg-type]  # all that is looked at
