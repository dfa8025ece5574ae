"""Whose an appliance's data folder is: what one lab's cloud has made there, no other lab may stop or remove."""

from __future__ import annotations

import shutil
from pathlib import Path

from appliance.lab.command import LabError

MARK = "lab"
"""The file in the folder that names the lab."""

STORE = "store.db"


class DataFolder:
    """The data folder of the cloud of `owner`, a lab's name or what else the cloud's hosts are."""

    def __init__(self, path: Path, owner: str) -> None:
        self.path = path
        self._owner = owner
        self._mark = path / MARK

    def claim(self) -> None:
        """Mark a folder that no appliance has used yet. One that somebody made by hand stays theirs.

        Raises `LabError` when the folder is another lab's.
        """
        self.check()
        if not (self.path / STORE).exists() and not self._mark.exists():
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._mark.write_text(f"{self._owner}\n")

    def check(self) -> None:
        """Raises `LabError` when the folder is another lab's."""
        other = self._marked()
        if other not in (None, self._owner):
            raise LabError(
                f"{self.path} is the data of the lab {other!r}, not of {self._owner!r}: give the folder of "
                f"{self._owner!r} as --data, or --name {other}"
            )

    def check_own(self) -> None:
        """Raises `LabError` when there is a folder and no lab's cloud has made it, or another's."""
        self.check()
        if self.path.exists() and self._marked() is None:
            raise LabError(
                f"{self.path} is not the data of a lab: none of its files was touched. Give the lab's folder as "
                f"--data, or remove this one yourself when nothing in it is needed"
            )

    def remove(self) -> None:
        """Remove it, if it is this lab's."""
        self.check_own()
        if self.path.exists():
            shutil.rmtree(self.path)

    def _marked(self) -> str | None:
        return self._mark.read_text().strip() if self._mark.is_file() else None
