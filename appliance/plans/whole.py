"""One whole of several parts: how many bytes are done, and of how many, over all that a job moves."""

from __future__ import annotations

import json
from collections.abc import Mapping


class Whole:
    """The parts of a job, each with bytes done and in all. What a part takes is expected first, and then known."""

    def __init__(self, text: str = "{}") -> None:
        """As `text` was."""
        self._parts: dict[str, tuple[int, int]] = {
            part: (done, total) for part, (done, total) in json.loads(text).items()
        }

    @property
    def text(self) -> str:
        """All of it, as JSON."""
        return json.dumps(self._parts)

    @property
    def done(self) -> int:
        """Bytes that have arrived."""
        return sum(done for done, _ in self._parts.values())

    @property
    def total(self) -> int:
        """Bytes that are moved in all, as far as that is known."""
        return sum(total for _, total in self._parts.values())

    @property
    def percent(self) -> int:
        """How much of it is done."""
        return 100 * self.done // self.total if self.total else 0

    def part(self, name: str) -> tuple[int, int]:
        """Bytes done of a part, and in all; none of one that nothing is known of."""
        return self._parts.get(name, (0, 0))

    def expect(self, sizes: Mapping[str, int]) -> None:
        """Take what every part that is not done will move.

        What has begun knows better what it takes, and goes on from there. A part that is not named is there, or is
        not wanted any more.
        """
        for part, (done, total) in list(self._parts.items()):
            if part not in sizes:
                if done:
                    self._parts[part] = (total, total)
                else:
                    del self._parts[part]
        for part, size in sizes.items():
            if not self.part(part)[0]:
                self._parts[part] = (0, size)

    def reach(self, part: str, done: int, total: int) -> None:
        """So much of a part is done, and this is what it takes."""
        self._parts[part] = (done, max(done, total))

    def end(self, part: str) -> None:
        """A part is there."""
        _, total = self.part(part)
        if total:
            self._parts[part] = (total, total)
