"""The frame around every list: the cloud's totals, the nouns, what is new, and the keys that work here."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from textual.timer import Timer

from appliance.api.errors import Cancelled
from zstui import words
from zstui.calls import Calls
from zstui.cells import safe, width
from zstui.first_frame import NAME, standing
from zstui.i18n import mark, tr
from zstui.i18n.server_texts import said
from zstui.keymap import key_name
from zstui.line import Line, Part
from zstui.mirror import Mirror
from zstui.nouns import MAIN, NOUNS
from zstui.paint import STANDING, bar, load_paint
from zstui.screens.working import Working
from zstui.states import state_counted

BAR = 8
UNKNOWN = "–"
LOOK_SECONDS = 0.5
SAID_SECONDS = 4.0
"""How long a notice stands on the news line."""
CALL_SECONDS = 15.0
"""How long the last call is shown after it has ended; the log has it still."""


class Totals(Line):
    """Hosts connected, VMs running, CPU and memory promised: the cloud in one line."""

    DEFAULT_CSS = """
    Totals { background: $panel; }
    """

    def __init__(self, mirror: Mirror, **options: Any) -> None:
        super().__init__(**options)
        self.mirror = mirror
        self._late = ""

    def on_mount(self) -> None:
        """Look now and then whether the appliance still speaks."""
        self.set_interval(LOOK_SECONDS, self._look)

    def _look(self) -> None:
        late = self._age()
        if late != self._late:
            self.refresh()
        self._late = late

    def _age(self) -> str:
        """How old what is shown may be, where the appliance is there but says nothing."""
        late = self.mirror.late_seconds
        return tr("{age} old", age=words.duration(late)) if late else ""

    def left(self) -> list[Part]:
        """Counts and bars, as long as there is room for: no count goes before all bars are gone, and none is cut."""
        room = self.size.width - sum(width(part.text) for part in self.right()) - 1
        for cells in (BAR, 4, 2, 0) if self.size.width >= 100 else (4, 2, 0):
            parts = _gapped(said := self._with_bars(cells), "   " if cells >= BAR else "  ")
            if _wide(parts) <= room:
                return parts
        to_hosts = 3 if self._only_reads else 2
        while len(said) > 1 and _wide(parts) > room:
            said.pop(0 if said[0] == [NAME] and len(said) == to_hosts else -1)
            parts = _gapped(said, "  ")
        return parts

    def _with_bars(self, cells: int) -> list[list[Part]]:
        """What there is to say, with bars of so many cells; where there is no room, the last goes first, and whole.

        Before the hosts go, the name of the program does.
        """
        said = [[NAME], *([[Part(f"{tr('read only')} ", "warn")]] if self._only_reads else [])]
        said += [self._hosts(), self._vms()]
        wide = cells >= BAR
        allotted = [Part(f"{tr('allotted')} ", "dim")] if wide else []
        said += [[*allotted, *self._load(tr("cpu"), "Cpu", cells)], self._load(tr("mem"), "Memory", cells)]
        jobs = self._jobs() if wide else []
        return [*said, *([jobs] if jobs else [])]

    @property
    def _only_reads(self) -> bool:
        return bool(getattr(self.app, "read_only", False))

    def right(self) -> list[Part]:
        """Whether what is shown is true, and the language and the time where there is room for them."""
        parts = standing(self.mirror.status, self._age())
        while len(parts) > 1 and _wide(parts) > self.size.width // 2:
            parts.pop()
        return parts

    def _hosts(self) -> list[Part]:
        hosts = list(self.mirror.all("Host"))
        up = sum(host.get("status") == "Connected" for host in hosts)
        paint = "plain" if up == len(hosts) else "warn"
        counted = f"{up}/{len(hosts)}" if self._known(hosts) else UNKNOWN
        return [Part(f"{tr('hosts')} ", "dim", "screen.show('host')"), Part(counted, paint)]

    def _known(self, rows: Collection[Any]) -> bool:
        """Whether it is known how many there are: while all is still to be read, none does not mean none."""
        return bool(rows) or self.mirror.status != "connecting"

    def _vms(self) -> list[Part]:
        states = self.mirror.tally("VmInstance", "state")
        # What is on its way to another host runs all the while.
        running, unknown = states["Running"] + states["Migrating"], states["Unknown"]
        still = 0
        if states.total() > self.mirror.tally("VmInstance", "standsStill")[None]:
            still = sum(state_counted(vm) == STANDING for vm in self.mirror.all("VmInstance"))
        known = self._known(self.mirror.rows.get("VmInstance", {}))
        counted = f"{running - still}/{states.total()}" if known else UNKNOWN
        parts = [Part(f"{tr('vms')} ", "dim", "screen.show('vm')"), Part(counted, "plain")]
        parts += [Part(f" {still}✗", "bad")] if still else []
        return parts + ([Part(f" {unknown}?", "warn")] if unknown else [])

    def _load(self, title: str, what: str, cells: int) -> list[Part]:
        hosts = list(self.mirror.all("Host"))
        total = sum(host.get(f"total{what}Capacity") or 0 for host in hosts)
        free = sum(host.get(f"available{what}Capacity") or 0 for host in hosts)
        share = (total - free) / total if total else 0.0
        whole = bar(share, cells)
        full = whole.rstrip("╌")
        return [
            Part(f"{title} ", "dim"),
            Part(full, load_paint(share) if share >= 0.8 else "accent"),
            Part(f"{whole[len(full) :]} " if whole else "", "faint"),
            Part(f"{share:.0%}" if self._known(hosts) else UNKNOWN, "plain"),
        ]

    def _jobs(self) -> list[Part]:
        running = self.mirror.tally("LongJob", "state")["Running"]
        if not running:
            return []
        return [Part(f"{tr('jobs')} ", "dim", "screen.show('job')"), Part(f"{running}", "busy")]


def _gapped(said: list[list[Part]], gap: str) -> list[Part]:
    """Several things to say in a row."""
    return [part for number, parts in enumerate(said) for part in (*([Part(gap)] if number else []), *parts)]


def _wide(parts: list[Part]) -> int:
    return sum(width(part.text) for part in parts)


OVERVIEW = "overview"
"""In place of a noun, when all of them are shown at once."""


class Tabs(Line):
    """The nouns with a number key, and how many rows each has."""

    DEFAULT_CSS = """
    Tabs { background: $surface; }
    """

    def __init__(self, mirror: Mirror, **options: Any) -> None:
        super().__init__(**options)
        self.mirror = mirror
        self.noun = MAIN[0].id

    def left(self) -> list[Part]:
        """Some parts for each; the one shown stands out. Where there is no room the last ones are numbers only."""
        for named in range(len(MAIN), -1, -1):
            parts = self._naming(named)
            if _wide(parts) <= self.size.width:
                break
        return parts

    def _naming(self, named: int) -> list[Part]:
        """All tabs, so many of them, and the one shown, with their titles."""
        parts = self._tab(0, tr("Overview"), "screen.overview", here=self.noun == OVERVIEW)
        wide = self.size.width >= 100
        for number, noun in enumerate(MAIN, start=1):
            here = noun.id == self.noun
            title = tr(noun.title) if here or number <= named else ""
            action = f"screen.show('{noun.id}')"
            parts += self._tab(number, title, action, here=here)
            if wide and title and noun.id not in ("job", "ev"):
                count = sum(len(self.mirror.rows.get(kind, ())) for kind in noun.kinds)
                parts.append(Part(f"{count} ", "faint", action, "bar" if here else ""))
        if self.noun not in {OVERVIEW, *(noun.id for noun in MAIN)}:
            parts.append(Part(f" : {tr(NOUNS[self.noun].title)} ", "strong", "", "bar"))
        return parts

    def _tab(self, number: int, title: str, action: str, *, here: bool) -> list[Part]:
        ground = "bar" if here else ""
        text = f"{title} " if title else ""
        return [
            Part(f" {number} ", "accent" if here else "faint", action, ground),
            Part(text, "strong" if here else "dim", action, ground),
        ]


class News(Line):
    """The latest event; while there is something to say or to ask, that."""

    def __init__(self, mirror: Mirror, **options: Any) -> None:
        super().__init__(**options)
        self.mirror = mirror
        self._said: list[Part] = []
        self._ending: Timer | None = None

    def say(self, *parts: Part) -> None:
        """Say something in place of the news, for some seconds or until something else is said."""
        if self._ending is not None:
            self._ending.stop()
        self._ending = self.set_timer(SAID_SECONDS, self.say) if parts else None
        self._said = list(parts)
        self.refresh()

    def left(self) -> list[Part]:
        """What is said, else the newest event."""
        if self._said:
            return [Part("  "), *self._said]
        newest = max(self.mirror.all("Event"), key=lambda row: int(row.key), default=None)
        if newest is None:
            return []
        level = newest.text("level")
        sign, paint = {"error": ("✗", "bad"), "warning": ("!", "warn")}.get(level, ("▸", "faint"))
        return [
            Part(f"  {sign} ", paint),
            Part(f"{words.clock(newest.text('createDate'))} ", "faint", "screen.show('ev')"),
            Part(said(newest.text("text")), "bad" if level == "error" else "dim", "screen.show('ev')"),
        ]


class LastCall(Line):
    """The call that was made last, as the line that repeats it: the screen teaches the command line."""

    DEFAULT_CSS = """
    LastCall { display: none; }
    LastCall.-shown { display: block; }
    """

    def __init__(self, calls: Calls, **options: Any) -> None:
        super().__init__(**options)
        self.calls = calls
        self._ending: Timer | None = None

    def on_mount(self) -> None:
        """Follow the log."""
        super().on_mount()
        self.calls.listeners.append(self._changed)
        self._changed()

    def on_unmount(self) -> None:
        """Stop following it."""
        self.calls.listeners.remove(self._changed)

    def _changed(self) -> None:
        if self._ending is not None:
            self._ending.stop()
        last = self.calls.log[-1] if self.calls.log else None
        left = 0.0 if last is None else CALL_SECONDS
        if last is not None and last.seconds is not None:
            left -= words.now() - last.at - last.seconds
            self._ending = self.set_timer(left, self._end) if left > 0 else None
        self.appear(left > 0)
        self.refresh()

    def _end(self) -> None:
        self.appear(False)

    def left(self) -> list[Part]:
        """The line."""
        if not self.calls.log:
            return []
        return [
            Part("  › ", "accent", "screen.log"),
            Part(safe(self.calls.log[-1].line), "faint", "screen.log"),
        ]

    def right(self) -> list[Part]:
        """How it ended."""
        if not self.calls.log:
            return []
        last = self.calls.log[-1]
        if last.seconds is None:
            return [Part(f" ◍ {tr('under way')} ", "busy")]
        if last.error is None:
            return [Part(f" ✓ {last.seconds:.1f} s ", "good")]
        if last.error.code == Cancelled.code:
            return [Part(f" ◌ {tr('Cancelled').lower()} ", "dim")]
        return [Part(f" ✗ {tr('Failed').lower() if last.error.accepted else tr('refused')} ", "bad")]


GENERAL = (
    ("?", mark("help"), "screen.help"),
    (":", mark("go"), "screen.jump"),
    ("/", mark("find"), "screen.filter"),
)


ALL_GENERAL = 60
"""Cells from which on all of these stand at the end of the line; below that only how to learn of them."""


class Hints(Line):
    """The keys that do something here and now; a click does the same."""

    DEFAULT_CSS = """
    Hints { background: $panel; }
    """

    def left(self) -> list[Part]:
        """One part for each key, in order, as many as fit whole."""
        parts: list[Part] = [Part("  ")]
        room = self.size.width - 2 - sum(width(part.text) for part in self.right())
        for key, word, action in self._named():
            room -= width(key) + width(word) + 3
            if room < 0:
                break
            parts += [Part(f"{key} ", "accent", action), Part(f"{word}  ", "dim", action)]
        return parts

    def _named(self) -> list[tuple[str, str, str]]:
        """The keys as they are now, with words in the user's language."""
        key_of = getattr(self.app, "key_of", lambda _, usual: usual)
        return [
            (key_of(action, usual), words.lowered(tr(word)), action) for usual, word, action in self.keys()
        ]

    def right(self) -> list[Part]:
        """Where to learn the rest; where a question mark is typed, only beside all that there is to say."""
        parts: list[Part] = []
        active = self.screen.active_bindings
        known = {each.binding.action for each in active.values()}
        for key, word, action in GENERAL if self.size.width >= ALL_GENERAL else GENERAL[:1]:
            if action.removeprefix("screen.") in known:
                parts += [Part(f" {key} ", "accent", action), Part(f"{tr(word)} ", "dim", action)]
        if parts and "question_mark" not in active and "f1" in active:
            parts[0] = parts[0]._replace(text=" F1 ")
            left = sum(width(key) + width(word) + 3 for key, word, _ in self._named())
            return parts if 2 + left + sum(width(part.text) for part in parts) <= self.size.width else []
        return parts

    def keys(self) -> list[tuple[str, str, str]]:
        """Key, word and action: what the screen says, else its bindings that want to be shown."""
        hints = getattr(self.screen, "hints", None)
        if hints is not None:
            return list(hints())
        found: dict[str, tuple[str, str, str]] = {}
        for active in self.screen.active_bindings.values():
            binding = active.binding
            refused = isinstance(self.screen, Working) and self.screen.refuses(binding.action)
            if binding.show and active.enabled and not refused and binding.action not in found:
                action = binding.action if "." in binding.action else f"screen.{binding.action}"
                found[binding.action] = (key_name(binding.key), binding.description, action)
        return list(found.values())
