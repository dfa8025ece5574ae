"""The user data of a VM: an editor that says what it is, and what its guest has fetched of it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, Vertical
from textual.screen import ModalScreen, Screen
from textual.timer import Timer
from textual.widgets import Static, TextArea

from appliance.api.errors import ApiError
from appliance.api.tag import USERDATA_LIMIT
from appliance.api.userdata import served
from zstui import words
from zstui.cells import safe, safe_lines
from zstui.cloud_config import is_kind, minified, warnings_of
from zstui.frame import Hints
from zstui.i18n import mark, tr
from zstui.keymap import HELP, TYPING_HELP
from zstui.mirror import Batch, Mirror, Row
from zstui.said import Keys, Make, Said
from zstui.screens.confirm import Confirm, discard
from zstui.screens.keys import choose_key
from zstui.screens.working import Working, changing
from zstui.sheet import Item, Sheet, heading, note
from zstui.wrong import told
from zstui.yaml_writing import YamlWriting

if TYPE_CHECKING:
    from zstui.app import Zstui

PREFIX = "userdata::"
REVISION = "userdataRevision::"
FETCHES = 100
LOOK_SECONDS = 0.3
WARNINGS = 20
KINDS = (
    ("#!", mark("script")),
    ("#cloud-config", mark("cloud-config")),
    ("## template: jinja", mark("jinja template")),
    ("#include", mark("include file")),
    ("#cloud-boothook", mark("boothook")),
    ("Content-Type:", mark("MIME, several parts")),
    ("MIME-Version:", mark("MIME, several parts")),
)


def kind_of(text: str) -> str:
    """What a guest will take user data for, by how what it is served begins."""
    body = served(text)
    if not body.strip():
        return tr("none")
    return next(
        (tr(kind) for start, kind in KINDS if is_kind(body, start)), tr("plain text: cloud-init ignores it")
    )


class Editor(Working, Screen[str | None]):
    """Edits a text on a whole screen; returns it, or None when nothing is to change."""

    app: Zstui
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (110, "-wide")]
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "save", "save", priority=True),
        Binding("escape", "leave", "back", priority=True),
        Binding("ctrl+r", "preview", "as served", priority=True),
        Binding("ctrl+k", "keys", "SSH keys", priority=True),
        Binding("ctrl+n", "anew", "apply at next boot", priority=True),
        TYPING_HELP,
    ]

    def __init__(self, title: Make, text: str = "") -> None:
        super().__init__()
        self._title = title
        self.saved = text
        """The text that is there already."""
        self._looking: Timer | None = None

    def compose(self) -> ComposeResult:
        """What it is, the text, and what belongs to it."""
        yield Said(lambda: f" {safe(self._title())}", classes="form-title")
        yield Static("", classes="form-doc", markup=False)
        with Container(id="writing"):
            yield YamlWriting(self.saved, show_line_numbers=True, tab_behavior="indent", soft_wrap=False)
            yield Sheet(id="aside")
        yield from self.below()
        yield Hints()

    def below(self) -> ComposeResult:
        """What stands below the text."""
        yield from ()

    def on_mount(self) -> None:
        """Begin to write."""
        self.query_one(TextArea).focus()
        self._describe()
        self._look()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Only a VM that exists can say what it would be served."""
        del parameters
        return action not in ("preview", "keys", "anew")

    @property
    def text(self) -> str:
        """The text as it is now."""
        return self.query_one(TextArea).text

    @on(TextArea.Changed)
    def _changed(self) -> None:
        self._describe()
        self._look_again()

    def _look_again(self) -> None:
        """Read the text for warnings, once nothing was typed for a moment."""
        if self._looking is not None:
            self._looking.stop()
        self._looking = self.set_timer(LOOK_SECONDS, self._look)

    def _look(self) -> None:
        if self.is_attached:
            # Not yet a coroutine: one that is replaced before it begins would be thrown away unawaited.
            self.run_worker(self._warn, exclusive=True, group="warnings")  # type: ignore[arg-type]

    async def _warn(self) -> None:
        """Say what looks wrong, and how the text is written as a tag on one line; the text may be saved anyhow."""
        text = self.text
        found = await asyncio.to_thread(warnings_of, text)
        items = [heading(tr("warnings"))]
        for each in found[:WARNINGS]:
            line = tr("line {line}", line=each.line)
            items.append(Item(line, safe(each.text), "warn"))
        items += [] if found else [note(tr("none"), "faint")]
        items.append(heading(tr("as a tag, minified")))
        items.append(note(safe(f"{PREFIX}{minified(text)}"), "dim") if text else note(tr("none"), "faint"))
        self.query_one("#aside", Sheet).show(items)

    def _describe(self) -> None:
        size = len(self.text.encode())
        state = "" if self.text == self.saved else f"  · {tr('changed')}"
        room = tr("{size} of {limit} bytes", size=size, limit=USERDATA_LIMIT)
        line = f" {kind_of(self.text)}  ·  {room}{state}"
        shown = self.query_one(".form-doc", Static)
        shown.set_class(size > USERDATA_LIMIT, "-error")
        shown.update(line)

    def retranslate(self) -> None:
        """Say in another language what the text is."""
        self._describe()
        self._look()

    def action_save(self) -> None:
        """Return the text."""
        self.dismiss(self.text)

    def action_leave(self) -> None:
        """Go back; what was typed is not thrown away unasked."""
        if self.text == self.saved:
            self.dismiss(None)
            return
        discard(self)


