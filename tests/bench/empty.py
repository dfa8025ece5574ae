"""Textual's smallest app: what any first paint is measured by, frozen as zstui is (`tests/bench/test_frozen.py`)."""

from __future__ import annotations

from textual.app import App, ComposeResult
from textual.widgets import Static


class Empty(App[None]):
    """One word."""

    def compose(self) -> ComposeResult:
        yield Static("empty")


def main() -> int:
    """Run it until it is ended."""
    Empty().run()
    return 0
