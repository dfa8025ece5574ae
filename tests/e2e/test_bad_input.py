"""Bad input against real machines and files: a coded error that names field and value, and nothing left."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import socket
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from appliance.api.errors import ApiError
from appliance.lab import LabHost
from appliance.lab.cloud import tiny_image
from appliance.lab.instance import load
from appliance.lab.machine import make_key
from tests.e2e import traces
from tests.e2e.appliance_process import free_port
from tests.e2e.conftest import VmFactory
from tests.e2e.stage import IMAGES, Stage, make_network, until


@contextlib.asynccontextmanager
async def strict_sshd(folder: Path) -> AsyncIterator[int]:
    """An sshd of this machine that nobody can log in to; its port."""
    port = free_port()
    await make_key(folder / "host_key", "e2e")
    options = (
        "UsePAM=no",
        "PasswordAuthentication=yes",
        "PubkeyAuthentication=no",
        "AllowUsers=nobody-at-all",
    )
    argv = ["/usr/sbin/sshd", "-D", "-e", "-f", "/dev/null", "-p", str(port), "-h", str(folder / "host_key")]
    argv += [
        part for option in (*options, "ListenAddress=127.0.0.1", "PidFile=none") for part in ("-o", option)
    ]
    await asyncio.to_thread(Path("/run/sshd").mkdir, exist_ok=True)
    process = await asyncio.create_subprocess_exec(*argv, stderr=asyncio.subprocess.DEVNULL)
    try:

        async def listens() -> bool:
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", port)) == 0

        await until(listens, 30, "the sshd")
        yield port
    finally:
        process.terminate()
        await process.wait()


async def refused(
    cloud: Stage, folder: Path, call: Awaitable[object], code: str, *words: str, gone: tuple[str, ...]
) -> ApiError:
    """A call is refused with a code and words, and the store has no row with what must be gone."""
    with pytest.raises(ApiError) as failed:
        await call
    error = failed.value
    assert error.code == code, error.details
    for word in words:
        assert word in error.details
    assert await traces.in_store(cloud, folder, *gone) == []
    return error


async def test_a_wrong_password(cloud: Stage, tmp_path: Path) -> None:
    async with strict_sshd(tmp_path) as port:
        add = cloud.session.call(
            "AddKVMHost", name="wrong-password", management_ip="127.0.0.1", ssh_port=port,
            cluster_uuid=cloud.cluster, username="root", password="not-the-Password",
        )  # fmt: skip
        error = await refused(
            cloud, tmp_path, add, "HOST.1000", "managementIp[127.0.0.1]", f"127.0.0.1:{port}", "password",
            gone=("wrong-password", f"127.0.0.1:{port}"),
        )  # fmt: skip
        assert error.cause is not None
        assert error.cause.code == "HOST.1003"
        assert "not-the-Password" not in error.details
        assert "not-the-Password" not in cloud.appliance.log()
        storage = cloud.session.call(
            "AddSftpBackupStorage", name="wrong-password", url="/zstack_bs", hostname="127.0.0.1", ssh_port=port,
            username="root", password="not-the-Password",
        )  # fmt: skip
        await refused(
            cloud, tmp_path, storage, "BS.1000", "hostname[127.0.0.1]", "password", gone=("wrong-password",)
        )


def nobodys_address(cloud: Stage) -> tuple[str, int]:
    instance = load(cloud.lab.name, cloud.lab.folder)
    assert instance is not None
    return str(instance.network[250]), 22


def no_name(_: Stage) -> tuple[str, int]:
    return "no-such-host.invalid", 22


def nobodys_port(_: Stage) -> tuple[str, int]:
    return "127.0.0.1", free_port()


def no_sshd(cloud: Stage) -> tuple[str, int]:
    """Something listens, and it is no sshd."""
    return "127.0.0.1", cloud.appliance.port


@pytest.mark.parametrize("where", [nobodys_address, no_name, nobodys_port, no_sshd])
async def test_an_unknown_host(
    cloud: Stage, tmp_path: Path, where: Callable[[Stage], tuple[str, int]]
) -> None:
    address, port = where(cloud)
    add = cloud.session.call(
        "AddKVMHost", name="unknown-host", management_ip=address, ssh_port=port, cluster_uuid=cloud.cluster,
        username="root", password="x",
    )  # fmt: skip
    async with asyncio.timeout(20):
        await refused(
            cloud, tmp_path, add, "HOST.1000", f"managementIp[{address}]",
            address if where is no_name else f"{address}:{port}",
            gone=("unknown-host", f"{address}:{port}"),
        )  # fmt: skip


async def test_a_host_key_that_is_not_the_one_expected(cloud: Stage, tmp_path: Path) -> None:
    async with strict_sshd(tmp_path) as port:
        add = cloud.session.call(
            "AddKVMHost", name="other-key", management_ip="127.0.0.1", ssh_port=port, username="root",
            password="x", cluster_uuid=cloud.cluster, host_key_fingerprint="SHA256:" + "A" * 43,
        )  # fmt: skip
        await refused(
            cloud, tmp_path, add, "HOST.1000", "hostKeyFingerprint", "SHA256:" + "A" * 43, "nothing was sent",
            gone=("other-key", f"127.0.0.1:{port}"),
        )  # fmt: skip


async def test_a_changed_host_key(cloud: Stage, vm: VmFactory, tmp_path: Path) -> None:
    guest = await vm("on-changed", host=2)
    machine, uuid = guest.host, await cloud.host_uuid(2)
    own = machine.folder / "disk/etc/ssh/ssh_host_ed25519_key"
    await make_key(tmp_path / "other", "other")
    kept = own.read_bytes()
    try:
        own.write_bytes((tmp_path / "other").read_bytes())
        await restart_sshd(cloud, machine)
        with pytest.raises(ApiError) as failed:
            await cloud.session.call("ReconnectHost", uuid=uuid, timeout_seconds=30)
        assert failed.value.code == "HOST.1002"
        assert machine.address in failed.value.details
        assert "host key" in failed.value.details
        (host,) = await cloud.session.query("Host", uuid=uuid)
        assert host["status"] == "Disconnected"
        assert "host key" in host["statusReason"]
        assert (await guest.refresh()).state == "Unknown"
        assert await guest.on()
        storage = cloud.session.call(
            "AddSftpBackupStorage", name="changed-key", url="/zstack_bs2", hostname=machine.address,
            username=machine.user, password=machine.password,
        )  # fmt: skip
        await refused(
            cloud, tmp_path, storage, "BS.1000", f"hostname[{machine.address}]", "has changed", "nothing was sent",
            gone=("changed-key",),
        )  # fmt: skip
    finally:
        own.write_bytes(kept)
        await restart_sshd(cloud, machine)
    await cloud.session.call("ReconnectHost", uuid=uuid, timeout_seconds=30)
    (host,) = await cloud.session.query("Host", uuid=uuid)
    assert host["status"] == "Connected"
    assert (await guest.refresh()).state == "Running"


async def restart_sshd(cloud: Stage, machine: LabHost) -> None:
    """End the sshd that listens, and wait for the one that the host's supervisor starts instead."""
    old = (await cloud.run(machine, "cat", "/run/sshd.pid")).strip()
    await cloud.run(machine, "kill", old)

    async def again() -> bool:
        pid = (await cloud.run(machine, "cat", "/run/sshd.pid", check=False)).strip()
        with socket.socket() as probe:
            probe.settimeout(1)
            return pid not in ("", old) and probe.connect_ex((machine.address, 22)) == 0

    await until(again, 30, "another sshd")


