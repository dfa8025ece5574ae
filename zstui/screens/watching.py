"""What serial consoles and VNC have in common: a title with the state of the link, all keys for the guest, a pane."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar, Literal

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen

from appliance.api.console import Gap, Notice
from zstui import words
from zstui.cells import width
from zstui.console_link import ConsoleLink
from zstui.i18n import tr
from zstui.line import Line, Part
from zstui.mirror import Mirror, Row
from zstui.screens.working import Working

if TYPE_CHECKING:
    from zstui.app import Zstui
    from zstui.screens.acting import Acting

QUIET_SECONDS = 5.0
"""A guest that has said nothing for longer is shown to be quiet, and for how long."""

PANE_FROM = (100, 30)
"""The smallest terminal that has room for a pane."""

LEAVE, LEAVE_NAME = "ctrl+right_square_bracket", "^]"
SIGNS = {"opening": ("◍", "busy"), "live": ("◉", "good"), "waiting": ("◌", "warn"), "over": ("✗", "bad")}

After = Literal["serial", "vnc"] | None
"""The console that is to be looked at next."""


class Watching(Working, ModalScreen[After]):
    """One console of a VM, on the whole terminal or as a pane. Keys are the guest's, but those in the title."""

    app: Zstui
    console: ClassVar[Literal["serial", "vnc"]]
    takes_all_keys: ClassVar = True
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(LEAVE, "leave", "leave", priority=True),
        Binding("f11", "other", "serial or VNC", priority=True),
        Binding("f12", "pane", "pane or whole", priority=True),
    ]

    def __init__(self, vm: Row, mirror: Mirror) -> None:
        super().__init__()
        self.vm = vm
        self.mirror = mirror
        self.link: ConsoleLink

    def compose(self) -> ComposeResult:
        """Title and view."""
        with Vertical(id="watching"):
            yield ConsoleTitle(self)
            yield from self.views()

    @abstractmethod
    def views(self) -> ComposeResult:
        """What is below the title; the first takes the keys."""

    @abstractmethod
    def opened(self) -> None:
        """The stream stands; it tells all from its beginning."""

    @abstractmethod
    def heard(self, said: bytes | Gap | Notice) -> None:
        """Something came."""

    @abstractmethod
    def own_keys(self) -> list[tuple[str, str]]:
        """Keys and words for the title."""

    def pane_key(self) -> list[tuple[str, str]]:
        """The key of the pane, where there is room for one."""
        return [("F12", tr("whole") if self.has_class("-pane") else tr("pane"))] if self._has_room else []

    @property
    def _has_room(self) -> bool:
        size = self.app.size
        return size.width >= PANE_FROM[0] and size.height >= PANE_FROM[1]

    def why(self) -> str:
        """Why it is not live, in words for the title."""
        return self.link.reason

    def marks(self) -> list[Part]:
        """What else the title says."""
        return []

    def on_mount(self) -> None:
        """Open it."""
        self.link = ConsoleLink(
            self.app.calls, self.mirror, self.vm.key, self.console,
            opened=self.opened, heard=self.heard, changed=self.retitle,
        )  # fmt: skip
        self.reopen()
        self.set_interval(1.0, self.retitle)
        next(iter(self.query_one("#watching").children[1:])).focus()

    def reopen(self) -> None:
        """Open it anew."""
        self.run_worker(self.link.run(), group="link", exclusive=True)

    def retitle(self) -> None:
        """The title says something else."""
        for title in self.query(ConsoleTitle):
            title.refresh()

    def action_leave(self) -> None:
        """Back to where it was opened from."""
        self.dismiss(None)

    def action_other(self) -> None:
        """The other console of the same VM."""
        self.dismiss("vnc" if self.console == "serial" else "serial")

    def action_pane(self) -> None:
        """Less than the whole terminal, so that the list stays in sight, and back."""
        if not self._has_room:
            self.app.tell(
                tr("a pane needs a terminal of {columns}×{lines}", columns=PANE_FROM[0], lines=PANE_FROM[1]),
                wrong=True,
            )
            return
        self.toggle_class("-pane")
        self.retitle()


class ConsoleTitle(Line):
    """Whose console it is, whether it lives, and the keys that are not the guest's."""

    DEFAULT_CSS = """
    ConsoleTitle { background: $panel; }
    """

    def __init__(self, watching: Watching) -> None:
        super().__init__()
        self._watching = watching

    def left(self) -> list[Part]:
        """Name, console, state."""
        link = self._watching.link
        kind = tr("serial") if self._watching.console == "serial" else "VNC"
        sign, paint = SIGNS[link.state]
        words_of = {"opening": tr("opening"), "live": tr("live")}.get(link.state) or self._watching.why()
        parts = [Part(f" {self._watching.vm.name} ", "strong"), Part(f"{kind} ", "dim")]
        parts += [Part(f"{sign} {words_of} ", paint)]
        quiet = words.now() - link.heard_at
        if link.state == "live" and link.heard_at and quiet > QUIET_SECONDS:
            parts.append(Part(tr("quiet for {age}", age=words.duration(quiet)) + " ", "faint"))
        return [*parts, *self._watching.marks()]

    def right(self) -> list[Part]:
        """Keys: how to leave always, the others as far as there is room."""
        resting = self._watching.link.state in ("waiting", "over")
        keys = [("Enter", tr("try again"))] if resting else self._watching.own_keys()
        parts: list[Part] = []
        left = sum(width(part.text) for part in self.left())
        room = self.size.width - min(left, self.size.width * 3 // 5)
        for key, word in [(LEAVE_NAME, tr("leave")), *keys]:
            told = [Part(f" {key} ", "accent"), Part(word, "dim")]
            if parts and sum(width(part.text) for part in (*parts, *told)) > room - 1:
                break
            parts += told
        return [*parts, Part(" ")]


def watch(screen: Acting, vm: Row, console: After) -> None:
    """Show a console of a VM, and then the other when that is wanted; nothing for none."""
    from zstui.screens.serial import Serial
    from zstui.screens.vnc import Vnc

    if console is not None:
        kind = Serial if console == "serial" else Vnc
        screen.app.push_screen(kind(vm, screen.mirror), lambda after: watch(screen, vm, after))
