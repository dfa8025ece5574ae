"""What the mirror keeps of rows that are told one by one."""

from __future__ import annotations

import json
from typing import Any

from appliance.client import Push
from zstui.mirror import Mirror, Row


def told(number: int) -> Push:
    """One VM, as it comes from the wire: nothing in it is part of another."""
    said = {
        "uuid": f"{number:032x}", "name": f"vm-{number}", "state": "Running", "hostUuid": "h" * 32,
        "vmNics": [{"vmInstanceUuid": f"{number:032x}", "l3NetworkUuid": "l" * 32, "ip": "10.0.0.1"}],
    }  # fmt: skip
    data: dict[str, Any] = json.loads(json.dumps(said))
    return Push("change", "VmInstance", data["uuid"], "upsert", data)


async def test_rows_hold_one_copy_of_what_is_alike() -> None:
    mirror = Mirror(("VmInstance",))
    for number in (1, 2):
        mirror._apply(told(number))
    one, two = mirror.all("VmInstance")
    assert two.data == told(2).inventory
    assert one.data["hostUuid"] is two.data["hostUuid"]
    assert one.data["vmNics"][0]["l3NetworkUuid"] is two.data["vmNics"][0]["l3NetworkUuid"]
    assert one.key is one.data["uuid"] is one.data["vmNics"][0]["vmInstanceUuid"]
    assert all(mine is theirs for mine, theirs in zip(one.data, two.data, strict=True))
    mirror.flush()


async def test_a_vm_is_in_its_state_since_that_came_and_not_since_its_last_change() -> None:
    mirror = Mirror(("VmInstance", "Event"))

    def vm(state: str, changed: str) -> Row:
        return Row("VmInstance", "v", {"uuid": "v", "name": "v", "state": state, "lastOpDate": changed})

    mirror._put(vm("Running", "Nov 29, 2026 11:04:01 PM"))
    told = {
        "sequence": 1,
        "name": "VmStateChanged",
        "resourceUuid": "v",
        "createDate": "Nov 29, 2026 11:00:20 PM",
    }
    mirror._put(Row("Event", "1", told))
    assert mirror.state_since(mirror.rows["VmInstance"]["v"]) == "Nov 29, 2026 11:00:20 PM"
    mirror._put(vm("Running", "Nov 29, 2026 11:05:00 PM"))
    assert mirror.state_since(mirror.rows["VmInstance"]["v"]) == "Nov 29, 2026 11:00:20 PM"
    mirror._put(vm("Stopped", "Nov 29, 2026 11:06:00 PM"))
    mirror._put(vm("Stopped", "Nov 29, 2026 11:07:00 PM"))
    assert mirror.state_since(mirror.rows["VmInstance"]["v"]) == "Nov 29, 2026 11:06:00 PM"
