"""A machine becomes a host and stops being one: how it is reached, trusted, and left."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from appliance.api.errors import ApiError
from appliance.lab import LabHost
from appliance.lab.cloud import tiny_image
from appliance.lab.machine import make_key
from tests.e2e.stage import IMAGES, STORAGE, Stage, until
from tests.e2e.test_bad_input import restart_sshd

AGENT_FOLDERS = ("/var/lib/zstui-agent", "/run/zstui-agent", "/run/zstui-agent-dhcp")


@contextlib.asynccontextmanager
async def added(spare: Stage, machine: LabHost, **options: Any) -> AsyncIterator[str]:
    """A machine as a host, deleted at the end; its uuid."""
    given = {"username": machine.user, "password": machine.password, **options}
    reply = await spare.session.call(
        "AddKVMHost", timeout_seconds=90, name=machine.name, management_ip=machine.address,
        cluster_uuid=spare.cluster, **given,
    )  # fmt: skip
    assert reply["inventory"]["status"] == "Connected"
    uuid = str(reply["inventory"]["uuid"])
    try:
        yield uuid
    finally:
        await spare.session.call("DeleteHost", uuid=uuid, timeout_seconds=60)


async def host_of(spare: Stage, uuid: str) -> dict[str, Any]:
    (host,) = await spare.session.query("Host", uuid=uuid)
    return host


def own_key(spare: Stage) -> str:
    """The appliance's public key, made of its private one by OpenSSH."""
    argv = ["ssh-keygen", "-y", "-f", str(spare.appliance.folder / "ssh/id_ed25519")]
    said = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=10)
    return " ".join(said.stdout.split()[:2])


async def test_a_password_is_used_once_and_kept_nowhere(spare: Stage) -> None:
    machine = spare.machines[0]
    keys = machine.folder / "disk/root/.ssh/authorized_keys"
    before = keys.read_text()
    async with added(spare, machine) as uuid:
        assert keys.read_text().count(own_key(spare)) == 1
        assert keys.read_text().startswith(before)
        secret = machine.password.encode()
        kept = [path for path in spare.appliance.folder.rglob("*") if path.is_file()]
        assert len(kept) > 3
        assert [path for path in kept if secret in path.read_bytes()] == []
        assert (spare.appliance.folder / "ssh/id_ed25519").stat().st_mode & 0o077 == 0
        # Nobody can log in by password now, and the host is reached again all the same.
        await spare.run(machine, "usermod", "-p", "*", "root")
        try:
            await spare.session.call("ReconnectHost", uuid=uuid, timeout_seconds=60)
            assert (await host_of(spare, uuid))["status"] == "Connected"
            again = spare.session.call("UpdateKVMHost", uuid=uuid, password=machine.password)
            with pytest.raises(ApiError, match="wrong user or password"):
                await again
        finally:
            await spare.run(machine, "chpasswd", stdin=f"root:{machine.password}\n")
    assert keys.read_text() == before


async def test_another_ssh_port(spare: Stage) -> None:
    machine = spare.machines[0]
    argv = ["/usr/sbin/sshd", "-p", "2222", "-o", "PidFile=/run/sshd-2222.pid"]
    await spare.run(machine, *argv)
    try:
        async with added(spare, machine, ssh_port=2222) as uuid:
            assert (await host_of(spare, uuid))["sshPort"] == 2222
            ports = await spare.run(machine, "ss", "-Htn", "state", "established")
            assert f"{machine.address}:2222 " in ports
            assert f"{machine.address}:22 " not in ports
    finally:
        pid = (await spare.run(machine, "cat", "/run/sshd-2222.pid")).strip()
        await spare.run(machine, "kill", pid)


