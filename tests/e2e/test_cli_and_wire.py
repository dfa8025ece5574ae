"""The cloud as scripts drive it: the command line, ZStack's wire, the event stream, and images from anywhere."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import io
import json
import re
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from appliance.api.account import hash_password
from appliance.api.errors import ApiError
from appliance.lab.cloud import tiny_image
from appliance.lab.instance import load
from tests.e2e.appliance_process import PASSWORD
from tests.e2e.conftest import VmFactory
from tests.e2e.guest import Guest
from tests.e2e.stage import IMAGES, Stage

LOGIN = "org.zstack.header.identity.APILogInByAccountMsg"
CREATE = "org.zstack.header.vm.APICreateVmInstanceMsg"
DESTROY = "org.zstack.header.vm.APIDestroyVmInstanceMsg"
QUERY = "org.zstack.header.vm.APIQueryVmInstanceMsg"


def tiny_md5() -> str:
    """Not at import: what only lists the tests has no image."""
    return hashlib.md5(tiny_image().read_bytes(), usedforsecurity=False).hexdigest()


async def call(cloud: Stage, *words: str, code: int = 0) -> dict[str, Any]:
    """What `zstui call` prints, as JSON."""
    done = await cloud.appliance.run("call", *words)
    assert done.returncode == code, done.stderr
    assert (done.stdout == "") == (code != 0)
    return dict(json.loads(done.stdout)) if code == 0 else {"error": done.stderr}


async def test_a_vm_by_the_command_line(cloud: Stage) -> None:
    made = await call(
        cloud, "CreateVmInstance", "name=by-cli", f"instanceOfferingUuid={cloud.offering}",
        f"imageUuid={cloud.image}", f"l3NetworkUuids={cloud.l3}", f"systemTags=sshkey::{cloud.public_key}",
    )  # fmt: skip
    assert made["success"] is True
    uuid = made["inventory"]["uuid"]
    try:
        guest = await Guest(cloud, made["inventory"]).refresh()
        assert guest.state == "Running"
        assert await guest.on()
        found = await call(cloud, "QueryVmInstance", "name=by-cli", "state=Running", "fields=uuid,hostUuid")
        assert found["inventories"] == [{"uuid": uuid, "hostUuid": guest.inventory["hostUuid"]}]
        assert (await call(cloud, "QueryVmInstance", f"uuid={uuid}", "count=true"))["total"] == 1
        refused = await call(cloud, "StartVmInstance", f"uuid={uuid}", code=3)
        assert "code: SYS.1006" in refused["error"]
        assert "Running" in refused["error"]
    finally:
        await call(cloud, "DestroyVmInstance", f"uuid={uuid}")
    assert await call(cloud, "QueryVmInstance", "name=by-cli") == {"inventories": [], "success": True}
    for host in cloud.machines:
        assert uuid not in await cloud.domains(host, "--all")


async def test_the_command_line_from_afar_needs_a_login(cloud: Stage, tmp_path: Path) -> None:
    environment = {**cloud.appliance.environment, "XDG_STATE_HOME": str(tmp_path)}

    async def remote(*words: str) -> tuple[int, str, str]:
        argv = cloud.appliance.command("--connect", cloud.appliance.url, "call", *words)
        process = await asyncio.create_subprocess_exec(
            *argv, env=environment, stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        out, err = await asyncio.wait_for(process.communicate(), 60)
        return process.returncode or 0, out.decode(), err.decode()

    code, out, err = await remote("QueryHost")
    assert (code, out) == (3, "")
    assert "log in first" in err
    code, out, err = await remote("LogInByAccount", "accountName=admin", "password=wrong")
    assert (code, out) == (3, "")
    assert "code: ID.1000" in err
    code, out, err = await remote("LogInByAccount", "accountName=admin", f"password={PASSWORD}")
    assert code == 0, err
    code, out, err = await remote("QueryHost", "status=Connected")
    assert code == 0, err
    assert {host["uuid"] for host in json.loads(out)["inventories"]} == set(cloud.hosts)


class Wire:
    """ZStack's wire as one of its own clients speaks it."""

    def __init__(self, cloud: Stage, http: aiohttp.ClientSession) -> None:
        self._base = cloud.appliance.url
        self.http = http
        self.session = ""

    async def post(self, java: str, **fields: Any) -> dict[str, Any]:
        """The envelope that a call is answered with."""
        body = {java: {**fields, "session": {"uuid": self.session} if self.session else {}}}
        async with self.http.post(f"{self._base}/zstack/api/", json=body) as answer:
            assert answer.status == 200
            return dict(await answer.json())

    async def result(self, envelope: dict[str, Any], seconds: float = 60) -> tuple[str, dict[str, Any]]:
        """The result's class and fields, asked for until the job is done."""
        async with asyncio.timeout(seconds):
            while envelope["state"] != "Done":
                assert envelope["state"] == "Processing"
                assert re.fullmatch("[0-9a-f]{32}", envelope["uuid"])
                assert "result" not in envelope
                await asyncio.sleep(0.05)
                url = f"{self._base}/zstack/api/result/{envelope['uuid']}"
                async with self.http.get(url) as answer:
                    assert answer.status == 200
                    envelope = dict(await answer.json())
        [(name, fields)] = json.loads(envelope["result"]).items()
        return name, fields

    async def log_in(self) -> None:
        envelope = await self.post(LOGIN, accountName="admin", password=hash_password(PASSWORD))
        assert "uuid" not in envelope
        name, fields = await self.result(envelope)
        assert name == "org.zstack.header.identity.APILogInReply"
        self.session = fields["inventory"]["uuid"]

    @property
    def authorization(self) -> dict[str, str]:
        return {"Authorization": f"OAuth {self.session}"}


