"""The overview: the whole cloud on one screen, kept true while it is shown."""

from __future__ import annotations

from typing import Any, ClassVar

from rich.segment import Segment
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.geometry import Offset, Size
from textual.strip import Strip

from appliance.api.errors import ApiError
from zstui.attention import Concern, concerns
from zstui.banner import Banner
from zstui.board import POINTER, Block, board
from zstui.cells import width
from zstui.figures import History, read_history
from zstui.frame import OVERVIEW, Hints, LastCall, News, Tabs, Totals
from zstui.i18n import mark
from zstui.mirror import FIGURES, Batch, Mirror, Row
from zstui.nouns import MAIN, Noun
from zstui.paint import Painted
from zstui.screens.acting import Acting

MARGIN = 2


class Board(Painted, can_focus=True):
    """The lines of the overview; the cursor is on what needs attention."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "point(-1)", "Up", show=False),
        Binding("down,j", "point(1)", "Down", show=False),
        Binding("home,g", "scroll_home", "Top", show=False),
        Binding("end,G", "scroll_end", "End", show=False),
    ]

    def __init__(self, mirror: Mirror, **options: Any) -> None:
        super().__init__(**options)
        self.mirror = mirror
        self.history: History | None = None
        self.span = "hour"
        self.cursor = 0
        self.found: list[Concern] = []
        self._lines: Block = []
        self._attention = 0

    def on_resize(self) -> None:
        """Lay out anew."""
        self.update_lines()

    def update_lines(self) -> None:
        """Lay out what the mirror holds now."""
        self.found = concerns(self.mirror)
        self.cursor = max(0, min(self.cursor, len(self.found) - 1))
        size = (max(20, self.size.width - 2 * MARGIN), self.size.height)
        self._lines, self._attention = board(
            self.mirror, self.found, self.history, span=self.span, cursor=self.cursor, size=size
        )
        self.virtual_size = Size(self.size.width, len(self._lines))
        self.refresh()

    def retranslate(self) -> None:
        """In the language that is spoken now."""
        self.update_lines()

    @property
    def caret(self) -> Offset:
        """Where what needs attention is that the cursor is on."""
        pointed = (y for y, line in enumerate(self._lines) if line and line[0][0] == POINTER)
        return Offset(MARGIN, next(pointed, 0) - int(self.scroll_offset.y))

    @property
    def concern(self) -> Concern | None:
        """What the cursor is on."""
        return self.found[self.cursor] if self.found else None

    def action_point(self, by: int) -> None:
        """To the next thing that needs attention; past the last, scroll."""
        if 0 <= self.cursor + by < len(self.found):
            self.cursor += by
            self.update_lines()
        else:
            self.scroll_relative(y=by, animate=False)

    def on_click(self, event: events.Click) -> None:
        """A click chooses what needs attention."""
        place = int(self.scroll_offset.y) + event.y - self._attention
        if 0 <= place < len(self.found):
            self.cursor = place
            self.update_lines()

    def render_line(self, y: int) -> Strip:
        """One line."""
        place = int(self.scroll_offset.y) + y
        line = self._lines[place] if place < len(self._lines) else []
        parts = [Segment(" " * MARGIN, self.rich_style)]
        parts += [Segment(text, self.paint(paint)) for text, paint in line if width(text)]
        return Strip(parts).adjust_cell_length(self.size.width, self.rich_style)


class Overview(Acting):
    """Capacity, health, what needs attention, and how busy the cloud was."""

    has_rows = False
    BINDINGS: ClassVar[list[BindingType]] = [
        *(
            Binding(str(number), f"show('{noun.id}')", noun.title, show=False)
            for number, noun in enumerate(MAIN, start=1)
        ),
        Binding("enter", "look", "Go to what needs attention"),
        Binding("escape,q,minus,0", "back", "Back to the list"),
    ]

    def compose(self) -> ComposeResult:
        """The board inside the frame."""
        yield Totals(self.mirror)
        tabs = Tabs(self.mirror)
        tabs.noun = OVERVIEW
        yield tabs
        yield Banner(self.mirror)
        yield Board(self.mirror)
        yield LastCall(self.app.calls)
        yield News(self.mirror)
        yield Hints()

    def on_mount(self) -> None:
        """Follow the mirror, and read what has been."""
        self.follow(self.mirror.listeners, self._changed)
        self.query_one(Board).focus()
        self.query_one(Board).update_lines()
        self._read()

    def _changed(self, batch: Batch) -> None:
        if FIGURES in batch:
            self._read()
        for board_shown in self.query(Board):
            board_shown.update_lines()
        for kind in (Totals, Tabs, News, Hints):
            for part in self.query(kind):  # none any more where the screen is being taken down
                part.refresh()

    def _read(self) -> None:
        self.run_worker(self._plot, group="plots", exclusive=True)  # type: ignore[arg-type]  # Textual's hint

    async def _plot(self) -> None:
        drawn = self.query_one(Board)
        try:
            drawn.history = await read_history(self.app.calls.session, "ZStack/System", "", drawn.span)
        except ApiError:
            return  # the banner says that nothing answers, and what was drawn is stale as the rest is
        drawn.update_lines()

    def action_span(self) -> None:
        """A day instead of an hour, and the other way round."""
        drawn = self.query_one(Board)
        drawn.span = "day" if drawn.span == "hour" else "hour"
        self._read()

    def action_overview(self) -> None:
        """It is shown already."""

    async def action_look(self) -> None:
        """Go to the row that needs attention."""
        concern = self.query_one(Board).concern
        if concern is not None:
            await self.go(concern.noun, concern.key)

    async def action_show(self, noun_id: str) -> None:
        """A list."""
        await self.go(noun_id)

    async def go(self, noun_id: str, key: str | None = None, find: str = "", *, follow: bool = False) -> None:
        """Back to the lists, and there."""
        below = self.app.screen_stack[-2]
        self.dismiss()
        if isinstance(below, Acting):
            await below.go(noun_id, key, find, follow=follow)

    def action_back(self) -> None:
        """Back to the list."""
        self.dismiss()

    def chosen(self) -> list[Row]:
        """Keys act on no row here."""
        return []

    def current_noun(self) -> Noun:
        """What help is about."""
        return MAIN[0]

    def hints(self) -> list[tuple[str, str, str]]:
        """The ways from here."""
        found = [("1-7", mark("lists"), "screen.back"), ("p", mark("hour or day"), "screen.span")]
        if self.query_one(Board).found:
            found.insert(0, ("Enter", mark("go there"), "screen.look"))
        return [*found, ("Esc", mark("back"), "screen.back")]