def text_file(path: Path) -> None:
    path.write_text("this is no image\n" * 100)


def empty_file(path: Path) -> None:
    path.touch()


def with_backing_file(path: Path) -> None:
    shutil.copy(tiny_image(), path.with_name("base.qcow2"))
    argv = ["qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", str(path.with_name("base.qcow2"))]
    subprocess.run([*argv, str(path)], check=True)


def with_data_file(path: Path) -> None:
    data = f"data_file={path.with_name('data.raw')}"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-o", data, str(path), "16M"], check=True)


@pytest.mark.parametrize("by", ["upload", "file"])
@pytest.mark.parametrize(
    ("make", "word"),
    [
        (text_file, "qcow2"),
        (empty_file, "empty"),
        (with_backing_file, "builds on another file"),
        (with_data_file, "data"),
    ],
)
async def test_an_image_that_is_none(
    cloud: Stage, tmp_path: Path, make: Callable[[Path], None], word: str, by: str
) -> None:
    first = cloud.machines[0]
    path = tmp_path / "bad.qcow2"
    make(path)
    if by == "file":
        shutil.copy(path, first.folder / "disk" / IMAGES.lstrip("/") / "bad.qcow2")
    before = await cloud.files(first)
    url = "upload://bad.qcow2" if by == "upload" else f"file://{IMAGES}/bad.qcow2"
    job = await cloud.session.call_job(
        "AddImage", name="bad-image", url=url, format="qcow2", backup_storage_uuids=[cloud.backup]
    )
    if by == "upload":
        (image,) = await cloud.session.query("Image", name="bad-image")
        await cloud.session.upload(image["uuid"], path)
    await refused(
        cloud, tmp_path, cloud.session.wait(job, 30), "IMG.1000", f"url[{url}]", word, gone=("bad-image",)
    )
    assert await cloud.files(first) == before
    await cloud.run(first, "rm", "-f", f"{IMAGES}/bad.qcow2")


