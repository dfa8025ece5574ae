"""What the detail pane says of a row: what matters first, then all else that its declaration names."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import Any

from appliance.api.job import UNDER_WAY
from appliance.api.message import MESSAGES
from appliance.api.parse import begun_line
from appliance.api.resource import RESOURCES, Column, Timestamp
from zstui import words
from zstui.cells import safe, safe_lines
from zstui.columns import nics_on, shown
from zstui.i18n import enumerated, labelled, mark, tr, trn
from zstui.i18n.server_texts import said
from zstui.jobs import error_of, job_title, target_of
from zstui.mirror import Mirror, Row
from zstui.paint import bar, load_paint, paint_of, state_piece
from zstui.recycle_bin import bin_details
from zstui.sheet import Item, heading, note
from zstui.states import percent, stands_still, state_counted
from zstui.values import LISTS, UNNAMED, description, used_for, word

KeyOf = Callable[[str, str], str]
"""The key of an action, from the usual one: the user may have put it elsewhere."""


def details(row: Row, mirror: Mirror, key_of: KeyOf = lambda _, usual: usual) -> list[Item]:
    """All there is to read about a row."""
    special = partial(_network, key_of=key_of) if row.kind == "L3Network" else SPECIAL.get(row.kind)
    items, told = special(row, mirror) if special else ([], set())
    return [*items, *_rest(row, mirror, told)]


VOLUMES = {"Root": mark("root volume"), "Data": mark("data volume")}

Told = tuple[list[Item], set[str]]
"""What to read, and the wire names of values that need not be told again."""


def _pair(label: str, value: Any, paint: str = "plain") -> list[Item]:
    """A label and its value; nothing when there is none."""
    text = safe(str(value)) if value not in (None, "") else ""
    return [Item(tr(label), text, paint)] if text else []


def _ref(label: str, key: str | None, mirror: Mirror) -> list[Item]:
    return _pair(label, mirror.name(key))


def _vm(row: Row, mirror: Mirror) -> Told:
    sign, paint = state_piece(row.text("state"))
    items = [Item(tr("state"), sign, paint)]
    items += _pair("why", said(stands_still(row) or row.text("stateCause")), "warn")
    items += _pair("since", words.dated(mirror.state_since(row)), "dim")
    if row.get("hostUuid"):
        items += _ref("host", row.get("hostUuid"), mirror)
    else:
        items += _pair("last host", mirror.name(row.get("lastHostUuid")), "dim")
    items += _pair(
        "size",
        tr(
            "{cpus} CPU, {memory} memory",
            cpus=row.get("cpuNum"),
            memory=words.long_size(row.get("memorySize") or 0),
        ),
    )
    items += _ref("image", row.get("imageUuid"), mirror)
    items += _running_jobs(row, mirror)
    for nic in row.get("vmNics", []):
        items += [heading(tr("nic {number}", number=nic.get("deviceId", 0)))]
        items += _ref("network", nic.get("l3NetworkUuid"), mirror)
        items += _pair("address", nic.get("ip"))
        items += _pair("hardware", nic.get("mac"), "dim")
        items += _pair("router", nic.get("gateway"), "dim")
    for volume in row.get("allVolumes", []):
        items += [heading(tr(VOLUMES.get(str(volume.get("type")), "volume")))]
        items += _pair("size", words.long_size(volume.get("size") or 0))
        items += _pair("status", word(str(volume.get("status") or "")), paint_of(str(volume.get("status"))))
        items += _pair("storage", mirror.name(volume.get("primaryStorageUuid")))
        items += _pair("file", volume.get("installPath"), "dim")
    told = {"state", "stateCause", "standsStill", "lastOpDate", "hostUuid", "lastHostUuid", "cpuNum", "memorySize",
            "imageUuid", "vmNics", "allVolumes", "name", "rootVolumeUuid"}  # fmt: skip
    return items, told


def _running_jobs(row: Row, mirror: Mirror) -> list[Item]:
    items = []
    for job in mirror.all("LongJob"):
        if job.get("targetResourceUuid") == row.key and job.get("state") in UNDER_WAY:
            queued = job.get("state") == "Queued"
            step = tr("Queued") if queued else f"{said(job.text('step'))} {_progress(job)}"
            items += [Item(tr("doing"), labelled(job_title(job), step), "busy")]
            items += _pair("waits for", said(job.text("waitsFor")), "warn")
    return items


def _progress(job: Row) -> str:
    return f"{bar(percent(job) / 100, 10)} {percent(job)}%"


def _host(row: Row, mirror: Mirror) -> Told:
    sign, paint = state_piece(row.text("status"))
    items = [Item(tr("status"), sign, paint)]
    items += _pair("why", said(row.text("statusReason")), "warn")
    sign, paint = state_piece(row.text("state"))
    items += [Item(tr("state"), sign, paint)]
    items += _pair("address", _login(row, "managementIp"))
    items += _pair("guests run by", row.get("accelerator"))
    items += _share("cpu allotted", row, "Cpu", lambda value: f"{value / 1000:.1f} GHz")
    items += _share("mem allotted", row, "Memory", words.long_size)
    vms = sorted(
        (vm for vm in mirror.all("VmInstance") if vm.get("hostUuid") == row.key), key=lambda vm: vm.by_name
    )
    items += [heading(trn("{number} VM", "{number} VMs", len(vms)))]
    for vm in vms[:200]:
        sign, paint = state_piece(state_counted(vm))
        items += [Item(vm.name, sign, paint)]
    told = {"status", "statusReason", "state", "managementIp", "username", "sshPort", "accelerator", "name",
            "totalCpuCapacity", "availableCpuCapacity", "totalMemoryCapacity",
            "availableMemoryCapacity"}  # fmt: skip
    return items, told


def _login(row: Row, where: str) -> str:
    """How the appliance reaches a machine; only the address of one that it need not log in to."""
    user = row.get("username")
    return f"{user}@{row.get(where)}:{row.get('sshPort')}" if user else str(row.get(where))


def _share(label: str, row: Row, what: str, words_of: Callable[[float], str]) -> list[Item]:
    total = row.get(f"total{what}Capacity") or 0
    if not total:
        return []
    used = total - (row.get(f"available{what}Capacity") or 0)
    text = tr("{used} of {total} ({share})", used=words_of(used), total=words_of(total),
              share=f"{used / total:.0%}")  # fmt: skip
    return [Item(tr(label), text, load_paint(used / total))]


def _network(row: Row, mirror: Mirror, key_of: KeyOf) -> Told:
    sign, paint = state_piece(row.text("state"))
    items = [Item(tr("state"), sign, paint)]
    items += _ref("l2 network", row.get("l2NetworkUuid"), mirror)
    l2 = mirror.find(row.get("l2NetworkUuid"))
    if l2 is not None:
        vlan = [tr("vlan {number}", number=l2.get("vlan"))] if l2.get("vlan") is not None else []
        items += _pair("on", enumerated([l2.text("physicalInterface"), *vlan]), "dim")
    items += _pair("dns", enumerated(str(each) for each in row.get("dns", [])))
    items += _pair("domain", row.get("dnsDomain"))
    kinds = [str(each.get("networkServiceType")) for each in row.get("networkServices", [])]
    none = tr("none: press {key} to attach some", key=key_of("panel('services')", "w"))
    items += [Item(tr("services"), safe(enumerated(sorted(kinds))) or none, "good" if kinds else "warn")]
    for each in row.get("ipRanges", []):
        items += [heading(safe(tr("range {name}", name=each.get("name", ""))))]
        items += _pair("addresses", f"{each.get('startIp')} – {each.get('endIp')}")
        items += _pair("subnet", each.get("networkCidr"))
        items += _pair("router", each.get("gateway"), "dim")
    nics = nics_on(row, mirror)
    items += [heading(trn("{number} NIC", "{number} NICs", len(nics)))]
    for vm, nic in sorted(nics, key=lambda pair: words.natural(str(pair[1].get("ip"))))[:200]:
        items += [Item(safe(str(nic.get("ip") or tr("no address"))), vm.name, paint_of(vm.text("state")))]
    told = {"state", "l2NetworkUuid", "dns", "dnsDomain", "networkServices", "ipRanges", "name"}
    return items, told


def _storage(row: Row, mirror: Mirror) -> Told:
    sign, paint = state_piece(row.text("status"))
    items = [Item(tr("status"), sign, paint)]
    items += _pair("why", said(row.text("statusReason")), "warn")
    items += _pair("state", word(row.text("state")), paint_of(row.text("state")))
    items += _pair("holds", tr("disks of VMs") if row.kind == "PrimaryStorage" else tr("images"))
    items += _pair("folder", row.get("url"))
    if row.get("hostname"):
        items += _pair("machine", _login(row, "hostname"))
    items += _share("used", row, "", words.long_size)
    places = row.get("attachedClusterUuids") or row.get("attachedZoneUuids") or []
    items += _pair("serves", enumerated(mirror.name(key) for key in places))
    told = {"status", "statusReason", "state", "url", "mountPath", "hostname", "username", "sshPort", "name",
            "totalCapacity", "availableCapacity", "attachedClusterUuids", "attachedZoneUuids"}  # fmt: skip
    return items, told


def _image(row: Row, mirror: Mirror) -> Told:
    sign, paint = state_piece(row.text("status"))
    items = [Item(tr("status"), sign, paint)]
    items += _running_jobs(row, mirror)
    items += _pair("from", row.get("url"))
    items += _pair("format", enumerated((row.text("format"), word(row.text("mediaType")))))
    items += _pair("disk", words.long_size(row.get("size") or 0))
    items += _pair("file", words.long_size(row.get("actualSize") or 0))
    places = [str(each.get("backupStorageUuid")) for each in row.get("backupStorageRefs", [])]
    items += _pair("stored on", enumerated(mirror.name(key) for key in places))
    vms = [vm for vm in mirror.all("VmInstance") if vm.get("imageUuid") == row.key]
    items += _pair("used by", trn("{number} VM", "{number} VMs", len(vms)))
    told = {"status", "url", "format", "mediaType", "size", "actualSize", "backupStorageRefs", "name"}
    return items, told


def _job(row: Row, mirror: Mirror) -> Told:
    sign, paint = state_piece(row.text("state"))
    if row.get("state") == "Running":
        sign, paint = f"◍ {_progress(row)} {said(row.text('step'))}", "busy"
    items = [Item(tr("state"), sign, paint)]
    items += _pair("waits for", said(row.text("waitsFor")), "warn")
    items += _pair("of", target_of(row, mirror))
    items += _moved(row)
    items += _pair("asked", words.dated(row.text("createDate")))
    last = mark("last step") if row.get("state") in UNDER_WAY else mark("ended")
    items += _pair(last, words.dated(row.text("lastOpDate")))
    error = error_of(row)
    if error is not None:
        items += [heading(tr("what went wrong")), *error_items(error)]
    items += [heading(tr("the call")), note(_call_line(row)), *_named(row, mirror)]
    told = {"state", "waitsFor", "targetResourceName", "targetResourceUuid", "createDate", "lastOpDate",
            "progress", "step", "jobData", "jobResult", "name", "doneBytes", "totalBytes",
            "bytesPerSecond"}  # fmt: skip
    return items, told


def _moved(row: Row) -> list[Item]:
    """Bytes that a job has moved of those it has to, how fast, and how long that takes yet."""
    total, rate = row.get("totalBytes"), row.get("bytesPerSecond")
    if total is None:
        return []
    done = row.get("doneBytes") or 0
    items = _pair(
        "bytes", tr("{shown} of {total}", shown=words.long_size(done), total=words.long_size(total))
    )
    if rate and row.text("waitsFor"):
        items += _pair("pace", tr("{size} in a second", size=words.long_size(rate)))
    elif rate and row.get("state") == "Running":
        left = words.duration(max(0, total - done) / rate)
        items += _pair("pace", tr("{size} in a second, {time} left", size=words.long_size(rate), time=left))
    return items


def error_items(error: dict[str, Any]) -> list[Item]:
    """An error as the API tells it, and below it what caused it, to the bottom."""
    items: list[Item] = []
    depth = 0
    before = ""
    found: Any = error
    while isinstance(found, dict):
        label = tr("because") if depth else tr("error")
        kind = f"{tr(str(found.get('description', '')))} [{found.get('code', '')}]"
        items += [Item(label, safe(kind), "bad")]
        details_ = said(str(found.get("details", "")))
        if details_ != before:  # a wrapper repeats its cause's words
            items += [note(line, "plain") for line in safe_lines(details_)]
        before = details_
        found = found.get("cause")
        depth += 1
    return items


def _call_line(row: Row) -> str:
    """The line that repeats a job's call; secrets are not in it."""
    kind = MESSAGES.get(str(row.get("name")))
    if kind is None:
        return row.text("name")
    # Its secrets are starred already, which no call may be made with.
    return f"zstui call {begun_line(kind, json.loads(row.get('jobData') or '{}'))}"


