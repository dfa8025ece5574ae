"""What is done by the time that it is answered, and the job that is written down of it all the same."""

from __future__ import annotations

import json
from typing import Any

from appliance.api.job import LongJob
from appliance.api.message import Message
from appliance.api.parse import unparse
from appliance.api.resource import RESOURCES, Resource
from appliance.resources.registry import Caller, Outcome
from appliance.serve.zstack import Reply, without_nulls
from appliance.store.snapshot import Snapshot
from appliance.store.transaction import Transaction

NAMES = ("name", "tag", "ip")
"""What people know resources by, the best first."""


def record(tx: Transaction, message: Message, caller: Caller, outcome: Outcome, named: str | None) -> Reply:
    """Answer a call that is done, and write down the job that it was: `named` is what it was about called."""
    body = _body(tx, outcome)
    if message.sync:
        return Reply(type(message).result_class, {**body, "success": True})
    job = _finished_job(tx, message, caller, outcome, body, named)
    tx.insert(job)
    return Reply(type(message).result_class, {**body, "success": True}, job.uuid)


def _body(snapshot: Snapshot, outcome: Outcome) -> dict[str, Any]:
    if isinstance(outcome, Resource):
        return {"inventory": without_nulls(snapshot.inventory(outcome))}
    body: dict[str, Any] = without_nulls(outcome) if isinstance(outcome, dict) else {}
    return body


def name_of_target(snapshot: Snapshot, message: Message) -> str | None:
    """What is called so that a call names, before it is carried out: afterwards it may be gone."""
    key, kind = _target(message, None)
    found = snapshot.find(RESOURCES[kind], key) if key is not None and kind is not None else None
    return _name(found)


def _name(resource: Resource | None) -> str | None:
    """What people know a resource by; None of one that they know by its uuid only."""
    return next((str(name) for each in NAMES if (name := getattr(resource, each, None))), None)


def _finished_job(
    tx: Transaction,
    message: Message,
    caller: Caller,
    outcome: Outcome,
    body: dict[str, Any],
    named: str | None,
) -> LongJob:
    key, kind = _target(message, outcome)
    return LongJob(
        uuid=caller.call_id or tx.new_uuid(),
        name=type(message).__name__,
        state="Succeeded",
        target_resource_uuid=key,
        target_resource_type=kind,
        target_resource_name=(_name(outcome) if isinstance(outcome, Resource) else None) or named,
        job_data=json.dumps(unparse(message, secrets=False)),
        job_result=json.dumps({} if message.secret_reply else body),
        progress=100,
        account_uuid=caller.account_uuid,
    )


def _target(message: Message, outcome: Outcome) -> tuple[str | None, str | None]:
    """What a call worked on: what it returned, else the resource that it names."""
    if isinstance(outcome, Resource):
        return str(outcome.key_value), type(outcome).name_
    for parameter in message.parameters.values():
        value = getattr(message, parameter.name)
        if parameter.ref is not None and isinstance(value, str):
            return value, parameter.ref.name_
    uuid = getattr(message, "uuid", None)
    return (uuid if isinstance(uuid, str) else None), _kind_meant(type(message).__name__)


def _kind_meant(name: str) -> str | None:
    """The kind that a message's name says, as that of `DeleteDiskOffering`; None where it says none."""
    found = [kind for kind in RESOURCES if name.endswith(kind)]
    return max(found, key=len, default=None)
