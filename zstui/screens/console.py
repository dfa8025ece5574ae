"""Where a VM's graphical console listens, ready to be copied."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import urlencode

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen

from appliance.api.errors import ApiError
from zstui.cells import safe
from zstui.i18n import tr
from zstui.keymap import HELP
from zstui.mirror import Row
from zstui.said import Keys, Said
from zstui.screens.watching import After
from zstui.screens.working import Working
from zstui.sheet import Item, Sheet, note
from zstui.viewer_file import viewer_text, write_viewer_file
from zstui.wrong import told

if TYPE_CHECKING:
    from zstui.app import Zstui


class Console(Working, ModalScreen[After]):
    """Asks for the address, shows it, copies it."""

    app: Zstui
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("c,enter,y", "copy('line')", "copy"),
        Binding("a", "copy('address')", "address"),
        Binding("s", "watch('serial')", "serial console"),
        Binding("g", "watch('vnc')", "VNC screen", priority=True),  # before the sheet, whose top it is
        Binding("b", "browse", "in a browser"),
        Binding("v", "write", "viewer file"),
        Binding("f", "copy_file", "viewer file's text"),
        Binding("p", "password", "one-time password"),
        Binding("escape,q", "dismiss", "back"),
        HELP,
    ]

    def __init__(self, row: Row) -> None:
        super().__init__()
        self._row = row
        self._reply: dict[str, Any] = {}
        self._texts: dict[str, str] = {}
        self._given: str | None = None
        """The password that is shown."""

    def compose(self) -> ComposeResult:
        """Name, address, and the line for a viewer."""
        with Vertical(classes="dialog console"):
            yield Said(lambda: tr("Console of {vm}", vm=self._row.name), classes="title")
            yield Sheet([note(tr("asking its host …"))])
            yield Keys(
                lambda: tr(
                    "c copy · a address · p password · b browser · f .vv text · v .vv · s serial · g screen · Esc back"
                ),
                classes="hint",
            )

    def on_mount(self) -> None:
        """Ask."""
        self.run_worker(self._ask())

    async def _ask(self) -> None:
        sheet = self.query_one(Sheet)
        try:
            reply = await self.app.calls.make("GetVmConsoleAddress", uuid=self._row.key)
        except ApiError as error:
            sheet.show([Item(tr("error"), safe(told(error, self.app.mirror)), "bad")])
            return
        self._reply = reply
        self._texts = {"line": viewer_line(reply), "address": f"{reply.get('hostIp')}:{reply.get('port')}"}
        self._show()

    def retranslate(self) -> None:
        """The same address in another language."""
        if self._reply:
            self._show()

    def _show(self) -> None:
        if self._given:
            password = Item(tr("password"), safe(self._given), "accent")
        elif self._given == "":
            password = note(tr("it asks for no password"))
        else:
            password = note(
                tr("p gives a password, a .vv file has one of its own; each is good for a short while")
                if self._reply.get("protocol") == "spice"
                else tr("p gives a password, a .vv file has one of its own; each is good once and soon")
            )
        self.query_one(Sheet).show([
            Item(tr("protocol"), safe(str(self._reply.get("protocol")))),
            Item(tr("host"), safe(str(self._reply.get("hostIp")))),
            Item(tr("port"), safe(str(self._reply.get("port")))),
            Item(tr("command"), safe(self._texts["line"]), "accent"),
            password,
        ])  # fmt: skip

    async def _password(self) -> str | None:
        """A new one; empty where the console asks for none, None when it could not be had, which was said."""
        try:
            reply = await self.app.calls.make("GetVmConsolePassword", uuid=self._row.key)
        except ApiError as error:
            self.app.tell(told(error, self.app.mirror), wrong=True)
            return None
        return str(reply["consolePassword"])

    def action_password(self) -> None:
        """Have the console take a new password, and show it."""
        self.run_worker(self._show_password())

    async def _show_password(self) -> None:
        if self._reply and (password := await self._password()) is not None:
            self._given = password
            self._show()

    def action_copy_file(self) -> None:
        """Copy what a viewer's file has in it."""
        self.run_worker(self._copy_file())

    async def _copy_file(self) -> None:
        if self._reply and (password := await self._password()) is not None:
            self._texts["file"] = viewer_text(self._reply, self._row.name, password)
            self.action_copy("file")

    def action_watch(self, console: After) -> None:
        """Look at a console here."""
        self.dismiss(console)

    def action_copy(self, what: str) -> None:
        """Copy the viewer's command line, or only the address."""
        if what in self._texts:
            self.app.copy_to_clipboard(self._texts[what])
            shown = self._texts[what] if what != "file" else tr("the text of a .vv file")
            self.app.tell(tr("copied {text}", text=shown))
            self.dismiss(None)

    def action_browse(self) -> None:
        """Copy an address that shows the console in a browser, once."""
        self.run_worker(self._browse())

    async def _browse(self) -> None:
        try:
            reply = await self.app.calls.make("RequestConsoleAccess", vmInstanceUuid=self._row.key)
        except ApiError as error:
            self.app.tell(told(error, self.app.mirror), wrong=True)
            return
        link = browser_link(reply["inventory"], self._row.name)
        if not link:
            self.app.tell(tr("the appliance listens on no address; start it with --listen"), wrong=True)
            return
        self.app.copy_to_clipboard(link)
        self.query_one(Sheet).show([Item(tr("browser"), link, "accent")])
        self.app.tell(tr("copied; the address is good for one visit, within two minutes"))

    def action_write(self) -> None:
        """Write the file that opens the console in virt-viewer, into the folder where this was started."""
        if self.app.is_guest:
            self.app.tell(
                tr("files would be written where the appliance is; copy the text with f"), wrong=True
            )
            return
        self.run_worker(self._write())

    async def _write(self) -> None:
        if not self._reply or (password := await self._password()) is None:
            return
        try:
            text = viewer_text(self._reply, self._row.name, password)
            path = write_viewer_file(text, self._row.name, Path.cwd())
        except OSError as error:
            self.app.tell(tr("no file was written: {error}", error=str(error)), wrong=True)
            return
        self.app.tell(tr("written: {path}", path=str(path)))
        self.dismiss(None)


def browser_link(access: dict[str, Any], name: str) -> str:
    """The address of a console's page; empty when the appliance has none. What is after # stays in the browser."""
    if not access.get("port"):
        return ""
    host = str(access["hostname"])
    host = f"[{host}]" if ":" in host else host
    given = urlencode({"token": access["token"], "name": name})
    return f"{access['scheme']}://{host}:{access['port']}/console#{given}"


def viewer_line(reply: dict[str, Any]) -> str:
    """The command that opens a console."""
    address = f"{reply.get('hostIp')}:{reply.get('port')}"
    if reply.get("protocol") == "spice":
        return f"remote-viewer spice://{address}"
    return f"vncviewer {address}"
