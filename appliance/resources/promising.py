"""How a handler promises what it cannot do at once: as a job, which is the answer until it has ended."""

from __future__ import annotations

from appliance.api.message import Message
from appliance.api.resource import Resource
from appliance.reconcile import jobs
from appliance.resources.registry import Caller, Promise
from appliance.store.transaction import Transaction


def promise(tx: Transaction, request: Message, target: Resource, caller: Caller) -> Promise:
    """A job on a resource, for the caller."""
    return Promise(jobs.begin(tx, request, target, job_uuid=caller.call_id, account_uuid=caller.account_uuid))
