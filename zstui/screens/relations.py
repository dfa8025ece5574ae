"""From a row to what it has to do with, and to its tags."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from appliance.api.resource import RESOURCES
from zstui.cells import safe
from zstui.i18n import mark, tr
from zstui.mirror import Row
from zstui.nouns import noun_of
from zstui.picks import row_note
from zstui.related import owner_of, related
from zstui.rows import called
from zstui.screens.background import call
from zstui.screens.chooser import Choice, Chooser, narrowed
from zstui.words import natural

if TYPE_CHECKING:
    from zstui.screens.acting import Acting

HISTORIES = (
    ("ev", "Event", "resourceUuid", mark("events of {name}")),
    ("job", "LongJob", "targetResourceUuid", mark("jobs of {name}")),
)


def to_owner(screen: Acting, row: Row) -> None:
    """Go to what a row belongs to."""
    owner = owner_of(row, screen.mirror)
    noun = noun_of(owner.kind) if owner is not None else None
    if owner is None or noun is None:
        screen.say(
            tr(
                "{name} belongs to nothing that is known here; R shows what it has to do with",
                name=called(row),
            ),
            "dim",
        )
        return
    screen.run_worker(screen.go(noun.id, owner.key, follow=True))


def to_related(screen: Acting, row: Row) -> None:
    """Choose among all that a row has to do with, and go there."""

    def choices() -> list[Choice]:
        found = []
        for other in related(row, screen.mirror):
            noun = noun_of(other.kind)
            if noun is not None:
                note = f"{tr(noun.one)}  {row_note(other, screen.mirror)}"
                found.append(Choice((noun.id, other.key), called(other), note))
        for noun_id, kind, wire, word in HISTORIES:
            count = sum(each.get(wire) == row.key for each in screen.mirror.all(kind))
            if count:
                found.append(Choice((noun_id, None), tr(word, name=row.name), str(count), "accent"))
        return found

    def chosen(values: list[Any] | None) -> None:
        if values:
            noun_id, key = values[0]
            screen.run_worker(screen.go(noun_id, key, "" if key else row.name, follow=True))

    if choices():
        screen.app.push_screen(
            Chooser(lambda: tr("What {name} has to do with", name=called(row)), narrowed(choices)), chosen
        )
    else:
        screen.say(tr("nothing has to do with {name}", name=called(row)), "dim")


def to_tags(screen: Acting, row: Row) -> None:
    """The tags of a row: add one, change one, take one off."""
    about = {"resourceType": RESOURCES[row.kind].vo, "resourceUuid": row.key}
    by_uuid: dict[str, dict[str, Any]] = {}

    async def reads() -> None:
        for kind in ("UserTag", "SystemTag"):
            found = await screen.app.calls.session.query(kind, resource_uuid=row.key)
            by_uuid.update((str(tag["uuid"]), tag) for tag in found)

    def choices() -> list[Choice]:
        return [
            Choice("CreateUserTag", tr("add a user tag"), tr("only marks it"), "accent"),
            Choice("CreateSystemTag", tr("add a system tag"), tr("steers it"), "accent"),
            *(
                Choice(uuid, safe(str(tag["tag"])), _tag_note(tag), "dim" if tag.get("inherent") else "plain")
                for uuid, tag in sorted(by_uuid.items(), key=lambda each: natural(str(each[1]["tag"])))
            ),
        ]

    def chosen(values: list[Any] | None) -> None:
        tag = by_uuid.get(values[0]) if values else None
        if values and tag is None:
            screen.open_form(values[0], given=about)
        elif tag is None:
            return
        elif tag.get("inherent"):
            screen.say(tr("the appliance keeps this tag by itself"), "dim")
        elif tag.get("type") == "System":
            screen.open_form("UpdateSystemTag", given={"uuid": tag["uuid"]}, shown={"tag": tag["tag"]})
        else:
            call(screen, "DeleteTag", tr("take a tag off {name}", name=row.name), uuid=tag["uuid"])

    screen.app.push_screen(
        Chooser(lambda: tr("Tags of {name}", name=row.name), narrowed(choices), reads=reads), chosen
    )


def _tag_note(tag: dict[str, Any]) -> str:
    if tag.get("inherent"):
        return tr("system; kept by the appliance")
    return tr("system; Enter changes it") if tag.get("type") == "System" else tr("user; Enter takes it off")
