"""Who may have a full screen that runs here: names and passwords become sessions, which end with it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from appliance.api.account import LogInByAccount, LogInByUser, LogOut, hash_password
from appliance.api.errors import ApiError, NotAllowed
from appliance.api.message import Message
from appliance.api.token import PREFIX
from appliance.resources.registry import Caller
from appliance.serve.dispatch import Dispatch, Origin
from appliance.serve.zstack import Call


@dataclass(frozen=True)
class Guest:
    """Somebody who was let in, and the session that their full screen acts with."""

    name: str
    uuid: str
    """The account's, or of a user of one the user's."""

    source: str
    session_uuid: str = field(repr=False)
    opened: bool
    """Whether the session was opened here, and so ends here; an access token goes on."""


class Entrance:
    """Lets people in with what they know: the same sessions, tokens and lock-out as of the API."""

    def __init__(self, dispatch: Dispatch) -> None:
        self._dispatch = dispatch

    async def admit(self, name: str, secret: str, source: str) -> Guest:
        """Let in an account (`admin`), a user of one (`admin/anna`), or whoever has an access token.

        Raises WrongPassword, NoSession, and NotAllowed for those whom the full screen has nothing to show.
        """
        origin = Origin(source, trusted=False)
        opened = not secret.startswith(PREFIX)
        session = await self._log_in(name, secret, origin) if opened else secret
        guest = Guest(name, "", source, session, opened)
        try:
            caller = await self._dispatch.who(session, origin)
            _check(name, caller)
        except ApiError:
            await self.leave(guest)
            raise
        return Guest(
            name or "a token's owner", caller.user_uuid or caller.account_uuid, source, session, opened
        )

    async def leave(self, guest: Guest) -> None:
        """End the session that was opened for a guest."""
        if guest.opened:
            await self._call(LogOut, {"sessionUuid": guest.session_uuid}, Origin(guest.source, trusted=False))

    async def _log_in(self, name: str, password: str, origin: Origin) -> str:
        account, slash, user = name.partition("/")
        kind: type[Message] = LogInByUser if slash else LogInByAccount
        fields = {"accountName": account, "password": hash_password(password)}
        body = await self._call(kind, {**fields, "userName": user} if slash else fields, origin)
        return str(body["inventory"]["uuid"])

    async def _call(self, kind: type[Message], fields: dict[str, Any], origin: Origin) -> dict[str, Any]:
        session = fields.get("sessionUuid")
        reply = await self._dispatch.answer(Call(kind.java, kind, fields, session), origin)
        if "error" in reply.body:
            raise ApiError.from_wire(reply.body["error"])
        return reply.body


def _check(name: str, caller: Caller) -> None:
    """The full screen follows the event stream, which tells what all accounts do."""
    if not caller.is_admin:
        raise NotAllowed(
            f"account[{name[:64]}] has no full screen: it shows what all accounts do, so only the admin may have it"
        )
