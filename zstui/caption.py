"""What a list shows is said above it: how many rows, what they were found by, and the way here."""

from __future__ import annotations

from typing import Any

from zstui.i18n import tr, trn
from zstui.line import Line, Part
from zstui.nouns import NOUNS
from zstui.table import LiveTable
from zstui.trail import Trail


class Caption(Line):
    """What the list shows: how many rows, the filter, the order."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.table: LiveTable | None = None
        self.trail: Trail | None = None

    def left(self) -> list[Part]:
        """Counts and the filter."""
        if self.table is None:
            return []
        listing = self.table.listing
        shown, total = len(listing), len(listing.rows)
        if not total and not listing.mirror.has_read(listing.noun.kinds):
            count = "…"
        else:
            count = f"{shown}" if shown == total else tr("{shown} of {total}", shown=shown, total=total)
        parts = [Part("   "), Part(tr(self.table.noun.title), "strong"), Part(f"  {count}", "dim")]
        if self.table.noun.is_cut(self.table.mirror):
            key = self.table.app.key_of("edge(1)", "End")
            parts.append(Part(f"  {tr('{key} reads older ones', key=key)}", "faint"))
        if self.table.noun.total is not None and listing.rows:
            parts.append(Part(f"   {self.table.noun.total(listing.rows.values())}", "dim"))
        if listing.filter:
            parts += [
                Part("   /", "accent"),
                Part(listing.filter, "plain"),
                Part(f"  {tr('Esc shows all')}", "faint"),
            ]
        elif listing.lifted:
            parts += [Part(f"   /{listing.lifted}", "faint"), Part(f"  {tr('Esc filters again')}", "faint")]
        if listing.marks:
            hidden = sum(key not in listing for key in listing.marks)
            parts.append(
                Part("   ✓ " + trn("{number} marked", "{number} marked", len(listing.marks)), "accent")
            )
            parts += [Part(tr(", ") + tr("{hidden} not shown", hidden=hidden), "warn")] if hidden else []
        return parts

    def right(self) -> list[Part]:
        """The way here: the lists before this one, each a click away."""
        crumbs = self.trail.crumbs(4) if self.trail is not None else []
        parts: list[Part] = []
        for crumb in crumbs if len(crumbs) > 1 else []:
            here = crumb == crumbs[-1]
            parts += [Part("› " if parts else "", "faint")]
            parts += [
                Part(f"{tr(NOUNS[crumb].title)} ", "dim" if here else "faint", f"screen.climb('{crumb}')")
            ]
        return parts
