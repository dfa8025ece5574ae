"""The full-screen face: paints the first frame, then holds what its screens work with: mirror, calls, connection."""

from __future__ import annotations

import asyncio
import base64
import os
import ssl
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from textual import events, on, screen
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.messages import Update
from textual.notifications import Notification, Notify
from textual.reactive import Initialize, Reactive
from textual.widgets._toast import ToastHolder
from textual.worker import Worker

from zstui import later
from zstui.cells import safe
from zstui.drawing import Drawing
from zstui.first_frame import first_frame
from zstui.hang_up import ending_with
from zstui.i18n import LANGUAGES, begin, first_language, language, next_language, use
from zstui.keymap import id_of, key_name, movable
from zstui.narrow import narrow
from zstui.pace import Pace
from zstui.paint import CONTRAST_VARIABLE
from zstui.remembered import Remembered
from zstui.terminal_size import forget_exported_size
from zstui.themes import THEMES, Ascii, first_theme, next_theme, only_ascii, theme_title
from zstui.type_ahead import Passed, TypeAhead
from zstui.whole_glyphs import Compositor

if TYPE_CHECKING:
    from rich.console import RenderableType
    from textual.screen import Screen
    from textual.theme import Theme

    from appliance.api.errors import ApiError
    from appliance.client import Session
    from zstui.calls import Calls
    from zstui.mirror import Mirror

screen.Compositor = Compositor  # type: ignore[attr-defined]  # each screen makes its own, and asks nobody for it

ABOVE = "-said-above"
"""What is said in passing stands in the other half of the screen than the cursor: it covers no row that keys act on."""

LEAVE_SECONDS = 1.0
"""So long leaving waits for a terminal that has not said yet what it was asked."""

SHOW_CURSOR = "\x1b[?25h"
"""The terminal's own cursor stands on the chosen row, for braille lines and screen readers."""


def _first_theme(app: Zstui) -> str:
    return first_theme(app.remembered.get("theme", ""), app.available_themes)


