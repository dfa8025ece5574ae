"""Resources to store, with as little said as needed."""

from __future__ import annotations

import itertools
import uuid
from typing import Any

from appliance.api.host import Host
from appliance.api.l2 import L2Network
from appliance.api.vm import VmInstance, VmNic
from appliance.api.zone import Zone

_numbers = itertools.count(1)


def new_uuid() -> str:
    return uuid.uuid4().hex


def zone(name: str = "z", **changes: Any) -> Zone:
    return Zone(**({"uuid": new_uuid(), "name": name} | changes))


def host(name: str = "h", **changes: Any) -> Host:
    number = next(_numbers)
    fields: dict[str, Any] = {
        "uuid": new_uuid(),
        "name": name,
        "zone_uuid": "z",
        "cluster_uuid": "c",
        "management_ip": f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}",
    }
    return Host(**(fields | changes))


def vm(name: str = "v", **changes: Any) -> VmInstance:
    fields: dict[str, Any] = {
        "uuid": new_uuid(),
        "name": name,
        "zone_uuid": "z",
        "image_uuid": "i",
        "memory_size": 1 << 30,
        "cpu_num": 1,
        "cpu_speed": 1000,
        "internal_id": next(_numbers),
    }
    return VmInstance(**(fields | changes))


def nic(vm_uuid: str, **changes: Any) -> VmNic:
    number = next(_numbers)
    fields: dict[str, Any] = {
        "uuid": new_uuid(),
        "vm_instance_uuid": vm_uuid,
        "l3_network_uuid": "l3",
        "mac": f"fa:00:00:{number >> 16 & 255:02x}:{number >> 8 & 255:02x}:{number & 255:02x}",
    }
    return VmNic(**(fields | changes))


def l2(name: str = "l2", **changes: Any) -> L2Network:
    fields: dict[str, Any] = {
        "uuid": new_uuid(),
        "name": name,
        "zone_uuid": "z",
        "physical_interface": "eth0",
        "type": "L2NoVlanNetwork",
    }
    return L2Network(**(fields | changes))
