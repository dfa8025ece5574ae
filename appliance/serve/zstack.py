"""ZStack's wire: which call a body is, and how an answer is written."""

from __future__ import annotations

import json
import re
import time
from dataclasses import dataclass, field
from typing import Any

from appliance.api.body import check_sound, decode
from appliance.api.errors import ApiError, BadRequest, UnknownMessage
from appliance.api.job import TERMINAL, LongJob
from appliance.api.message import MESSAGES, Message
from appliance.api.parse import message_named
from appliance.api.zstack_names import zstack_messages
from appliance.store.inventory import wire_date
from appliance.store.snapshot import Snapshot

GENERIC_REPLY = "org.zstack.header.message.APIReply"
GENERIC_EVENT = "org.zstack.header.message.APIEvent"
SYNC = re.compile(r"\.API(LocalStorageGet|Query|Get|List|Search(?!Generate)|LogIn|LogOut|Validate|IsReady)")


@dataclass(frozen=True)
class Call:
    """A call as it came: the class it names, its fields, whose session, and its id if it has one.

    `kind` is None for a message of ZStack 1.0 that is not built here.
    """

    java: str
    kind: type[Message] | None
    fields: dict[str, Any]
    session_uuid: str | None = None
    id: str | None = None
    key: str | None = None
    """Its idempotency key: the same caller's same call, however often it is sent."""


@dataclass(frozen=True)
class Reply:
    """An answer: its Java class, its fields, the job if it is one, and whether it is all there."""

    result_class: str
    body: dict[str, Any]
    job_uuid: str | None = None
    done: bool = True
    created: float = field(default_factory=time.time)
    finished: float = field(default_factory=time.time)
    job_state: str = "Running"
    """Of a job that is not done, whether it is Running or Queued."""
    http_status: int = 200
    """What it is where the protocol's own statuses count."""
    audited: bool = False
    """Whether the audit log has it, in the transaction of what it changed."""


LIKE = '{"<message class>": {…}}'
"""What a body looks like."""

OF_CALL = frozenset({"session", "id"})
"""Fields that are no parameters of any message, and mean something; what else is none is ignored."""


def read_call(raw: bytes) -> Call:
    """The call in a body. Raises BadRequest, UnknownMessage or InvalidArgument when there is none."""
    body = decode(raw, like=LIKE)
    if len(body) != 1:
        raise BadRequest(f"the body has {len(body)} keys; send one: {LIKE}")
    [(name, fields)] = body.items()
    check_sound(name)
    if not isinstance(fields, dict):
        raise BadRequest(f"the fields of {name[:200]} are no JSON object")
    java, kind = message_named(name)
    if kind is None and java not in zstack_messages():
        raise UnknownMessage(f"no service configuration file declares message: {java[:200]}")
    if kind is not None:
        fields = {
            wire: value for wire, value in fields.items() if wire in OF_CALL or kind.parameter_named(wire)
        }
    check_sound(fields)
    session, call_id = fields.get("session"), fields.get("id")
    session_uuid = session.get("uuid") if isinstance(session, dict) else None
    return Call(
        java=java,
        kind=kind,
        fields=fields,
        session_uuid=session_uuid if isinstance(session_uuid, str) and session_uuid else None,
        id=call_id if isinstance(call_id, str) and re.fullmatch(r"[0-9a-f]{32}", call_id) else None,
    )


def refused(call: Call, error: ApiError) -> Reply:
    """The answer to a call that was refused before anything was tried."""
    sync = call.kind.sync if call.kind else SYNC.search(call.java) is not None
    return failed(GENERIC_REPLY if sync else GENERIC_EVENT, error)


def failed(result_class: str, error: ApiError) -> Reply:
    """The answer that holds an error."""
    body = {"success": False, "error": error.to_wire()}
    return Reply(result_class, body, http_status=error.http_status)


def job_reply(snapshot: Snapshot, job: LongJob) -> Reply:
    """What a job's row says: still under way, its reply, or its error."""
    kind = MESSAGES.get(job.name)
    result_class = kind.result_class if kind else GENERIC_EVENT
    made, ended = float(job.create_date), float(job.last_op_date)
    if job.state not in TERMINAL:
        return Reply(result_class, {}, job.uuid, done=False, created=made, job_state=job.state)
    stored = json.loads(job.job_result) if job.job_result else {}
    if job.state != "Succeeded":
        error = stored.get("error", stored)
        status = ApiError.from_wire(error).http_status
        body = {"success": False, "error": error}
        return Reply(result_class, body, job.uuid, True, made, ended, http_status=status)
    body = {name: value for name, value in stored.items() if name != "success"}
    if not body and kind is not None and kind.returns is not None and job.target_resource_uuid:
        found = snapshot.find(kind.returns, job.target_resource_uuid)
        if found is not None:
            body["inventory"] = snapshot.inventory(found)
    return Reply(result_class, {**body, "success": True}, job.uuid, True, made, ended)


def envelope(reply: Reply) -> dict[str, str]:
    """An answer as ZStack's clients read it: the result is JSON text inside JSON."""
    wire = {"state": "Done" if reply.done else "Processing", "createdDate": wire_date(reply.created)}
    if reply.job_uuid is not None:
        wire["uuid"] = reply.job_uuid
    if reply.done:
        wire["finishedDate"] = wire_date(reply.finished)
        wire["result"] = json.dumps({reply.result_class: without_nulls(reply.body)})
    return wire


def without_nulls(value: Any) -> Any:
    """A JSON value without any null: ZStack's clients fail on one."""
    if isinstance(value, dict):
        return {name: without_nulls(each) for name, each in value.items() if each is not None}
    if isinstance(value, list):
        return [without_nulls(each) for each in value if each is not None]
    return value