async def test_a_user_with_sudo(spare: Stage) -> None:
    machine = spare.machines[0]
    rule = machine.folder / "disk/etc/sudoers.d" / machine.sudo_user
    allowed = rule.read_text()
    rule.write_text(allowed.replace("NOPASSWD: ", ""))
    try:
        with pytest.raises(ApiError) as refused:
            async with added(spare, machine, username=machine.sudo_user):
                pass
    finally:
        rule.write_text(allowed)
    assert refused.value.code == "HOST.1000"
    assert "NOPASSWD" in refused.value.details
    assert await spare.session.query("Host") == []
    own = machine.folder / f"disk/home/{machine.sudo_user}/.ssh/authorized_keys"
    assert own_key(spare) not in own.read_text(), "nothing is left on a machine that was refused"

    async with added(spare, machine, username=machine.sudo_user) as uuid:
        assert (await host_of(spare, uuid))["username"] == machine.sudo_user
        assert own_key(spare) in own.read_text()
        assert own_key(spare) not in (machine.folder / "disk/root/.ssh/authorized_keys").read_text()
        for name in ("daemon", "supervisor"):
            pid = (await spare.run(machine, "cat", f"/run/zstui-agent/{name}.pid")).strip()
            assert "Uid:\t0\t" in await spare.run(machine, "cat", f"/proc/{pid}/status")
    assert own_key(spare) not in own.read_text()


async def test_a_host_key_changed_on_purpose_is_accepted_by_its_fingerprint(
    spare: Stage, tmp_path: Path
) -> None:
    machine = spare.machines[0]
    own = machine.folder / "disk/etc/ssh/ssh_host_ed25519_key"
    kept = own.read_bytes()
    await make_key(tmp_path / "other", "other")
    found = fingerprint(tmp_path / "other.pub")
    async with added(spare, machine) as uuid:
        try:
            own.write_bytes((tmp_path / "other").read_bytes())
            await restart_sshd(spare, machine)
            with pytest.raises(ApiError) as refused:
                await spare.session.call("ReconnectHost", uuid=uuid, timeout_seconds=60)
            assert refused.value.code == "HOST.1002"
            host = await host_of(spare, uuid)
            assert host["status"] == "Disconnected"
            assert f"has changed: it is now {found}" in host["statusReason"]

            with pytest.raises(ApiError, match="hostKeyFingerprint"):
                await accept(spare, uuid, machine.host_key_fingerprint)
            with pytest.raises(ApiError, match="host key"):
                await spare.session.call("ReconnectHost", uuid=uuid, timeout_seconds=60)
            await accept(spare, uuid, found)

            async def connected() -> bool:
                return bool((await host_of(spare, uuid))["status"] == "Connected")

            await until(connected, 30.0, "the host, entered again by itself")
        finally:
            own.write_bytes(kept)
            await restart_sshd(spare, machine)
        await accept(spare, uuid, machine.host_key_fingerprint)
        await spare.session.call("ReconnectHost", uuid=uuid, timeout_seconds=60)


async def accept(spare: Stage, uuid: str, wanted: str) -> None:
    await spare.session.call("UpdateKVMHost", uuid=uuid, host_key_fingerprint=wanted)


def fingerprint(public: Path) -> str:
    digest = hashlib.sha256(base64.b64decode(public.read_text().split()[1])).digest()
    return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")


@contextlib.asynccontextmanager
async def attached(spare: Stage) -> AsyncIterator[None]:
    """A bridge and a storage folder for each host of the cluster."""
    call = spare.session.call
    l2 = await call("CreateL2NoVlanNetwork", name="passing", zone_uuid=spare.zone, physical_interface="eth1")
    storage = await call("AddLocalPrimaryStorage", name="passing", url=STORAGE, zone_uuid=spare.zone)
    bridge = {"cluster_uuid": spare.cluster, "l2_network_uuid": l2["inventory"]["uuid"]}
    folder = {"cluster_uuid": spare.cluster, "primary_storage_uuid": storage["inventory"]["uuid"]}
    await call("AttachL2NetworkToCluster", **bridge)
    await call("AttachPrimaryStorageToCluster", **folder)
    try:
        yield
    finally:
        await call("DetachL2NetworkFromCluster", **bridge)
        await call("DetachPrimaryStorageFromCluster", **folder)
        await call("DeleteL2Network", uuid=bridge["l2_network_uuid"])
        await call("DeletePrimaryStorage", uuid=folder["primary_storage_uuid"])


