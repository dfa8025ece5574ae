"""The details of a row say what there is to say, and nothing of what it has not."""

from __future__ import annotations

import pytest

from zstui.details import details
from zstui.mirror import Mirror, Row


@pytest.mark.parametrize(
    ("inventory", "shown"),
    [
        ({"username": "ops", "sshPort": 2222}, "ops@10.0.0.9:2222"),
        ({"hypervisorType": "Simulator"}, "10.0.0.9"),
    ],
)
def test_where_a_host_is(inventory: dict[str, object], shown: str) -> None:
    row = Row("Host", "h", {"name": "h", "managementIp": "10.0.0.9", **inventory})
    items = details(row, Mirror(("Host", "VmInstance", "LongJob")))
    assert [item.text for item in items if item.label == "address"] == [shown]
