"""Log files that cannot fill a host's disk."""

from __future__ import annotations

import logging
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import BinaryIO

LOG_BYTES = 4 << 20


def log_to(path: Path) -> None:
    """Send this process's log to a file; it and one older file stay below `LOG_BYTES` each."""
    handler = RotatingFileHandler(path, maxBytes=LOG_BYTES, backupCount=1)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)


def capped_file(path: Path) -> BinaryIO:
    """A file for a child's last words, opened to append, emptied first when it has grown."""
    grown = path.exists() and path.stat().st_size > LOG_BYTES
    return path.open("wb" if grown else "ab")
