"""Forgets sessions that have ended by themselves."""

from __future__ import annotations

import asyncio

from appliance.api.account import Session
from appliance.store.database import Database
from appliance.store.transaction import Transaction

AT_A_TIME = 1_000
LONGEST_SLEEP_SECONDS = 60.0
"""A changed interval takes effect within a minute."""


class SessionCleaner:
    """Looks for sessions whose time is over."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._looked_at = database.now()

    async def run(self) -> None:
        """Look every `identity.session.cleanup.interval` seconds, for ever."""
        while True:
            interval = await self._database.read(
                lambda s: int(s.setting("identity", "session.cleanup.interval"))
            )
            if self._database.now() - self._looked_at >= interval:
                self._looked_at = self._database.now()
                while await self._database.write(forget_ended) == AT_A_TIME:
                    pass
            await asyncio.sleep(min(interval, LONGEST_SLEEP_SECONDS))


def forget_ended(tx: Transaction) -> int:
    """Remove sessions whose time is over; returns how many, `AT_A_TIME` at most."""
    sql = "SELECT digest FROM session WHERE expired_date <= ? LIMIT ?"
    ended = [str(digest) for (digest,) in tx.rows(sql, (tx.now, AT_A_TIME))]
    for session in tx.all(Session, digest=ended) if ended else ():
        tx.delete(session)
    return len(ended)
