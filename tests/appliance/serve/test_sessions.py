"""Sessions: they hold where they were opened, are listed with that place, and can be ended by who is not in them."""

from __future__ import annotations

from typing import Any

import pytest

from appliance.api.account import hash_password
from appliance.api.setting import GlobalConfig
from appliance.serve.auth import place_of
from appliance.serve.dispatch import Origin
from appliance.serve.zstack import Reply

from .conftest import PASSWORD, Face
from .test_dispatch import SOCKET, ask, call, error_of

HOME, AWAY = Origin("192.0.2.7:1234", trusted=False), Origin("192.0.2.8:1234", trusted=False)
LOCAL = Origin("127.0.0.1:99", trusted=False)


@pytest.mark.parametrize(
    ("source", "place"),
    [
        ("192.0.2.7:1", "192.0.2.7"),
        ("2001:db8::1:443", "2001:db8::1"),
        ("fe80::1%eth0:443", "fe80::1"),
        ("127.0.0.1:1", ""),
        ("::1:1", ""),
        ("socket", ""),
        ("", ""),
    ],
)
def test_the_place_of_a_source(source: str, place: str) -> None:
    assert place_of(source) == place


async def log_in(face: Face, origin: Origin) -> str:
    reply = await ask(
        face, call("LogInByAccount", accountName="admin", password=hash_password(PASSWORD)), origin
    )
    return str(reply.body["inventory"]["uuid"])


async def look(face: Face, session: str, origin: Origin) -> Reply:
    return await ask(face, call("QueryZone", session), origin)


@pytest.mark.parametrize(("opened", "used"), [(HOME, AWAY), (LOCAL, AWAY)])
async def test_a_session_that_was_carried_away_opens_nothing(
    face: Face, opened: Origin, used: Origin
) -> None:
    session = await log_in(face, opened)
    assert (await look(face, session, opened)).body["success"]
    refusal = error_of(await look(face, session, used))
    assert refusal.code == "ID.1001"
    assert "192.0.2.8; log in from here" in refusal.details
    assert (await look(face, session, SOCKET)).body["success"]

    def let_wander(tx: Any) -> None:
        tx.update(tx.get(GlobalConfig, "identity.session.bindToAddress"), value="false")

    await face.database.write(let_wander)
    assert (await look(face, session, used)).body["success"]


async def test_sessions_are_listed_with_their_place_and_without_themselves(face: Face) -> None:
    session = await log_in(face, HOME)
    found = (await ask(face, call("QuerySession"))).body["inventories"]
    assert [each["source"] for each in found] == ["192.0.2.7"]
    assert session not in str(found)
    assert not (await look(face, found[0]["digest"], HOME)).body["success"]
