"""A form for any message: fields from its parameters, checked as they are typed by the API's own rules."""

from __future__ import annotations

import asyncio
from collections.abc import Container
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar
from uuid import uuid4

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Static

from appliance.api.errors import ApiError, InvalidArgument
from appliance.api.message import MESSAGES, CreateMessage, Message, Parameter
from appliance.api.parse import parse
from appliance.api.resource import Resource
from appliance.api.tag import PATTERNS
from zstui import words
from zstui.calls import shown_line
from zstui.cells import crop, safe
from zstui.controls import Edited
from zstui.fields import Field, PickField, TagField, TextField, field_for
from zstui.frame import Hints
from zstui.i18n import enumerated, tr
from zstui.jobs import outcome
from zstui.keymap import TYPING_HELP
from zstui.mirror import Batch, Mirror
from zstui.said import Doc, Said
from zstui.screens.confirm import discard, sure
from zstui.screens.working import Working
from zstui.setting_value import of_setting
from zstui.summary import summary
from zstui.verbs import asked, is_list, ref_of, takes_away, title_of
from zstui.wrong import field_of, readable, told

if TYPE_CHECKING:
    from zstui.app import Zstui


@dataclass(frozen=True)
class Draft:
    """A form as it was sent and left, and what was said against it since."""

    message: str
    given: dict[str, Any]
    shown: dict[str, Any]
    held: dict[str, Any]
    """What its fields held, by their wire names."""
    error: ApiError
    about: str


