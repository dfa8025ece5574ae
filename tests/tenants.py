"""Accounts and users that call a cloud over a session of their own, as a program far away does."""

from __future__ import annotations

from typing import Any

from appliance.api.account import hash_password
from appliance.api.message import MESSAGES
from appliance.serve.auth import Auth
from appliance.serve.dispatch import Dispatch, Origin
from appliance.serve.zstack import Call
from tests.simulated_cloud import CHEAP, Body, Cloud

PASSWORD = hash_password("open sesame")


class Caller:
    """Somebody with a session; with none, who is not known."""

    def __init__(self, cloud: Cloud, dispatch: Dispatch, session_uuid: str | None, account_uuid: str) -> None:
        self.cloud = cloud
        self.dispatch = dispatch
        self.session_uuid = session_uuid
        self.account_uuid = account_uuid

    async def answer(self, name: str, /, **fields: Any) -> Body:
        """Make a call and wait for what comes of it."""
        kind = MESSAGES[name]
        call = Call(java=kind.java, kind=kind, fields=fields, session_uuid=self.session_uuid, id=None)
        reply = await self.dispatch.answer(call, Origin("far", trusted=False))
        return reply.body if reply.done else await self.cloud.ended(str(reply.job_uuid))

    async def call(self, name: str, /, **fields: Any) -> Body:
        """Make a call that must succeed; its inventory, or its body."""
        body = await self.answer(name, **fields)
        assert body["success"], (name, body)
        inventory: Body = body.get("inventory", body)
        return inventory

    async def make(self, name: str, /, **fields: Any) -> str:
        """Make a call that creates something; its uuid."""
        uuid: str = (await self.call(name, **fields))["uuid"]
        return uuid

    async def refused(self, name: str, /, **fields: Any) -> tuple[str, str]:
        """Make a call that must fail; the code and the details of its error."""
        body = await self.answer(name, **fields)
        assert not body["success"], (name, body)
        return body["error"]["code"], body["error"]["details"]

    async def seen(self, name: str, *conditions: tuple[str, str, str], field: str = "uuid") -> set[str]:
        """What a query finds, by one field of each."""
        asked = [{"name": each, "op": op, "value": value} for each, op, value in conditions]
        body = await self.answer(name, conditions=asked)
        assert body["success"], (name, body)
        return {each[field] for each in body["inventories"]}


class Tenants:
    """Makes accounts and users and logs them in."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.auth = Auth(cloud.database, hasher=CHEAP())
        self.dispatch = Dispatch(
            cloud.database, self.auth, version="1", node_uuid="n" * 32, live=cloud.core.live
        )
        self.nobody = Caller(cloud, self.dispatch, None, "")

    async def account(self, name: str, **fields: Any) -> Caller:
        """A new account, logged in."""
        made = await self.cloud.call("CreateAccount", name=name, password=PASSWORD, **fields)
        return await self.log_in(name, made["uuid"])

    async def log_in(self, name: str, uuid: str) -> Caller:
        """An account, logged in."""
        session = await self.nobody.call("LogInByAccount", accountName=name, password=PASSWORD)
        assert session["accountUuid"] == session["userUuid"] == uuid
        return Caller(self.cloud, self.dispatch, session["uuid"], uuid)

    async def user(self, of: Caller, name: str) -> tuple[Caller, str]:
        """A new user of an account, logged in, and its uuid."""
        uuid = await of.make("CreateUser", name=name, password=PASSWORD)
        return await self.log_in_user(of, name), uuid

    async def log_in_user(self, of: Caller, name: str) -> Caller:
        """A user of an account, logged in."""
        session = await self.nobody.call(
            "LogInByUser", accountUuid=of.account_uuid, userName=name, password=PASSWORD
        )
        assert session["accountUuid"] == of.account_uuid
        return Caller(self.cloud, self.dispatch, session["uuid"], of.account_uuid)
