"""Each message has one route of the plain REST face, and no two share one."""

from __future__ import annotations

import re
from collections import Counter

from appliance.api.message import MESSAGES
from appliance.api.rest import PREFIX, rest_routes

ROUTES = rest_routes()


def test_every_message_has_one_route() -> None:
    assert Counter(route.kind.__name__ for route in ROUTES if not route.one) == Counter(list(MESSAGES))


def test_no_two_messages_share_a_method_and_a_path() -> None:
    places = Counter((route.method, re.sub(r"\{\w+\}", "{}", route.path)) for route in ROUTES)
    assert [place for place, number in places.items() if number > 1] == []


def test_paths_are_plain() -> None:
    for route in ROUTES:
        assert re.fullmatch(rf"{PREFIX}(/[a-z0-9-]+|/\{{[a-zA-Z0-9]+\}})+", route.path), route.path
        assert (route.hole is None) == ("{" not in route.path) or route.one


def test_the_paths_that_scripts_rely_on() -> None:
    known = {(route.method, route.path): route.operation for route in ROUTES}
    for method, path, operation in (
        ("POST", "/vm-instances", "CreateVmInstance"),
        ("GET", "/vm-instances", "QueryVmInstance"),
        ("GET", "/vm-instances/{uuid}", "QueryVmInstanceOne"),
        ("PATCH", "/vm-instances/{uuid}", "UpdateVmInstance"),
        ("DELETE", "/vm-instances/{uuid}", "DestroyVmInstance"),
        ("POST", "/vm-instances/{uuid}/start", "StartVmInstance"),
        ("POST", "/kvm-hosts", "AddKVMHost"),
        ("POST", "/hosts/{uuid}/change-state", "ChangeHostState"),
        ("GET", "/long-jobs/{uuid}", "QueryLongJobOne"),
        ("POST", "/log-in-by-account", "LogInByAccount"),
    ):
        assert known[method, PREFIX + path] == operation