def _named(row: Row, mirror: Mirror) -> list[Item]:
    """What the uuids in a job's call are the names of, but for its target's, which is told."""
    items: list[Item] = []
    for parameter, value in json.loads(row.get("jobData") or "{}").items():
        known = [mirror.find(str(each)) for each in (value if isinstance(value, list) else [value])]
        names = [each.name for each in known if each is not None]
        if names and names != [row.text("targetResourceName")]:
            items += _pair(words.label(parameter), enumerated(names))
    return items


def _event(row: Row, mirror: Mirror) -> Told:
    paint = {"error": "bad", "warning": "warn"}.get(row.text("level"), "plain")
    items = [note(line, paint) for line in safe_lines(said(str(row.get("text", ""))))]
    items += [heading(tr("about")), *_pair("when", words.dated(row.text("createDate")))]
    items += _pair("of", row.get("resourceName"))
    items += _pair("kind", word(row.text("resourceType")), "dim")
    return items, {"text", "createDate", "resourceName", "resourceType", "name"}


def _rest(row: Row, mirror: Mirror, told: set[str]) -> list[Item]:
    """The declared values that were not told yet, and the uuid."""
    items = [heading(tr("identity"))] if told else []
    for column in RESOURCES[row.kind].columns.values():
        if column.private or column.wire in told or column.wire in UNNAMED:
            continue
        if own := LISTS.get((row.kind, column.wire)):
            items += [Item(label, text) for label, text in own(row)]
        elif row.get(column.wire) not in (None, "", []):
            text = _read(row, column, mirror)
            items += _pair(words.label(column.wire), text, "dim" if told else "plain")
    return items


def _read(row: Row, column: Column, mirror: Mirror) -> str:
    """A value as it is read."""
    value = row.get(column.wire)
    if column.wire == "description":
        return description(row, mirror)
    if column.wire == "usedFor":
        return used_for(row, mirror)
    if column.wire.endswith("Uuid"):
        return mirror.name(str(value))
    if column.kind is Timestamp:
        return words.dated(row.text(column.wire))
    if column.kind is int and ("capacity" in column.name or "size" in column.name):
        return words.long_size(value)
    if isinstance(value, (list, dict)):
        return json.dumps(value, ensure_ascii=False)
    return shown(row, column.wire)


SPECIAL: dict[str, Callable[[Row, Mirror], Told]] = {
    "VmInstance": _vm,
    "Host": _host,
    "PrimaryStorage": _storage,
    "BackupStorage": _storage,
    "Image": _image,
    "LongJob": _job,
    "Event": _event,
    "RecycleBinItem": bin_details,
}
