"""Accounts and sessions: what can be asked about who may ask."""

from __future__ import annotations

import hashlib

from appliance.api.errors import NoSession, WrongPassword
from appliance.api.message import CreateMessage, DeleteMessage, Message, QueryMessage, arg
from appliance.api.resource import Join, Resource, Timestamp, column

JAVA = "org.zstack.header.identity"

ADMIN_UUID = "36c27e8ff05c4780bf6d2fa65700f22e"
"""ZStack's own uuid of the first account."""


ACCOUNT_ROLES = ("read-only", "operator", "admin")


class Account(Resource, java=JAVA):
    """Who may log in."""

    joins = (
        Join("user", "User", theirs="account_uuid"),
        Join("group", "UserGroup", theirs="account_uuid"),
        Join("policy", "Policy", theirs="account_uuid"),
        Join("quota", "Quota", theirs="identity_uuid"),
    )

    uuid: str = column("Identity.")
    name: str = column("Name to log in with.", unique=True)
    description: str | None = column("Who it is.", default=None)
    type: str = column("SystemAdmin or Normal.", default="Normal")
    role: str = column("The most that its sessions may do: read-only, operator or admin.", default="admin")
    create_date: Timestamp = column("When it was made.", default=Timestamp(0))
    last_op_date: Timestamp = column("When it last changed.", default=Timestamp(0))
    password_hash: str = column("argon2 of the SHA-512 that clients send.", private=True)


class Session(Resource, java=JAVA, primary="digest"):
    """A login. Only a digest of its uuid is kept, so that a copy of the store opens nothing."""

    joins = (Join("account", "Account", "account_uuid"),)

    digest: str = column("SHA-256 of the uuid: names the session, and opens nothing.")
    account_uuid: str = column("The account that logged in.", indexed=True)
    user_uuid: str = column("The user of it; the account itself when none.", indexed=True)
    source: str = column(
        "The address that it was opened from; empty for the appliance's own machine.", default=""
    )
    expired_date: Timestamp = column("When it ends.", indexed=True)
    create_date: Timestamp = column("When it began.", default=Timestamp(0))


class LogInByAccount(Message, java=JAVA, role="anyone", sync=True, returns=Session,
                     result_class=f"{JAVA}.APILogInReply", raises=(WrongPassword,)):  # fmt: skip
    """Log in; the reply's `inventory.uuid` is the session for the calls that follow."""

    account_name: str = arg("Name of the account.", max_length=255)
    password: str = arg("SHA-512 of the password, in lower-case hexadecimal.", secret=True)


class LogInByUser(Message, java=JAVA, role="anyone", sync=True, returns=Session,
                  result_class=f"{JAVA}.APILogInReply", raises=(WrongPassword,)):  # fmt: skip
    """Log in as a user of an account; the reply's `inventory.uuid` is the session for the calls that follow."""

    account_uuid: str | None = arg("The account; or give its name.", default=None)
    account_name: str | None = arg("Name of the account.", default=None, max_length=255)
    user_name: str = arg("Name of the user.", max_length=255)
    password: str = arg("SHA-512 of the password, in lower-case hexadecimal.", secret=True)


class LogOut(Message, java=JAVA, role="anyone", sync=True):
    """End a session."""

    session_uuid: str | None = arg("The session.", default=None, secret=True)


class ValidateSession(Message, java=JAVA, role="anyone", sync=True, raises=(NoSession,)):
    """Say whether a session still holds: validSession."""

    session_uuid: str = arg("The session.", secret=True)


class QuerySession(QueryMessage, java="org.zstui.identity", resource=Session):
    """Find out who has logged in, and from where."""


class DeleteSession(DeleteMessage, in_use="deleted", java="org.zstui.identity", sync=True, role="read-only"):
    """End a session of the caller's account, or as admin any, from the next call on."""

    uuid: str = arg("Its digest, as QuerySession says it.")


class IsReadyToGo(Message, java="org.zstack.header.apimediator", role="anyone", sync=True):
    """Say whether the appliance answers calls: managementNodeId."""

    management_node_id: str | None = arg("Ignored.", default=None)


class GetVersion(Message, java="org.zstack.header.managementnode", role="anyone", sync=True):
    """Say what version this is: version."""


class CreateAccount(CreateMessage, java=JAVA, returns=Account):
    """Create an account: a tenant with resources, users and quotas of its own."""

    name: str = arg("Name to log in with.", max_length=255)
    password: str = arg("SHA-512 of the password, in lower-case hexadecimal.", max_length=255, secret=True)
    type: str = arg("SystemAdmin may do everything.", default="Normal", choices=("SystemAdmin", "Normal"))
    description: str | None = arg("Who it is.", default=None, max_length=2048)
    session_role: str = arg(
        "The most that its sessions may do.", default="admin", choices=ACCOUNT_ROLES, also="role"
    )


class UpdateAccount(Message, java=JAVA, returns=Account):
    """Change an account's password; that of the account that asks when none is named. Its other sessions end.

    Access tokens have an end of their own and go on: QueryAccessToken lists them, DeleteAccessToken revokes one.
    """

    uuid: str | None = arg("The account.", default=None, ref=Account)
    password: str = arg(
        "SHA-512 of the new password, in lower-case hexadecimal.", max_length=255, secret=True
    )
    session_role: str | None = arg(
        "The most that its sessions may do.", default=None, choices=ACCOUNT_ROLES, also="role"
    )


class DeleteAccount(
    DeleteMessage, in_use="deleted", along=("User", "UserGroup", "Policy", "Quota", "AccessToken"), java=JAVA
):
    """Delete an account with its users, and end their sessions. What it owns belongs to the admin then."""

    uuid: str = arg("The account.")


class QueryAccount(QueryMessage, java=JAVA, resource=Account):
    """Find accounts."""


def hash_password(password: str) -> str:
    """What ZStack's clients send instead of a password: its SHA-512 in lower-case hexadecimal."""
    return hashlib.sha512(password.encode("utf-8", "surrogatepass")).hexdigest()
