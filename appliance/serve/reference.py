"""The reference of the API, made from its declarations."""

from __future__ import annotations

import inspect
import textwrap
import typing
from typing import Any, TextIO

import appliance.resources.every  # noqa: F401 - registers what answers each message
from appliance.api.errors import (
    ApiError,
    Cancelled,
    InternalError,
    InvalidArgument,
    NoSession,
    NotAllowed,
    NotBuilt,
    NotReady,
    OperationFailed,
    QuotaExceeded,
    ResourceNotFound,
    UnknownMessage,
)
from appliance.api.message import MESSAGES, CreateMessage, Message, Parameter, QueryMessage
from appliance.api.parse import message_named
from appliance.api.resource import Resource
from appliance.api.rest import rest_routes
from appliance.api.zstack_names import missing_messages, query_instead
from appliance.resources.registry import becomes_job

GENERAL = (
    InternalError,
    ResourceNotFound,
    OperationFailed,
    InvalidArgument,
    NotReady,
    NotBuilt,
    NoSession,
    NotAllowed,
)
"""What any call may be answered with."""


def reference(kind: type[Message]) -> str:
    """Everything there is to know about a message, as text."""
    lines = [kind.__name__, "", inspect.cleandoc(kind.__doc__ or ""), ""]
    lines.append(f"who     {'anyone, without session' if kind.role == 'anyone' else kind.role}")
    lines.append(f"answer  {'at once' if kind.sync else 'a job'}{_returned(kind)}")
    lines.append(f"class   {kind.java}")
    lines += [f"REST    {each.method} {each.path}" for each in rest_routes() if each.kind is kind]
    if kind.parameters:
        lines += ["", "parameters"]
        for parameter in kind.parameters.values():
            lines += _parameter(parameter)
    if issubclass(kind, QueryMessage):
        lines += ["", "conditions, as field=value (also != > < >= <= ?= !?= ~= !~= =null !=null)"]
        lines += _fields(kind.resource)
    if own := own_errors(kind):
        lines += ["", f"errors, besides {', '.join(each.code for each in GENERAL)}"]
        lines += [f"  {error.code:20} {inspect.getdoc(error)}" for error in own]
    return "\n".join(lines) + "\n"


def own_errors(kind: type[Message]) -> tuple[type[ApiError], ...]:
    """What a message may be answered with besides what any may: what it declares, and what follows from its kind."""
    quota = (QuotaExceeded,) if issubclass(kind, CreateMessage) and kind.role != "admin" else ()
    cancelled = (Cancelled,) if becomes_job(kind) else ()
    return (*kind.raises, *quota, *cancelled)


def index() -> str:
    """All messages, a line each."""
    width = max(map(len, MESSAGES))
    return "".join(
        f"{name:{width}}  {inspect.cleandoc(kind.__doc__ or '').splitlines()[0]}\n"
        for name, kind in sorted(MESSAGES.items())
    )


def names(width: int) -> str:
    """The names of all messages by what they are about, in lines of at most so many characters."""
    nouns: dict[str, list[str]] = {}
    for name, kind in MESSAGES.items():
        nouns.setdefault(kind.__module__.rpartition(".")[2], []).append(name)
    margin = max(map(len, nouns)) + 2
    lines = (
        textwrap.fill(
            "  ".join(found), width, initial_indent=noun.ljust(margin), subsequent_indent=" " * margin,
            break_long_words=False,
        )
        for noun, found in sorted(nouns.items())
    )  # fmt: skip
    return "\n".join(lines) + "\n"


def api_command(words: list[str], out: TextIO, err: TextIO) -> int:
    """`zstui api [NAME | --missing]`: the list, one message's reference, or what is not built."""
    if words == ["--missing"]:
        width = max(map(len, missing_messages()))
        for java in missing_messages():
            query = query_instead(java)
            out.write(f"{java:{width}}  answered by {query}\n" if query else f"{java}\n")
        return 0
    if len(words) > 1 or (words and words[0].startswith("-")):
        err.write("usage: zstui api [NAME | --missing]\n")
        return 1
    if not words:
        out.write(index())
        return 0
    try:
        java, kind = message_named(words[0])
        if kind is None:
            raise UnknownMessage(f"{java} is not built here; `zstui api` lists what is")
    except ApiError as error:
        err.write(f"{error.details}\n")
        return 1
    out.write(reference(kind))
    return 0


def kind_name(kind: Any) -> str:
    """A parameter's kind in words."""
    if typing.get_origin(kind) is list:
        return f"list of {kind_name(typing.get_args(kind)[0])}"
    if typing.get_origin(kind) is dict:
        return "JSON object"
    return {str: "text", int: "whole number", bool: "true or false"}.get(kind, "value")


def parameter_notes(parameter: Parameter) -> list[str]:
    """What values a parameter takes, in words."""
    notes = [kind_name(parameter.kind)]
    if parameter.required:
        notes.append("required")
    elif parameter.default not in (None, ""):
        text = str(parameter.default)
        notes.append(f"default {text.lower() if isinstance(parameter.default, bool) else text}")
    if parameter.choices:
        notes.append(f"one of {', '.join(parameter.choices)}")
    if parameter.also:
        notes.append(f"also as `{parameter.also}`")
    if parameter.ref is not None:
        notes.append(f"uuid of {parameter.ref.__name__}")
    if parameter.minimum is not None:
        notes.append(f"at least {parameter.minimum}")
    if parameter.maximum is not None:
        notes.append(f"at most {parameter.maximum}")
    if parameter.max_length is not None:
        notes.append(f"at most {parameter.max_length} characters")
    return notes


def _parameter(parameter: Parameter) -> list[str]:
    notes = "; ".join(parameter_notes(parameter))
    return [f"  {parameter.wire:28} {parameter.help}", f"  {'':28} {notes}"]


def _returned(kind: type[Message]) -> str:
    if kind.returns is None:
        return ""
    return f" with inventor{'ies' if issubclass(kind, QueryMessage) else 'y'} of {kind.returns.__name__}"


def _fields(resource: type[Resource]) -> list[str]:
    public = [column for column in resource.columns.values() if not column.private]
    return [f"  {column.wire:28} {column.help}" for column in public]
