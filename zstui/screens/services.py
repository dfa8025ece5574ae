"""The services of a network: select a provider, select a service, add; and those that it has, to take away."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Button, Static

from appliance.api.errors import ApiError
from zstui.cells import safe
from zstui.controls import Choice as OneOf
from zstui.controls import Edited
from zstui.i18n import tr
from zstui.keymap import HELP
from zstui.mirror import Batch, Mirror, Row
from zstui.said import BETWEEN, Answer, Keys, Said
from zstui.screens.chooser import Choice, Chooser, narrowed
from zstui.screens.working import Working
from zstui.sheet import Item, Sheet, heading, note
from zstui.wrong import told

if TYPE_CHECKING:
    from zstui.app import Zstui

PROVIDER = "NetworkServiceProvider"


class Services(Working, ModalScreen[None]):
    """The form of the release notes, with what the network has below it."""

    app: Zstui
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab,down", "app.focus_next", "Next", show=False),
        Binding("shift+tab,up", "app.focus_previous", "Before", show=False),
        Binding("x", "remove", "Take a service away"),
        Binding("escape,q", "dismiss", "back"),
        HELP,
    ]

    def __init__(self, network: Row, mirror: Mirror) -> None:
        super().__init__()
        self._network = network
        self._mirror = mirror
        self._providers = sorted(mirror.all(PROVIDER), key=lambda row: row.by_name)

    def compose(self) -> ComposeResult:
        """Provider, service, Add; then the services."""
        with Vertical(classes="dialog services"):
            yield Said(lambda: tr("Services of {network}", network=self._network.name), classes="title")
            with Horizontal(classes="line"):
                yield Said(lambda: f"1. {tr('provider')}", classes="label")
                yield OneOf(tuple(row.name for row in self._providers), self._first(), id="provider")
            with Horizontal(classes="line"):
                yield Said(lambda: f"2. {tr('service')}", classes="label")
                yield OneOf((), "", id="service")
            with Horizontal(classes="line"):
                yield Static("3.", classes="label", markup=False)
                yield Answer(lambda: tr("Add"), id="add")
            yield Sheet()
            yield Keys(self._hint, classes="hint")

    def _hint(self) -> str:
        adds = [tr("Enter adds")] if self._free else []
        takes = [tr("x takes one away")] if self._has else []
        return BETWEEN.join([tr("arrows choose"), tr("Tab next"), *adds, *takes, tr("Esc back")])

    def _first(self) -> str:
        return self._providers[0].name if self._providers else ""

    def on_mount(self) -> None:
        """Follow the network."""
        self.follow(self._mirror.listeners, self._heard)
        self.query_one(Sheet).can_focus = False
        self._draw()
        self.query_one("#service").focus()

    def _heard(self, batch: Batch) -> None:
        now = batch.get("L3Network", {}).get(self._network.key)
        if now is not None:
            self._network = now
            self._draw()

    @property
    def _provider(self) -> Row | None:
        choice = self.query_one_optional("#provider", OneOf)
        chosen = choice.chosen if choice is not None else self._first()
        return next((row for row in self._providers if row.name == chosen), None)

    @property
    def _has(self) -> dict[str, str]:
        """The services that the network has, and the uuid of each one's provider."""
        return {str(each.get("networkServiceType")): str(each.get("networkServiceProviderUuid"))
                for each in self._network.get("networkServices", [])}  # fmt: skip

    @property
    def _free(self) -> tuple[str, ...]:
        """What the provider that is chosen could give yet."""
        kinds = self._provider.get("networkServiceTypes", []) if self._provider is not None else []
        return tuple(safe(str(each)) for each in kinds if each not in self._has)

    def _draw(self, error: str = "") -> None:
        has, free = self._has, self._free
        service = self.query_one("#service", OneOf)
        service.options, service.chosen = (
            free,
            service.chosen if service.chosen in free else "".join(free[:1]),
        )
        service.refresh()
        self.query_one("#add", Button).disabled = not free
        items = [heading(tr("services that it has"))]
        items += [Item(safe(kind), self._mirror.name(uuid), "good") for kind, uuid in sorted(has.items())]
        items += [] if has else [note(tr("none yet: guests get neither address nor user data here"), "warn")]
        items += [note(tr("This provider has nothing more to give."), "faint")] if not free and has else []
        items += [note(error, "bad")] if error else []
        self.query_one(Sheet).show(items)
        self.query_one(Keys).retranslate()

    def retranslate(self) -> None:
        """The same services in another language."""
        self._draw()

    @on(Edited)
    def _edited(self) -> None:
        self._draw()

    @on(Button.Pressed)
    def _pressed(self) -> None:
        self._add()

    def key_enter(self) -> None:
        """Add from wherever the focus is."""
        self._add()

    def _add(self) -> None:
        provider, service = self._provider, self.query_one("#service", OneOf).chosen
        if provider is not None and service:
            self._change("AttachNetworkServiceToL3Network", provider.key, service)
        else:
            self.warn(tr("This provider has nothing more to give."))

    def action_remove(self) -> None:
        """Choose a service, and take it away."""
        has = self._has

        def choices() -> list[Choice]:
            return [Choice(kind, safe(kind), self._mirror.name(uuid)) for kind, uuid in sorted(has.items())]

        def chosen(values: list[Any] | None) -> None:
            if values:
                self._change("DetachNetworkServiceFromL3Network", has[values[0]], values[0])

        if not has:
            self.warn(tr("It has no services to take away."))
        else:
            self.app.push_screen(Chooser(lambda: tr("Take which service away?"), narrowed(choices)), chosen)

    def _change(self, message: str, provider: str, service: str) -> None:
        self.run_worker(self._make(message, provider, service), exclusive=True)

    async def _make(self, message: str, provider: str, service: str) -> None:
        try:
            fields: dict[str, Any] = {
                "l3NetworkUuid": self._network.key,
                "networkServices": {provider: [service]},
            }
            reply = await self.app.calls.make(message, **fields)
        except ApiError as error:
            self._draw(safe(told(error, self.app.mirror)))
            return
        if reply.get("inventory"):
            self._network = Row("L3Network", self._network.key, reply["inventory"])
        self._draw()
