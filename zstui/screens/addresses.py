"""The addresses of a network on a screen: a map of its ranges, then who has which since when."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from rich.segment import Segment
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.screen import Screen
from textual.strip import Strip
from textual.widgets import Static

from appliance.api.errors import ApiError
from zstui.addresses import (
    LEGEND,
    Span,
    Use,
    list_cells,
    list_line,
    map_line,
    per_line,
    rows_of,
    spans_of,
    uses_of,
)
from zstui.cells import safe
from zstui.frame import Hints
from zstui.i18n import tr, trn
from zstui.keymap import HELP
from zstui.mirror import Batch, Mirror, Row
from zstui.paint import Painted
from zstui.said import Said
from zstui.screens.chooser import Choice, Chooser, narrowed
from zstui.screens.confirm import Confirm
from zstui.screens.form import Form
from zstui.screens.working import Working, changing
from zstui.wrong import told

if TYPE_CHECKING:
    from zstui.app import Zstui

Parts = list[tuple[str, str]]


EDGE = "  "


class AddressMap(Painted, can_focus=True):
    """Maps of ranges, then lines; only what is in sight is made, so that a large range costs no more."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "scroll_up", "Up", show=False),
        Binding("down,j", "scroll_down", "Down", show=False),
        Binding("home,g", "scroll_home", "Top", show=False),
        Binding("end,G", "scroll_end", "End", show=False),
    ]

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._spans: list[Span] = []
        self._uses: dict[int, Use] = {}
        self._listed: list[int] = []
        self._cells = (0, 0, True)

    def show(self, spans: list[Span], uses: dict[int, Use]) -> None:
        """Show other ranges, or who has their addresses now."""
        self._spans, self._uses, self._listed = spans, uses, sorted(uses)
        self._lay_out()

    def on_resize(self) -> None:
        """More or fewer stand on a line."""
        self._lay_out()

    def _lay_out(self) -> None:
        self._cells = list_cells(self._uses.values(), self.size.width - len(EDGE))
        count = per_line(self.size.width)
        maps = sum(len(rows_of(span, count)) + 2 for span in self._spans)
        self.virtual_size = Size(self.size.width, maps + 1 + len(self._listed))
        self.refresh()

    def _line(self, place: int) -> Parts:
        count = per_line(self.size.width)
        for span in self._spans:
            rows = rows_of(span, count)
            if place == 0:
                used = span.taken(self._uses)
                return [
                    (f"{span.name}  ", "accent"),
                    (tr("{used} of {count} taken", used=used, count=span.count), "plain"),
                ]
            if place <= len(rows):
                return map_line(span, rows[place - 1], count, self._uses)
            place -= len(rows) + 2
            if place < 0:
                return []
        if place == 0:
            return [(tr(LEGEND), "faint")]
        address = self._listed[place - 1] if place <= len(self._listed) else None
        if address is None:
            return []
        return list_line(address, self._uses[address], self._cells, self.size.width - len(EDGE))

    def render_line(self, y: int) -> Strip:
        """One line."""
        parts = [Segment(EDGE, self.rich_style)]
        parts += [
            Segment(text, self.paint(paint)) for text, paint in self._line(int(self.scroll_offset.y) + y)
        ]
        return Strip(parts).adjust_cell_length(self.size.width, self.rich_style)


class Addresses(Working, Screen[None]):
    """The map of one network, kept true while it is shown."""

    app: Zstui
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("n", "add", "add a range"),
        Binding("D,delete", "delete", "delete a range"),
        Binding("escape,q", "dismiss", "back"),
        HELP,
    ]

    def __init__(self, network: Row, mirror: Mirror) -> None:
        super().__init__()
        self._network = network
        self._mirror = mirror

    def compose(self) -> ComposeResult:
        """Title, what it comes to, the map."""
        yield Said(
            lambda: f" {tr('Addresses of {network}', network=self._network.name)}", classes="form-title"
        )
        yield Static(f" {tr('reading …')}", classes="form-doc", markup=False)
        yield AddressMap()
        yield Hints()

    def on_mount(self) -> None:
        """Read, and follow what changes."""
        self.follow(self._mirror.listeners, self._heard)
        self.query_one(AddressMap).focus()
        self._read()

    def _heard(self, batch: Batch) -> None:
        if {"VmInstance", "L3Network", "UsedIp", "IpRange"} & batch.keys():
            self._network = self._mirror.find(self._network.key) or self._network
            self._read()

    def _read(self) -> None:
        self.run_worker(self._load(), exclusive=True, group="addresses")

    async def _load(self) -> None:
        doc = self.query_one(".form-doc", Static)
        try:
            taken = await self.app.calls.session.query("UsedIp", l3_network_uuid=self._network.key)
        except ApiError as error:
            doc.update(f" {safe(told(error, self.app.mirror))}")
            return
        spans, uses = spans_of(self._network), uses_of(self._network, taken, self._mirror)
        count = sum(span.count for span in spans)
        used = sum(span.taken(uses) for span in spans)
        ranges = trn("{number} range", "{number} ranges", len(spans))
        text = tr("{ranges}, {used} of {count} addresses taken", ranges=ranges, used=used, count=count)
        none = tr("no range yet: n adds one; without it no VM gets an address here")
        doc.update(f" {text if spans else none}")
        self.query_one(AddressMap).show(spans, uses)

    def retranslate(self) -> None:
        """The same map in another language."""
        self._read()

    @changing
    def action_add(self) -> None:
        """One more range, by CIDR or by its ends."""

        def choices() -> list[Choice]:
            first = tr("10.0.0.0/24; its first address is the router's")
            return [
                Choice("AddIpRangeByNetworkCidr", tr("by CIDR"), first),
                Choice("AddIpRange", tr("by first and last address"), tr("with netmask and router")),
            ]

        def chosen(values: list[Any] | None) -> None:
            if values:
                given = {"l3NetworkUuid": self._network.key}
                self.app.push_screen(Form(values[0], self._mirror, given=given))

        self.app.push_screen(Chooser(lambda: tr("Add a range"), narrowed(choices)), chosen)

    @changing
    def action_delete(self) -> None:
        """Delete a range, once it is said which."""
        ranges = {str(each["uuid"]): each for each in self._network.get("ipRanges", [])}

        def sure(values: list[Any] | None) -> None:
            if values:
                self._delete(Row("IpRange", values[0], ranges[values[0]]))

        def choices() -> list[Choice]:
            return [
                Choice(uuid, Row("IpRange", uuid, each).name, f"{each['startIp']} – {each['endIp']}")
                for uuid, each in ranges.items()
            ]

        self.app.push_screen(Chooser(lambda: tr("Delete which range?"), narrowed(choices)), sure)

    def _delete(self, span: Row) -> None:
        def answered(yes: bool | None) -> None:
            if yes:
                self.run_worker(self._make("DeleteIpRange", uuid=span.key))

        def lines() -> list[str]:
            span_of = f"{span.text('startIp')} – {span.text('endIp')}"
            return [span_of, tr("VMs that have one of them keep it from going.")]

        self.app.push_screen(
            Confirm(lambda: tr("Delete range {name}?", name=span.name), lambda: tr("delete"), lines), answered
        )

    async def _make(self, message: str, **fields: Any) -> None:
        try:
            await self.app.calls.make(message, **fields)
        except ApiError as error:
            self.app.tell(told(error, self.app.mirror), wrong=True)
