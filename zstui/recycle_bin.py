"""The recycle bin: what its rows show, what takes them back, what removes them for good."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from zstui import words
from zstui.columns import Column, ago, name_column, named
from zstui.i18n import enumerated, mark, tr, trn
from zstui.mirror import Mirror, Row
from zstui.paint import Piece
from zstui.sheet import Item, heading
from zstui.values import word

KIND = "RecycleBinItem"
TYPES = {"VmInstanceVO": "VmInstance", "VolumeVO": "Volume", "ImageVO": "Image"}
"""Kinds by the types that the bin names."""

ONE = {"VmInstanceVO": mark("VM"), "VolumeVO": mark("data volume"), "ImageVO": mark("image")}
RECOVER = {"VmInstanceVO": "RecoverVmInstance", "VolumeVO": "RecoverDataVolume", "ImageVO": "RecoverImage"}
EXPUNGE = {"VmInstanceVO": "ExpungeVmInstance", "VolumeVO": "ExpungeDataVolume", "ImageVO": "ExpungeImage"}
SOON_SECONDS = 3600.0

Call = tuple[str, dict[str, Any]]
"""A message and its fields."""


def calls_on(item: Row) -> list[str]:
    """The messages that do something to an item; none once it is being removed."""
    kind = item.text("resourceType")
    return [RECOVER[kind], EXPUNGE[kind]] if item.get("status") == "Deleted" else []


def recover_call(item: Row, *, with_volumes: bool) -> Call:
    """What takes an item back."""
    kind = str(item.get("resourceType"))
    fields = _named(item)
    if kind == "VmInstanceVO" and with_volumes and item.get("dataVolumeUuids"):
        fields["attachDataVolumes"] = True
    return RECOVER[kind], fields


def expunge_call(item: Row) -> Call:
    """What removes an item for good, now."""
    return EXPUNGE[str(item.get("resourceType"))], _named(item)


def _named(item: Row) -> dict[str, Any]:
    uuid = item.get("resourceUuid")
    if item.get("resourceType") != "ImageVO":
        return {"uuid": uuid}
    places = item.get("backupStorageUuid")
    return {"imageUuid": uuid, **({"backupStorageUuids": [places]} if places else {})}


def items_of(mirror: Mirror, uuids: Iterable[str]) -> list[Row]:
    """What is in the bin of some resources, and can be taken back."""
    wanted = set(uuids)
    return [item for item in mirror.all(KIND)
            if item.get("resourceUuid") in wanted and item.get("status") == "Deleted"]  # fmt: skip


def seconds_left(item: Row) -> float | None:
    """How long an item is kept yet; None when it is kept until somebody expunges it."""
    then = words.seconds(item.text("expungeDate"))
    return max(0.0, then - words.now()) if then else None


def reclaimable(rows: Iterable[Row]) -> str:
    """What expunging all of some items would free, as far as hosts have said."""
    sizes = [row.get("reclaimableSize") for row in rows]
    known = sum(size for size in sizes if size is not None)
    if not sizes:
        return ""
    size = words.long_size(known)
    if None in sizes:
        return tr("{size} and more reclaimable", size=size)
    return tr("{size} reclaimable", size=size)


def countdown(left: float) -> str:
    """A length of time in its two largest units: `23h 59m`."""
    for size, small, smaller in ((86400, 3600, "hour"), (3600, 60, "minute"), (60, 1, "second")):
        if left >= size:
            return f"{words.duration(left // size * size)} {words.duration_in(left % size // small, smaller)}"
    return words.duration(left)


def _expunged(item: Row, _: Mirror) -> float | None:
    """When an item goes for good, to order by: how long that is from now is other at each look."""
    return words.seconds(item.text("expungeDate")) or None


def left_piece(item: Row, _: Mirror) -> Piece:
    """When an item goes for good."""
    if item.get("status") == "Expunging":
        return f"◍ {tr('Expunging')}", "busy"
    left = seconds_left(item)
    if left is None:
        return tr("never"), "dim"
    if left == 0:
        return tr("at the next look"), "bad"
    return tr("in {time}", time=countdown(left)), "warn" if left < SOON_SECONDS else "plain"


def size_piece(item: Row, _: Mirror) -> Piece:
    """What expunging an item frees; a question mark until its host has said."""
    size = item.get("reclaimableSize")
    return ("?", "warn") if size is None else (words.size(size), "plain")


def _size(item: Row, _: Mirror) -> float | None:
    size = item.get("reclaimableSize")
    return None if size is None else float(size)


def _takes(item: Row, _: Mirror) -> Piece:
    volumes, ips = item.get("dataVolumeUuids") or [], item.get("ips") or []
    parts = [trn("{number} data volume", "{number} data volumes", len(volumes))] if volumes else []
    return enumerated([*parts, *map(str, ips)]), "dim"


def _kind(item: Row, _: Mirror) -> Piece:
    return tr(ONE.get(item.text("resourceType"), "")) or word(item.text("resourceType")), "dim"


COLUMNS = (
    name_column(28),
    Column("KIND", _kind, 1, 12),
    Column("EXPUNGED", left_piece, 0, 18, number=_expunged),
    Column("FREES", size_piece, 1, 8, right=True, number=_size),
    Column("TAKES BACK", _takes, 3, 36),
    named("HOST", "hostUuid", rank=4, most=18),
    ago("DELETED", "deletionDate", rank=2),
)


def bin_details(item: Row, mirror: Mirror) -> tuple[list[Item], set[str]]:
    """What the detail says of an item."""
    text, paint = left_piece(item, mirror)
    items = [Item(tr("kind"), _kind(item, mirror)[0]), Item(tr("expunged"), text, paint)]
    if item.get("expungeDate"):
        items.append(Item(tr("on"), words.date(item.text("expungeDate")), "dim"))
    else:
        items.append(Item(tr("why"), tr("the deletion policy of its kind is Never"), "dim"))
    size, paint = size_piece(item, mirror)
    if size != "?":
        items.append(Item(tr("frees"), words.long_size(item.get("reclaimableSize") or 0), paint))
    else:
        items.append(Item(tr("frees"), tr("not known until its host answers"), paint))
    items.append(Item(tr("deleted"), tr("{age} ago", age=words.age(item.text("deletionDate"))), "dim"))
    volumes, ips = item.get("dataVolumeUuids") or [], item.get("ips") or []
    if volumes or ips:
        items.append(heading(tr("comes back with it")))
        items += [Item(tr("data volume"), mirror.name(str(uuid))) for uuid in volumes]
        items += [Item(tr("address"), tr("{ip}, if nobody has it by then", ip=ip)) for ip in ips]
    told = {"resourceType", "status", "expungeDate", "reclaimableSize", "deletionDate", "dataVolumeUuids", "ips",
            "name", "createDate", "lastOpDate"}  # fmt: skip
    return items, told
