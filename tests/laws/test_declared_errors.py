"""What a message declares of its errors, and what its pages say: nothing that its handler raises is left out."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterator
from types import FunctionType

import pytest

from appliance.api.errors import ApiError, Cancelled, QuotaExceeded
from appliance.api.host import ChangeHostState
from appliance.api.message import MESSAGES, Message
from appliance.api.volume import CreateDataVolume
from appliance.api.zone import CreateZone, QueryZone
from appliance.resources.registry import HANDLERS, LIVE_HANDLERS, READERS
from appliance.serve.documents import pages
from appliance.serve.reference import GENERAL, own_errors, reference

OURS = ("appliance.plans", "appliance.reconcile", "appliance.resources")


def named(function: FunctionType) -> Iterator[object]:
    """What a function names of its module's globals, and whether it raises it."""
    for node in ast.walk(ast.parse(textwrap.dedent(inspect.getsource(function)))):
        if isinstance(node, ast.Name) and node.id in function.__globals__:
            yield function.__globals__[node.id]
        if (
            isinstance(node, ast.Raise)
            and isinstance(node.exc, ast.Call)
            and isinstance(node.exc.func, ast.Name)
        ):
            yield ("raises", function.__globals__.get(node.exc.func.id))


def raised(function: FunctionType, seen: set[FunctionType]) -> set[type[ApiError]]:
    """The errors that a function raises, or one that it calls by name."""
    if function in seen:
        return set()
    seen.add(function)
    found: set[type[ApiError]] = set()
    for each in named(function):
        match each:
            case ("raises", type() as kind) if issubclass(kind, ApiError):
                found.add(kind)
            case FunctionType() if each.__module__.startswith(OURS):
                found |= raised(each, seen)
    return found


@pytest.mark.parametrize("kind", MESSAGES.values(), ids=MESSAGES)
def test_a_message_declares_what_its_handler_raises(kind: type[Message]) -> None:
    handler = HANDLERS.get(kind) or READERS.get(kind) or LIVE_HANDLERS.get(kind)
    if isinstance(handler, FunctionType):
        known = {each.code for each in (*GENERAL, *own_errors(kind))}
        assert {each.code for each in raised(handler, set())} <= known


def test_what_may_be_cancelled_says_so_on_its_pages() -> None:
    assert Cancelled in own_errors(ChangeHostState)
    assert "JOB.1000" in reference(ChangeHostState)
    page = pages()["api/host.md"].partition("## ChangeHostState")[2].partition("\n## ")[0]
    assert "errors of its own: HOST.1001 MaintenanceFailed, JOB.1000 Cancelled" in page


def test_what_is_done_at_once_cannot_be_cancelled_and_what_a_tenant_makes_counts_for_its_quota() -> None:
    assert own_errors(CreateDataVolume) == (QuotaExceeded,)
    assert own_errors(CreateZone) == own_errors(QueryZone) == ()


def test_the_law_sees_what_is_raised_below_a_handler() -> None:
    assert Cancelled not in raised(HANDLERS[ChangeHostState], set())  # type: ignore[arg-type]
    assert len(raised(HANDLERS[ChangeHostState], set())) >= 2  # type: ignore[arg-type]
