"""What the screens remember from one day to the next, in the user's XDG state folder: language, theme, views."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any


def state_file() -> Path:
    """Where it is kept."""
    folder = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(folder) / "zstui" / "screens.json"


class Remembered:
    """Values by name. A file that cannot be read is as none; one that cannot be written is said so, once."""

    def __init__(self, file: Path | None = None) -> None:
        self.file = file or state_file()
        self.problem = ""
        self._values: dict[str, Any] = self._read()

    def _read(self) -> dict[str, Any]:
        try:
            found = json.loads(self.file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as failed:
            self.problem = f"{self.file}: {failed}"
            return {}
        return found if isinstance(found, dict) else {}

    def get(self, name: str, default: Any = None) -> Any:
        """A value; the default when it is not there or of another kind."""
        found = self._values.get(name, default)
        return found if default is None or isinstance(found, type(default)) else default

    def put(self, name: str, value: Any) -> None:
        """Remember a value, at once and whole."""
        if self._values.get(name) == value:
            return
        self._values[name] = value
        beside = self.file.with_suffix(".new")
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            beside.write_text(json.dumps(self._values, ensure_ascii=False, indent=1), encoding="utf-8")
            beside.replace(self.file)
        except OSError as failed:
            self.problem = f"{self.file}: {failed.strerror}"
