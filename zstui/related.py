"""What a row has to do with: what it belongs to, what it names, and what names it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from heapq import nlargest, nsmallest
from typing import Any

from zstui.histories import HISTORY
from zstui.mirror import Mirror, Row

OWNERS = {
    "VmInstance": ("hostUuid", "lastHostUuid", "clusterUuid"),
    "Host": ("clusterUuid",),
    "Cluster": ("zoneUuid",),
    "L3Network": ("l2NetworkUuid",),
    "L2Network": ("zoneUuid",),
    "Volume": ("vmInstanceUuid", "primaryStorageUuid"),
    "VolumeSnapshot": ("volumeUuid",),
    "IpRange": ("l3NetworkUuid",),
    "VmNic": ("vmInstanceUuid",),
    "PrimaryStorage": ("zoneUuid",),
    "RecycleBinItem": ("resourceUuid", "hostUuid"),
    "LongJob": ("targetResourceUuid",),
    "Event": ("resourceUuid",),
    "SystemTag": ("resourceUuid",),
    "UserTag": ("resourceUuid",),
    "UserdataFetch": ("vmInstanceUuid",),
}
"""By kind, the fields that name what a row belongs to; the first that is known counts."""

NEVER = ("Event", "GlobalConfig")
"""Kinds that name so much that they are no help among what is related."""

PER_KIND = 50


def owner_of(row: Row, mirror: Mirror) -> Row | None:
    """What a row belongs to, as far as the mirror knows it."""
    named = [row.get(wire) for wire in OWNERS.get(row.kind, ())]
    if row.kind == "Image":
        named = [each.get("backupStorageUuid") for each in row.get("backupStorageRefs", [])]
    if row.kind == "LongJob":
        named += list(_texts(json.loads(row.get("jobData") or "{}")))
    found = (mirror.find(uuid) for uuid in named if uuid)
    return next((each for each in found if each is not None and each.key != row.key), None)


def named_by(row: Row, mirror: Mirror) -> list[Row]:
    """Every row that a row names, in the order in which it does."""
    found: dict[str, Row] = {}
    for text in _texts(row.data):
        other = mirror.find(text) if len(text) == len(row.key) and text != row.key else None
        if other is not None:
            found.setdefault(other.key, other)
    return list(found.values())


def naming(row: Row, mirror: Mirror) -> list[Row]:
    """Rows that name a row, some of each kind: by name, of histories the newest first."""
    found: list[Row] = []
    for kind, rows in mirror.rows.items():
        if kind in NEVER:
            continue
        others = (other for other in rows.values() if other.key != row.key)
        of_kind = (other for other in others if any(text == row.key for text in _texts(other.data)))
        if kind in HISTORY:
            found += nlargest(PER_KIND, of_kind, key=mirror.histories.order)
        else:
            found += nsmallest(PER_KIND, of_kind, key=lambda other: other.by_name)
    return found


def related(row: Row, mirror: Mirror) -> list[Row]:
    """All that, once each: its owner first."""
    owner = owner_of(row, mirror)
    every = [*([owner] if owner is not None else []), *named_by(row, mirror), *naming(row, mirror)]
    return list({each.key: each for each in every}.values())


def _texts(value: Any) -> Iterator[str]:
    """Every text in an inventory, nested ones too."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from _texts(each)
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each)
