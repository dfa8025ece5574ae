"""Access tokens: what can be asked about the keys that programs carry instead of a password."""

from __future__ import annotations

from appliance.api.errors import NotAllowed
from appliance.api.message import DeleteMessage, Message, QueryMessage, arg
from appliance.api.resource import Join, Resource, Timestamp, column

JAVA = "org.zstui.identity"

PREFIX = "zst_"
"""What every token begins with, so that one is known for what it is wherever it turns up."""

EVENTS, METRICS = "/events", "/metrics"
WATCHING = (EVENTS, METRICS)
"""Paths that are no messages, and tell what all accounts do: a scope names them as it names messages."""

LONGEST_SECONDS = 10 * 366 * 86400


class AccessToken(Resource, java=JAVA):
    """A key to an account, or to a user of it, that ends by itself. Only its SHA-256 is kept."""

    joins = (Join("account", "Account", "account_uuid"), Join("user", "User", "user_uuid"))

    uuid: str = column("Identity.")
    name: str = column("What it is for.", indexed=True)
    role: str = column("The most that it may do: read-only, operator or admin.")
    scope: list[str] = column("The messages it may send, by name or pattern, and /events and /metrics; all when empty.",
                              default_factory=list)  # fmt: skip
    account_uuid: str = column("The account that it opens.", indexed=True)
    user_uuid: str | None = column(
        "The user of it, when it opens no more than a user's.", default=None, indexed=True
    )
    expired_date: Timestamp = column("When it ends.", indexed=True)
    create_date: Timestamp = column("When it was made.", default=Timestamp(0))
    digest: str = column("SHA-256 of the token.", private=True, unique=True)


class CreateAccessToken(Message, java=JAVA, returns=AccessToken, sync=True, role="read-only",
                        raises=(NotAllowed,)):  # fmt: skip
    """Make a token for a program; it is shown this once and kept nowhere.

    It is `inventory.token` of the reply.
    """

    name: str = arg("What it is for.", max_length=255)
    session_role: str = arg(
        "The most that it may do; no more than whoever makes it.",
        default="read-only",
        choices=("read-only", "operator", "admin"),
        also="role",
    )
    scope: list[str] = arg(
        "The messages that it may send, by name or with * and ?, for example Query*, and /events and /metrics where "
        "it may follow these; all when empty.",
        default=[],
    )
    expires_in: int = arg(
        "Seconds until it ends; 30 days unless told otherwise.",
        default=30 * 86400,
        minimum=1,
        maximum=LONGEST_SECONDS,
    )


class DeleteAccessToken(
    DeleteMessage, in_use="deleted", java=JAVA, sync=True, role="read-only", raises=(NotAllowed,)
):
    """Revoke a token, from the next call on. A token can revoke itself only."""

    uuid: str = arg("The token.")


class QueryAccessToken(QueryMessage, java=JAVA, resource=AccessToken):
    """Find tokens; what they are is not kept."""
