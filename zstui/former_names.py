"""What things are called that are not held: those that are gone, and those that histories tell of."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zstui.mirror import Row

TOLD_OF = {"LongJob": ("targetResourceUuid", "targetResourceName"), "Event": ("resourceUuid", "resourceName")}
"""Where histories say what is or was called so: its uuid and its name."""

MOST = 10_000


class FormerNames:
    """Names by uuid; of very many the last that were told."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}

    def get(self, key: str | None) -> str:
        """The name of a uuid; empty where it is not known."""
        return self._names.get(key or "", "")

    def told(self, row: Row) -> None:
        """Remember whom a row of a history names."""
        if row.kind in TOLD_OF:
            about, called = TOLD_OF[row.kind]
            self._remember(row.text(about), row.text(called))

    def gone(self, row: Row) -> None:
        """Remember what a row was called that is held no more."""
        if row.get("name"):
            self._remember(row.key, row.name)

    def _remember(self, key: str, name: str) -> None:
        if key and name:
            self._names.pop(key, None)
            self._names[sys.intern(key)] = name
            if len(self._names) > MOST:
                del self._names[next(iter(self._names))]
