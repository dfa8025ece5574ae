"""The audit log: who asked for what, from where, and what came of it; each entry seals the one before."""

from __future__ import annotations

from typing import Any

from appliance.api.message import Message, QueryMessage, arg
from appliance.api.resource import Join, Resource, Timestamp, column

JAVA = "org.zstui.audit"


class AuditEntry(Resource, java=JAVA, primary="sequence"):
    """A call that was answered, the end of a job that one became, or several alike that only read in a second."""

    joins = (Join("account", "Account", "account_uuid"),)

    sequence: int = column("Rises by one.")
    create_date: Timestamp = column("When it was answered.")
    account_uuid: str | None = column(
        "The account that asked; none when nobody had logged in.", default=None, indexed=True
    )
    user_uuid: str | None = column("The user of it, when it was one.", default=None)
    token_uuid: str | None = column("The access token that the call came with.", default=None)
    session_digest: str | None = column(
        "The session that the call came with: the beginning of the SHA-256 of its uuid.", default=None
    )
    source: str = column("Where it came from: the address, or the appliance's own socket.")
    message: str = column("What was asked: the message, or the method and path of what is no message.")
    parameters: dict[str, Any] = column("Its parameters, secrets starred.", default_factory=dict)
    target_uuid: str | None = column("The resource that it was about.", default=None, indexed=True)
    job_uuid: str | None = column("The job that it became.", default=None, indexed=True)
    stage: str | None = column(
        "accepted: it became a job, whose end is an entry of its own. ended: that end, whoever asked is in the entry "
        "before. None of a call that was done, or refused, by the time that it was answered.",
        default=None,
    )
    code: str | None = column("The error's code; none when it was accepted or done.", default=None)
    details: str | None = column("The error in words.", default=None)
    only_read: bool = column(
        "Whether it read something and no more: it changed nothing, opened no session, and was not refused.",
        default=False,
    )
    times: int = column("How many calls it stands for.", default=1)
    previous: str = column("The digest of the entry before.", default="")
    digest: str = column("SHA-256 of all of this.", default="")


class QueryAuditEntry(QueryMessage, java=JAVA, resource=AuditEntry):
    """Find out who asked for what."""


class VerifyAudit(Message, java=JAVA, sync=True, role="admin"):
    """Check every entry of the audit log: findings, in words; none when nobody has touched it. And its `head`."""

    known: str | None = arg(
        "A head that was noted earlier, as SEQUENCE:DIGEST: the log must still go through it.", default=None
    )
