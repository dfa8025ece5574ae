"""The main screen: one list at a time, what is known of its row, and the frame around it."""

from __future__ import annotations

from functools import partial
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.geometry import Offset
from textual.widgets import ContentSwitcher, Input

from appliance.api.errors import ApiError
from zstui.banner import Banner
from zstui.caption import Caption
from zstui.detail import Detail
from zstui.filter import Filter
from zstui.frame import Hints, LastCall, News, Tabs, Totals
from zstui.keymap import movable
from zstui.line import Line
from zstui.mirror import STATUS, Batch, Mirror, Row
from zstui.nouns import MAIN, NOUNS, Noun
from zstui.recycle_bin import KIND as BINNED
from zstui.references import kind_told
from zstui.screens.acting import Acting
from zstui.screens.arranging import columns_menu, order_menu
from zstui.screens.page import DetailPage
from zstui.screens.recovering import withdraw_offers
from zstui.sheet import Sheet
from zstui.table import LiveTable
from zstui.table_lines import EDGE
from zstui.trail import Trail
from zstui.wrong import told

BESIDE = 120
"""Cells from which on the detail stands beside the list."""

AGES_SECONDS = 20.0
FRAME_SECONDS = 0.1
"""How long changes are gathered before the lines around the list say them."""


class Browser(Acting):
    """Lists of nouns; the keys 1 to 7 change between them."""

    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (BESIDE, "-wide")]
    BINDINGS: ClassVar[list[BindingType]] = movable(
        [
            *(
                Binding(str(number), f"show('{noun.id}')", noun.title, show=False)
                for number, noun in enumerate(MAIN, start=1)
            ),
            Binding("slash", "filter", "Find rows"),
            Binding("minus", "last", "Go to the list before"),
            Binding("left_square_bracket", "trail(-1)", "Go back to where you were"),
            Binding("right_square_bracket", "trail(1)", "Go forth again"),
            Binding("o", "order", "Order by a column"),
            Binding("full_stop", "columns", "Choose columns"),
            Binding("tab", "pane", "Go between list and detail"),
            Binding("escape", "layer", "Take back marks, then the filter"),
            Binding("f5", "reload", "Read all again"),
            Binding("q", "leave", "Leave; the appliance goes on"),
        ]
    )

    def __init__(self, mirror: Mirror) -> None:
        super().__init__(mirror)
        self.noun: Noun = MAIN[0]
        self.trail = Trail(self.noun.id)
        self._stale: set[type[Line]] = set()
        self._fillings = mirror.fillings
        self._coming: tuple[str, str] | None = None
        """The list and the row that the cursor is to be on as soon as that is there."""

    def compose(self) -> ComposeResult:
        """The frame, with a place for lists."""
        yield Totals(self.mirror)
        yield Tabs(self.mirror)
        yield Banner(self.mirror)
        with Horizontal(id="body"):
            with Vertical(id="left"):
                yield Caption()
                with ContentSwitcher(id="lists", initial=f"list-{self.noun.id}"):
                    yield self._list()
            yield Detail(self.mirror, id="beside")
        yield LastCall(self.app.calls)
        yield News(self.mirror)
        yield Filter()
        yield Hints()

    async def on_mount(self) -> None:
        """Follow the mirror, and show the first noun."""
        self.follow(self.mirror.listeners, self._changed)
        self.set_interval(AGES_SECONDS, self._time_passed)
        await self.action_show(self.noun.id)

    @property
    def table(self) -> LiveTable:
        """The list that is shown."""
        return self.query_one(f"#list-{self.noun.id}", LiveTable)

    @property
    def stands(self) -> bool:
        """Whether that is there: where the screen is being taken down its widgets go first."""
        return self.query_one_optional(f"#list-{self.noun.id}", LiveTable) is not None

    def chosen(self) -> list[Row]:
        """The marked rows, else the one under the cursor."""
        return self.table.chosen() if self.stands else []

    def current_noun(self) -> Noun:
        """The noun whose list is shown."""
        return self.noun

    async def go(self, noun_id: str, key: str | None = None, find: str = "", *, follow: bool = False) -> None:
        """Show a list, and put its cursor on a row; or find rows in it.

        A filter that hides the row is off while one is there: Esc brings it back, and so does coming again.
        """
        if follow:
            self.trail.follow(noun_id)
        else:
            self.trail.visit(noun_id)
        await self._show(noun_id)
        if find:
            self.table.set_filter(find)
        if key is None:
            return
        if key not in self.table.listing.rows:
            await self._watch(self.noun)
        self.mirror.flush()
        self._point_at(noun_id, key)

    def _point_at(self, noun_id: str, key: str) -> None:
        """Put the cursor on a row, once it is there: what was just made is told of after the answer at times."""
        self._coming = None
        if noun_id != self.noun.id or not self.stands:
            return
        listing = self.table.listing
        if key not in listing.rows:
            self._coming = (noun_id, key)
        elif not self.table.select(key):
            hides = listing.filter
            self.table.set_filter("")
            listing.lifted = hides
            self.table.select(key)

    async def action_show(self, noun_id: str) -> None:
        """Show the list of a noun that was asked for by its name."""
        self.trail.visit(noun_id)
        await self._show(noun_id)

    async def _show(self, noun_id: str) -> None:
        self._find()
        if noun_id != self.noun.id:
            self.noun = NOUNS[noun_id]
        self.query_one(Filter).close()
        lists = self.query_one(ContentSwitcher)
        name = f"list-{noun_id}"
        self._watch_soon()
        if not lists.query(f"#{name}"):
            table = self._list()
            table.display = False  # the switcher shows it once it is the one to be shown
            await lists.mount(table)
            if self.noun.id != noun_id or not self.stands:
                return  # somebody went on to another list meanwhile, or out
        lists.current = name
        if self.table.listing.lifted:
            self.table.set_filter(self.table.listing.lifted)
        self.query_one(Tabs).noun = noun_id
        caption = self.query_one(Caption)
        caption.table, caption.trail = self.table, self.trail
        self.table.focus()
        self.table.show_cursor()
        self.query_one(Detail).show(self.table.row)
        self._refresh_frame()

    def _list(self) -> LiveTable:
        return LiveTable(self.noun, self.mirror, id=f"list-{self.noun.id}")

    def _watch_soon(self) -> None:
        # Not yet a coroutine: one whose screen goes before it begins would be thrown away unawaited.
        self.run_worker(partial(self._watch, self.noun))  # type: ignore[arg-type]  # Textual's hint

    async def _watch(self, noun: Noun) -> None:
        """Read what is not kept unless somebody looks at it."""
        for kind in filter(self.mirror.lacks, (*noun.kinds, *noun.uses)):
            await self._read_kind(kind)
        self.mirror.flush()
        for table in self.query(f"#list-{noun.id}").results(LiveTable):
            table.begin()
        await self._watch_told(noun)

    async def _watch_told(self, noun: Noun) -> None:
        """Read what the rows of a list are on, which each says for itself, so that they can say its name."""
        if noun.told:
            kinds = {kind_told(row) for row in noun.rows(self.mirror)} - self.mirror.rows.keys() - {""}
            for kind in sorted(kinds):
                await self._read_kind(kind)
            self.mirror.flush()
            for table in self.query(f"#list-{noun.id}").results(LiveTable) if kinds else ():
                table.retranslate()

    async def _read_kind(self, kind: str) -> None:
        try:
            await self.mirror.watch(self.app.calls.session, kind)
        except ApiError as error:
            self.app.tell(told(error, self.mirror), wrong=True)

    async def action_last(self) -> None:
        """Show the list that was shown before."""
        await self._show(self.trail.back())

    async def action_climb(self, noun_id: str) -> None:
        """Show one of the lists by which one came here."""
        self.trail.climb(noun_id)
        await self._show(noun_id)

    async def action_trail(self, by: int) -> None:
        """Back or forth through the lists that were shown."""
        await self._show(self.trail.step(by))

    def action_order(self) -> None:
        """Choose the column that the list is ordered by."""
        order_menu(self.table)

    def action_columns(self) -> None:
        """Choose the columns that the list shows."""
        columns_menu(self.table)

    def action_pane(self) -> None:
        """From the list to the detail beside it, and back."""
        sheet = self.query_one(Detail).query_one(Sheet)
        (self.table if sheet.has_focus or self.size.width < BESIDE else sheet).focus()

    def action_layer(self) -> None:
        """Take back the last thing that narrowed the list: marks, then the filter; one that is off comes on again."""
        if not self.table.has_focus:
            self.table.focus()
        elif self.table.listing.marks:
            self.table.clear_marks()
        else:
            self.table.set_filter(self.table.listing.lifted)
        self.query_one(Caption).refresh()

    def action_reload(self) -> None:
        """Read everything again."""
        self.app.reconnect()

    def action_leave(self) -> None:
        """Close the screen; the appliance and its jobs go on."""
        self.app.exit(0)

    # --- the filter --------------------------------------------------------------------------------------

    def action_filter(self) -> None:
        """Type what rows must hold."""
        self.query_one(Filter).open(self.table.listing.filter)
        self.run_worker(self.table.prepare_to_find(), group="finding", exclusive=True)
        self.query_one(Hints).display = False

    @on(Input.Changed)
    def _filter_typed(self, event: Input.Changed) -> None:
        del event
        self.call_after_refresh(
            self._find
        )  # the letter is painted before ten thousand rows are looked through

    def _find(self) -> None:
        for each in self.query(Filter):  # none any more where the screen is being taken down
            if each.display:
                self.table.set_filter(each.text)

    @on(Filter.Closed)
    def _filter_closed(self, event: Filter.Closed) -> None:
        if not self.stands:
            return
        self.query_one(Hints).display = True
        if event.text is not None:
            self.table.set_filter(event.text)
        self.table.focus()

    @on(Filter.Arrow)
    def _filter_arrow(self, event: Filter.Arrow) -> None:
        self._find()
        self.table.action_move(event.by)

    # --- what changes ------------------------------------------------------------------------------------

    @on(LiveTable.Moved)
    def _moved(self, event: LiveTable.Moved) -> None:
        if self.stands and event.table is self.table:
            self.query_one(Detail).show(event.row)
            self.query_one(Hints).renew()

    @property
    def caret(self) -> Offset:
        """On the row, where the keys are the list's."""
        table = self.focused
        if isinstance(table, LiveTable) and table.cursor is not None and table.row is not None:
            y = table.here - int(table.scroll_offset.y) + 1
            return table.region.offset + table.size.clamp_offset(Offset(EDGE, y))
        return super().caret

    @on(LiveTable.Changed)
    def _list_changed(self) -> None:
        caption = self.query_one_optional(Caption)
        if caption is not None:  # none any more where the screen is being taken down
            caption.renew()

    @on(LiveTable.Opened)
    def _opened(self, event: LiveTable.Opened) -> None:
        if self.size.width < BESIDE:
            self.app.push_screen(DetailPage(self.mirror, event.row))
        else:
            self.query_one(Detail).focus()

    @on(LiveTable.Ended)
    def _ended(self, event: LiveTable.Ended) -> None:
        work = partial(self._read_older, event.table.noun)
        self.run_worker(work)  # type: ignore[arg-type]  # Textual's hint

    async def _read_older(self, noun: Noun) -> None:
        for kind in noun.kinds:
            try:
                await self.mirror.read_older(self.app.calls.session, kind, noun.part)
            except ApiError as error:
                self.app.tell(told(error, self.mirror), wrong=True)
        self.mirror.flush()
        self.query_one(Caption).renew()
        await self._watch_told(noun)

    def _changed(self, batch: Batch) -> None:
        """The list says at once what changed, the frame around it with what else does in the moment after."""
        if STATUS in batch:
            self._status_changed()
        if BINNED in batch:
            withdraw_offers(self)
        changed = {key for rows in batch.values() for key in rows}
        if self._coming is not None and self._coming[1] in changed:
            self.call_later(self._point_at, *self._coming)
        if BINNED in batch or any(row.key in changed for row in self.chosen()):
            self._stale.add(Hints)
        if "Event" in batch:
            self._stale.add(News)
        if not self._stale & {Totals}:
            self.set_timer(FRAME_SECONDS, self._renew_stale)
        self._stale |= {Totals, Tabs, Caption}

    def _refresh_frame(self) -> None:
        self._renew({Totals, Tabs, News, Caption, Hints})

    def _renew_stale(self) -> None:
        self._renew(self._stale)

    def _renew(self, parts: set[type[Line]]) -> None:
        for part in self.query(Line):  # none any more where the screen is being taken down
            if type(part) in parts:
                part.renew()
        self._stale = set()

    def _status_changed(self) -> None:
        # It tells of each kind that was read, too: only where all was read anew this list's is to be, besides.
        if self.mirror.status == "live" and self._fillings != self.mirror.fillings:
            self._fillings = self.mirror.fillings
            self._watch_soon()
        for table in self.query(LiveTable):
            table.refresh()

    def _time_passed(self) -> None:
        self.table.refresh_ages()
        self._refresh_frame()
