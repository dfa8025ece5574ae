"""`zstui audit`: who asked for what, line by line, and whether the log is as it was written."""

from __future__ import annotations

import json
import ssl
from pathlib import Path
from typing import Any, TextIO

from appliance.api.errors import ApiError
from appliance.api.grammar import read_words
from appliance.api.quoting import UsageError
from appliance.client import Session
from appliance.serve.cli import DONE, FAILED, USAGE, SavedSessions, print_error, printable

NEWEST = 50


async def audit_once(
    target: Path | str,
    words: list[str],
    *,
    out: TextIO,
    err: TextIO,
    as_json: bool = False,
    tls: ssl.SSLContext | None = None,
) -> int:
    """Show entries that meet conditions, oldest first, or with `verify [HEAD]` check the log. Returns the exit code.

    Without conditions those are left out that only read: screens and monitors make most of a log of them.
    """
    saved = SavedSessions()
    try:
        async with await Session.connect(target, session_uuid=saved.get(target), tls=tls) as session:
            if words[:1] == ["verify"]:
                return await _verify(session, words[1:], out)
            return await _show(session, words, out, as_json)
    except UsageError as error:
        print_error(error, err)
        return USAGE
    except ApiError as error:
        print_error(error, err)
        return FAILED


async def _verify(session: Session, heads: list[str], out: TextIO) -> int:
    if len(heads) > 1:
        raise UsageError("write zstui audit verify, or zstui audit verify HEAD")
    said = await session.call("VerifyAudit", known=heads[0] if heads else None)
    findings = said.get("findings", [])
    out.writelines(f"{finding}\n" for finding in findings)
    if not findings:
        out.write(f"the audit log is as it was written; its head is {said['head']}\n")
    return FAILED if findings else DONE


async def _show(session: Session, words: list[str], out: TextIO, as_json: bool) -> int:
    asked = read_words(["QueryAuditEntry", *words]).fields
    if not asked.get("conditions"):
        asked["conditions"] = [{"name": "onlyRead", "op": "=", "value": "false"}]
    newest = {"sortBy": "sequence", "sortDirection": "desc", "limit": NEWEST, **asked}
    found = (await session.call("QueryAuditEntry", **newest)).get("inventories", [])
    if "sortBy" not in asked:
        found.reverse()
    if as_json:
        out.writelines(f"{printable(json.dumps(entry, ensure_ascii=False))}\n" for entry in found)
        return DONE
    accounts = await session.call("QueryAccount", fields=["uuid", "name"])
    names = {each["uuid"]: each["name"] for each in accounts.get("inventories", [])}
    out.writelines(f"{printable(_line(entry, names))}\n" for entry in found)
    return DONE


def _line(entry: dict[str, Any], names: dict[str, str]) -> str:
    account = entry.get("accountUuid")
    who = names.get(account, account) if account else "nobody"
    if "userUuid" in entry:
        who += f"/{entry['userUuid']}"
    if "tokenUuid" in entry:
        who += f" by token {entry['tokenUuid']}"
    given = " ".join(
        f"{name}={value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}"
        for name, value in entry.get("parameters", {}).items()
    )
    end = f"{entry['code']} {entry.get('details', '')}" if "code" in entry else "done"
    if "stage" in entry:
        end = f"{'accepted' if entry['stage'] == 'accepted' else end} (job {entry.get('jobUuid', '')})"
    times = f" ({entry['times']} times)" if entry.get("times", 1) > 1 else ""
    said = f"{entry.get('message', '')} {given}".replace("\n", "\\n").rstrip()
    when, source = entry.get("createDate", ""), entry.get("source", "")
    return f"{entry.get('sequence', '')}  {when}  {who}  {source}  {said}: {end}{times}"
