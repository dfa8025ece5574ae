"""The snapshots of a volume as a tree: take one, go back to one, delete some, and where the volume is now."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Static

from appliance.api.errors import ApiError
from zstui import words
from zstui.frame import Hints
from zstui.i18n import mark, tr, trn
from zstui.keymap import HELP
from zstui.mirror import STATUS, Batch, Mirror, Row
from zstui.paint import paint_of
from zstui.said import Make, Said
from zstui.screens.chooser import Choice, Choices
from zstui.screens.confirm import Confirm
from zstui.screens.form import Form
from zstui.screens.working import Working, changing
from zstui.wrong import told

if TYPE_CHECKING:
    from zstui.app import Zstui

KIND = "VolumeSnapshot"


@dataclass(frozen=True)
class Branch:
    """A line of the tree: a snapshot, or None for what the volume is now, and the lines drawn before it."""

    snapshot: Row | None
    lines: str


def branches(snapshots: list[Row]) -> list[Branch]:
    """The tree from its roots down, siblings by age; below the latest stands what the volume is now."""
    by_parent: dict[str | None, list[Row]] = {}
    known = {row.key for row in snapshots}
    for row in sorted(snapshots, key=lambda row: (words.seconds(row.text("createDate")), row.name)):
        parent = row.get("parentUuid")
        by_parent.setdefault(parent if parent in known else None, []).append(row)
    found: list[Branch] = []

    def add(rows: list[Row | None], before: str, *, top: bool) -> None:
        for place, row in enumerate(rows):
            last = place == len(rows) - 1
            found.append(Branch(row, before + ("" if top else "└─ " if last else "├─ ")))
            if row is None:
                continue
            below: list[Row | None] = [*by_parent.get(row.key, [])]
            below += [None] if row.get("latest") else []
            add(below, before + ("" if top else "   " if last else "│  "), top=False)

    add([*by_parent.get(None, [])], "", top=True)
    return found or [Branch(None, "")]


def with_those_on_top(snapshots: list[Row], key: str) -> list[Row]:
    """A snapshot and all that are on top of it: what is deleted with it."""
    found = [row for row in snapshots if row.key == key]
    for row in found:
        found += [each for each in snapshots if each.get("parentUuid") == row.key]
    return found


def merged(snapshots: list[Row], key: str) -> int:
    """How many files are merged into the volume's own, so that it keeps its content, when one is deleted."""
    going = {row.key: row for row in with_those_on_top(snapshots, key)}
    at = next((row for row in going.values() if row.get("latest")), None)
    count = 0
    while at is not None:
        count += 1
        at = going.get(str(at.get("parentUuid")))
    return count


