"""Where somebody has been: lists in the order of visits, to go back and forth in, each with the way to it."""

from __future__ import annotations

KEPT = 50
LONGEST = 12
"""So many steps of a way are remembered: somebody may follow a circle."""

Way = tuple[str, ...]
"""The lists by which one came to the last of them; the first was asked for by its name."""


class Trail:
    """Visited places; the last visit is the end, unless one has gone back from it."""

    def __init__(self, first: str) -> None:
        self._ways: list[Way] = [(first,)]
        self._at = 0
        self._before: Way = (first,)

    @property
    def here(self) -> str:
        """Where one is."""
        return self._ways[self._at][-1]

    def visit(self, place: str) -> None:
        """Come to a place by its name, which is no step from any other."""
        self._come((place,))

    def follow(self, place: str) -> None:
        """Come to a place from what is shown here."""
        if place != self.here:
            self._come((*self._ways[self._at], place)[-LONGEST:])

    def climb(self, place: str) -> None:
        """Come to one of the places by which one came here."""
        way = self._ways[self._at]
        self._come(way[: way.index(place) + 1])

    def back(self) -> str:
        """Come to where one was before, whichever way one came, and return it."""
        self._come(self._before)
        return self.here

    def step(self, by: int) -> str:
        """Go back or forth as far as there are places, and return the one reached."""
        at = max(0, min(self._at + by, len(self._ways) - 1))
        if at != self._at:
            self._before, self._at = self._ways[self._at], at
        return self.here

    def crumbs(self, count: int) -> list[str]:
        """The last places of the way here, the oldest first."""
        return list(self._ways[self._at][-count:])

    def _come(self, way: Way) -> None:
        """Be at the end of a way; what one had gone back from is forgotten."""
        if way != self._ways[self._at]:
            self._before = self._ways[self._at]
            self._ways = [*self._ways[: self._at + 1], way][-KEPT:]
            self._at = len(self._ways) - 1
