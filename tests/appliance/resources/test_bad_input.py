"""Bad input, item by item: a coded error that names field and value, and nothing left behind."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import asyncssh
import pytest

from agent.protocol import Call as AgentCall
from agent.protocol import FetchImage, StartDomain, Struct
from appliance.api.image import Image
from appliance.hosts.fleet import Target
from appliance.hosts.simulated_agent import SimulatedRefusal
from appliance.hosts.simulated_things import Things
from appliance.reconcile import loop
from tests.simulated_cloud import GIB, Body, Cloud

PASSWORD = "open sesame"


def says(error: Body, code: str, *words: str) -> None:
    """An error of this code whose details name these; the innermost cause says so too."""
    assert error["code"] == code, error
    for word in words:
        assert word in error["details"], error


class Door(asyncssh.SSHServer):
    """An sshd that knows one password."""

    def begin_auth(self, username: str) -> bool:
        return True

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        return password == PASSWORD


async def _command(process: asyncssh.SSHServerProcess[str]) -> None:
    if process.command and "authorized_keys" in process.command:
        async with asyncio.timeout(10):
            await process.stdin.read()
    process.exit(0)


@asynccontextmanager
async def sshd(port: int = 0) -> AsyncIterator[int]:
    """A real SSH server on loopback with a host key of its own; its port."""
    server = await asyncssh.listen(
        "127.0.0.1", port, server_factory=Door, process_factory=_command,
        server_host_keys=[asyncssh.generate_private_key("ssh-ed25519")],
    )  # fmt: skip
    try:
        yield server.get_port()
    finally:
        server.close()
        await server.wait_closed()


def at(cloud: Cloud, port: int, **changes: Any) -> Body:
    """What AddKVMHost needs for a host behind a port of loopback."""
    return {
        "name": "new",
        "managementIp": "127.0.0.1",
        "sshPort": port,
        "clusterUuid": cloud.uuids["cluster"],
        "username": "root",
        "password": PASSWORD,
        **changes,
    }


# --- hosts --------------------------------------------------------------------------------------------


async def test_an_unknown_host(cloud: Cloud) -> None:
    async with sshd() as port:
        pass
    async with cloud.untouched():
        says(
            await cloud.refused("AddKVMHost", **at(cloud, port)),
            "HOST.1000",
            "managementIp[127.0.0.1]",
            f":{port}",
        )


async def test_a_host_that_answers_but_cannot_be_connected(cloud: Cloud) -> None:
    await cloud.vm()
    async with cloud.untouched():
        body, job = await cloud.begin(
            "AddKVMHost", name="new", managementIp="10.0.0.9", clusterUuid=cloud.uuids["cluster"],
            username="root", password=PASSWORD,
        )  # fmt: skip
        cloud.dialer.hosts["10.0.0.9:22"].reachable = False
        assert job is not None, body
        says((await cloud.ended(job))["error"], "HOST.1000", "managementIp[10.0.0.9]")


def advised(error: Body) -> str:
    """The call that an error about a changed host key says accepts it."""
    return str(error["details"]).partition("accept it (")[2].removesuffix(")")


async def test_a_wrong_password(cloud: Cloud) -> None:
    async with sshd() as port, cloud.untouched():
        error = await cloud.refused("AddKVMHost", **at(cloud, port, password="guess"))
        says(error, "HOST.1000", "managementIp[127.0.0.1]", "login of root", "wrong user or password")
        assert error["cause"]["code"] == "HOST.1003"
        assert "guess" not in str(await cloud.query("QueryLongJob"))


async def test_a_host_key_other_than_the_one_asked_for(cloud: Cloud) -> None:
    async with sshd() as port, cloud.untouched():
        error = await cloud.refused("AddKVMHost", **at(cloud, port, hostKeyFingerprint="SHA256:other"))
        says(error, "HOST.1000", "hostKeyFingerprint", "SHA256:other")


async def believed(cloud: Cloud) -> list[Body]:
    return await cloud.query("QueryEvent", name="HostKeyBelieved")


async def test_which_host_key_was_believed_is_told(cloud: Cloud) -> None:
    """Once, and not where it was stated, or is known from another storage or host of that machine."""
    async with sshd() as port, sshd() as other:
        host = await cloud.call("AddKVMHost", **at(cloud, port))
        (event,) = await believed(cloud)
        assert host["hostKeyFingerprint"].startswith("SHA256:")
        assert host["hostKeyFingerprint"] in event["text"]
        assert (event["level"], event["resourceUuid"]) == ("warning", host["uuid"])
        storage = {
            "name": "b",
            "hostname": "127.0.0.1",
            "username": "root",
            "password": PASSWORD,
            "url": "/bs",
        }
        made = await cloud.call("AddSftpBackupStorage", **storage, sshPort=port)
        assert made["hostKeyFingerprint"] == host["hostKeyFingerprint"]
        found = await cloud.refused(
            "AddSftpBackupStorage", **storage | {"url": "/bs2"}, sshPort=other, hostKeyFingerprint="SHA256:x"
        )
        stated = str(found["details"]).partition(" offers ")[2].partition(",")[0]
        made = await cloud.call(
            "AddSftpBackupStorage", **storage | {"url": "/bs2"}, sshPort=other, hostKeyFingerprint=stated
        )
        assert made["hostKeyFingerprint"] == stated != host["hostKeyFingerprint"]
        assert len(await believed(cloud)) == 1


async def test_a_changed_host_key(cloud: Cloud) -> None:
    async with sshd() as port:
        host = await cloud.call("AddKVMHost", **at(cloud, port))
    async with sshd(port), cloud.untouched():
        error = await cloud.refused("UpdateKVMHost", uuid=host["uuid"], password=PASSWORD)
        says(
            error, "HOST.1003", f"127.0.0.1:{port}", "has changed", "nothing was sent",
            f"and was {host['hostKeyFingerprint']};",
        )  # fmt: skip
        assert advised(error).startswith(f"UpdateKVMHost uuid={host['uuid']} hostKeyFingerprint=SHA256:")


async def test_what_is_advised_of_a_changed_key_where_there_is_no_host_yet(cloud: Cloud) -> None:
    """Only the call that was made can accept it, and it does."""
    fields = {"name": "b", "hostname": "127.0.0.1", "username": "root", "password": PASSWORD}
    async with sshd() as port:
        storage = await cloud.call("AddSftpBackupStorage", **fields, sshPort=port, url="/bs2")
    async with sshd(port):
        async with cloud.untouched():
            for_host = advised(await cloud.refused("AddKVMHost", **at(cloud, port)))
            another = {**fields, "sshPort": port, "url": "/bs3"}
            for_storage = advised(await cloud.refused("AddSftpBackupStorage", **another))
            for_this = advised(
                await cloud.refused("UpdateSftpBackupStorage", uuid=storage["uuid"], password=PASSWORD)
            )
        found = for_host.partition("=")[2]
        assert found.startswith("SHA256:")
        assert for_host == f"AddKVMHost … hostKeyFingerprint={found}"
        assert for_storage == f"AddSftpBackupStorage … hostKeyFingerprint={found}"
        assert for_this == f"UpdateSftpBackupStorage uuid={storage['uuid']} hostKeyFingerprint={found}"
        async with cloud.untouched():
            wrong = {**another, "hostKeyFingerprint": "SHA256:other"}
            says(await cloud.refused("AddSftpBackupStorage", **wrong), "BS.1000", "SHA256:other", found)
        await cloud.call("AddSftpBackupStorage", **another, hostKeyFingerprint=found)
        await cloud.call("AddKVMHost", **at(cloud, port))
    async with sshd(port):
        for_this = advised(
            await cloud.refused("UpdateSftpBackupStorage", uuid=storage["uuid"], password=PASSWORD)
        )
        found = for_this.rpartition("=")[2]
        await cloud.call(
            "UpdateSftpBackupStorage", uuid=storage["uuid"], password=PASSWORD, hostKeyFingerprint=found
        )
        await cloud.call("UpdateSftpBackupStorage", uuid=storage["uuid"], password=PASSWORD)


async def test_a_machine_that_was_added_comes_back_under_its_new_key_when_added_anew(cloud: Cloud) -> None:
    async with sshd() as port:
        host = await cloud.call("AddKVMHost", **at(cloud, port))
    await cloud.call("DeleteHost", uuid=host["uuid"])
    async with sshd(port):
        await cloud.call("AddKVMHost", **at(cloud, port))


async def test_a_host_that_could_not_be_added_leaves_no_key_pinned(cloud: Cloud) -> None:
    async with sshd() as port, cloud.untouched():
        host = cloud.dialer.host(Target("127.0.0.1", port))
        host.reachable = False
        says(await cloud.refused("AddKVMHost", **at(cloud, port)), "HOST.1000", "127.0.0.1")


async def test_a_second_host_at_one_address(cloud: Cloud) -> None:
    async with cloud.untouched():
        error = await cloud.refused("AddKVMHost", **at(cloud, 22, managementIp="10.0.0.1"))
        says(error, "SYS.1007", "managementIp[10.0.0.1]")


async def test_an_unknown_backup_storage_machine_and_a_wrong_password_there(cloud: Cloud) -> None:
    fields = {"name": "b", "url": "/zstack_bs2", "hostname": "127.0.0.1", "username": "root"}
    async with sshd() as port, cloud.untouched():
        error = await cloud.refused("AddSftpBackupStorage", **fields, sshPort=port, password="guess")
        says(error, "BS.1000", "hostname[127.0.0.1]", f":{port}", "wrong user or password")


# --- images -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", ["image.not_an_image", "image.backing_file"])
async def test_an_image_that_is_none_or_has_a_backing_file(cloud: Cloud, code: str) -> None:
    url = "http://images/bad.qcow2"
    for host in cloud.hosts:
        host.things.unsound[url] = (code, f"{url} is no sound image")
    async with cloud.untouched():
        error = await cloud.refused("AddImage", **_image(cloud, url))
        says(error, "IMG.1000", f"url[{url}]", code)
        assert error["cause"]["code"] == "AGENT.1000"


async def test_the_password_of_an_images_address_is_used_and_kept_nowhere(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    fetch = Things._fetch

    def noted(things: Things, request: FetchImage) -> Any:
        asked.append(request.url)
        return fetch(things, request)

    monkeypatch.setattr(Things, "_fetch", noted)
    url = "http://me:hush@images/tiny.qcow2"
    made = await cloud.call("AddImage", **_image(cloud, url))
    assert asked == [url]
    assert made["url"] == "http://me:******@images/tiny.qcow2"
    rows = await cloud.database.read(lambda snapshot: snapshot.all(Image))
    assert "hush" not in str(rows)
    for host in cloud.hosts:
        host.things.unsound[url] = ("url.failed", "no")
    error = await cloud.refused("AddImage", **_image(cloud, url))
    assert "hush" not in str(error)


async def test_a_server_that_does_not_answer_is_asked_some_times_and_then_given_up(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, asked = "http://127.0.0.1:9/none.qcow2", []
    monkeypatch.setattr(loop, "FIRST_RETRY_SECONDS", 0.001)

    def refuse(_: Things, request: FetchImage) -> None:
        asked.append(request.url)
        raise SimulatedRefusal("url.failed", f"{url}: Connection refused", transient=True)

    monkeypatch.setattr(Things, "_fetch", refuse)
    async with cloud.untouched():
        error = await cloud.refused("AddImage", **_image(cloud, url))
        says(error, "IMG.1000", f"url[{url}]", "Connection refused")
    assert 2 < len(asked) < 20


async def test_a_file_that_is_not_there(cloud: Cloud) -> None:
    async with cloud.untouched():
        says(
            await cloud.refused("AddImage", **_image(cloud, "file:///srv/images/x")),
            "IMG.1000",
            "/srv/images/x",
        )


async def test_a_file_outside_of_the_folders_allowed(cloud: Cloud) -> None:
    cloud.hosts[0].things.files["/etc/shadow"] = 1
    async with cloud.untouched():
        says(
            await cloud.refused("AddImage", **_image(cloud, "file:///etc/shadow")), "IMG.1000", "/etc/shadow"
        )


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"url": "gopher://x/y"}, ("url[gopher://x/y]",)),
        ({"url": "http://"}, ("url[http://]",)),
        ({"format": "vdi"}, ("format", "vdi")),
        ({"mediaType": "ISO"}, ("format[qcow2]", "mediaType[ISO]")),
        ({"backupStorageUuids": []}, ("backupStorageUuids",)),
        ({"name": ""}, ("name",)),
    ],
)
async def test_an_image_whose_words_are_wrong(cloud: Cloud, changes: Body, words: tuple[str, ...]) -> None:
    async with cloud.untouched():
        fields = {**_image(cloud, "http://images/x"), **changes}
        says(await cloud.refused("AddImage", **fields), "SYS.1007", *words)


async def test_an_image_on_a_storage_that_is_not_there(cloud: Cloud) -> None:
    lost = uuid4().hex
    async with cloud.untouched():
        fields = {**_image(cloud, "http://images/x"), "backupStorageUuids": [lost]}
        says(await cloud.refused("AddImage", **fields), "SYS.1003", "backupStorageUuids", lost)


# --- addresses ----------------------------------------------------------------------------------------


async def test_an_exhausted_ip_range(cloud: Cloud) -> None:
    l3 = await cloud.make("small", "CreateL3Network", l2NetworkUuid=cloud.uuids["l2"])
    await cloud.make(
        "tiny", "AddIpRange", l3NetworkUuid=l3, startIp="10.8.0.2", endIp="10.8.0.3",
        netmask="255.255.255.0", gateway="10.8.0.1",
    )  # fmt: skip
    services = {cloud.uuids["provider"]: ["DHCP"]}
    await cloud.call("AttachNetworkServiceToL3Network", l3NetworkUuid=l3, networkServices=services)
    first, other = await cloud.vm(l3NetworkUuids=[l3]), await cloud.vm()
    async with cloud.untouched():
        error = await cloud.refused("CreateVmInstance", **cloud.vm_fields(l3NetworkUuids=[l3]))
        says(error, "L3.1000", f"l3NetworkUuids[{l3}]: ", "small", l3, "2 addresses", "add a range")
        attach = {"vmInstanceUuid": other["uuid"], "l3NetworkUuid": l3}
        error = await cloud.refused("AttachL3NetworkToVm", **attach)
        says(error, "L3.1000", f"l3NetworkUuid[{l3}]: ", "small", "add a range")
        both = cloud.vm_fields(l3NetworkUuids=[cloud.uuids["l3"], l3])
        says(await cloud.refused("CreateVmInstance", **both), "L3.1000", "small")
    await cloud.call("UpdateGlobalConfig", category="vm", name="deletionPolicy", value="Direct")
    await cloud.call("DestroyVmInstance", uuid=first["uuid"])
    again = await cloud.vm(l3NetworkUuids=[l3])
    assert again["vmNics"][0]["ip"] == first["vmNics"][0]["ip"]


async def test_overlapping_ranges(cloud: Cloud) -> None:
    sibling = await cloud.make("sibling", "CreateL3Network", l2NetworkUuid=cloud.uuids["l2"])
    inside = {
        "startIp": "10.9.0.100",
        "endIp": "10.9.0.120",
        "netmask": "255.255.255.0",
        "gateway": "10.9.0.1",
    }
    async with cloud.untouched():
        for l3 in (cloud.uuids["l3"], sibling):
            error = await cloud.refused("AddIpRange", name="r", l3NetworkUuid=l3, **inside)
            named = "startIp[10.9.0.100], endIp[10.9.0.120]: "
            says(error, "SYS.1007", named, "10.9.0.2-10.9.0.254", cloud.uuids["range"], "outside of that")
            cidr = {"l3NetworkUuid": l3, "networkCidr": "10.9.0.0/25"}
            error = await cloud.refused("AddIpRangeByNetworkCidr", name="r", **cidr)
            says(error, "SYS.1007", "networkCidr[10.9.0.0/25]: ", "10.9.0.2-10.9.0.126", "overlaps")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"startIp": "10.7.0.300"}, ("startIp[10.7.0.300]",)),
        ({"endIp": "10.7.0.1"}, ("startIp[10.7.0.10]", "endIp[10.7.0.1]")),
        ({"endIp": "10.6.0.1"}, ("endIp[10.6.0.1]",)),
        ({"endIp": "10.7.1.20"}, ("endIp[10.7.1.20]", "10.7.0.0/24")),
        ({"gateway": "10.6.0.1"}, ("gateway[10.6.0.1]",)),
        ({"gateway": "router"}, ("gateway[router]",)),
        ({"netmask": "255.0.255.0"}, ("netmask[255.0.255.0]",)),
        ({"endIp": "10.7.0.255"}, ("10.7.0.10-10.7.0.255",)),
        ({"startIp": "::1"}, ("startIp[::1]",)),
    ],
)
async def test_a_range_that_makes_no_sense(cloud: Cloud, changes: Body, words: tuple[str, ...]) -> None:
    l3 = await cloud.make("plain", "CreateL3Network", l2NetworkUuid=cloud.uuids["l2"])
    good = {"startIp": "10.7.0.10", "endIp": "10.7.0.20", "netmask": "255.255.255.0", "gateway": "10.7.0.1"}
    async with cloud.untouched():
        says(
            await cloud.refused("AddIpRange", name="r", l3NetworkUuid=l3, **{**good, **changes}),
            "SYS.1007",
            *words,
        )


@pytest.mark.parametrize("cidr", ["10.7.0.0", "10.7.0.0/31", "10.7.0.0/33", "all", "10.7.0.0/4"])
async def test_a_cidr_that_makes_no_sense(cloud: Cloud, cidr: str) -> None:
    l3 = await cloud.make("plain", "CreateL3Network", l2NetworkUuid=cloud.uuids["l2"])
    async with cloud.untouched():
        error = await cloud.refused("AddIpRangeByNetworkCidr", name="r", l3NetworkUuid=l3, networkCidr=cidr)
        says(error, "SYS.1007", f"networkCidr[{cidr}]")


async def test_a_static_address_that_is_taken_or_outside(cloud: Cloud) -> None:
    taken = (await cloud.vm())["vmNics"][0]["ip"]
    l3 = cloud.uuids["l3"]
    async with cloud.untouched():
        for ip, code in ((taken, "SYS.1006"), ("10.20.0.1", "SYS.1006"), ("10.9.0.x", "SYS.1007")):
            fields = cloud.vm_fields(systemTags=[f"staticIp::{l3}::{ip}"])
            says(await cloud.refused("CreateVmInstance", **fields), code, f"[{ip}]")


# --- placement ----------------------------------------------------------------------------------------


async def test_no_host_with_room_for_memory(cloud: Cloud) -> None:
    big = await cloud.make("big", "CreateInstanceOffering", cpuNum=1, cpuSpeed=1, memorySize=2048 * GIB)
    async with cloud.untouched():
        error = await cloud.refused("CreateVmInstance", **cloud.vm_fields(instanceOfferingUuid=big))
        says(error, "HOST_ALLOCATION.1000", f"instanceOfferingUuid[{big}]: ", "enough memory", "host1", "host2",
             "and 2048.0 GiB are needed", "take a smaller instance offering")  # fmt: skip


async def test_no_host_with_room_for_cpu(cloud: Cloud) -> None:
    big = await cloud.make("big", "CreateInstanceOffering", cpuNum=64, cpuSpeed=9000, memorySize=GIB)
    async with cloud.untouched():
        error = await cloud.refused("CreateVmInstance", **cloud.vm_fields(instanceOfferingUuid=big))
        says(error, "HOST_ALLOCATION.1000", "enough CPU", str(64 * 9000))


async def test_no_host_that_is_enabled(cloud: Cloud) -> None:
    for host in ("host1", "host2"):
        await cloud.call("ChangeHostState", uuid=cloud.uuids[host], stateEvent="disable")
    async with cloud.untouched():
        error = await cloud.refused("CreateVmInstance", **cloud.vm_fields())
        says(error, "HOST_ALLOCATION.1000", "Enabled and Connected", "Disabled")


async def test_the_last_room_is_given_once(cloud: Cloud) -> None:
    """Two that want the last room at once: one gets it, the other is told why not."""
    half = await cloud.make("half", "CreateInstanceOffering", cpuNum=1, cpuSpeed=1, memorySize=700 * GIB)
    host = cloud.uuids["host1"]
    fields = cloud.vm_fields(instanceOfferingUuid=half, hostUuid=host)
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(cloud.answer("CreateVmInstance", **fields)) for _ in range(2)]
    bodies = sorted((task.result() for task in tasks), key=lambda body: body["success"])
    says(bodies[0]["error"], "HOST_ALLOCATION.1000", "host1")
    assert bodies[1]["inventory"]["hostUuid"] == host


# --- names and uuids ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["two\nlines", "tab\there", "nul\0", "  ", "\u3000\u200b", "\u202eevil", "", "\ud800", "x" * 256]
)
async def test_a_name_that_no_terminal_could_show(cloud: Cloud, name: str) -> None:
    async with cloud.untouched():
        says(await cloud.refused("CreateVmInstance", **cloud.vm_fields(name=name)), "SYS.1007", "field[name]")
        says(await cloud.refused("CreateZone", name=name), "SYS.1007", "field[name]")


async def test_a_secret_with_a_nul_is_named_and_not_repeated(cloud: Cloud) -> None:
    async with cloud.untouched():
        fields = at(cloud, 22, managementIp="10.0.0.7", password="hush\0hush")
        error = await cloud.refused("AddKVMHost", **fields)
        says(error, "SYS.1007", "field[password]", "U+0000 as character 5")
        assert "hush" not in error["details"]


@pytest.mark.parametrize(
    ("name", "mark"),
    [
        ("it's", "'"), ('a "quoted" one', '"'), ("`reboot`", "`"), ("<domain/>", "<"), ("a&amp;b", "&"),
        ("a]]>b", ">"), ("../../etc/passwd", ".."), ("/etc/passwd", "/"), ("C:\\x", "\\"),
    ],
)  # fmt: skip
async def test_a_name_with_quotes_xml_or_path_parts(cloud: Cloud, name: str, mark: str) -> None:
    async with cloud.untouched():
        for message, fields in (
            ("CreateVmInstance", cloud.vm_fields(name=name)),
            ("CreateZone", {"name": name}),
            ("UpdateHost", {"uuid": cloud.uuids["host1"], "name": name}),
        ):
            says(await cloud.refused(message, **fields), "SYS.1007", "field[name]", repr(mark), name)


@pytest.mark.parametrize("name", ["$(reboot); ls", "名前", "%s %n", "[red]{}", "web 1 (new), v1.2"])
async def test_a_name_with_other_marks_is_only_a_name(cloud: Cloud, name: str) -> None:
    vm = await cloud.vm(name=name)
    assert vm["name"] == name
    assert [each["uuid"] for each in await cloud.query("QueryVmInstance", name=name)] == [vm["uuid"]]
    host = cloud.host_of(vm["uuid"])
    assert not [path for path in host.things.files if name in path]


async def test_a_uuid_that_something_of_another_kind_has(cloud: Cloud) -> None:
    """A zone with a VM's uuid would take the VM's tags with it when it is deleted."""
    vm = await cloud.vm()
    async with cloud.untouched():
        error = await cloud.refused("CreateZone", name="z", resourceUuid=vm["uuid"])
        says(error, "SYS.1007", "resourceUuid", f"VmInstanceVO[uuid:{vm['uuid']}]")


async def test_a_duplicate_uuid(cloud: Cloud) -> None:
    vm = await cloud.vm()
    async with cloud.untouched():
        calls: dict[str, Body] = {
            "CreateVmInstance": cloud.vm_fields(resourceUuid=vm["uuid"]),
            "CreateZone": {"name": "z", "resourceUuid": cloud.uuids["zone"]},
            "AddImage": {**_image(cloud, "http://images/x"), "resourceUuid": cloud.uuids["image"]},
            "AddKVMHost": at(cloud, 22, managementIp="10.0.0.7", resourceUuid=cloud.uuids["host1"]),
            "AddSftpBackupStorage": {
                "name": "b", "url": "/bs2", "hostname": "10.0.0.8", "username": "root", "password": "x",
                "resourceUuid": cloud.uuids["backup"],
            },
        }  # fmt: skip
        for name, fields in calls.items():
            says(await cloud.refused(name, **fields), "SYS.1007", "resourceUuid", fields["resourceUuid"])


@pytest.mark.parametrize(
    "uuid", ["7", "G" * 32, "../../../../etc/passwd", "AAAAAAAAAAAA4AAA8AAAAAAAAAAAAAAA"]
)
async def test_a_uuid_that_is_none(cloud: Cloud, uuid: str) -> None:
    async with cloud.untouched():
        says(await cloud.refused("CreateVmInstance", **cloud.vm_fields(resourceUuid=uuid)), "SYS.1007", uuid)


async def test_a_uuid_that_names_nothing_or_something_else(cloud: Cloud) -> None:
    async with cloud.untouched():
        for wrong in (uuid4().hex, cloud.uuids["zone"]):
            for field, value in (("imageUuid", wrong), ("l3NetworkUuids", [wrong]), ("hostUuid", wrong)):
                error = await cloud.refused("CreateVmInstance", **cloud.vm_fields(**{field: value}))
                says(error, "SYS.1003", field, wrong)
            says(await cloud.refused("StartVmInstance", uuid=wrong), "SYS.1003", "uuid", wrong)


async def test_a_missing_and_an_unreadable_parameter(cloud: Cloud) -> None:
    async with cloud.untouched():
        says(
            await cloud.refused("CreateVmInstance", name="vm"),
            "SYS.1007",
            "instanceOfferingUuid",
            "mandatory",
        )
        error = await cloud.refused(
            "CreateInstanceOffering", name="o", cpuNum="many", cpuSpeed=1, memorySize=1
        )
        says(error, "SYS.1007", "cpuNum", "many")


@pytest.mark.parametrize(
    ("tag", "words"),
    [
        ("hostname::not_a_name!", ("hostname[not_a_name!]",)),
        ("hostname::a\nb", ("hostname",)),
        ("sshkey::not a key\nssh-rsa AAAA", ("sshkey",)),
        ("nonsense::1", ("nonsense::1",)),
        ("rootPassword::a\nb", ("rootPassword",)),
        (f"userdata::{'x' * 70_000}", ("65536",)),
    ],
)
async def test_a_system_tag_that_makes_no_sense(cloud: Cloud, tag: str, words: tuple[str, ...]) -> None:
    vm = await cloud.vm()
    async with cloud.untouched():
        says(await cloud.refused("CreateVmInstance", **cloud.vm_fields(systemTags=[tag])), "SYS.1007", *words)
        on = {"resourceType": "VmInstanceVO", "resourceUuid": vm["uuid"], "tag": tag}
        says(await cloud.refused("CreateSystemTag", **on), "SYS.1007", *words)


# --- failures on the host -----------------------------------------------------------------------------


async def test_a_vm_whose_start_fails_for_good_leaves_nothing(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in cloud.hosts:
        await cloud.vm()
    for host in cloud.hosts:
        real = host._carry_out

        def fail(call: AgentCall, real: Any = real) -> Struct:
            if isinstance(call.request, StartDomain):
                raise SimulatedRefusal("libvirt.error", "qemu exited at once")
            made: Struct = real(call)
            return made

        monkeypatch.setattr(host, "_carry_out", fail)
    async with cloud.untouched():
        error = await cloud.refused("CreateVmInstance", **cloud.vm_fields(name="doomed"))
        says(error, "VM.1000", "qemu exited at once", "libvirt.error")


def _image(cloud: Cloud, url: str) -> Body:
    return {"name": "i", "url": url, "format": "qcow2", "backupStorageUuids": [cloud.uuids["backup"]]}


async def test_a_backup_storage_that_could_not_be_added_leaves_no_key_pinned(cloud: Cloud) -> None:
    async with sshd() as port, cloud.untouched():
        fields = {
            "name": "b", "url": "/zstack_bs2", "hostname": "127.0.0.1", "username": "root",
            "sshPort": port, "password": PASSWORD,
        }  # fmt: skip
        taken = cloud.uuids["backup"]
        error = await cloud.refused("AddSftpBackupStorage", **fields, resourceUuid=taken)
        says(error, "SYS.1007", "resourceUuid", taken)
        cloud.dialer.host(Target("127.0.0.1", port)).reachable = False
        says(await cloud.refused("AddSftpBackupStorage", **fields), "BS.1000", "hostname[127.0.0.1]")


async def test_a_key_is_forgotten_with_the_last_that_needs_it(cloud: Cloud) -> None:
    async with sshd() as port:
        before = await cloud.rows()
        host = await cloud.call("AddKVMHost", **at(cloud, port))
        storage = await cloud.call(
            "AddSftpBackupStorage", name="b", url="/bs2", hostname="127.0.0.1", username="root",
            sshPort=port, password=PASSWORD,
        )  # fmt: skip
        await cloud.call("DeleteHost", uuid=host["uuid"])
        await cloud.call("ReconnectSftpBackupStorage", uuid=storage["uuid"])
        assert len((await cloud.rows())["HostKey"]) == 1
        await cloud.call("DeleteBackupStorage", uuid=storage["uuid"])
        assert (await cloud.rows())["HostKey"] == before["HostKey"] == []