class Snapshots(Working, Screen[None]):
    """The tree of one volume, kept true while it is shown."""

    app: Zstui
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "Up", show=False),
        Binding("down,j", "move(1)", "Down", show=False),
        Binding("n", "take", "take"),
        Binding("R", "revert", "revert"),
        Binding("D,delete", "delete", "delete"),
        Binding("E", "rename", "rename"),
        Binding("escape,q", "dismiss", "back"),
        HELP,
    ]

    def __init__(self, volume: Row, mirror: Mirror) -> None:
        super().__init__()
        self._volume = volume
        self._mirror = mirror

    def compose(self) -> ComposeResult:
        """Title, what it is about, the tree."""
        yield Said(lambda: f" {tr('Snapshots of {volume}', volume=self._volume.name)}", classes="form-title")
        yield Static("", classes="form-doc", markup=False)
        yield Choices(id="tree")
        yield Hints()

    @property
    def pointed(self) -> Widget | None:
        """The snapshot that keys act on."""
        return next(iter(self.query(Choices)), None)

    def on_mount(self) -> None:
        """Read the snapshots, and follow them."""
        self.follow(self._mirror.listeners, self._heard)
        self._draw()
        self.run_worker(self._load())

    async def _load(self) -> None:
        try:
            for kind in (KIND, "Volume"):
                await self._mirror.watch(self.app.calls.session, kind)
        except ApiError as error:
            self.app.tell(told(error, self._mirror), wrong=True)
        self._draw()

    def _heard(self, batch: Batch) -> None:
        if {KIND, "VmInstance", "Volume", STATUS} & batch.keys():
            self._draw()

    @property
    def _snapshots(self) -> list[Row]:
        return [row for row in self._mirror.all(KIND) if row.get("volumeUuid") == self._volume.key]

    @property
    def _vm(self) -> Row | None:
        now = self._mirror.find(self._volume.key) or self._volume
        return self._mirror.find(now.get("vmInstanceUuid"))

    @property
    def _here(self) -> Row | None:
        here = self.query_one(Choices).here
        return self._mirror.find(here.value) if here is not None else None

    def _draw(self) -> None:
        tree = self.query_one(Choices)
        here, found = tree.here, self._snapshots
        tree.reading = not self._mirror.has_read([KIND])
        tree.show([] if tree.reading else [_choice(branch) for branch in branches(found)])
        places = [
            place for place, each in enumerate(tree.choices) if here is not None and each.value == here.value
        ]
        tree.move(places[0] if places else 0)
        if tree.reading:
            return
        size = sum(int(row.get("size") or 0) for row in found)
        count = trn("{number} snapshot", "{number} snapshots", len(found))
        vm = self._vm
        whose = (
            f"  ·  {tr('of {vm}, {state}', vm=vm.name, state=tr(vm.text('state')))}" if vm is not None else ""
        )
        self.query_one(".form-doc", Static).update(f" {count}{tr(', ')}{words.long_size(size)}{whose}")

    def retranslate(self) -> None:
        """The same tree in another language."""
        self._draw()

    def action_move(self, by: int) -> None:
        """Another line of the tree."""
        self.query_one(Choices).move(by)

    @changing
    def action_take(self) -> None:
        """Keep the volume as it is now."""
        self.app.push_screen(
            Form("CreateVolumeSnapshot", self._mirror, given={"volumeUuid": self._volume.key})
        )

    @changing
    def action_rename(self) -> None:
        """Change a snapshot's words."""
        row = self._here
        if row is not None:
            self.app.push_screen(
                Form("UpdateVolumeSnapshot", self._mirror, given={"uuid": row.key}, shown=row.data)
            )

    @changing
    def action_revert(self) -> None:
        """Go back to a snapshot, once it is said what that gives up."""
        row, vm = self._here, self._vm
        if row is None:
            return
        if vm is not None and vm.get("state") != "Stopped":
            self.app.tell(
                tr(
                    "{vm} is {state}: stop it before its volume is reverted",
                    vm=vm.name,
                    state=tr(vm.text("state")),
                ),
                wrong=True,
            )
            return
        latest = next((each for each in self._snapshots if each.get("latest")), None)

        def question() -> str:
            return tr("Revert {volume} to {snapshot}?", volume=self._volume.name, snapshot=row.name)

        def lines() -> list[str]:
            return [
                tr("What was written since {name} was taken is given up.", name=latest.name)
                if latest is not None
                else tr("What was written so far is given up."),
                tr("This cannot be undone; n keeps it as a snapshot first."),
            ]

        self._ask(question, mark("revert"), lines, "RevertVolumeFromSnapshot", row)

    @changing
    def action_delete(self) -> None:
        """Delete a snapshot and those on top of it, once it is said how many and what is merged."""
        row = self._here
        if row is None:
            return
        found = self._snapshots
        going = with_those_on_top(found, row.key)
        files = merged(found, row.key)

        def question() -> str:
            return trn("Delete {number} snapshot?", "Delete {number} snapshots?", len(going))

        def lines() -> list[str]:
            told = [f"{each.name}  {words.long_size(each.get('size') or 0)}" for each in going[:6]]
            told += [tr("… and {number} more", number=len(going) - 6)] if len(going) > 6 else []
            told.append(tr("The volume keeps its content."))
            if files:
                told.append(
                    trn(
                        "{number} file is merged into its own.",
                        "{number} files are merged into its own.",
                        files,
                    )
                )
            return told

        self._ask(question, mark("delete"), lines, "DeleteVolumeSnapshot", row)

    def _ask(self, question: Make, yes: str, lines: Callable[[], list[str]], message: str, row: Row) -> None:
        def answered(sure: bool | None) -> None:
            if sure:
                task = asyncio.create_task(self.app.calls.make_all(message, [{"uuid": row.key}]))
                self.app.keep(task, f"{tr(yes)} {row.name}")

        self.app.push_screen(Confirm(question, lambda: tr(yes), lines), answered)


def _choice(branch: Branch) -> Choice:
    row = branch.snapshot
    if row is None:
        return Choice(None, f"{branch.lines}{tr('now')}", tr("what the volume is"), "accent")
    status = row.text("status")
    parts = [words.date(row.text("createDate")), words.size(row.get("size") or 0)]
    parts += [tr(status)] if status != "Ready" else []
    if row.get("quiesced") is not None:
        parts.append(tr("quiesced") if row.get("quiesced") else tr("not quiesced"))
    paint = "strong" if status == "Ready" else paint_of(status)
    return Choice(row.key, f"{branch.lines}{row.name}", "  ".join(parts), paint)


def volumes_of(row: Row, mirror: Mirror) -> list[Row]:
    """The volumes that a row stands for: itself, or those of a VM."""
    if row.kind == "Volume":
        return [row]
    inventories: list[dict[str, Any]] = row.get("allVolumes", [])
    return [mirror.find(str(each["uuid"])) or Row("Volume", str(each["uuid"]), each) for each in inventories]
