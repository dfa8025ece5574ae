"""The plain REST face: one path and method for each message, with the statuses that HTTP has for what comes of it."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from appliance.api.rest import rest_routes
from tests.served_cloud import Answer, Wire, nothing_changes, served
from tests.simulated_cloud import SimulatorCloud

pytestmark = pytest.mark.asyncio(loop_scope="module")
V1 = "/api/v1"


@pytest.fixture(autouse=True)
def handlers() -> None:
    """All messages are answered by what answers them in the product."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def wire(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Wire]:
    """A cloud of the simulator, over HTTP."""
    cloud = SimulatorCloud(tmp_path_factory.mktemp("rest") / "data")
    await cloud.start()
    await cloud.build()
    async with served(cloud) as running:
        yield running
    await cloud.stop()


async def send(wire: Wire, method: str, path: str, body: Any = None, **headers: str) -> Answer:
    """A request in the admin's session."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    headers = {"Authorization": f"Bearer {wire.session_uuid}", **named}
    return await wire.exchange(
        method, V1 + path, None if body is None else json.dumps(body).encode(), headers
    )


def vm_fields(wire: Wire, **changes: Any) -> dict[str, Any]:
    uuids = wire.cloud.uuids
    return {
        "name": "web", "instanceOfferingUuid": uuids["offering"], "imageUuid": uuids["image"],
        "l3NetworkUuids": [uuids["l3"]], **changes,
    }  # fmt: skip


def code(answer: Answer) -> tuple[int, str]:
    return answer.status, answer.wire["error"]["code"]


async def test_a_vm_is_made_found_changed_stopped_and_destroyed(wire: Wire) -> None:
    made = await send(wire, "POST", "/vm-instances?wait=20", vm_fields(wire))
    assert (made.status, made.wire["inventory"]["state"]) == (200, "Running")
    path = f"/vm-instances/{made.wire['inventory']['uuid']}"
    assert (await send(wire, "GET", path)).wire["inventory"]["name"] == "web"
    patched = await send(wire, "PATCH", path, {"name": "shop"})
    assert (patched.status, patched.wire["inventory"]["name"]) == (200, "shop")
    stopped = await send(wire, "POST", f"{path}/stop?wait=20")
    assert (stopped.status, stopped.wire["inventory"]["state"]) == (200, "Stopped")
    again = await send(wire, "POST", f"{path}/reboot")
    assert code(again) == (409, "SYS.1006")
    assert again.wire["error"]["cause"]["code"] == "VM.1010"
    assert (await send(wire, "DELETE", f"{path}?wait=20")).status == 200
    assert (await send(wire, "POST", f"{path}/expunge?wait=20")).status == 200
    assert code(await send(wire, "GET", path)) == (404, "SYS.1003")


async def test_what_takes_time_is_accepted_and_can_be_waited_for(wire: Wire) -> None:
    accepted = await send(wire, "POST", "/vm-instances", vm_fields(wire))
    assert accepted.status == 202
    job = accepted.wire["job"]
    assert job["state"] == "Running"
    there = f"/long-jobs/{job['uuid']}"
    ended = await send(wire, "GET", f"{there}?wait=20")
    assert (ended.status, ended.wire["inventory"]["state"]) == (200, "Succeeded")
    uuid = ended.wire["inventory"]["targetResourceUuid"]
    assert (await send(wire, "DELETE", f"/vm-instances/{uuid}?wait=20")).status == 200
    assert code(await send(wire, "POST", f"{there}/cancel")) == (409, "SYS.1006")


async def test_a_job_that_waits_for_its_turn_is_said_to_be_queued(wire: Wire) -> None:
    vm = (await send(wire, "POST", "/vm-instances?wait=20", vm_fields(wire))).wire["inventory"]["uuid"]
    for host in wire.cloud.hosts:
        host.delays.by_verb["ShutdownDomain"] = 0.3
    states = [(await send(wire, "POST", f"/vm-instances/{vm}/{verb}")) for verb in ("stop", "start")]
    assert [(each.status, each.wire["job"]["state"]) for each in states] == [
        (202, "Running"),
        (202, "Queued"),
    ]


async def test_a_cancelled_job_can_be_waited_for(wire: Wire) -> None:
    for host in wire.cloud.hosts:
        host.delays.by_verb["StartDomain"] = 1.0
    accepted = await send(wire, "POST", "/vm-instances", vm_fields(wire))
    there = f"/long-jobs/{accepted.wire['job']['uuid']}"
    first, ended = await asyncio.gather(
        send(wire, "POST", f"{there}/cancel"), send(wire, "POST", f"{there}/cancel?wait=20")
    )
    for host in wire.cloud.hosts:
        del host.delays.by_verb["StartDomain"]
    assert (first.status, first.wire["inventory"]["state"]) == (200, "Running")
    assert (ended.status, ended.wire["inventory"]["state"]) == (200, "Canceled")
    assert code(await send(wire, "POST", f"{there}/cancel")) == (409, "SYS.1006")


async def test_where_a_job_is_asked_for_comes_along(wire: Wire) -> None:
    url = f"{wire.url}{V1}/hosts/{wire.cloud.uuids['host1']}/reconnect"
    async with wire.http.post(url, headers={"Authorization": f"OAuth {wire.session_uuid}"}) as got:
        assert got.status == 202
        where = got.headers["Location"]
    assert where.startswith(f"{V1}/long-jobs/")
    assert (await send(wire, "GET", f"{where.removeprefix(V1)}?wait=20")).wire["inventory"][
        "state"
    ] == "Succeeded"


async def test_lists_take_conditions_fields_and_pages(wire: Wire) -> None:
    found = await send(
        wire, "GET", "/hosts?q=name~=host&q=state=Enabled&fields=name,uuid&sortBy=name&limit=1"
    )
    assert found.status == 200
    assert [set(each) for each in found.wire["inventories"]] == [{"name", "uuid"}]
    counted = await send(wire, "GET", "/hosts?count=true")
    assert counted.wire == {"total": len(wire.cloud.uuids) and 2}
    assert code(await send(wire, "GET", "/hosts?q=nothing")) == (400, "SYS.1007")
    assert code(await send(wire, "GET", "/hosts?q=colour=red")) == (400, "SYS.1007")
    assert code(await send(wire, "GET", "/hosts?sortBy=colour")) == (400, "SYS.1000")
    assert code(await send(wire, "GET", "/hosts?q=cluster.colour=red")) == (400, "SYS.1007")
    assert code(await send(wire, "GET", "/hosts?limit=many")) == (400, "SYS.1007")
    assert code(await send(wire, "GET", "/hosts?limit=1&limit=2")) == (400, "SYS.1007")


async def test_an_action_has_its_parameters_in_the_body(wire: Wire) -> None:
    path = f"/hosts/{wire.cloud.uuids['host1']}/change-state"
    for event, state in (("disable", "Disabled"), ("enable", "Enabled")):
        changed = await send(wire, "POST", f"{path}?wait=20", {"stateEvent": event})
        assert (changed.status, changed.wire["inventory"]["state"]) == (200, state)
    asked = await send(wire, "GET", f"/cpu-memory-capacity?hostUuids={wire.cloud.uuids['host1']}")
    assert asked.wire["totalCpu"] > 0


@pytest.mark.parametrize(
    ("method", "path", "body", "said"),
    [
        ("POST", "/zones", {}, (400, "SYS.1007")),
        ("POST", "/zones", {"name": "z", "colour": "red"}, (400, "SYS.1007")),
        ("POST", "/zones", ["name"], (400, "SYS.1008")),
        ("POST", "/zones?name=z", {"name": "z"}, (400, "SYS.1007")),
        ("POST", "/zones?wait=soon", {"name": "z"}, (400, "SYS.1007")),
        ("GET", "/zones?colour=red", None, (400, "SYS.1007")),
        ("GET", "/zones?wait=1", None, (400, "SYS.1007")),
        ("GET", "/zones/nobody", None, (404, "SYS.1003")),
        ("PATCH", "/zones/nobody", {"name": "z"}, (404, "SYS.1003")),
        ("DELETE", "/zones/nobody?deleteMode=Brutal", None, (400, "SYS.1007")),
        ("PUT", "/zones", {}, (405, "PORTAL.1000")),
        ("GET", "/nowhere", None, (404, "PORTAL.1000")),
    ],
)  # fmt: skip
async def test_what_is_wrong_has_the_status_of_its_kind_and_changes_nothing(
    wire: Wire, method: str, path: str, body: Any, said: tuple[int, str]
) -> None:
    async with nothing_changes(wire):
        answer = await send(wire, method, path, body)
        assert code(answer) == said
        assert answer.wire["error"]["details"]


async def test_who_says_nothing_of_who_they_are_may_nothing(wire: Wire) -> None:
    assert code(await wire.exchange("GET", f"{V1}/zones")) == (401, "ID.1001")
    headers = {"Authorization": f"Bearer {'0' * 32}"}
    assert code(await wire.exchange("GET", f"{V1}/zones", headers=headers)) == (401, "ID.1001")
    assert (await wire.exchange("GET", f"{V1}/version")).wire["version"]


async def test_a_repeated_key_is_answered_alike_and_done_once(wire: Wire) -> None:
    async def make(name: str) -> Answer:
        return await send(wire, "POST", "/zones", {"name": name}, Idempotency_Key="once-and-for-all")

    made = await asyncio.gather(*(make("keyed") for _ in range(5)))
    assert len({each.wire["inventory"]["uuid"] for each in made}) == 1
    assert (await send(wire, "GET", "/zones?q=name=keyed&count=true")).wire == {"total": 1}
    assert code(await make("another")) == (400, "SYS.1007")
    other = await make("other")
    assert other.wire["error"]["details"] == (
        "Idempotency-Key[once-and-for-all] was sent with another call; give each call its own"
    )
    badly = await send(wire, "POST", "/zones", {"name": "z"}, Idempotency_Key="a b")
    assert code(badly) == (400, "SYS.1007")


async def test_a_key_is_refused_where_nothing_would_remember_it(wire: Wire) -> None:
    for path, body in (("/access-tokens", {"name": "t"}), ("/backup-store", {"path": "/x"})):
        answer = await send(wire, "POST", path, body, Idempotency_Key="once")
        assert code(answer) == (400, "SYS.1007")
        assert "Send none" in answer.wire["error"]["details"]
    assert (await send(wire, "DELETE", f"/access-tokens/{'0' * 32}", Idempotency_Key="once")).status != 400


async def test_the_document_names_every_route_and_is_asked_for_once(wire: Wire) -> None:
    async with wire.http.get(f"{wire.url}/openapi.json") as got:
        assert got.status == 200
        tag = got.headers["ETag"]
        said = await got.json()
    assert said["openapi"] == "3.1.0"
    version = (await wire.exchange("GET", f"{V1}/version")).wire["version"]
    assert said["info"]["version"] == version
    named = {(method, path) for path, each in said["paths"].items() for method in each}
    beside = {("get", "/events"), ("get", "/metrics"), ("get", "/healthz")}
    assert named == {(route.method.lower(), route.path) for route in rest_routes()} | beside
    for _, path in beside:
        headers = {"Authorization": f"Bearer {wire.session_uuid}"}
        async with wire.http.get(wire.url + path, headers=headers) as got:
            content = said["paths"][path]["get"]["responses"]["200"]["content"]
            assert (got.status, [got.content_type]) == (200, list(content))
    async with wire.http.get(f"{wire.url}/openapi.json", headers={"If-None-Match": tag}) as got:
        assert (got.status, await got.read()) == (304, b"")


async def test_the_document_describes_the_events_that_come(wire: Wire) -> None:
    async with wire.http.get(f"{wire.url}/openapi.json") as got:
        said = await got.json()
    schemas, stream = said["components"]["schemas"], said["paths"]["/events"]["get"]["description"]
    headers = {"Authorization": f"Bearer {wire.session_uuid}", "Last-Event-ID": "unknown-1"}
    seen: dict[str, dict[str, Any]] = {}
    async with wire.http.get(f"{wire.url}/events", headers=headers) as got:
        assert (await send(wire, "POST", "/zones", {"name": "told"})).status == 200
        mark, name = "", ""
        while not {"ready", "overflow", "change"} <= seen.keys():
            field, _, value = (await got.content.readline()).decode().strip().partition(": ")
            if field == "id":
                mark = value
            elif field == "event":
                name = value
            elif field == "data":
                seen[name] = json.loads(value)
    assert re.fullmatch(schemas["EventId"]["pattern"], mark)
    for name in (*seen, "figures"):
        assert f"- `{name}`" in stream
    change = schemas["EventChange"]
    assert seen["change"]["op"] in change["properties"]["op"]["enum"]
    assert set(change["required"]) <= seen["change"].keys() <= change["properties"].keys()
    for each in ("ready", "overflow"):
        assert seen[each] == {}