async def test_a_network_without_an_address_left(cloud: Stage, vm: VmFactory, tmp_path: Path) -> None:
    l3 = await make_network(cloud, "full", "172.26.1.0/29")
    # Of eight addresses the network, its broadcast, the gateway and the DHCP server leave four.
    guests = [await vm(f"full-{number}", l3=[l3], host=1) for number in range(4)]
    assert len({guest.ip for guest in guests}) == 4
    domains = [await cloud.domains(host, "--all") for host in cloud.machines]
    with pytest.raises(ApiError) as failed:
        await vm("full-4", l3=[l3])
    assert failed.value.code == "L3.1000"
    assert l3 in failed.value.details
    assert await traces.in_store(cloud, tmp_path, "full-4") == []
    assert [await cloud.domains(host, "--all") for host in cloud.machines] == domains
    for guest in guests:
        await guest.destroy()
    await cloud.session.call("DeleteL3Network", uuid=l3)


async def test_a_vm_that_no_host_has_room_for(cloud: Stage, vm: VmFactory, tmp_path: Path) -> None:
    reply = await cloud.session.call(
        "CreateInstanceOffering", name="huge", cpu_num=1, cpu_speed=1, memory_size=1 << 50
    )
    huge = reply["inventory"]["uuid"]
    with pytest.raises(ApiError) as failed:
        await vm("too-big", offering=huge)
    assert failed.value.code == "HOST_ALLOCATION.1000"
    assert f"instanceOfferingUuid[{huge}]" in failed.value.details
    assert "1048576.0 GiB are needed" in failed.value.details
    assert await traces.in_store(cloud, tmp_path, "too-big") == []
    await cloud.session.call("DeleteInstanceOffering", uuid=huge)


async def test_a_name_full_of_marks_stays_a_name(cloud: Stage, vm: VmFactory) -> None:
    for wrong in ("a'b", 'a"b', "a<b>", "a&amp;b", "../../etc/passwd", "two\nlines"):
        with pytest.raises(ApiError) as refused:
            await vm(wrong)
        assert refused.value.code == "SYS.1007"
        assert "field[name]" in refused.value.details
    name = "a;$(reboot)|x*? [red]%s{}#~!"
    guest = await (await vm(name)).booted()
    assert guest.inventory["name"] == name
    assert await cloud.virsh(guest.host, "desc", guest.uuid) == name
    assert (await guest.ssh("hostname")).strip().replace("-", "").isalnum()
    assert {path for path in await cloud.files(guest.host) if "reboot" in path} == set()
