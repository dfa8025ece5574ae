"""A VM's serial console: what it wrote and writes, typed into, searched, recorded."""

from __future__ import annotations

from contextlib import suppress
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Input

from appliance.api.console import Gap, Notice
from zstui import words
from zstui.cast import Cast, recording_path
from zstui.cells import safe
from zstui.i18n import tr
from zstui.i18n.server_texts import said
from zstui.line import Part
from zstui.mirror import Mirror, Row
from zstui.screens.watching import Watching
from zstui.serial_view import SerialView

FLUSH_SECONDS = 1.0


class Serial(Watching):
    """The terminal of one VM's serial line."""

    console = "serial"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("ctrl+r", "record", "record", priority=True)]

    def __init__(self, vm: Row, mirror: Mirror) -> None:
        super().__init__(vm, mirror)
        self._cast: Cast | None = None
        self._left_out = 0

    def views(self) -> ComposeResult:
        """The terminal, and a line to search with."""
        yield SerialView()
        find = Input(id="find", compact=True)
        find.display = False
        yield find

    @property
    def view(self) -> SerialView:
        """The terminal."""
        return self.query_one(SerialView)

    def on_mount(self) -> None:
        """Write a recording down every so often; the rest of mounting is done by Textual's own walk of classes."""
        self.set_interval(FLUSH_SECONDS, self._flush)

    async def on_unmount(self) -> None:
        """A recording is whole when it is left."""
        cast, self._cast = self._cast, None
        if cast is not None:
            with suppress(OSError):  # there is nobody to be told any more; what was written stays
                await cast.close()

    def opened(self) -> None:
        """The stream begins with the last of the log, so that nothing is shown twice."""
        self.view.restart()

    def heard(self, said: bytes | Gap | Notice) -> None:
        """Show it, and record it, unless the screen is being taken down."""
        if not self.query(SerialView):
            return
        match said:
            case bytes():
                self._left_out += self.view.put(said)
                self._record(said)
            case Gap(size):
                self._left_out += size
            case Notice(_, text):
                self._notice(text)
        if self._left_out:
            self.retitle()

    def _notice(self, text: str) -> None:
        self.app.tell(tr("what was typed did not arrive: {why}", why=said(text)), wrong=True)

    def own_keys(self) -> list[tuple[str, str]]:
        """Those that are not the guest's."""
        if self.query(SerialView) and self.view.at is not None:
            return [("/", tr("find")), ("n N", tr("next")), ("y", tr("copy")), ("Esc", tr("now"))]
        recording = tr("stop recording") if self._cast is not None else tr("record")
        return [("^r", recording), ("PgUp", tr("scroll")), ("F11", "VNC"), *self.pane_key()]

    def marks(self) -> list[Part]:
        """Whether it is recorded, scrolled back, or too fast."""
        parts = []
        if self._cast is not None:
            parts.append(Part(f"● {words.size(self._cast.size)} ", "bad"))
        if self._left_out:
            parts.append(Part(tr("{size} left out", size=words.size(self._left_out)) + " ", "warn"))
        return parts

    # --- keys --------------------------------------------------------------------------------------------

    @on(SerialView.Typed)
    def _typed(self, event: SerialView.Typed) -> None:
        if self.link.state in ("waiting", "over"):
            if event.data == b"\r":
                self.link.again()
            return
        if not self.link.type(event.data):
            self.app.tell(tr("the guest takes no input"), wrong=True)

    @on(SerialView.Scrolled)
    def _scrolled(self) -> None:
        self.retitle()

    @on(SerialView.Search)
    def _search(self, event: SerialView.Search) -> None:
        find = self.query_one("#find", Input)
        if event.again and find.value:
            self._find(find.value, event.again)
            return
        find.display = True
        find.focus()

    @on(Input.Submitted, "#find")
    def _search_for(self, event: Input.Submitted) -> None:
        event.input.display = False
        self.view.focus()
        if event.value:
            self._find(event.value, -1)

    def _find(self, what: str, step: int) -> None:
        if not self.view.find(what, step):
            self.app.tell(tr("{text} is not there", text=safe(what)), wrong=True)

    # --- recording ---------------------------------------------------------------------------------------

    async def action_record(self) -> None:
        """Begin to write what is shown to a file that asciinema plays, or end it; either way say which."""
        if self._cast is not None:
            await self._end_recording()
            return
        if self.app.is_guest:
            self.app.tell(
                tr(
                    "recordings would be written where the appliance is; record with zstui on your own machine"
                ),
                wrong=True,
            )
            return
        screen = self.view.terminal.screen
        try:
            self._cast = Cast(
                recording_path(self.vm.name, words.now()), screen.columns, screen.lines, self.vm.name,
                self.view.shown_text().replace("\n", "\r\n"),
            )  # fmt: skip
        except OSError as error:
            self._failed(error)
            return
        self.app.tell(tr("recorded from now on to {path}", path=str(self._cast.path)))
        self.retitle()

    async def _end_recording(self) -> None:
        cast, self._cast = self._cast, None
        self.retitle()
        if cast is None:
            return
        try:
            await cast.close()
        except OSError as error:
            self._failed(error)
            return
        self.app.tell(tr("recorded: {path}; asciinema plays it", path=str(cast.path)))

    def _record(self, data: bytes) -> None:
        if self._cast is not None:
            try:
                self._cast.add(data)
            except OSError as error:
                self._failed(error)

    async def _flush(self) -> None:
        if self._cast is not None:
            try:
                await self._cast.flush()
            except OSError as error:
                self._failed(error)

    def _failed(self, error: OSError) -> None:
        cast, self._cast = self._cast, None
        if cast is not None:
            self.run_worker(cast.give_up())
        self.app.tell(tr("the recording failed: {error}", error=str(error)), wrong=True)
        self.retitle()
