"""The columns of lists without a number key: volumes, settings, tags."""

from __future__ import annotations

from zstui.columns import Column, ago, bytes_, name_column, named, state, text
from zstui.i18n import tr
from zstui.mirror import Row


def _changed_paint(row: Row) -> str:
    """A setting that is not its default stands out."""
    return "plain" if row.get("value") == row.get("defaultValue") else "accent"


def _tag_type(row: Row) -> str:
    """Free tags mark, system tags steer, and some the appliance keeps by itself."""
    if row.kind == "UserTag":
        return tr("free")
    return tr("inherent") if row.get("inherent") else tr("system")


VOLUME = (
    name_column(28),
    text("TYPE", "type", paint="dim", rank=2, most=6),
    state("STATUS", "status"),
    bytes_("SIZE", "size", rank=1),
    named("VM", "vmInstanceUuid", rank=1, most=24),
    named("STORAGE", "primaryStorageUuid", rank=4, most=18),
    named("IMAGE", "rootImageUuid", rank=5, most=20),
    text("FORMAT", "format", paint="dim", rank=6),
    ago("AGE", "createDate", rank=3),
)
CONFIG = (
    text("CATEGORY", "category", paint="dim", rank=1, most=18),
    text("NAME", "name", paint="strong", most=32),
    Column("VALUE", lambda row, _: (row.text("value"), _changed_paint(row)), 0, 32),
    text("DEFAULT", "defaultValue", paint="faint", rank=2, most=24),
    text("WHAT IT DOES", "description", paint="dim", rank=3, most=90),
)
TAG = (
    text("TAG", "tag", paint="strong", most=44),
    named("ON", "resourceUuid", rank=1, most=24),
    text("OF KIND", "resourceType", paint="dim", rank=2, most=20),
    Column("TYPE", lambda row, _: (_tag_type(row), "dim"), 1, 12),
    ago("AGE", "createDate", rank=4),
)
