"""Where somebody has been: lists in the order of visits, to go back and forth in."""

from __future__ import annotations

KEPT = 50


class Trail:
    """Visited places; the last visit is the end, unless one has gone back from it."""

    def __init__(self, first: str) -> None:
        self._places = [first]
        self._at = 0
        self._before = first

    @property
    def here(self) -> str:
        """Where one is."""
        return self._places[self._at]

    @property
    def before(self) -> str:
        """Where one was before, whichever way one came."""
        return self._before

    def visit(self, place: str) -> None:
        """Come to a place; what one had gone back from is forgotten."""
        if place != self.here:
            self._before = self.here
            self._places = [*self._places[: self._at + 1], place][-KEPT:]
            self._at = len(self._places) - 1

    def step(self, by: int) -> str:
        """Go back or forth as far as there are places, and return the one reached."""
        at = max(0, min(self._at + by, len(self._places) - 1))
        if at != self._at:
            self._before, self._at = self.here, at
        return self.here

    def crumbs(self, count: int) -> list[str]:
        """The last places up to here, the oldest first."""
        return self._places[max(0, self._at + 1 - count) : self._at + 1]
