"""The file that opens a console in virt-viewer: written beside, or copied as text."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any


def viewer_text(reply: dict[str, Any], title: str, password: str) -> str:
    """What stands in a `.vv` file for the address that GetVmConsoleAddress gave, and GetVmConsolePassword's if any."""
    lines = {
        "type": reply.get("protocol"),
        "host": reply.get("hostIp"),
        "port": reply.get("port"),
        "title": title,
        **({"password": password} if password else {}),
        "delete-this-file": 0,
    }
    # One value a line: a title with a line feed in it must not become a setting.
    found = [f"{key}={' '.join(str(value).split())}" for key, value in lines.items()]
    return "\n".join(["[virt-viewer]", *found, ""])


def write_viewer_file(text: str, name: str, folder: Path) -> Path:
    """Write a `.vv` file that only its owner reads; never over another. Raises OSError."""
    stem = re.sub(r"[^\w.-]+", "-", name).strip(".-") or "console"
    for count in range(1, 1000):
        path = folder / (f"{stem}.vv" if count == 1 else f"{stem}-{count}.vv")
        try:
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            if path.is_file() and path.read_text(encoding="utf-8", errors="replace") == text:
                return path
            continue
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        return path
    raise FileExistsError(f"{folder} has a thousand files for {stem} already; remove some")