class VmUserdata(Editor):
    """The user data of a VM, kept in its `userdata::` tag; below it, who fetched what and when."""

    def __init__(self, row: Row, mirror: Mirror) -> None:
        super().__init__(lambda: tr("user data of {vm}", vm=row.name))
        self._row = row
        self._mirror = mirror
        self._tag: str | None = None
        self._loaded = False
        self._help = Static("", classes="form-help", markup=False)
        """Told what became of a key also after this was left."""
        self._fetches: list[dict[str, Any]] | None = None
        """What is shown of what the guest has fetched, once that was read."""

    def below(self) -> ComposeResult:
        """What the guest has fetched."""
        yield self._help
        yield Sheet([note(tr("reading …"), "faint")], id="fetches")

    def on_mount(self) -> None:
        """Read the tag and the fetches, and follow both."""
        super().on_mount()
        self.follow(self._mirror.listeners, self._heard)
        self.query_one(TextArea).read_only = True
        self.run_worker(self._load())

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """All keys work."""
        del action, parameters
        return True

    def _heard(self, batch: Batch) -> None:
        rows = batch.get("UserdataFetch", {}).values()
        if any(row is not None and row.get("vmInstanceUuid") == self._row.key for row in rows):
            self.run_worker(self._load_fetches(), exclusive=True, group="fetches")

    async def _load(self) -> None:
        try:
            tags = await self.app.calls.session.query("SystemTag", resource_uuid=self._row.key)
        except ApiError as error:
            self._say(told(error, self.app.mirror), wrong=True)
            return
        found = next((tag for tag in tags if str(tag["tag"]).startswith(PREFIX)), None)
        self._tag = str(found["uuid"]) if found is not None else None
        self.saved = str(found["tag"]).removeprefix(PREFIX) if found is not None else ""
        area = self.query_one(TextArea)
        area.text = self.saved
        area.read_only = self.app.read_only
        self._loaded = True
        self._say_whether()
        self._describe()
        await self._load_fetches()

    async def _load_fetches(self) -> None:
        try:
            fetches = await self.app.calls.session.query(
                "UserdataFetch", vm_instance_uuid=self._row.key, limit=FETCHES,
                sort_by="create_date", sort_direction="desc",
            )  # fmt: skip
        except ApiError as error:
            self._say(told(error, self.app.mirror), wrong=True)
            return
        self._fetches = fetches
        self.query_one("#fetches", Sheet).show(fetch_items(fetches))

    def _say_whether(self) -> None:
        none = tr("This VM has no user data yet. It is served to the guest when it asks.")
        self._say("" if self._tag is not None else none)

    def retranslate(self) -> None:
        """Say in another language what the guest has fetched, and whether there is anything to fetch."""
        super().retranslate()
        if self._loaded:
            self._say_whether()
        if self._fetches is not None:
            self.query_one("#fetches", Sheet).show(fetch_items(self._fetches))

    def _say(self, text: str, *, wrong: bool = False) -> None:
        self._help.set_class(wrong, "-error")
        self._help.update(f" {safe(text)}")

    @changing
    def action_save(self) -> None:
        """Write the tag: changed, made, or when nothing is left of the text, taken away."""
        if self._loaded:
            self._say(tr("saving …"))
            self.run_worker(self._save(self.text), exclusive=True, group="save")

    async def _save(self, text: str) -> None:
        calls = self.app.calls
        try:
            if self._tag is not None and text:
                await calls.make("UpdateSystemTag", uuid=self._tag, tag=f"{PREFIX}{text}")
            elif self._tag is not None:
                await calls.make("DeleteTag", uuid=self._tag)
                self._tag = None
            elif text:
                reply = await calls.make("CreateSystemTag", resourceType="VmInstanceVO",
                                         resourceUuid=self._row.key, tag=f"{PREFIX}{text}")  # fmt: skip
                self._tag = reply["inventory"]["uuid"]
        except ApiError as error:
            self._say(told(error, self.app.mirror), wrong=True)
            return
        self.saved = text
        self._describe()
        self._say(tr("saved; the guest gets it when it asks next"))

    def action_preview(self) -> None:
        """Show what the guest would be served now, all tags merged."""
        self.run_worker(self._preview(), exclusive=True, group="preview")

    @changing
    def action_keys(self) -> None:
        """Give the VM an SSH key, or take one away."""
        self.run_worker(choose_key(self.app, self._row, self._say), exclusive=True, group="keys")

    @changing
    def action_anew(self) -> None:
        """Have cloud-init apply user data and keys anew at the next boot, once it is said what that means."""

        def answered(yes: bool | None) -> None:
            if yes:
                self.run_worker(self._apply_anew(), exclusive=True, group="anew")

        def lines() -> list[str]:
            return [
                tr("At its next boot cloud-init takes {vm} for a new machine:", vm=self._row.name),
                tr("it applies user data and SSH keys again, and makes new host keys."),
                tr("What was saved counts; the running guest goes on as it is."),
            ]

        self.app.push_screen(
            Confirm(lambda: tr("Apply user data at the next boot?"), lambda: tr("apply"), lines), answered
        )

    async def _apply_anew(self) -> None:
        calls = self.app.calls
        try:
            tags = await calls.session.query("SystemTag", resource_uuid=self._row.key)
            found = next((tag for tag in tags if str(tag["tag"]).startswith(REVISION)), None)
            if found is None:
                await calls.make("CreateSystemTag", resourceType="VmInstanceVO", resourceUuid=self._row.key,
                                 tag=f"{REVISION}1")  # fmt: skip
            else:
                number = int(str(found["tag"]).removeprefix(REVISION)) + 1
                await calls.make("UpdateSystemTag", uuid=found["uuid"], tag=f"{REVISION}{number}")
        except ApiError as error:
            self._say(told(error, self.app.mirror), wrong=True)
            return
        self._say(tr("it is applied when the guest boots next"))

    async def _preview(self) -> None:
        try:
            reply = await self.app.calls.session.call("PreviewUserdata", uuid=self._row.key)
        except ApiError as error:
            self._say(told(error, self.app.mirror), wrong=True)
            return
        items = [heading(tr("user data"))]
        items += [note(line, "plain") for line in safe_lines(str(reply.get("userData") or tr("none")))]
        items += [heading(tr("public keys"))]
        items += [note(safe(str(key)), "plain") for key in reply.get("publicKeys", [])] or [note(tr("none"))]
        self.app.push_screen(
            Reading(lambda: tr("What {vm} is served (saved tags)", vm=self._row.name), items)
        )


class Reading(Working, ModalScreen[None]):
    """A sheet to read over another screen."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q,enter", "dismiss", "back"), HELP]

    def __init__(self, title: Make, items: list[Item]) -> None:
        super().__init__()
        self._title = title
        self._items = items

    def compose(self) -> ComposeResult:
        """Title and sheet."""
        with Vertical(classes="dialog help"):
            yield Said(self._title, classes="title")
            yield Sheet(self._items)
            yield Keys(lambda: tr("arrows scroll · Esc back"), classes="hint")

    def on_mount(self) -> None:
        """Keys scroll."""
        self.query_one(Sheet).focus()


def fetch_items(fetches: list[dict[str, Any]]) -> list[Item]:
    """What was fetched, the newest first."""
    items = [heading(tr("fetched by the guest"))]
    for fetch in fetches:
        status = fetch.get("httpStatus")
        paint = "good" if status == 200 else "warn"
        text = f"{status} {fetch.get('path', '')}  {fetch.get('userAgent', '')}"
        items.append(Item(words.clock(str(fetch.get("createDate"))), safe(text), paint))
    return items if fetches else [*items, note(tr("nothing yet: the guest has not asked"), "faint")]