class Zstui(App[int]):
    """One cloud on one terminal."""

    CSS_PATH = "zstui.tcss"
    TITLE = "zstui"
    ENABLE_COMMAND_PALETTE = False
    VERTICAL_BREAKPOINTS = [(0, "-short"), (16, "-tall")]
    BINDINGS: ClassVar[list[BindingType]] = movable(
        [
            Binding("f2", "next_language", "Another language", show=False, priority=True),
            Binding("f3", "next_theme", "Other colours", show=False, priority=True),
            Binding("ctrl+q", "quit", "Leave", show=False, priority=True),
        ]
    )
    theme: Reactive[str] = Reactive(Initialize(_first_theme))
    """The user's colours from the very first on: with others before them all style sheets would be read twice."""

    mirror: Mirror
    calls: Calls
    """Both are there from the first screen on."""

    def __init__(
        self, target: Path | str, tls: ssl.SSLContext | None = None, *, read_only: bool = False,
        program: str = "zstui", trouble: str = "", guest_session: str | None = None,
    ) -> None:  # fmt: skip
        self.remembered = Remembered()
        begin(first_language(os.environ, self.remembered.get("language", "")))
        super().__init__(driver_class=Drawing, ansi_color=bool(os.environ.get("NO_COLOR")))
        self.target = target
        self.tls = tls
        self.program = program
        """How zstui is called in a shell to reach this appliance again."""
        self.read_only = read_only
        self.trouble = trouble
        self.session: Session | None = None
        self.moved_keys: dict[str, str] = {}
        self.wrong_keys: list[str] = []
        """What is wrong with the file of these, for the page of help."""
        self.session_uuid = guest_session
        self.is_guest = guest_session is not None
        """Whether the user is elsewhere: files of this machine are none of theirs."""
        self._kept: set[asyncio.Task[Any]] = set()
        self._link: Worker[None] | None = None
        self._ahead = TypeAhead(self, super().on_event)
        self._once_painted: Callable[[], Any] | None = None
        """What begins as soon as the screen is painted; Textual would have it wait for the next frame, too."""
        self.pace = Pace(self._paint_owed)
        """How fast the terminal takes frames."""

    async def on_event(self, event: events.Event) -> None:
        """Hand keys on in turn, everything else at once."""
        if isinstance(event, (events.Key, events.Paste)) and not event.is_forwarded:
            await self._ahead.take(event)
            return
        await super().on_event(event)
        if isinstance(event, events.Key):
            self._ahead.passed(event)

    @on(Passed)
    def _passed(self, message: Passed) -> None:
        self._ahead.passed(message.key)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """A guest's console has all keys but those in its title: Ctrl+Q is one that a terminal needs."""
        if getattr(self.screen, "takes_all_keys", False) and action in ("quit", "help_quit"):
            return False
        return super().check_action(action, parameters)

    @property
    def available_themes(self) -> dict[str, Theme]:
        """Textual's themes and ours, by name."""
        return {**super().available_themes, **THEMES}

    def get_theme(self, theme_name: str) -> Theme | None:
        """A theme by name. Textual asks with each line that it draws, and looks through all there are."""
        return THEMES.get(theme_name) or super().get_theme(theme_name)

    def get_default_screen(self) -> Screen[Any]:
        """The screen that is there first, as the terminal's size has it."""
        return self._fitted(super().get_default_screen())

    def get_screen(self, screen: Any, screen_class: Any = None) -> Any:
        """A screen, before it is shown, as the terminal's size has it.

        Textual says how large the terminal is once a screen was painted for none, and paints all of it again.
        """
        return self._fitted(super().get_screen(screen, screen_class))

    def _fitted(self, screen: Screen[Any]) -> Screen[Any]:
        if not screen.is_running:
            across = screen.HORIZONTAL_BREAKPOINTS or []
            for room, breakpoints in (
                (self.size.width, across),
                (self.size.height, self.VERTICAL_BREAKPOINTS),
            ):
                fitting = [(least, name) for least, name in breakpoints if least <= room]
                screen.add_class(*(name for _, name in sorted(fitting)[-1:]), update=False)
        return screen

    def compose(self) -> ComposeResult:
        """What is seen first, and then lies below all screens."""
        return first_frame()

    def on_mount(self) -> None:
        """Remember the user's colours; once the first frame is painted, get the rest."""
        self.theme_changed_signal.subscribe(self, self._take_theme)
        self._mark_contrast(self.current_theme)
        if only_ascii():
            self._filters.append(Ascii())
        self._once_painted = self._load

        if self._driver is not None and not self.is_headless:
            self._driver.write(SHOW_CURSOR)

    def _take_theme(self, theme: Theme) -> None:
        self.remembered.put("theme", theme.name)
        self._mark_contrast(theme)

    def _mark_contrast(self, theme: Theme) -> None:
        self.set_class(CONTRAST_VARIABLE in theme.variables, "-contrast")

    def _load(self) -> None:
        self.run_worker(self._open())

    async def _open(self) -> None:
        """Show the first screen, and do the rest once it is painted."""
        (await later.opening())(self)
        self._once_painted = self._begin

    async def _begin(self) -> None:
        """Connect, and hand the first screen what was typed meanwhile."""
        self.reconnect()
        await self._ahead.begin()

    def key_of(self, action: str, usual: str) -> str:
        """The key of an action: the usual one, unless the user has put it elsewhere."""
        moved = self.moved_keys.get(id_of(action), "")
        return key_name(moved.partition(",")[0]) if moved else usual

    def reconnect(self) -> None:
        """Connect anew, and read everything again."""
        self._link = self.run_worker(self._keep_connected(), group="link", exclusive=True)

    async def _keep_connected(self) -> None:
        unnamed = self.tls is None and str(self.target).startswith("https:")
        await (await later.connection(certificates=unnamed))(self)

    def action_next_language(self) -> None:
        """Speak the next language, and begin with it from now on."""
        self.speak(next_language())
        self.tell(LANGUAGES[language()])

    def action_next_theme(self) -> None:
        """Show the next colours, and begin with them from now on."""
        self.theme = next_theme(self.theme)
        self.tell(theme_title(self.theme))

    def speak(self, name: str) -> None:
        """Speak a language on every screen, what is typed and chosen there stays."""
        use(name)
        self.remembered.put("language", name)
        for shown in self.screen_stack:
            for widget in shown.walk_children(with_self=True):
                again = getattr(widget, "retranslate", None)
                if again is not None:
                    again()
                widget.refresh()

    # --- for the screens ---------------------------------------------------------------------------------

    def tell(self, *lines: str, wrong: bool = False) -> None:
        """Say something in passing."""
        self.notify("\n".join(map(safe, lines)), severity="error" if wrong else "information", markup=False,
                    timeout=8 if wrong else 3)  # fmt: skip

    def offer(self, text: str, seconds: float) -> Notification:
        """Say for some seconds what may have to be taken back before."""
        said = Notification(safe(text), timeout=seconds)
        self.post_message(Notify(said))
        return said

    def take_back(self, said: Notification) -> None:
        """Say something no longer. Textual keeps the room it had, which what is said next lacks."""
        self._unnotify(said)
        for holder in self.screen.query(ToastHolder):
            if str(holder.id).endswith(said.identity):
                holder.remove()

    def keep(
        self, task: asyncio.Task[Any], what: str, names: Sequence[str] = (),
        way_out: Callable[[ApiError], str] | None = None,
    ) -> None:  # fmt: skip
        """Let calls go on in the background, and say when they fail, and with that the way out.

        `names` are of what each of several calls is about, in the order of their results.
        """
        self._kept.add(task)

        def ended(_: asyncio.Task[Any]) -> None:
            self._kept.discard(task)
            if not task.cancelled():
                self.calls.say_how(task, what, names, way_out)

        task.add_done_callback(ended)

    def copy_to_clipboard(self, text: str) -> None:
        """Send a text to the terminal's clipboard (OSC 52), through tmux too."""
        super().copy_to_clipboard(text)
        if os.environ.get("TMUX") and self._driver is not None:
            encoded = base64.b64encode(text.encode()).decode()
            self._driver.write(f"\x1bPtmux;\x1b\x1b]52;c;{encoded}\a\x1b\\")

    def _display(self, screen: Screen[Any], renderable: RenderableType | None) -> None:
        if self.screen_stack:
            # Wherever widgets would have it: what is focused now may be none that has said so.
            self.cursor_position = getattr(self.screen, "caret", self.cursor_position)
            low = 2 * self.cursor_position.y >= self.size.height
            if self._notifications and low != self.screen.has_class(ABOVE):
                self.call_later(self.screen.set_class, low, ABOVE)
        super()._display(screen, narrow(renderable))
        if renderable is not None and isinstance(self._driver, Drawing) and not self._batch_count:
            self.pace.sent(self._driver.write)
        if self._once_painted is not None and self.screen_stack and screen is self.screen:
            self.call_later(self._once_painted)
            self._once_painted = None

    def _paint_owed(self) -> None:
        """Have the screen paint what it kept. Told to refresh itself, it would forget what else is to be painted."""
        if self.screen_stack:
            self.screen.post_message(Update(self.screen))

    async def on_exit_app(self) -> None:
        """Leave the terminal with no question open."""
        await self.pace.settled(LEAVE_SECONDS)

    async def on_unmount(self) -> None:
        """Leave no call behind; what the appliance has begun goes on there."""
        for task in list(self._kept):
            task.cancel()
        await asyncio.wait(self._kept) if self._kept else None


def run(
    target: Path | str, *, tls: ssl.SSLContext | None = None, read_only: bool = False,
    program: str = "zstui", trouble: str = "", guest_session: str | None = None,
) -> int:  # fmt: skip
    """Show an appliance, at a socket or a URL, until the user leaves or the terminal is gone. Returns the exit status.

    `tls` says whom to trust at an `https://` URL; `read_only` refuses all calls that would change anything;
    `program` is how a shell reaches the same appliance; `trouble` is what the user is to know of it at first;
    `guest_session` is that of a user elsewhere, for whom the appliance has started this.
    """
    app = Zstui(
        target, tls, read_only=read_only, program=program, trouble=trouble, guest_session=guest_session
    )
    return show(app)


def show(app: Zstui) -> int:
    """Run an app until the user leaves or the terminal is gone. Returns the exit status."""
    forget_exported_size()
    with ending_with(sys.stdin.fileno()):
        app.run()
    return app.return_code or 0
