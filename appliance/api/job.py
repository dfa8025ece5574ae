"""Jobs: what can be asked about calls that take time."""

from __future__ import annotations

from appliance.api.message import Message, QueryMessage, arg
from appliance.api.resource import Resource, Timestamp, column

JAVA = "org.zstack.header.longjob"

TERMINAL = frozenset({"Succeeded", "Failed", "Canceled"})
"""States in which a job has ended."""

UNDER_WAY = frozenset({"Queued", "Running"})
"""States in which it has not."""


class LongJob(Resource, java=JAVA):
    """A call's promise: who asked for what, how far it is, and how it ended. Kept in history."""

    uuid: str = column("Identity; ZStack's job uuid.")
    name: str = column("The message, by its short name.", indexed=True)
    state: str = column("Queued, Running, Succeeded, Failed or Canceled.", default="Running", indexed=True)
    target_resource_uuid: str | None = column("What it works on.", default=None, indexed=True)
    target_resource_type: str | None = column("What kind that is.", default=None)
    target_resource_name: str | None = column("Its name when the job began.", default=None)
    job_data: str = column("The call, secrets left out, as JSON.", default="{}")
    job_result: str | None = column("The reply or the error, as JSON.", default=None)
    step: str | None = column("What it is doing now.", default=None)
    progress: int = column("Per cent.", default=0)
    waits_for: str | None = column("What keeps it.", default=None)
    done_bytes: int | None = column("Bytes that have arrived, of all its parts.", default=None)
    total_bytes: int | None = column("Bytes that all its parts move, as far as that is known.", default=None)
    bytes_per_second: int | None = column("How fast it moves them, once that is known.", default=None)
    account_uuid: str | None = column("Who asked.", default=None)
    create_date: Timestamp = column("When it was asked.", default=Timestamp(0), indexed=True)
    last_op_date: Timestamp = column("When it last changed.", default=Timestamp(0))
    deadline: Timestamp | None = column("When waiting is given up.", default=None, private=True)
    limit: Timestamp | None = column("When its caller wants it given up.", default=None, private=True)
    parts: str = column("Bytes done and in all of each of its parts: JSON.", default="{}", private=True)
    failure: str | None = column("The error it will end with, once undone.", default=None, private=True)
    asked_by: str | None = column("Who asked, of one that is Queued: JSON.", default=None, private=True)


class QueryLongJob(QueryMessage, java=JAVA, resource=LongJob):
    """Find jobs, running and past."""


class CancelLongJob(Message, java=JAVA, returns=LongJob, role="operator"):
    """Cancel a running job at the next point where that is safe."""

    uuid: str = arg("The job.", ref=LongJob)
