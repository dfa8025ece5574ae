"""What requests about the audit log mean."""

from __future__ import annotations

from typing import Any

from appliance.api.audit import VerifyAudit
from appliance.api.errors import InvalidArgument
from appliance.resources.registry import Caller, Live, asks_host
from appliance.store.audit import Link, head


@asks_host(VerifyAudit)
async def verify_audit(live: Live, request: VerifyAudit, caller: Caller) -> dict[str, Any]:
    """What is wrong, if anything is, and where the log ends by now."""
    try:
        known = Link.read(request.known) if request.known is not None else None
    except ValueError as wrong:
        raise InvalidArgument(f"field[known]: {wrong}, as VerifyAudit says its head") from None
    found = await live.database.audit_findings(known)
    return {"findings": found, "head": str(await live.database.read(head))}
