"""How large the terminal is, is asked of the terminal."""

from __future__ import annotations

import os
import sys


def forget_exported_size() -> None:
    """Forget a size that a shell has exported: it would be taken for the terminal's, also when that changes."""
    if sys.stdout.isatty() and os.get_terminal_size(sys.stdout.fileno()).columns:
        for told in ("COLUMNS", "LINES"):
            os.environ.pop(told, None)
