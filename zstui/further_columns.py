"""The columns of lists without a number key: volumes, settings, tags, the audit log."""

from __future__ import annotations

from appliance.api.message import MESSAGES, CreateMessage, Message
from zstui import words
from zstui.cells import safe
from zstui.columns import Column, ago, bytes_, moment, name_column, named, number, state, status, text
from zstui.i18n import labelled, tr
from zstui.i18n.server_texts import said
from zstui.jobs import REASON_CELLS, target_of
from zstui.mirror import Mirror, Row
from zstui.paint import Piece
from zstui.references import kind_asked
from zstui.values import place, says, scope, used_for, word


def _changed_paint(row: Row) -> str:
    """A setting that is not its default stands out."""
    return "plain" if row.get("value") == row.get("defaultValue") else "accent"


def _tag_type(row: Row) -> str:
    """User tags mark, system tags steer, and some the appliance keeps by itself."""
    if row.kind == "UserTag":
        return tr("user")
    return tr("inherent") if row.get("inherent") else tr("system")


VOLUME = (
    name_column(28),
    text("TYPE", "type", paint="dim", rank=2, most=10),
    status(),
    bytes_("SIZE", "size", rank=1),
    named("VM", "vmInstanceUuid", rank=1, most=24),
    named("HOST", "hostUuid", rank=3, most=18),
    named("STORAGE", "primaryStorageUuid", rank=4, most=18),
    named("IMAGE", "rootImageUuid", rank=5, most=20),
    text("FORMAT", "format", paint="dim", rank=6),
    ago("AGE", "createDate", rank=3),
)
OFFERING = (
    name_column(),
    number("CPUS", "cpuNum"),
    bytes_("MEMORY", "memorySize"),
    number("MHZ", "cpuSpeed", rank=3),
    state("STATE", "state", rank=2),
)
CONFIG = (
    text("CATEGORY", "category", paint="dim", rank=1, most=18),
    text("NAME", "name", paint="strong", most=32),
    Column("VALUE", lambda row, _: (row.text("value"), _changed_paint(row)), 0, 32),
    text("DEFAULT", "defaultValue", paint="faint", rank=2, most=24),
    text("WHAT IT DOES", "description", paint="dim", rank=3, most=90),
)
TAG = (
    Column("TAG", lambda row, _: (row.text("tag"), "strong"), 0, 60, fewest=36),
    named("ON", "resourceUuid", most=24),
    text("RESOURCE", "resourceType", paint="dim", rank=2, most=20),
    Column("TYPE", lambda row, _: (_tag_type(row), "dim"), 3, 12),
    ago("AGE", "createDate", rank=4),
)


def _outcome(row: Row, _: Mirror) -> Piece:
    """What came of a call: its error, else that it was done, or accepted as a job that ends later."""
    code = row.text("code")
    if row.text("stage") == "accepted":
        return tr("accepted"), "dim"
    if not code:
        return tr("done"), "good"
    return f"{code} {said(row.text('details'))}".strip(), "bad"


def who(row: Row, mirror: Mirror) -> Piece:
    """The account, and which user of it; an account that logs in itself is its own."""
    account, by = mirror.name(row.get("accountUuid")), row.get("userUuid")
    user = mirror.name(by) if by != row.get("accountUuid") else ""
    return f"{account}/{user}" if user else account, "plain"


def _http_status(row: Row, _: Mirror) -> Piece:
    """What a guest was answered."""
    return row.text("httpStatus"), "bad" if (row.get("httpStatus") or 0) >= 400 else "good"


def _statements(row: Row, _: Mirror) -> Piece:
    """What a policy says."""
    return "  ".join(labelled(effect, actions) for effect, actions in says(row)), "plain"


def _about(row: Row, mirror: Mirror) -> Piece:
    """What it made or was about: by name, or what kind of thing that is where nobody knows that."""
    message, target = row.text("message"), row.text("targetUuid")
    asked = safe(str((row.get("parameters") or {}).get("name") or ""))
    if asked and issubclass(MESSAGES.get(message, Message), CreateMessage):
        return asked, "plain"
    found, job = mirror.find(target), mirror.find(row.get("jobUuid"))
    known = (
        found.name
        if found is not None
        else mirror.former_names.get(target) or (target_of(job, mirror) if job else "")
    )
    return known or asked or (target and (word(kind_asked(message)) or mirror.name(target))), "plain"


USED_ADDRESS = (
    text("IP", "ip", paint="strong", most=20),
    Column("USED BY", lambda row, mirror: (used_for(row, mirror), "plain"), 0, 28),
    named("NETWORK", "l3NetworkUuid", rank=1),
    named("IP RANGE", "ipRangeUuid", rank=2),
    ago("AGE", "createDate", rank=3),
)

FETCH = (
    named("VM", "vmInstanceUuid", most=28),
    text("PATH", "path", paint="strong", most=60),
    Column("HTTP STATUS", _http_status, 0, 11, right=True),
    ago("AGE", "createDate"),
    text("USER AGENT", "userAgent", paint="dim", rank=2, most=30),
    named("HOST", "hostUuid", rank=1, most=18),
    named("NIC", "vmNicUuid", rank=3),
    number("SEQUENCE", "sequence", rank=4),
)
SESSION = (
    Column("ACCOUNT", who, 0, 28),
    Column("SOURCE", lambda row, _: (place(row), "plain"), 0, 39),
    moment("EXPIRES", "expiredDate"),
    ago("AGE", "createDate"),
    text("DIGEST", "digest", paint="faint", rank=1, most=12),
)
POLICY = (
    name_column(32),
    named("ACCOUNT", "accountUuid", rank=1),
    Column("STATEMENTS", _statements, 0, 100),
)
TOKEN = (
    name_column(28),
    text("ROLE", "role", paint="dim", most=18),
    Column("SCOPE", lambda row, _: (scope(row), "plain"), 1, 48),
    Column("ACCOUNT", who, 2, 28),
    moment("EXPIRES", "expiredDate"),
    ago("AGE", "createDate", rank=3),
)

QUOTA_BYTES = (".memorySize", ".capacity")
"""What names of quotas end in that limit bytes."""


def _limit(row: Row, _: Mirror) -> Piece:
    sized = row.text("name").endswith(QUOTA_BYTES)
    return (words.size(row.get("value") or 0) if sized else row.text("value")), "plain"


QUOTA = (
    name_column(28),
    named("ACCOUNT", "identityUuid"),
    Column("VALUE", _limit, 0, 12, right=True, number=lambda row, _: float(row.get("value") or 0)),
    ago("AGE", "createDate", rank=3),
)

AUDIT = (
    Column("WHEN", lambda row, _: (words.clock(row.text("createDate")), "dim"), 0, 8,
           number=lambda row, _: float(row.get("sequence") or 0)),
    Column("CALL", lambda row, _: (row.text("message"), "strong"), 0, 36, fewest=22),
    Column("ON", _about, 0, 24, fewest=14),
    Column("OUTCOME", _outcome, 0, 60, fewest=REASON_CELLS),
    Column("ACCOUNT", who, 2, 20),
    text("SOURCE", "source", paint="dim", rank=3, most=20),
    number("TIMES", "times", rank=4),
    named("JOB", "jobUuid", rank=5, most=24),
)  # fmt: skip
