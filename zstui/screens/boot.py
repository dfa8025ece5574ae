"""What a VM starts from: the order of its devices, and the ISO in its drive."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen

from appliance.api.errors import ApiError
from zstui import words
from zstui.cells import safe
from zstui.i18n import enumerated, mark, sentences, tr
from zstui.keymap import HELP
from zstui.mirror import Mirror, Row
from zstui.said import Keys, Said
from zstui.screens.chooser import Choice, Chooser, narrowed
from zstui.screens.working import Working
from zstui.sheet import Item, Sheet, note
from zstui.wrong import told

if TYPE_CHECKING:
    from zstui.app import Zstui

ORDERS = (("HardDisk",), ("CdRom",), ("HardDisk", "CdRom"), ("CdRom", "HardDisk"))
"""Every order that there is, in the order in which a key goes through them."""

WORDS = {"HardDisk": mark("disk"), "CdRom": mark("CD-ROM")}
ISO = "iso::"


class Boot(Working, ModalScreen[None]):
    """Shows order and ISO of a VM, and changes them."""

    app: Zstui
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("b", "turn", "Next order"),
        Binding("i", "iso", "Put an ISO in, take it out"),
        Binding("escape,q,enter", "dismiss", "back"),
        HELP,
    ]

    def __init__(self, row: Row, mirror: Mirror) -> None:
        super().__init__()
        self._row = row
        self._mirror = mirror
        self._order: tuple[str, ...] | None = None
        self._iso: str | None = None

    def compose(self) -> ComposeResult:
        """Order, drive, and what a change means."""
        with Vertical(classes="dialog boot"):
            yield Said(lambda: tr("What {vm} starts from", vm=self._row.name), classes="title")
            yield Sheet([note(tr("reading …"))])
            yield Keys(lambda: tr("b next order · i ISO in or out · Esc back"), classes="hint")

    def on_mount(self) -> None:
        """Read."""
        self.query_one(Sheet).can_focus = False
        self.run_worker(self._load())

    async def _load(self) -> None:
        session = self.app.calls.session
        try:
            reply = await session.call("GetVmBootOrder", uuid=self._row.key)
            tags = await session.query("SystemTag", resource_uuid=self._row.key)
        except ApiError as error:
            self._say(error)
            return
        self._order = tuple(map(str, reply.get("order", [])))
        isos = [str(tag["tag"]).removeprefix(ISO) for tag in tags if str(tag["tag"]).startswith(ISO)]
        self._iso = isos[0] if isos else None
        self._draw()

    def _draw(self) -> None:
        order = self._order or ()
        items = [
            Item(f"{place}.", tr(WORDS.get(device, safe(device))), "strong")
            for place, device in enumerate(order, 1)
        ]
        image = self._mirror.find(self._iso)
        if self._iso is None:
            items.append(Item(tr("drive"), tr("empty"), "dim"))
        else:
            size = [words.long_size(image.get("size") or 0)] if image is not None else []
            items.append(Item(tr("drive"), enumerated([self._mirror.name(self._iso), *size]), "good"))
        if order[:1] == ("CdRom",) and self._iso is None:
            items.append(
                note(
                    tr("It starts from its drive, and that is empty: put an ISO in, or turn the order."),
                    "warn",
                )
            )
        items.append(Item(""))
        running = self._row.get("state") != "Stopped"
        when = tr("A change of the order is for its next start.")
        items.append(note(sentences(when, tr("The ISO changes at once.") if running else ""), "faint"))
        self.query_one(Sheet).show(items)

    def retranslate(self) -> None:
        """The same order in another language."""
        if self._order is not None:
            self._draw()

    def _say(self, error: ApiError) -> None:
        sheet = self.query_one(Sheet)
        text = safe(told(error, self.app.mirror))
        sheet.show([*(each for each in sheet.items if each.paint != "bad"), Item(tr("error"), text, "bad")])

    def action_turn(self) -> None:
        """The next order."""
        if self._order is None:
            return
        place = ORDERS.index(self._order) if self._order in ORDERS else -1
        wanted = ORDERS[(place + 1) % len(ORDERS)]
        self._change("SetVmBootOrder", uuid=self._row.key, bootOrder=list(wanted))

    def action_iso(self) -> None:
        """Take the ISO out; with an empty drive, choose one to put in."""
        if self._order is None:
            return
        if self._iso is not None:
            self._change("DetachIsoFromVmInstance", vmInstanceUuid=self._row.key)
            return
        isos = [row for row in self._mirror.all("Image")
                if row.get("mediaType") == "ISO" and row.get("status") == "Ready"]  # fmt: skip
        if not isos:
            self.app.tell(
                tr("there is no ISO yet: add an image of media type ISO in the list of images"), wrong=True
            )
            return

        def choices() -> list[Choice]:
            ordered = sorted(isos, key=lambda row: row.by_name)
            return [Choice(row.key, row.name, words.long_size(row.get("size") or 0)) for row in ordered]

        def chosen(values: list[Any] | None) -> None:
            if values:
                self._change("AttachIsoToVmInstance", vmInstanceUuid=self._row.key, isoUuid=values[0])

        self.app.push_screen(Chooser(lambda: tr("Which ISO?"), narrowed(choices)), chosen)

    def _change(self, message: str, **fields: Any) -> None:
        self.app.keep(
            asyncio.create_task(self._make(message, fields)),
            tr("change what {vm} starts from", vm=self._row.name),
        )

    async def _make(self, message: str, fields: dict[str, Any]) -> None:
        """Make a call; what it is refused for is said here while this is shown, else in passing."""
        try:
            await self.app.calls.make(message, **fields)
        except ApiError as error:
            if not self.is_attached:
                raise
            self._say(error)
            return
        if self.is_attached:
            await self._load()