class Form(Working, Screen[dict[str, Any] | None]):
    """Returns the reply of the call, or None when there was none.

    It stays until the call has ended, so that what is wrong is said where it was typed. Who leaves it before that
    lets the call go on by itself: of what it makes, uuid and name are returned, with `running`.
    """

    app: Zstui
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "submit", "do it", priority=True),
        Binding("tab,down", "app.focus_next", "next"),
        Binding("shift+tab,up", "app.focus_previous", "Before", show=False),
        Binding("ctrl+e", "edit", "editor", show=False),
        Binding("escape", "leave", "back"),
        TYPING_HELP,
    ]

    def __init__(
        self, message: str, mirror: Mirror, *, given: dict[str, Any] | None = None,
        shown: dict[str, Any] | None = None, draft: Draft | None = None, about: str = "",
    ) -> None:  # fmt: skip
        super().__init__()
        self.message = message
        self.kind: type[Message] = MESSAGES[message]
        self.mirror = mirror
        self.given = given or {}
        """What is decided already and not asked for."""
        self.shown = shown or {}
        """What stands in fields at first; what stays so is not sent."""
        self.fields: dict[str, Field] = {}
        self._first: dict[str, Any] = {}
        """What the fields came to before anything was typed."""
        self._draft = draft
        self._about = about
        """The row that it was chosen for, by name; nothing where the form itself asks which."""
        self._refusal: tuple[ApiError, Field | None] | None = None
        """What the appliance said last, and the field that it is about; until that is changed."""
        self._sent: dict[str, Any] | None = None
        """While the call is under way: uuid and name of what it makes, or the uuid of what it is about."""

    @property
    def _busy(self) -> bool:
        return self._sent is not None

    def compose(self) -> ComposeResult:
        """Required fields, then the others, then tags."""
        yield Said(self._title, classes="form-title")
        yield Doc(lambda: tr(words.first_paragraph(self.kind.__doc__)), classes="form-doc")
        with VerticalScroll(can_focus=False):
            for parameter in sorted(asked(self.message, self.given), key=lambda each: not each.required):
                yield self._add(field_for(of_setting(parameter, self.given), self.mirror, self.message))
            for field in self._tag_fields():
                yield self._add(field)
        yield Static("", classes="form-summary", markup=False)
        yield Static("", classes="form-help", markup=False)
        yield Hints()

    def _title(self) -> str:
        title = tr(title_of(self.message))
        return f" {title[:1].upper()}{title[1:]}{f'  ·  {self._about}' if self._about else ''}"

    def _add(self, field: Field) -> Field:
        self.fields[field.wire] = field
        return field

    def _tag_fields(self) -> list[TagField]:
        if not issubclass(self.kind, CreateMessage) or self.kind.returns is None:
            return []
        return [
            TagField(pattern)
            for pattern in PATTERNS
            if pattern.vo == self.kind.returns.vo
            and not pattern.inherent
            and pattern.pattern.count("{") == 1
            and pattern.hypervisor in ("", self._made_type(self.kind.returns))
        ]

    def _made_type(self, resource: type[Resource]) -> str:
        """Which type of a resource the message makes: `KVM` of AddKVMHost; empty where it has none of its own."""
        return next((each.type for each in resource.children if self.message.endswith(each.name)), "")

    def on_mount(self) -> None:
        """Fill in what is known, and begin at the first field."""
        for wire, value in self.shown.items():
            if wire in self.fields and value not in (None, ""):
                self.fields[wire].fill(value)
        self._take_only()
        self._first = self.values()
        if self._draft is not None:
            for wire, held in self._draft.held.items():
                self.fields[wire].fill(held)
            self.call_after_refresh(self.place_error, self._draft.error)
        self._show_summary()
        self.follow(self.mirror.listeners, self._heard)
        self.run_worker(self._read_choices())

    async def _read_choices(self) -> None:
        """Read what fields choose among and the mirror does not keep by itself."""
        kinds = {ref.__name__ for each in asked(self.message, self.given)
                 if (ref := ref_of(each)) is not None}  # fmt: skip
        try:
            for kind in sorted(kinds - self.mirror.rows.keys()):
                await self.mirror.watch(self.app.calls.session, kind)
        except ApiError as error:
            self.app.tell(told(error, self.mirror), wrong=True)

    def values(self) -> dict[str, Any]:
        """What the fields and what was given come to, as the fields of the call."""
        values = dict(self.given)
        tags = []
        for wire, field in self.fields.items():
            if isinstance(field, TagField):
                tags += [field.tag] if field.tag else []
            elif field.value is not None and (
                field.required or str(field.value) != str(self.shown.get(wire))
            ):
                values[wire] = field.value
        return {**values, **({"systemTags": tags} if tags else {})}

    # --- checking ----------------------------------------------------------------------------------------

    @on(Edited)
    def _edited(self, event: Edited) -> None:
        origin = event.origin
        field = next(
            (each for each in self.fields.values() if origin in each.walk_children(with_self=True)), None
        )
        if field is not None and not isinstance(field, TagField):
            field.say(self.check(field))
        elif field is not None:
            field.say("")
        if self._refusal is not None and self._refusal[1] in (None, field):
            self._refusal = None
            self.on_descendant_focus()
        self._show_summary()

    def check(self, field: Field) -> str:
        """What the API says against a field's value; empty when nothing."""
        values = {each.wire: _stand_in(each) for each in self.kind.parameters.values() if each.required}
        values.pop(field.wire, None)
        if field.value is not None:
            values[field.wire] = field.value
        try:
            parse(self.kind, values)
        except InvalidArgument as wrong:
            return self._readable(wrong, field)
        return ""

    def check_all(self) -> bool:
        """Put to each field what is wrong with it; whether all is right."""
        wrong = []
        for field in self.fields.values():
            if not isinstance(field, TagField):
                field.say(self.check(field))
                wrong += [field] if field.error else []
        if wrong:
            self._go_to(wrong[0])
        return not wrong

    def _go_to(self, field: Field) -> None:
        target = next((each for each in field.walk_children(Widget) if each.focusable), None)
        if target is not None:
            target.focus()
        field.scroll_visible(animate=False)

    def place_error(self, error: ApiError) -> None:
        """Put an error to the field that it names; else below all of them."""
        named = field_of(error.details, self.fields)
        field = self.fields[named] if named is not None else None
        self._refusal = (error, field)
        self._show_refusal()
        if field is not None:
            self._go_to(field)

    def _show_refusal(self) -> None:
        if self._refusal is None:
            return
        error, field = self._refusal
        if field is None:
            self._say(told(error, self.mirror), "error")
        else:
            field.say(f"{self._readable(error, field)} [{error.code}]")

    def _readable(self, error: ApiError, field: Field) -> str:
        """An error as a sentence; its code stands behind what was answered, not behind what is said meanwhile."""
        return readable(error.details, self.mirror, sizes=isinstance(field, TextField) and field.is_size)

    def _say(self, text: str, kind: str = "help") -> None:
        shown = self.query_one(".form-help", Static)
        shown.set_class(kind == "error", "-error")
        shown.update(f" {safe(text)}")

    def on_descendant_focus(self) -> None:
        """Say what the field is for; while an error is about none of them, that."""
        field = next((each for each in self.fields.values() if each.has_focus_within), None)
        if self._busy:
            return
        if self._refusal is not None and self._refusal[1] is None:
            self._show_refusal()
        elif field is not None:
            self._say(field.help)

    def _heard(self, batch: Batch) -> None:
        if self._busy and "LongJob" in batch:
            self._say_busy()
        elif not self._busy:
            untouched = self.values() == self._first
            if self._take_only(batch):
                self._first = self.values() if untouched else self._first
                self._show_summary()

    def _take_only(self, kinds: Container[str] | None = None) -> bool:
        """Choose what there is only one of, of some kinds or of all; whether anything was."""
        picks = (each for each in self.fields.values() if isinstance(each, PickField))
        taken = [each for each in picks if (kinds is None or each.kind in kinds) and each.take_only()]
        return bool(taken)

    def _say_busy(self) -> None:
        """Say what the appliance is doing, and that nobody has to wait for it."""
        about = (self._sent or {}).get("uuid")
        jobs = (row for row in self.mirror.all("LongJob") if row.get("state") == "Running")
        job = next((row for row in jobs if about and row.get("targetResourceUuid") == about), None)
        doing = outcome(job, self.mirror)[0] if job is not None else ""
        asking = doing or tr("asking the appliance …")
        self._say(f"{asking}  ·  {tr('Esc goes back, and this goes on by itself')}")

    def _show_summary(self) -> None:
        text = summary(self.message, self.values(), self.mirror) or shown_line(self.message, self.values())
        self.query_one(".form-summary", Static).update(crop(f" {text}", max(10, self.size.width - 1)))

    # --- doing -------------------------------------------------------------------------------------------

    def retranslate(self) -> None:
        """Say in another language what the fields do not say themselves."""
        for field in self.fields.values():
            if field.error and not isinstance(field, TagField):
                field.say(self.check(field))
        self._show_refusal()
        self._show_summary()
        self._say_busy() if self._busy else self.on_descendant_focus()

    def action_edit(self) -> None:
        """Open the editor on the user data."""
        from zstui.screens.userdata import Editor

        field = next(
            (each for each in self.fields.values() if isinstance(each, TagField) and each.long), None
        )
        if field is None:
            return

        def take(text: str | None) -> None:
            if text is not None:
                field.fill(text)
                self._go_to(field)

        self.app.push_screen(
            Editor(
                lambda: tr("user data of {vm}", vm=self.values().get("name") or tr("the new VM")),
                field.value or "",
            ),
            take,
        )

    def action_submit(self) -> None:
        """Carry it out; what takes something from a row once that is sure."""
        if self._busy or not self.check_all():
            return
        if takes_away(self.message):
            question = sure(self.message, self._about or self._chosen())
            self.app.push_screen(question, lambda yes: self._carry_out() if yes else None)
        else:
            self._carry_out()

    def _chosen(self) -> str:
        """The names of all that was chosen."""
        picks = (field for field in self.fields.values() if isinstance(field, PickField))
        return enumerated(self.mirror.name(key) for field in picks for key in field.held)

    def _carry_out(self) -> None:
        if not self._busy:
            values = self.values()
            new = "resource_uuid" in self.kind.parameters and "resourceUuid" not in values
            # Named here, the new row can be found before the call has ended.
            made = {"uuid": uuid4().hex, "name": values.get("name", "")} if new else {}
            self._refusal, self._sent = None, made or {"uuid": values.get("uuid")}
            self._say_busy()
            self.run_worker(self._submit(values, made), exclusive=True)

    async def _submit(self, values: dict[str, Any], made: dict[str, Any]) -> None:
        held = {wire: field.held for wire, field in self.fields.items()}
        focused, self.query_one(VerticalScroll).disabled = self.focused, True
        task = asyncio.create_task(self.app.calls.make(self.message, made.get("uuid"), **values))
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError:
            # The form was left; the call goes on, and says how it ends.
            what = f"{tr(title_of(self.message))} {values.get('name') or self._about}".strip()
            self.app.keep(task, what, way_out=lambda error: self._put_aside(held, error))
            raise
        self._sent = None
        try:
            self.dismiss(task.result())
        except ApiError as error:
            self.query_one(VerticalScroll).disabled = False
            self.set_focus(focused)
            self.on_descendant_focus()  # where it is when the error is its field's
            self.place_error(error)

    def _put_aside(self, held: dict[str, Any], error: ApiError) -> str:
        """Keep what was typed for whoever wants it again; how that is had."""
        app = self.app
        app.calls.drafts.append(Draft(self.message, self.given, self.shown, held, error, self._about))
        return tr("{key} opens the form again, as it was filled", key=app.key_of("form_again", "N"))

    def action_leave(self) -> None:
        """Go back: a call that is under way goes on; what was typed and not sent is not thrown away unasked."""
        if self._sent is not None:
            self.dismiss({"inventory": self._sent, "running": True} if "name" in self._sent else None)
        elif self.values() == self._first:
            self.dismiss(None)
        else:
            discard(self)


def _stand_in(parameter: Parameter) -> Any:
    """A value that passes a parameter's checks, to check others beside it."""
    if parameter.choices:
        return parameter.choices[0]
    if is_list(parameter):
        return ["x"]
    if parameter.kind is int:
        return parameter.minimum or 1
    if parameter.kind is bool:
        return False
    return "x" if parameter.kind is str else {"x": ["x"]}
