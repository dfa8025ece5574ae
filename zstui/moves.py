"""Moves to other hosts: the rule for what is to move, the call that moves it, and what is shown of its job."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NamedTuple

from appliance.api.job import UNDER_WAY
from zstui import words
from zstui.cells import safe
from zstui.columns import Column, ago
from zstui.i18n import enumerated, mark, tr
from zstui.i18n.server_texts import said
from zstui.jobs import REASON_CELLS, reason, state_of, step
from zstui.mirror import Mirror, Row
from zstui.paint import Piece, bar
from zstui.states import percent

VM, VOLUME = "MigrateVm", "LocalStorageMigrateVolume"


class Rule(NamedTuple):
    """One thing that holds for a move; `met` is None when it is no condition, but what will happen."""

    text: str
    met: bool | None = None


@dataclass(frozen=True)
class Plan:
    """What would be moved, with which call, and under which rules."""

    message: str
    subject: dict[str, Any]
    """The parameter that names it."""
    target: str
    """The parameter that names the host."""
    ask: str
    """The message that lists the hosts."""
    rules: list[Rule] = field(default_factory=list)
    here: str = ""
    """The host that it is on, where that is known."""

    @property
    def hindrance(self) -> str | None:
        """The first condition that is not met; None when it may go."""
        return next((rule.text for rule in self.rules if rule.met is False), None)

    @property
    def allowed(self) -> bool:
        """Whether every condition is met."""
        return self.hindrance is None


def plan_of(row: Row, mirror: Mirror) -> Plan | None:
    """How a row would be moved; None for what does not move."""
    if row.kind == "VmInstance":
        return _of_vm(row, mirror)
    return _of_volume(row, mirror) if row.kind == "Volume" else None


def _of_vm(row: Row, mirror: Mirror) -> Plan | None:
    state_now = row.text("state")
    if state_now in ("Stopped", "Destroyed"):
        root = row.get("rootVolumeUuid")
        return _plan_of_root(str(root), row, mirror) if root else None
    rules = [
        Rule(
            tr("a running VM moves while it runs; this one is {state}", state=tr(state_now)),
            state_now == "Running",
        ),
        *([Rule(said(row.text("cannotMove")), False)] if row.get("cannotMove") else []),
        Rule(tr("memory, local disks and their snapshots, address and user data go with it")),
        Rule(tr("its guest stands still for about a second at the end, longer on a busy host")),
    ]
    named = {"vmInstanceUuid": row.key}
    return Plan(VM, named, "hostUuid", "GetVmMigrationCandidateHosts", rules, row.text("hostUuid"))


def _of_volume(row: Row, mirror: Mirror) -> Plan | None:
    owner = mirror.find(row.get("vmInstanceUuid"))
    if row.get("type") == "Root":
        return _plan_of_root(row.key, owner, mirror)
    if owner is not None:
        attached = tr("a data volume must be detached; this one is attached to {vm}", vm=owner.name)
    else:
        attached = tr("a data volume must be detached; this one is")
    rules = [Rule(attached, owner is None)]
    ready = row.text("status")
    rules.append(Rule(tr("it must be Ready; it is {state}", state=tr(ready)), ready == "Ready"))
    return _plan_of_volume(row.key, [*rules, Rule(tr(SNAPSHOTS))], mirror)


SNAPSHOTS = mark("its snapshots are moved as well")


def _plan_of_root(uuid: str, vm: Row | None, mirror: Mirror) -> Plan:
    rules = []
    if vm is not None:
        now = vm.text("state")
        rules.append(
            Rule(
                tr("the VM of a root volume must be stopped; {vm} is {state}", vm=vm.name, state=tr(now)),
                now in ("Stopped", "Destroyed"),
            )
        )
        data = [
            safe(str(each.get("name"))) for each in vm.get("allVolumes", []) if each.get("type") == "Data"
        ]
        if data:
            rules.append(
                Rule(tr("data volumes stay behind: detach {volumes} first", volumes=enumerated(data)), False)
            )
    then = [Rule(tr(SNAPSHOTS)), Rule(tr("the VM starts on the new host from then on"))]
    return _plan_of_volume(uuid, [*rules, *then], mirror)


def _plan_of_volume(uuid: str, rules: list[Rule], mirror: Mirror) -> Plan:
    volume = mirror.find(uuid)
    here = volume.text("hostUuid") if volume is not None else ""
    ask = "LocalStorageGetVolumeMigratableHosts"
    return Plan(VOLUME, {"volumeUuid": uuid}, "destHostUuid", ask, rules, here)


# --- the list of moves -----------------------------------------------------------------------------------


@lru_cache(maxsize=2000)
def _asked(job_data: str) -> dict[str, Any]:
    """What was asked for."""
    found = json.loads(job_data)
    return found if isinstance(found, dict) else {}


def _what(row: Row, mirror: Mirror) -> Piece:
    return row.text("targetResourceName") or mirror.name(row.get("targetResourceUuid")), "strong"


def _kind(row: Row, _: Mirror) -> Piece:
    return (tr("running VM") if row.get("name") == VM else tr("volume")), "dim"


def _to(row: Row, mirror: Mirror) -> Piece:
    asked = _asked(str(row.get("jobData") or "{}"))
    uuid = asked.get("hostUuid") or asked.get("destHostUuid")
    if uuid is None and row.get("state") == "Succeeded":
        uuid = (json.loads(row.get("jobResult") or "{}").get("inventory") or {}).get("hostUuid")
    return (mirror.name(uuid) if uuid else tr("with fewest VMs")), "plain" if uuid else "dim"


def _progress(row: Row, _: Mirror) -> Piece:
    if row.get("state") != "Running":
        return "", "dim"
    return f"{bar(percent(row) / 100, 5)} {percent(row):3}%", "busy"


def _bytes(row: Row, _: Mirror) -> Piece:
    done, total = row.get("doneBytes"), row.get("totalBytes")
    if total is None:
        return "", "dim"
    if row.get("state") == "Succeeded":
        return words.size(total), "dim"
    return tr("{shown} of {total}", shown=words.size(done or 0), total=words.size(total)), "plain"


def _rate(row: Row, _: Mirror) -> Piece:
    rate = row.get("bytesPerSecond")
    running = row.get("state") == "Running"
    return (f"{words.size(rate)}/s" if rate and running else ""), "plain"


def seconds_left(row: Row, _: Mirror) -> float | None:
    """How long a move still takes at the pace it has; None while that is not known, or something keeps it."""
    rate, total = row.get("bytesPerSecond"), row.get("totalBytes")
    if row.get("state") != "Running" or not rate or total is None or row.text("waitsFor"):
        return None
    return float(max(0, total - (row.get("doneBytes") or 0)) / rate)


def _left(row: Row, mirror: Mirror) -> Piece:
    left = seconds_left(row, mirror)
    return ("" if left is None else words.duration(left)), "plain"


def _ended(row: Row, _: Mirror) -> str:
    """When it ended; nothing as long as it goes on."""
    return "" if row.get("state") in UNDER_WAY else row.text("lastOpDate")


COLUMNS = (
    Column("ASKED", lambda row, _: (words.clock(row.text("createDate")), "dim"), 0, 8,
           number=lambda row, mirror: mirror.histories.order(row)),
    Column("WHAT", _what, 0, 28),
    Column("KIND", _kind, 6, 12),
    Column("TO", _to, 0, 20),
    Column("STATE", state_of, 0, 12),
    Column("PROGRESS", _progress, 1, 14),
    Column("BYTES", _bytes, 3, 16, right=True),
    Column("RATE", _rate, 4, 8, right=True),
    Column("LEFT", _left, 2, 6, right=True, number=seconds_left),
    Column("STEP", step, 5, 40),
    Column("WHY", reason, 2, 80, fewest=REASON_CELLS),
    ago("ENDED", _ended, rank=7),
)  # fmt: skip
