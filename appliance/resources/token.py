"""What requests about access tokens mean."""

from __future__ import annotations

import hashlib
import secrets
from fnmatch import fnmatchcase
from typing import Any

from appliance.api.errors import InvalidArgument, NotAllowed
from appliance.api.message import MESSAGES, ROLES
from appliance.api.resource import Timestamp
from appliance.api.token import PREFIX, WATCHING, AccessToken, CreateAccessToken, DeleteAccessToken
from appliance.resources.registry import Caller, handles
from appliance.store.transaction import Transaction

KEPT_SECONDS = 30 * 86400.0
"""How long a token that ended is still listed, so that who wonders why it fails can see."""

SCOPE_LIMIT = 200


def digest_of(token: str) -> str:
    """What is stored of a token: opens nothing."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


@handles(CreateAccessToken)
def create_access_token(tx: Transaction, request: CreateAccessToken, caller: Caller) -> dict[str, Any]:
    """A row with the digest; the token itself is in the answer and nowhere else."""
    if caller.token_uuid is not None:
        raise NotAllowed("a token makes no tokens; log in, or ask over the appliance's socket")
    if ROLES.index(request.session_role) > ROLES.index(caller.role):
        raise NotAllowed(
            f"sessionRole[{request.session_role}] is more than the caller may do, which is {caller.role}"
        )
    _check_scope(request.scope)
    for old in tx.all(AccessToken, account_uuid=caller.account_uuid):
        if old.expired_date + KEPT_SECONDS <= tx.now:
            tx.delete(old)
    token = PREFIX + secrets.token_urlsafe(32)
    made = tx.insert(
        AccessToken(
            uuid=tx.new_uuid(),
            name=request.name,
            role=request.session_role,
            scope=request.scope,
            account_uuid=caller.account_uuid,
            user_uuid=caller.user_uuid,
            expired_date=Timestamp(tx.now + request.expires_in),
            digest=digest_of(token),
        )
    )
    return {"inventory": {**tx.inventory(made), "token": token}}


@handles(DeleteAccessToken)
def delete_access_token(tx: Transaction, request: DeleteAccessToken, caller: Caller) -> None:
    """The row gone; whoever holds the token holds nothing."""
    if caller.token_uuid not in (None, request.uuid):
        raise NotAllowed("a token revokes itself only; log in to revoke another")
    token = tx.find(AccessToken, request.uuid)
    if token is not None:
        tx.delete(token)


def check_scope(caller: Caller, asked: str) -> None:
    """Refuse a message or path that is not in the scope of the caller's token; an empty scope leaves out nothing.

    Raises NotAllowed.
    """
    if caller.scope and not any(fnmatchcase(asked, pattern) for pattern in caller.scope):
        raise NotAllowed(
            f"{asked} is not in the scope of the access token[uuid:{caller.token_uuid}], which is "
            f"{', '.join(caller.scope)}; make a token for it with CreateAccessToken"
        )


def _check_scope(scope: list[str]) -> None:
    if len(scope) > SCOPE_LIMIT:
        raise InvalidArgument(f"field[scope] has {len(scope)} items; at most {SCOPE_LIMIT} can be")
    for pattern in scope:
        if not any(fnmatchcase(name, pattern) for name in (*MESSAGES, *WATCHING)):
            raise InvalidArgument(
                f"field[scope] names {pattern[:200]}, which is no message and matches none; "
                f"`zstui api` lists them; besides there are {' and '.join(WATCHING)}"
            )
