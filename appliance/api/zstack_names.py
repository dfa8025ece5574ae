"""The names of ZStack 1.0's messages: which of them are not declared here, and what to ask instead."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files

from appliance.api.errors import NotBuilt
from appliance.api.message import BY_JAVA, MESSAGES

OLDER = re.compile(r"API(List|Search|Get)(?P<noun>\w+?)s?Msg")


@cache
def zstack_messages() -> frozenset[str]:
    """The Java classes of all messages of ZStack 1.0."""
    return frozenset(files("appliance.api").joinpath("zstack_messages.txt").read_text().split())


def missing_messages() -> list[str]:
    """The Java classes of ZStack 1.0's messages that are not declared here."""
    return sorted(zstack_messages() - BY_JAVA.keys())


def query_instead(java: str) -> str | None:
    """The query that answers what one of ZStack's older List, Search and Get messages asked; None if none does.

    ZStack 1.0 keeps those on its server, from before it had queries, and no client of it speaks them.
    """
    older = OLDER.fullmatch(java.rpartition(".")[2])
    name = f"Query{older['noun']}" if older else ""
    return name if name in MESSAGES else None


def not_built(java: str) -> NotBuilt:
    """The refusal of a message that ZStack 1.0 has and this version has not."""
    query = query_instead(java)
    if query:
        return NotBuilt(f"{java} is a form from before ZStack's queries; {query} answers it, and more")
    return NotBuilt(f"{java} is a message of ZStack 1.0 that is not built here yet")
