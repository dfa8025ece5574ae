"""The full-screen face: holds the connection and the mirror, and shows screens on them."""

from __future__ import annotations

import asyncio
import base64
import os
import ssl
from pathlib import Path
from typing import Any, ClassVar

from textual import events, on
from textual.app import App
from textual.binding import Binding, BindingType
from textual.worker import Worker

from appliance.api.errors import AccessError, ApiError
from appliance.client import Session, Unreachable
from zstui.calls import Calls
from zstui.cells import safe
from zstui.frame import key_name
from zstui.i18n import LANGUAGES, begin, first_language, language, next_language, use
from zstui.i18n.server_texts import said
from zstui.keymap import id_of, keymap_file, read_keymap
from zstui.mirror import Mirror
from zstui.nouns import WATCHED
from zstui.palette import jumper, palette
from zstui.remembered import Remembered
from zstui.screens.acting import Acting
from zstui.screens.browser import Browser
from zstui.screens.chooser import Chooser
from zstui.screens.login import Login
from zstui.screens.watching import Watching
from zstui.table import LiveTable
from zstui.themes import NIGHT, THEMES, Ascii, next_theme, only_ascii
from zstui.type_ahead import Passed, TypeAhead
from zstui.wrong import told

AGAIN_SECONDS = (0.3, 2.0)
"""First and longest pause before an appliance that does not answer is tried again."""

SHOW_CURSOR = "\x1b[?25h"
"""The terminal's own cursor stands on the chosen row, for braille lines and screen readers."""