async def test_a_deleted_host_is_as_it_was(spare: Stage) -> None:
    machine = spare.machines[0]
    before = await looks(spare, machine)
    async with attached(spare):
        async with added(spare, machine):
            during = await looks(spare, machine)
            assert [place for place in before if during[place] == before[place]] == []
        assert await looks(spare, machine) == before


async def test_a_machine_is_one_host_whatever_its_addresses(spare: Stage) -> None:
    machine, call = spare.machines[0], spare.session.call
    other = "10.213.9.9"
    await spare.run(machine, "ip", "address", "add", f"{other}/32", "dev", "lo")
    sshd = [
        "/usr/sbin/sshd",
        "-p",
        "2222",
        "-o",
        f"ListenAddress={other}",
        "-o",
        "PidFile=/run/sshd-2222.pid",
    ]
    await spare.run(machine, *sshd)
    route = ["ip", "route", "replace", other, "via", machine.address]
    await asyncio.to_thread(subprocess.run, route, check=True, timeout=10)
    again = {"name": "again", "management_ip": other, "cluster_uuid": spare.cluster, "ssh_port": 2222}
    try:
        async with attached(spare), added(spare, machine) as uuid:
            before = await looks(spare, machine)
            for user in (machine.user, machine.sudo_user):
                with pytest.raises(ApiError) as refused:
                    await call(
                        "AddKVMHost", timeout_seconds=90, username=user, password=machine.password, **again
                    )
                assert refused.value.code == "HOST.1000"
                assert refused.value.cause is not None
                assert refused.value.cause.code == "HOST.1004"
                for word in (machine.name, uuid, machine.address, other):
                    assert word in refused.value.details
            own = machine.folder / f"disk/home/{machine.sudo_user}/.ssh/authorized_keys"
            assert own_key(spare) not in own.read_text()
            assert [host["uuid"] for host in await spare.session.query("Host")] == [uuid]
            assert await looks(spare, machine) == before
            # Nor does the agent leave for another host than the one it is.
            (agent,) = (machine.folder / "disk/var/lib/zstui-agent/versions").iterdir()
            program = f"/var/lib/zstui-agent/versions/{agent.name}/zstui-agent"
            await spare.run(machine, "sh", "-c", f"! {program} remove {'0' * 32}")
            assert await looks(spare, machine) == before
            assert (await host_of(spare, uuid))["status"] == "Connected"
    finally:
        await asyncio.to_thread(subprocess.run, ["ip", "route", "del", other], check=True, timeout=10)
        await spare.run(machine, "kill", (await spare.run(machine, "cat", "/run/sshd-2222.pid")).strip())
        await spare.run(machine, "ip", "address", "del", f"{other}/32", "dev", "lo")


async def test_a_machine_that_is_backup_storage_too_keeps_the_agent_until_both_are_gone(spare: Stage) -> None:
    machine, call = spare.machines[0], spare.session.call
    before = await looks(spare, machine)
    images = await call(
        "AddSftpBackupStorage", name="images", url=IMAGES, hostname=machine.address,
        username=machine.user, password=machine.password,
    )  # fmt: skip
    async with added(spare, machine):
        pass
    assert (await looks(spare, machine))["processes"] != before["processes"]

    async def connected() -> bool:
        (found,) = await spare.session.query("BackupStorage")
        return str(found["status"]) == "Connected"

    await until(connected, 20, "the backup storage's link")
    await call("DeleteBackupStorage", uuid=images["inventory"]["uuid"])
    assert await looks(spare, machine) == before