@contextlib.asynccontextmanager
async def wire_to(cloud: Stage) -> AsyncIterator[Wire]:
    async with aiohttp.ClientSession() as http:
        wire = Wire(cloud, http)
        await wire.log_in()
        yield wire


async def test_a_vm_over_zstacks_wire(cloud: Stage) -> None:
    async with wire_to(cloud) as wire:
        fields = {
            "name": "by-wire", "instanceOfferingUuid": cloud.offering, "imageUuid": cloud.image,
            "l3NetworkUuids": [cloud.l3],
        }  # fmt: skip
        stranger = Wire(cloud, wire.http)
        name, refused = await stranger.result(await stranger.post(CREATE, **fields))
        assert name == "org.zstack.header.message.APIEvent"
        assert (refused["success"], refused["error"]["code"]) == (False, "ID.1001")
        assert await cloud.session.query("VmInstance", name="by-wire") == []

        name, made = await wire.result(await wire.post(CREATE, **fields))
        assert name == "org.zstack.header.vm.APICreateVmInstanceEvent"
        assert made["success"] is True
        uuid = made["inventory"]["uuid"]
        try:
            assert made["inventory"]["state"] == "Running"
            assert await Guest(cloud, made["inventory"]).on()
            conditions = [{"name": "uuid", "op": "=", "value": uuid}]
            name, found = await wire.result(await wire.post(QUERY, conditions=conditions))
            assert name == "org.zstack.header.vm.APIQueryVmInstanceReply"
            assert [vm["name"] for vm in found["inventories"]] == ["by-wire"]
            assert found["inventories"][0]["vmNics"][0]["ip"] == made["inventory"]["vmNics"][0]["ip"]
        finally:
            name, gone = await wire.result(await wire.post(DESTROY, uuid=uuid))
        assert gone == {"success": True}
        async with wire.http.get(f"{cloud.appliance.url}/zstack/api/result/{'0' * 32}") as answer:
            assert answer.status == 404


async def test_the_event_stream_over_http(cloud: Stage, vm: VmFactory) -> None:
    async with wire_to(cloud) as wire:
        async with wire.http.get(f"{cloud.appliance.url}/events") as refused:
            assert refused.status == 401
        async with wire.http.get(f"{cloud.appliance.url}/events", headers=wire.authorization) as stream:
            assert stream.status == 200
            assert stream.content_type == "text/event-stream"
            changes = asyncio.create_task(_changes(stream, "watched"))
            guest = await vm("watched")
            seen = await asyncio.wait_for(changes, 20)
    assert {change["uuid"] for change in seen} == {guest.uuid}
    states = [change["inventory"]["state"] for change in seen]
    assert states[0] == "Starting"
    assert states[-1] == "Running"


async def _changes(stream: aiohttp.ClientResponse, name: str) -> list[dict[str, Any]]:
    """What the stream says of a VM of a name, until it runs."""
    seen: list[dict[str, Any]] = []
    async for line in stream.content:
        if not line.startswith(b"data: "):
            continue
        change = json.loads(line.removeprefix(b"data: ") or b"{}")
        if change.get("resource") != "VmInstance" or change["inventory"]["name"] != name:
            continue
        seen.append(change)
        if change["inventory"]["state"] == "Running":
            return seen
    raise AssertionError("the stream ended")


async def added(cloud: Stage, name: str, url: str) -> dict[str, Any]:
    reply = await cloud.session.call(
        "AddImage",
        name=name,
        url=url,
        format="qcow2",
        backup_storage_uuids=[cloud.backup],
        timeout_seconds=60,
    )
    return dict(reply["inventory"])


