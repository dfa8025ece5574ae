"""A VM's screen drawn in the terminal, with its keyboard and mouse."""

from __future__ import annotations

from typing import Any, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from appliance.api.console import Gap, Notice
from zstui.i18n import tr
from zstui.line import Part
from zstui.mirror import Mirror, Row
from zstui.rfb import PasswordNeeded, RfbError
from zstui.screens.ask import Ask
from zstui.screens.chooser import Choice, Chooser, narrowed
from zstui.screens.watching import Watching
from zstui.vnc_keys import ALT, CTRL, DELETE, NAMED, Stroke
from zstui.vnc_view import VncView

CONSOLES = 6
"""Those of Linux that Ctrl-Alt-F1 and so on change to."""


class Vnc(Watching):
    """The screen of one VM."""

    console = "vnc"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f8", "menu", "menu", priority=True),
        Binding("f9", "fine", "dots or blocks", priority=True),
    ]

    def __init__(self, vm: Row, mirror: Mirror) -> None:
        super().__init__(vm, mirror)
        self._password = ""  # nosec B105  # none is asked for
        self._wrong = ""
        self._wants_password = False

    def views(self) -> ComposeResult:
        """The screen."""
        yield VncView()

    @property
    def view(self) -> VncView:
        """The screen."""
        return self.query_one(VncView)

    def opened(self) -> None:
        """A conversation begins."""
        self._wrong, self._wants_password = "", False
        self.view.begin(self._send, self._password)

    def heard(self, said: bytes | Gap | Notice) -> None:
        """Draw it, unless the screen is being taken down."""
        if self._wrong or not isinstance(said, bytes) or not self.query(VncView):
            return
        try:
            self.view.feed(said)
        except PasswordNeeded:
            self._wants_password = True
            self._ended(tr("the screen wants a password"))
        except RfbError as error:
            self._password = ""  # nosec B105  # as above
            self._ended(tr("the screen refused: {why}", why=str(error)))

    def _ended(self, why: str) -> None:
        self._wrong = why
        self.view.rfb = None
        self.retitle()
        if self._wants_password:
            self._ask_password()

    def _ask_password(self) -> None:
        def answered(password: str | None) -> None:
            if password:
                self._password = password
                self.reopen()

        self.app.push_screen(
            Ask(lambda: tr("Password of the screen of {vm}", vm=self.vm.name), secret=True), answered
        )

    def _send(self, data: bytes) -> None:
        if not self.link.type(data) and self.link.state == "live":
            self.app.tell(tr("the guest takes no input"), wrong=True)

    def own_keys(self) -> list[tuple[str, str]]:
        """Those that are not the guest's."""
        fine = tr("blocks") if self.query(VncView) and self.view.fine else tr("dots")
        return [("F8", tr("menu")), ("F9", fine), ("F11", tr("serial")), *self.pane_key()]

    def why(self) -> str:
        """Why it is not live; of one that never will be what to do instead."""
        if "spice" in self.link.reason.casefold():
            return tr("this screen speaks SPICE; C writes a .vv file for it")
        return super().why()

    def marks(self) -> list[Part]:
        """How large the screen is, or what is wrong with it."""
        if self._wrong:
            return [Part(f"✗ {self._wrong} ", "bad")]
        rfb = self.view.rfb if self.query(VncView) else None
        return [Part(f"{rfb.width}×{rfb.height} ", "faint")] if rfb is not None and rfb.width else []

    @on(VncView.Unknown)
    def _unknown(self) -> None:
        self.app.tell(tr("a keyboard has no such key"), wrong=True)

    def action_fine(self) -> None:
        """Draw it in dots, or in blocks again."""
        self.view.turn_fine()
        self.retitle()

    def action_menu(self) -> None:
        """What a terminal cannot type."""
        self.app.push_screen(
            Chooser(lambda: tr("Send to {vm}", vm=self.vm.name), narrowed(self._choices)), self._menu_chosen
        )

    def _choices(self) -> list[Choice]:
        return [
            Choice(Stroke(DELETE, (CTRL, ALT)), "Ctrl-Alt-Del", tr("restarts many systems")),
            Choice("type", tr("type a text"), tr("as keys, one after the other")),
            *(
                Choice(Stroke(NAMED[name], ()), name.upper(), tr("a key that is taken here"))
                for name in ("f8", "f9", "f11", "f12")
            ),
            *(
                Choice(
                    Stroke(NAMED[f"f{number}"], (CTRL, ALT)),
                    f"Ctrl-Alt-F{number}",
                    tr("another console of Linux"),
                )
                for number in range(1, CONSOLES + 1)
            ),
            Choice("redraw", tr("draw all anew")),
        ]

    def _menu_chosen(self, values: list[Any] | None) -> None:
        match values[0] if values else None:
            case Stroke() as stroke:
                self.view.strike(stroke)
            case "type":
                self.app.push_screen(Ask(lambda: tr("Type into {vm}", vm=self.vm.name)), self._type)
            case "redraw":
                self.view.redraw()

    def _type(self, text: str | None) -> None:
        if text:
            self.view.type(text)