async def looks(spare: Stage, machine: LabHost) -> dict[str, list[str]]:
    """All that an agent may leave behind: its processes, files, links, rules, keys."""
    ran = (await spare.run(machine, "ps", "-eo", "args")).splitlines()
    found = await spare.run(machine, "find", *AGENT_FOLDERS, "-mindepth", "1", check=False)
    keys = machine.folder / "disk/root/.ssh/authorized_keys"
    return {
        "processes": sorted(line for line in ran if "zstui-agent" in line or "dnsmasq" in line),
        "files": found.splitlines(),
        "links": sorted(await spare.links(machine)),
        "rules": (await spare.guard(machine)).splitlines(),
        "keys": keys.read_text().splitlines(),
    }


async def test_a_host_needs_no_python(spare: Stage) -> None:
    machine = spare.machines[0]
    hidden = await hide_python(spare, machine)
    try:
        with pytest.raises(AssertionError):
            await python_in(spare, machine)
        async with added(spare, machine) as uuid:
            assert (await host_of(spare, uuid))["accelerator"] in {"kvm", "tcg"}
    finally:
        for path in reversed(hidden):
            await spare.run(machine, "umount", path)
    assert await python_in(spare, machine) == "3\n"


async def python_in(spare: Stage, machine: LabHost) -> str:
    """What a Python of the host says, if there is one that works."""
    for program in (sys.executable, "/usr/bin/python3"):
        done = await spare.lab.exec(machine, [program, "-I", "-c", "import json; print(3)"])
        if done.returncode == 0:
            return done.stdout
    raise AssertionError("no Python works in the host")


async def hide_python(spare: Stage, machine: LabHost) -> list[str]:
    """Put emptiness over every Python library in a host's own mounts; what was mounted over."""
    hidden: list[str] = []
    for path in python_libraries():
        await spare.run(machine, "mount", "-n", "-t", "tmpfs", "none", path)
        hidden.append(path)
    return hidden


def python_libraries() -> list[str]:
    found = {*Path("/usr/lib").glob("python3*"), *Path("/usr/local/lib").glob("python3*")}
    found |= set(Path(sys.base_prefix, "lib").glob("python3*"))
    return sorted({str(path.resolve()) for path in found if path.is_dir()})


async def test_the_accelerator_is_found_by_trying_and_can_be_forced(spare: Stage) -> None:
    machine, call = spare.machines[0], spare.session.call
    probed = "kvm" if await kernel_speaks_under_kvm() else "tcg"
    async with added(spare, machine) as uuid:
        assert (await host_of(spare, uuid))["accelerator"] == probed
        events = await spare.session.query("Event", resource_uuid=uuid, name="HostConnected")
        assert f"guests run by {probed}" in events[-1]["text"]
        for forced in ("kvm", "tcg"):
            tag = await call(
                "CreateSystemTag", resource_type="HostVO", resource_uuid=uuid, tag=f"accelerator::{forced}"
            )
            await call("ReconnectHost", uuid=uuid, timeout_seconds=60)
            assert (await host_of(spare, uuid))["accelerator"] == forced
            await call("DeleteTag", uuid=tag["inventory"]["uuid"])
        await call("ReconnectHost", uuid=uuid, timeout_seconds=60)
        assert (await host_of(spare, uuid))["accelerator"] == probed


async def kernel_speaks_under_kvm() -> bool:
    """Whether a kernel started under KVM on this machine, whose hosts are all alike, says its name."""
    kernel = tiny_image().with_name("vmlinuz")
    process = await asyncio.create_subprocess_exec(
        "timeout", "-s", "KILL", "6", "qemu-system-x86_64", "-accel", "kvm", "-m", "128", "-nodefaults",
        "-no-reboot", "-display", "none", "-serial", "stdio", "-kernel", str(kernel),
        "-append", "console=ttyS0 earlyprintk=ttyS0 panic=-1",
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    said, _ = await process.communicate()
    return b"Linux version" in said
