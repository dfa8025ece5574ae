"""What rows are called in questions, and what goes with them."""

from __future__ import annotations

from collections.abc import Sequence

from appliance.api.resource import RESOURCES, camel
from appliance.api.vm_states import ALLOWED
from zstui import words
from zstui.cells import crop
from zstui.i18n import enumerated, tr, trn
from zstui.i18n.server_texts import COUNTED
from zstui.jobs import job_title
from zstui.mirror import Mirror, Row
from zstui.nouns import noun_of
from zstui.values import description, word
from zstui.verbs import TAGS, VERBS, binned

NAME_CELLS = 20
"""Cells of a name before a reason, or among others."""

NAMED = 3
"""Rows that are named where several are spoken of; of those beyond their number is told."""


def called(row: Row) -> str:
    """What a row is called: its name, but words for what the API names by a class, as it does events and jobs."""
    if row.kind == "LongJob":
        return job_title(row)
    return word(row.text("name")) if row.kind == "Event" else row.name


def names_of(rows: list[Row]) -> str:
    """The name of one row; of several how many of what."""
    if len(rows) == 1:
        return called(rows[0])
    noun = noun_of(rows[0].kind)
    counted = COUNTED.get(noun.one) if noun is not None else None
    return counted(len(rows)) if counted is not None else f"{len(rows)} {tr(noun_title(rows[0]))}"


def first_names(names: Sequence[str]) -> str:
    """The first few of some names, in their order, and how many more there are."""
    first = sorted(names, key=words.natural)[:NAMED]
    told = enumerated(crop(name, NAME_CELLS) if len(names) > 1 else name for name in first)
    more = len(names) - NAMED
    return tr("{names} and {number} more", names=told, number=more) if more > 0 else told


def named(rows: list[Row]) -> str:
    """Whom something is to be done to: the name of one row; of several how many of what, and the first by name."""
    if len(rows) == 1:
        return called(rows[0])
    return tr("{rows} ({names})", rows=names_of(rows), names=first_names([called(row) for row in rows]))


def impossible(verb: str, states: frozenset[str], rows: list[Row]) -> str:
    """Why what is called so and needs one of some states can be done to none of some rows: the reason comes first.

    It is what a narrow terminal has room for.
    """
    named = tr(" or ").join(word(each) for each in sorted(states))
    if len(rows) > 1:
        return tr("none of {rows} is {states}: {verb} is not possible",
                  verb=tr(verb), rows=names_of(rows), states=named)  # fmt: skip
    [row] = rows
    state = word(row.text("status") or row.text("state"))
    return tr("{name} is {state}, not {states}: {verb} is not possible",
              verb=tr(verb), name=crop(row.name, NAME_CELLS), state=state, states=named)  # fmt: skip


def why_not(message: str, row: Row) -> str:
    """Why a message cannot be sent for a row as it is now, in a few words; empty when it may."""
    return _not_of_its_type(message, row) or _not_where_it_is(message, row) or _not_in_its_state(message, row)


def _not_of_its_type(message: str, row: Row) -> str:
    """Why a message is for rows of the same kind, but not for this one."""
    resource = RESOURCES[row.kind]
    for child in resource.children:
        if child.name in message and row.get(camel(resource.typed_by)) != child.type:
            return tr("only for {type}", type=child.type)
    if row.kind in TAGS and row.get("inherent"):
        return tr("the appliance keeps this tag by itself")
    if row.kind == "Image":
        return _not_such_an_image(message, row)
    return _not_such_a_volume(message, row) if row.kind == "Volume" else ""


MEDIA = {
    "CreateVmInstance": "RootVolumeTemplate",
    "CreateDataVolumeFromVolumeTemplate": "DataVolumeTemplate",
    "AttachIsoToVmInstance": "ISO",
}
"""What an image must be for what is made of it."""


def _not_such_an_image(message: str, row: Row) -> str:
    wanted, media = MEDIA.get(message), row.text("mediaType")
    if wanted is None:
        return ""
    for wire, good in (("status", "Ready"), ("state", "Enabled")):
        if row.get(wire, good) != good:
            return tr("not while it is {state}", state=word(row.text(wire)))
    if message == "CreateVmInstance" and media == "ISO":
        return tr("a VM from an ISO needs rootDiskOfferingUuid, too: L has a prompt for that call")
    return "" if media == wanted else tr("it is a {type}", type=word(media))


def _not_such_a_volume(message: str, row: Row) -> str:
    root, owned = row.get("type") == "Root", bool(row.get("vmInstanceUuid"))
    if root and ("DataVolumeFrom" in message or "DataVolumeTo" in message or message.endswith("DataVolume")):
        return tr("only for data volumes")
    if "RootVolume" in message and not root:
        return tr("only for root volumes")
    if message == "AttachDataVolumeToVm" and owned:
        return tr("it is attached already")
    return tr("it is not attached") if message == "DetachDataVolumeFromVm" and not owned else ""


def _not_where_it_is(message: str, row: Row) -> str:
    """Why a message is not for a row in the recycle bin, or only for one that is there."""
    if row.kind not in ("Image", "Volume"):
        return ""  # what a VM's state allows says it
    if message.startswith(("Recover", "Expunge")):
        copies = (each.get("status") for each in row.get("backupStorageRefs", []))
        return "" if binned(row) or "Deleted" in copies else tr("it is not in the recycle bin")
    return (
        tr("it is in the recycle bin") if binned(row) and not message.startswith(("Update", "Change")) else ""
    )


def _not_in_its_state(message: str, row: Row) -> str:
    states = ALLOWED.get(message) if row.kind == "VmInstance" else None
    verb = next((each for each in VERBS if (each.message, each.kind) == (message, row.kind)), None)
    if states is None and verb is not None:
        states = verb.states
    now = {row.text("state"), row.text("status")} - {""}
    if not states or states & now:
        return ""
    return tr("not while it is {state}", state=word(row.text("status") or row.text("state")))


def noun_title(row: Row) -> str:
    """What rows of this kind are called, several of them."""
    noun = noun_of(row.kind)
    return noun.title if noun is not None else row.kind


def loss_of(row: Row, mirror: Mirror, *, alone: bool) -> str:
    """What goes with a row, in one line; one that stands `alone` in a question was named there."""
    if row.kind != "VmInstance":
        parts = ["" if alone else called(row), description(row, mirror)]
        return "  ".join(part for part in parts if part)
    disks = row.get("allVolumes", [])
    size = words.long_size(sum(disk.get("size") or 0 for disk in disks))
    counted = trn("{number} disk", "{number} disks", len(disks))
    addresses = " ".join(str(nic["ip"]) for nic in row.get("vmNics", []) if nic.get("ip"))
    host = mirror.name(row.get("hostUuid") or row.get("lastHostUuid"))
    parts = [row.name, word(row.text("state")), enumerated((counted, size)), addresses]
    return "  ".join(part for part in [*parts, tr("on {host}", host=host) if host else ""] if part)
