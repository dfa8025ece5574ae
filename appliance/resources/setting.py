"""What requests about global configs mean."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from appliance.api.errors import InvalidArgument
from appliance.api.host import Host
from appliance.api.setting import BY_NAME, GetGlobalConfig, GlobalConfig, Setting, UpdateGlobalConfig
from appliance.api.size import parse_size
from appliance.hosts.simulated_conduct import parse_delay, parse_fault_rate
from appliance.reconcile.capacity import recount_host
from appliance.reconcile.recycle_bin import reschedule
from appliance.resources.registry import Caller, handles, reads
from appliance.store.snapshot import Snapshot
from appliance.store.transaction import Transaction

PARSED: dict[tuple[str, str], Callable[[str], object]] = {
    ("kvm", "reservedMemory"): parse_size,
    ("primaryStorage", "reservedCapacity"): parse_size,
    ("backupStorage", "reservedCapacity"): parse_size,
    ("simulator", "delay"): parse_delay,
    ("simulator", "faultRate"): parse_fault_rate,
}
"""Settings with a text of their own; what reads it raises `ValueError`."""

DIGITS = 40
SHOWN = 100
"""Far more than any setting's number has, and what is said back of one that is longer."""


@handles(UpdateGlobalConfig)
def update_global_config(tx: Transaction, request: UpdateGlobalConfig, caller: Caller) -> GlobalConfig:
    """The row's value, checked; whoever reads it next has it."""
    setting = _setting(request.category, request.name)
    value = setting.default if request.value is None else request.value
    _check(setting, value)
    row = _row(tx, request.category, request.name)
    policy = BY_NAME.get((request.category, "deletionPolicy"))
    before = "" if policy is None else tx.setting(request.category, policy.name)
    row = tx.update(row, value=value)
    if policy is not None:
        reschedule(tx, request.category, before)
    if setting.category in ("kvm", "hostAllocator") and setting.name.startswith("reserved"):
        for host in tx.all(Host):
            recount_host(tx, host.uuid)
    return row


@reads(GetGlobalConfig)
def get_global_config(snapshot: Snapshot, request: GetGlobalConfig, caller: Caller) -> dict[str, Any]:
    """The row."""
    _setting(request.category, request.name)
    return {"inventory": snapshot.inventory(_row(snapshot, request.category, request.name))}


def _setting(category: str, name: str) -> Setting:
    found = BY_NAME.get((category, name))
    if found is None:
        raise InvalidArgument(f"Unable to find GlobalConfig[category: {category}, value: {name}]")
    return found


def _row(snapshot: Snapshot, category: str, name: str) -> GlobalConfig:
    found = snapshot.first(GlobalConfig, category=category, name=name)
    if found is None:
        raise InvalidArgument(f"Unable to find GlobalConfig[category: {category}, value: {name}]")
    return found


def _check(setting: Setting, value: str) -> None:
    if setting.choices and value not in setting.choices:
        raise InvalidArgument(
            f"{value} is not a valid value. Valid values are [{', '.join(setting.choices)}]"
        )
    parse = PARSED.get((setting.category, setting.name))
    if parse is not None:
        try:
            parse(value)
        except ValueError as wrong:
            raise InvalidArgument(str(wrong)) from wrong
    if setting.minimum is not None:
        _check_number(setting, setting.minimum, value)


def _check_number(setting: Setting, low: int, value: str) -> None:
    if not re.fullmatch(r"-?[0-9]+", value):
        raise InvalidArgument(f"{value[:SHOWN]} is not a number")
    number = int(value[:DIGITS])
    which = f"Global config[category: {setting.category}, name: {setting.name}]"
    if number < low:
        # ZStack's words for its rule that 0 passes; of the others they are true.
        raise InvalidArgument(f"{which} must be greater than {max(low - 1, 0)}, but got {value[:SHOWN]}")
    if number > setting.maximum:
        raise InvalidArgument(
            f"{which} must be in range of [{low}, {setting.maximum}], but got {value[:SHOWN]}"
        )
