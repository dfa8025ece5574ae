"""What carries a call out, now or when its turn has come."""

from __future__ import annotations

from appliance.api.message import CreateMessage, Message
from appliance.resources.quota import check_quota
from appliance.resources.registry import HANDLERS, Caller, Outcome
from appliance.store.transaction import Transaction


def carry_out(tx: Transaction, message: Message, caller: Caller) -> Outcome:
    """Run a call's handler for its caller, within the quotas of whose account that is. Raises what refuses it."""
    tx.account_uuid = caller.account_uuid
    outcome = HANDLERS[type(message)](tx, message, caller)
    if isinstance(message, CreateMessage) and not caller.is_admin:
        check_quota(tx, caller.account_uuid)
    return outcome
