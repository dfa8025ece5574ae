"""Planning a move: the rule first, then every host with why it would do or would not, then the call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.geometry import Size
from textual.widgets import Static

from appliance.api.errors import ApiError
from zstui import words
from zstui.cells import safe, width, wrap
from zstui.i18n import tr, trn
from zstui.inputs import Entry
from zstui.mirror import Mirror, Row
from zstui.moves import Plan, Rule, plan_of
from zstui.said import BETWEEN, Keys, Said
from zstui.screens.chooser import Choice, Choices, Chooser, narrowed
from zstui.sheet import Item, Sheet, Told, note
from zstui.wrong import reason, told

if TYPE_CHECKING:
    from zstui.app import Zstui

MOST_LINES = 8
ROOMY = 24
"""Lines of a terminal that has room for so many lines of rules, and for hosts."""
FRAME_LINES = 5
"""Lines of the dialog that are neither rules nor hosts."""

SIGNS = {True: ("✓ ", "good"), False: ("✗ ", "bad"), None: ("· ", "dim")}


class Planner(Chooser):
    """Returns the uuid of the host to move to in a list, or None."""

    app: Zstui

    def __init__(self, row: Row, plan: Plan, mirror: Mirror) -> None:
        super().__init__(lambda: tr("Move {row} to another host", row=row.name), narrowed(list))
        self._row = row
        self._plan = plan
        self._mirror = mirror
        self._asking = True
        self._refusal: ApiError | None = None
        """Why it can move to no host at all."""
        self._cut_rules = False
        """Whether there is no room for all rules at once."""

    def compose(self) -> ComposeResult:
        """Rules over hosts."""
        with Vertical(classes="dialog chooser planner"):
            yield Said(self._title, classes="title")
            yield Sheet([_rule_item(rule) for rule in self._plan.rules])
            yield Entry("", compact=True, select_on_focus=False)
            yield Choices()
            yield Static("", classes="whole", markup=False)
            yield Keys(self._hint, classes="hint")

    def _hint(self) -> str:
        if self._refusal is not None:
            hint = tr("Esc back")
        elif self._plan.allowed:
            hint = tr("type to narrow · Enter moves it there · Esc back")
        else:
            hint = tr("type to narrow · Esc back")
        return f"{tr('Tab reads the rules')}{BETWEEN}{hint}" if self._cut_rules else hint

    def on_mount(self) -> None:
        """Ask which hosts would do."""
        super().on_mount()
        self.watch(self.query_one(Sheet), "virtual_size", self._fit)
        self.run_worker(self._ask())

    def on_resize(self) -> None:
        """There are more lines for the rules, or fewer."""
        self._fit(self.query_one(Sheet).virtual_size)

    def _fit(self, rules: Size) -> None:
        """The sheet is as high as its rules, which take more lines in less width, unless hosts would have no room.

        Those that are cut then scroll, once they have the focus.
        """
        sheet = self.query_one(Sheet)
        most = MOST_LINES if self.size.height >= ROOMY else max(1, self.size.height // 3)
        most = most if self._refusal is None else max(1, self.size.height - FRAME_LINES)
        sheet.styles.height = max(1, min(rules.height, most))
        sheet.can_focus = self._cut_rules = rules.height > most
        self.query_one(Keys).retranslate()

    @property
    def _reading(self) -> bool:
        return self._asking

    async def _ask(self) -> None:
        try:
            reply = await self.app.calls.session.call(self._plan.ask, **self._plan.subject)
        except ApiError as error:
            self._refusal = error
            self._say_only(error)
        else:
            if not reply.get("inventories") and not reply.get("excluded"):
                self._say(note(tr("There is no other host. Add one with n in the list of hosts."), "warn"))
            self._find = narrowed(lambda: host_choices(reply, self._plan, self._mirror))
        self._asking = False
        self._narrow(self.query_one(Entry).value)

    def retranslate(self) -> None:
        """The same rules and hosts in another language."""
        super().retranslate()
        plan = plan_of(self._row, self._mirror)
        if self._refusal is not None:
            self._say_only(self._refusal)
        elif plan is not None:
            self._plan = plan
            self.query_one(Sheet).show([_rule_item(rule) for rule in plan.rules])

    def _say_only(self, refusal: ApiError) -> None:
        """Say why it can move to no host at all, in place of rules and hosts."""
        for each in (self.query_one(Entry), self.query_one(Choices)):
            each.display = False
        sheet = self.query_one(Sheet)
        sheet.show([Item("", safe(told(refusal, self._mirror)), "bad")])
        self._fit(sheet.virtual_size)

    def _say(self, item: Item) -> None:
        sheet = self.query_one(Sheet)
        sheet.show([*sheet.items, item])

    def _take(self) -> None:
        """Take a host that would do, once every rule is kept."""
        here = self.query_one(Choices).here
        if here is None:
            return
        hindrance = self._plan.hindrance
        if hindrance is not None:
            self.app.tell(hindrance, wrong=True)
        elif not here.value[1]:
            self.app.tell(f"{here.title} {here.note.removeprefix('✗ ').removeprefix('· ')}", wrong=True)
        else:
            self.dismiss([here.value[0]])


class _Signed(Item):
    """A text behind a sign, which is its label."""

    def lines(self, cells: int) -> list[Told]:
        """Every line of the text begins where the first does."""
        lines = wrap(self.text, cells - width(self.label))
        signs = [self.label, *[" " * width(self.label)] * (len(lines) - 1)]
        return [[(sign, self.paint), (line, self.paint)] for sign, line in zip(signs, lines, strict=True)]


def _rule_item(rule: Rule) -> Item:
    sign, paint = SIGNS[rule.met]
    return _Signed(sign, rule.text, paint)


def host_choices(reply: dict[str, Any], plan: Plan, mirror: Mirror) -> list[Choice]:
    """Hosts that would do, the emptiest first, then the others with the reason: the rule, while one keeps it here."""

    def emptiest(host: dict[str, Any]) -> tuple[int, str]:
        return -(host.get("availableMemoryCapacity") or 0), words.natural(str(host.get("name")))

    fit = sorted(reply.get("inventories", []), key=emptiest)
    choices = [
        Choice((str(host["uuid"]), True), safe(str(host.get("name"))), f"✓ {_room(host, mirror)}")
        for host in fit
    ]
    excluded = reply.get("excluded", [])
    for each in sorted(excluded, key=lambda each: words.natural(mirror.name(str(each.get("hostUuid"))))):
        uuid = str(each.get("hostUuid"))
        why = plan.hindrance or safe(reason(str(each.get("reason")), mirror))
        choices.append(Choice((uuid, False), mirror.name(uuid), f"✗ {why}", "dim"))
    if plan.here and plan.here not in {choice.value[0] for choice in choices}:
        choices.append(Choice((plan.here, False), mirror.name(plan.here), f"· {tr('it is here')}", "dim"))
    return choices


def _room(host: dict[str, Any], mirror: Mirror) -> str:
    vms = sum(1 for vm in mirror.all("VmInstance") if vm.get("hostUuid") == host.get("uuid"))
    free = words.long_size(host.get("availableMemoryCapacity") or 0)
    return tr("{vms}, {size} memory free", vms=trn("{number} VM", "{number} VMs", vms), size=free)
