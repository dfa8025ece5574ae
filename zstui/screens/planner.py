"""Planning a move: the rule first, then every host with why it would do or would not, then the call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Static

from appliance.api.errors import ApiError
from zstui import words
from zstui.cells import safe
from zstui.i18n import tr, trn
from zstui.i18n.server_texts import said
from zstui.inputs import Entry
from zstui.mirror import Mirror, Row
from zstui.moves import Plan, Rule
from zstui.said import Said
from zstui.screens.chooser import Choice, Choices, Chooser, narrowed
from zstui.sheet import Item, Sheet, note
from zstui.wrong import told

if TYPE_CHECKING:
    from zstui.app import Zstui

SIGNS = {True: ("✓ ", "good"), False: ("✗ ", "bad"), None: ("· ", "dim")}


class Planner(Chooser):
    """Returns the uuid of the host to move to in a list, or None."""

    app: Zstui

    def __init__(self, row: Row, plan: Plan, mirror: Mirror) -> None:
        super().__init__(tr("Move {row} to another host", row=row.name), narrowed([]))
        self._plan = plan
        self._mirror = mirror

    def compose(self) -> ComposeResult:
        """Rules over hosts."""
        with Vertical(classes="dialog chooser planner"):
            yield Static(self._title, classes="title", markup=False)
            yield Sheet([_rule_item(rule) for rule in self._plan.rules])
            yield Entry("", compact=True, select_on_focus=False)
            yield Choices()
            yield Said(self._hint, classes="hint")

    def _hint(self) -> str:
        if self._plan.allowed:
            return tr("type to narrow · Enter moves it there · Esc back")
        return tr("type to narrow · Esc back")

    def on_mount(self) -> None:
        """Ask which hosts would do."""
        super().on_mount()
        self.query_one(Sheet).can_focus = False
        self.call_after_refresh(self._fit)
        self.run_worker(self._ask())

    def on_resize(self) -> None:
        """Rules take more lines in less width."""
        self.call_after_refresh(self._fit)

    def _fit(self) -> None:
        """The sheet is as high as its rules."""
        sheet = self.query_one(Sheet)
        sheet.styles.height = max(1, min(sheet.virtual_size.height, 8))

    async def _ask(self) -> None:
        try:
            reply = await self.app.calls.session.call(self._plan.ask, **self._plan.subject)
        except ApiError as error:
            self._say(Item("", safe(told(error, self._mirror)), "bad"))
            return
        choices = host_choices(reply, self._mirror)
        if not choices:
            self._say(note(tr("There is no other host. Add one with n in the list of hosts."), "warn"))
        self._find = narrowed(choices)
        self._narrow(self.query_one(Entry).value)

    def _say(self, item: Item) -> None:
        sheet = self.query_one(Sheet)
        sheet.show([*sheet.items, item])
        self._fit()

    def _take(self) -> None:
        """Take a host that would do, once every rule is kept."""
        here = self.query_one(Choices).here
        if here is None:
            return
        if not self._plan.allowed:
            self.app.tell(next(rule.text for rule in self._plan.rules if rule.met is False), wrong=True)
        elif not here.value[1]:
            self.app.tell(f"{here.title} {here.note.removeprefix('✗ ')}", wrong=True)
        else:
            self.dismiss([here.value[0]])


def _rule_item(rule: Rule) -> Item:
    sign, paint = SIGNS[rule.met]
    return note(f"{sign}{rule.text}", paint)


def host_choices(reply: dict[str, Any], mirror: Mirror) -> list[Choice]:
    """Hosts that would do, the emptiest first, then the others with the reason."""
    fit = sorted(reply.get("inventories", []), key=lambda host: -(host.get("availableMemoryCapacity") or 0))
    choices = [
        Choice((str(host["uuid"]), True), safe(str(host.get("name"))), f"✓ {_room(host, mirror)}")
        for host in fit
    ]
    for each in reply.get("excluded", []):
        uuid = str(each.get("hostUuid"))
        choices.append(
            Choice((uuid, False), mirror.name(uuid), f"✗ {safe(said(str(each.get('reason'))))}", "dim")
        )
    return choices


def _room(host: dict[str, Any], mirror: Mirror) -> str:
    vms = sum(1 for vm in mirror.all("VmInstance") if vm.get("hostUuid") == host.get("uuid"))
    free = words.long_size(host.get("availableMemoryCapacity") or 0)
    return tr("{vms}, {size} memory free", vms=trn("{number} VM", "{number} VMs", vms), size=free)
