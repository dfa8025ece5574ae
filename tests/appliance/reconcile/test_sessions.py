"""Sessions whose time is over are forgotten, at the interval that is set."""

from __future__ import annotations

from appliance.api.account import Session
from appliance.api.resource import Timestamp
from appliance.reconcile.sessions import forget_ended
from appliance.store.transaction import Transaction
from tests.simulated_cloud import Cloud


def open_sessions(tx: Transaction) -> None:
    for number, end in enumerate((tx.now - 10, tx.now, tx.now + 1000)):
        tx.insert(Session(digest=f"{number}", account_uuid="a", user_uuid="a", expired_date=Timestamp(end)))


async def test_ended_sessions_are_forgotten_and_others_kept(empty_cloud: Cloud) -> None:
    database = empty_cloud.database
    await database.write(open_sessions)
    assert await database.write(forget_ended) == 2
    assert await database.write(forget_ended) == 0
    assert [each.digest for each in await database.read(lambda s: s.all(Session))] == ["2"]


async def test_the_interval_is_a_global_config(empty_cloud: Cloud) -> None:
    database = empty_cloud.database
    config = {"category": "identity", "name": "session.cleanup.interval"}
    assert (await empty_cloud.call("GetGlobalConfig", **config))["value"] == "3600"
    assert (await empty_cloud.refused("UpdateGlobalConfig", **config, value="0"))["code"] == "SYS.1007"
    await database.write(open_sessions)
    assert await database.read(lambda s: s.count(Session)) == 3
    await empty_cloud.call("UpdateGlobalConfig", **config, value="3000")
    left = await empty_cloud.until(
        lambda: database.read(lambda s: s.count(Session)), lambda count: count == 1
    )
    assert left == 1