class Zstui(App[int]):
    """One cloud on one terminal."""

    CSS_PATH = "zstui.tcss"
    TITLE = "zstui"
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f2", "next_language", "Another language", show=False, priority=True),
        Binding("f3", "next_theme", "Other colours", show=False, priority=True),
    ]

    def __init__(
        self, target: Path | str, tls: ssl.SSLContext | None = None, *, read_only: bool = False,
        program: str = "zstui", trouble: str = "", guest_session: str | None = None,
    ) -> None:  # fmt: skip
        self.remembered = Remembered()
        begin(first_language(os.environ, self.remembered.get("language", "")))
        super().__init__(ansi_color=bool(os.environ.get("NO_COLOR")))
        self.target = target
        self.tls = tls
        self.program = program
        """How zstui is called in a shell to reach this appliance again."""
        self.read_only = read_only
        self._trouble = trouble
        self.mirror = Mirror(WATCHED)
        self.session: Session | None = None
        self.calls = Calls(self)
        self.moved_keys: dict[str, str] = {}
        self._session_uuid = guest_session
        self.is_guest = guest_session is not None
        """Whether the user is elsewhere: files of this machine are none of theirs."""
        self._kept: set[asyncio.Task[Any]] = set()
        self._link: Worker[None] | None = None
        self._ahead = TypeAhead(self, super().on_event)

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
        if isinstance(self.screen, Watching) and action in ("quit", "help_quit"):
            return False
        return super().check_action(action, parameters)

    def on_mount(self) -> None:
        """Show what there is, and connect meanwhile."""
        for theme in THEMES:
            self.register_theme(theme)
        kept = self.remembered.get("theme", "")
        self.theme = kept if kept in self.available_themes else NIGHT.name
        self.theme_changed_signal.subscribe(self, lambda theme: self.remembered.put("theme", theme.name))
        if only_ascii():
            self._filters.append(Ascii())
        self._take_keymap()
        self.push_screen(Browser(self.mirror))
        self.reconnect()

        if self._driver is not None and not self.is_headless:
            self._driver.write(SHOW_CURSOR)

    def _take_keymap(self) -> None:
        """Put keys where the user wants them, and say what of it cannot be."""
        classes = (Acting, Browser, LiveTable)
        known = {
            each.id for kind in classes for each in kind.BINDINGS if isinstance(each, Binding) and each.id
        }
        self.moved_keys, wrong = read_keymap(keymap_file(), known)
        self.set_keymap(self.moved_keys)
        for problem in (said(self._trouble), wrong, self.remembered.problem):
            if problem:
                self.tell(problem, wrong=True)

    def key_of(self, action: str, usual: str) -> str:
        """The key of an action: the usual one, unless the user has put it elsewhere."""
        moved = self.moved_keys.get(id_of(action), "")
        return key_name(moved.partition(",")[0]) if moved else usual

    def reconnect(self) -> None:
        """Connect anew, and read everything again."""
        self._link = self.run_worker(self._keep_connected(), group="link", exclusive=True)

    async def _keep_connected(self) -> None:
        """Connect, follow, and when that ends, connect again: for as long as the screen is open."""
        pause = AGAIN_SECONDS[0]
        while True:
            try:
                session_uuid = self._session_uuid
                async with await Session.connect(
                    self.target, session_uuid=session_uuid, tls=self.tls
                ) as session:
                    session.read_only = self.read_only
                    await self._follow(session)
            except ApiError as error:
                self.mirror.set_stale(str(error))
            finally:
                self.session = None
            pause = AGAIN_SECONDS[0] if self.mirror.status == "live" else min(pause * 2, AGAIN_SECONDS[1])
            await asyncio.sleep(pause)

    async def _follow(self, session: Session) -> None:
        said = ""
        while True:
            self.session = session
            try:
                await self.mirror.follow(session)
                return
            except AccessError:
                said = await self._log_in(session, said)

    async def _log_in(self, session: Session, said: str) -> str:
        """Ask who is there until the appliance is content; returns what it said last."""
        given = await self.push_screen_wait(Login(str(self.target), said))
        try:
            await session.log_in(*given)
        except Unreachable:
            raise
        except ApiError as error:
            return error.details
        self._session_uuid = session.session_uuid
        return ""

    def action_next_language(self) -> None:
        """Speak the next language, and begin with it from now on."""
        self.speak(next_language())
        self.tell(LANGUAGES[language()])

    def action_next_theme(self) -> None:
        """Show the next colours, and begin with them from now on."""
        self.theme = next_theme(self.theme)
        self.tell(self.theme)

    def speak(self, name: str) -> None:
        """Speak a language on every screen, what is typed and chosen there stays."""
        use(name)
        self.remembered.put("language", name)
        for screen in self.screen_stack:
            for widget in screen.walk_children(with_self=True):
                again = getattr(widget, "retranslate", None)
                if again is not None:
                    again()
                widget.refresh()

    # --- for the screens ---------------------------------------------------------------------------------

    def tell(self, text: str, *, wrong: bool = False) -> None:
        """Say something in passing."""
        self.notify(safe(text), severity="error" if wrong else "information", markup=False,
                    timeout=8 if wrong else 3)  # fmt: skip

    def keep(self, task: asyncio.Task[Any], what: str) -> None:
        """Let calls go on in the background, and say when they fail."""
        self._kept.add(task)

        def ended(_: asyncio.Task[Any]) -> None:
            self._kept.discard(task)
            if not task.cancelled():
                self._say_how(task, what)

        task.add_done_callback(ended)

    def _say_how(self, task: asyncio.Task[Any], what: str) -> None:
        error = task.exception()
        if error is not None and not isinstance(error, ApiError):
            raise error
        results = [error] if error is not None else task.result()
        wrong = [each for each in results if isinstance(each, ApiError)] if isinstance(results, list) else []
        for each in wrong[:3]:
            self.tell(f"{what}: {told(each, self.mirror)}", wrong=True)

    def copy_to_clipboard(self, text: str) -> None:
        """Send a text to the terminal's clipboard (OSC 52), through tmux too."""
        super().copy_to_clipboard(text)
        if os.environ.get("TMUX") and self._driver is not None:
            encoded = base64.b64encode(text.encode()).decode()
            self._driver.write(f"\x1bPtmux;\x1b\x1b]52;c;{encoded}\a\x1b\\")

    def jumper(self) -> Chooser:
        """The chooser of `:`."""
        return jumper(self.mirror)

    def palette(self, screen: Acting) -> Chooser:
        """The chooser of Ctrl+P."""
        return palette(screen, self.mirror, self.available_themes)

    async def on_unmount(self) -> None:
        """Leave no call behind; what the appliance has begun goes on there."""
        for task in list(self._kept):
            task.cancel()
        await asyncio.wait(self._kept) if self._kept else None


def run(
    target: Path | str, *, tls: ssl.SSLContext | None = None, read_only: bool = False,
    program: str = "zstui", trouble: str = "", guest_session: str | None = None,
) -> int:  # fmt: skip
    """Show an appliance, at a socket or a URL, until the user leaves. Returns the exit status.

    `tls` says whom to trust at an `https://` URL; `read_only` refuses all calls that would change anything;
    `program` is how a shell reaches the same appliance; `trouble` is what the user is to know of it at first;
    `guest_session` is that of a user elsewhere, for whom the appliance has started this.
    """
    app = Zstui(
        target, tls, read_only=read_only, program=program, trouble=trouble, guest_session=guest_session
    )
    app.run()
    return app.return_code or 0
