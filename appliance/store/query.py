"""A query message as SQL."""

from __future__ import annotations

from appliance.api.message import QueryMessage
from appliance.store.table import table_of


class Query:
    """What a query message asks of one table."""

    def __init__(self, message: QueryMessage) -> None:
        self.kind = message.resource
        self.counts = message.count or message.reply_with_count
        self.lists = not message.count
        table = table_of(self.kind)
        self.parameters: list[object] = []
        self.count_sql = f"SELECT COUNT(*) FROM {table.name}"
        self.sql = f"{table.select} LIMIT {message.limit} OFFSET {message.start}"
