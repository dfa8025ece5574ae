"""Forgets sessions that have ended by themselves."""

from __future__ import annotations

from functools import partial

from appliance.api.account import Session
from appliance.reconcile.alarm import Alarm
from appliance.reconcile.patience import until_kept
from appliance.store.database import Database
from appliance.store.transaction import Transaction

AT_A_TIME = 1_000


class SessionCleaner:
    """Looks for sessions whose time is over."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._alarm = Alarm()

    def look_again(self) -> None:
        """The interval changed: look now, and then at the new one."""
        self._alarm.ring()

    async def run(self) -> None:
        """Look every `identity.session.cleanup.interval` seconds, for ever."""
        while True:
            await self._alarm.sleep(
                await self._database.read(lambda s: int(s.setting("identity", "session.cleanup.interval")))
            )
            forget = partial(self._database.write, forget_ended)
            while await until_kept("sessions that have ended", forget) == AT_A_TIME:
                pass


def forget_ended(tx: Transaction) -> int:
    """Remove sessions whose time is over; returns how many, `AT_A_TIME` at most."""
    sql = "SELECT digest FROM session WHERE expired_date <= ? LIMIT ?"
    ended = [str(digest) for (digest,) in tx.rows(sql, (tx.now, AT_A_TIME))]
    for session in tx.all(Session, digest=ended) if ended else ():
        tx.delete(session)
    return len(ended)
