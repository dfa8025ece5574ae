"""The same VMs as `fleet` has, on Textual's own DataTable: `python -m tests.bench.stock COUNT`."""

from __future__ import annotations

import sys
from typing import ClassVar

from textual.app import App, ComposeResult
from textual.widgets import DataTable, Footer, Header, Input

from tests.bench.fleet import fill, listen
from zstui.columns import VM
from zstui.mirror import Mirror
from zstui.nouns import WATCHED


class Stock(App[None]):
    """What one would write with Textual's DataTable: add all, update cells, rebuild to filter."""

    BINDINGS: ClassVar = [("O", "flip", "Turn the order"), ("slash", "find", "Find")]
    CSS = "Input { display: none; }"

    def __init__(self, count: int) -> None:
        super().__init__()
        self.mirror = Mirror(WATCHED)
        fill(self.mirror, count)
        self.rows = list(self.mirror.all("VmInstance"))
        self.downward = False

    def compose(self) -> ComposeResult:
        yield Header()
        yield DataTable(cursor_type="row")
        yield Input()
        yield Footer()

    def on_mount(self) -> None:
        table = self.query_one(DataTable)
        for column in VM:
            table.add_column(column.title, key=column.title)
        self.add("")
        table.focus()
        self.run_worker(listen(self))

    def add(self, holding: str) -> None:
        """Show the rows that hold a text."""
        table = self.query_one(DataTable)
        for row in self.rows:
            cells = [column.show(row, self.mirror)[0] for column in VM]
            if holding in " ".join(cells):
                table.add_row(*cells, key=row.key)

    def action_flip(self) -> None:
        self.downward = not self.downward
        self.query_one(DataTable).sort("NAME", reverse=self.downward)

    def action_find(self) -> None:
        self.query_one(Input).styles.display = "block"
        self.query_one(Input).focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        self.query_one(DataTable).clear()
        self.add(event.value)

    def on_input_submitted(self) -> None:
        self.query_one(DataTable).focus()

    def visible(self) -> list[int]:
        """Numbers of the VMs on the screen."""
        table = self.query_one(DataTable)
        top = int(table.scroll_offset.y)
        return list(range(top, min(top + table.size.height - 2, len(self.rows))))

    def change(self, number: int, turn: int) -> None:
        """One cell of one VM's row is another now."""
        self.query_one(DataTable).update_cell(f"{number:032x}", "CPU", str(100 + turn % 900))


if __name__ == "__main__":
    Stock(int(sys.argv[1])).run()