async def check_and_delete(cloud: Stage, image: dict[str, Any]) -> None:
    """An image is the tiny one, byte for byte, on its storage; and goes from there when it is deleted."""
    first = cloud.machines[0]
    (path,) = [path for path in await cloud.files(first, IMAGES) if image["uuid"] in path]
    assert (image["status"], image["md5Sum"]) == ("Ready", tiny_md5())
    assert int(await cloud.run(first, "stat", "-c", "%b", path)) * 512 == image["actualSize"]
    assert (await cloud.run(first, "md5sum", path)).split()[0] == image["md5Sum"]
    await cloud.session.call("DeleteImage", uuid=image["uuid"])
    assert path in await cloud.files(first, IMAGES)
    await cloud.session.call("ExpungeImage", image_uuid=image["uuid"])
    assert path not in await cloud.files(first, IMAGES)
    assert await cloud.session.query("Image", uuid=image["uuid"]) == []


async def test_an_image_from_a_file_of_the_storages_machine(cloud: Stage, vm: VmFactory) -> None:
    first = cloud.machines[0]
    folder = first.folder / "disk" / IMAGES.lstrip("/") / "incoming"
    folder.mkdir()
    shutil.copy(tiny_image(), folder / "tiny.qcow2")
    image = await added(cloud, "from-file", f"file://{IMAGES}/incoming/tiny.qcow2")
    # And it boots.
    guest = await (await vm("from-file", image=image["uuid"])).booted()
    await guest.destroy()
    await check_and_delete(cloud, image)
    shutil.rmtree(folder)


@pytest.mark.parametrize(
    "path",
    ["/etc/passwd", "/root/.ssh/authorized_keys", f"{IMAGES}/../tmp/tiny.qcow2", f"{IMAGES}/way-out.qcow2"],
)
async def test_a_file_elsewhere_is_refused(cloud: Stage, path: str) -> None:
    first = cloud.machines[0]
    outside = first.folder / "disk/tmp/tiny.qcow2"
    shutil.copy(tiny_image(), outside)
    await cloud.run(first, "ln", "-sfn", "/tmp/tiny.qcow2", f"{IMAGES}/way-out.qcow2")
    before = await cloud.files(first, IMAGES)
    try:
        with pytest.raises(ApiError) as refused:
            await added(cloud, "elsewhere", f"file://{path}")
        assert refused.value.code == "IMG.1000"
        assert f"url[file://{path}]" in refused.value.details
        assert re.search("below none of the folders allowed|not a plain absolute path", refused.value.details)
        assert await cloud.files(first, IMAGES) == before
        assert await cloud.session.query("Image", name="elsewhere") == []
    finally:
        await cloud.run(first, "rm", f"{IMAGES}/way-out.qcow2", "/tmp/tiny.qcow2")


async def _serve_tiny(_: web.Request) -> web.FileResponse:
    return web.FileResponse(tiny_image())


async def test_an_image_over_http(cloud: Stage) -> None:
    instance = load(cloud.lab.name, cloud.lab.folder)
    assert instance is not None
    app = web.Application()
    app.router.add_get("/tiny.qcow2", _serve_tiny)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, instance.gateway, 0)
        await site.start()
        base = f"http://{instance.gateway}:{runner.addresses[0][1]}"
        await check_and_delete(cloud, await added(cloud, "by-http", f"{base}/tiny.qcow2"))
        with pytest.raises(ApiError) as refused:
            await added(cloud, "by-http", f"{base}/none.qcow2")
        assert refused.value.code == "IMG.1000"
        assert f"url[{base}/none.qcow2]" in refused.value.details
        assert "404" in refused.value.details
        assert await cloud.session.query("Image", name="by-http") == []
    finally:
        await runner.cleanup()


async def test_an_image_uploaded_by_the_command_line(cloud: Stage) -> None:
    made = await call(
        cloud, "AddImage", "name=by-upload", f"url=upload://{tiny_image()}", "format=qcow2",
        f"backupStorageUuids={cloud.backup}",
    )  # fmt: skip
    await check_and_delete(cloud, made["inventory"])


async def test_an_image_uploaded_over_http_by_its_owner_only(cloud: Stage) -> None:
    async with wire_to(cloud) as wire:
        job = await cloud.session.call_job(
            "AddImage", name="by-put", url="upload://x", format="qcow2", backup_storage_uuids=[cloud.backup]
        )
        (image,) = await cloud.session.query("Image", name="by-put")
        assert image["status"] == "Downloading"
        url = f"{cloud.appliance.url}/zstack/upload/{image['uuid']}"
        async with wire.http.put(url, data=b"not mine") as refused:
            assert refused.status == 401
        async with wire.http.put(
            url, data=io.BytesIO(tiny_image().read_bytes()), headers=wire.authorization
        ) as answer:
            assert answer.status == 200, await answer.text()
        await check_and_delete(cloud, (await cloud.session.wait(job, 30))["inventory"])
