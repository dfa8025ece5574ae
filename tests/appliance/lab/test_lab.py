"""The lab against this machine: real hosts come up, answer, are broken, and leave nothing behind."""

import os
from collections.abc import AsyncIterator
from pathlib import Path
from time import monotonic

import asyncssh
import pytest
import pytest_asyncio

from appliance.lab import Lab, LabError, LabHost, network, process
from appliance.lab.instance import load, settle, uplink_of

pytestmark = [pytest.mark.lab, pytest.mark.asyncio(loop_scope="module")]

NAME = f"t{os.getpid()}"
VIRSH = ["virsh", "-c", "qemu:///system"]


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def lab(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Lab]:
    lab = Lab(NAME, 2, tmp_path_factory.mktemp("lab"))
    try:
        await lab.up()
        yield lab
    finally:
        await lab.down()


@pytest_asyncio.fixture(loop_scope="module")
async def hosts(lab: Lab) -> list[LabHost]:
    return await lab.up()


async def ask(lab: Lab, host: LabHost | int, *argv: str) -> str:
    return (await lab.exec(host, argv, check=True)).stdout.strip()


def domain(name: str) -> str:
    return f"""<domain type='qemu'><name>{name}</name><memory unit='MiB'>32</memory><vcpu>1</vcpu>
        <os><type arch='x86_64' machine='pc'>hvm</type></os>
        <devices><emulator>/usr/bin/qemu-system-x86_64</emulator>
        <serial type='pty'/></devices></domain>"""


async def create(lab: Lab, host: LabHost, name: str) -> None:
    await lab.exec(host, [*VIRSH, "create", "/dev/stdin"], stdin=domain(name), check=True)


async def login(host: LabHost, user: str, command: str, *, with_key: bool) -> str:
    keys = [str(host.private_key)] if with_key else None
    known = asyncssh.import_known_hosts(f"{host.address} {host.host_key}\n")
    async with asyncssh.connect(
        host.address,
        host.ssh_port,
        username=user,
        password=None if with_key else host.password,
        client_keys=keys,
        known_hosts=known,
        config=None,
        agent_path=None,
        connect_timeout=10,
        login_timeout=10,
    ) as connection:
        answer = await connection.run(command, check=True, timeout=20)
    return str(answer.stdout).strip()


@pytest.mark.parametrize("with_key", [False, True])
async def test_both_users_log_in_to_every_host(hosts: list[LabHost], with_key: bool) -> None:
    for host in hosts:
        assert await login(host, "root", "hostname", with_key=with_key) == host.name
        assert await login(host, host.sudo_user, "sudo -n id -u", with_key=with_key) == "0"


async def test_a_wrong_password_is_refused(hosts: list[LabHost]) -> None:
    with pytest.raises(asyncssh.PermissionDenied):
        await asyncssh.connect(
            hosts[0].address, username="root", password="x", known_hosts=None, config=None, agent_path=None,
            client_keys=None, login_timeout=10,
        )  # fmt: skip


async def test_hosts_differ_in_keys_identity_and_disks(lab: Lab, hosts: list[LabHost]) -> None:
    assert hosts[0].host_key_fingerprint != hosts[1].host_key_fingerprint
    for question in (["cat", "/etc/machine-id"], [*VIRSH, "capabilities"], ["cat", "/etc/hostname"]):
        assert await ask(lab, 1, *question) != await ask(lab, 2, *question)
    for place in ("/zstack_ps", "/zstack_bs", "/tmp", "/var/lib/zstui-agent", "/var/lib/libvirt/images"):
        await ask(lab, 1, "mkdir", "-p", place)
        await ask(lab, 1, "touch", f"{place}/only-here")
        assert (await lab.exec(2, ["test", "-e", f"{place}/only-here"])).returncode == 1
        assert not there(f"{place}/only-here")


async def test_hosts_reach_each_other_by_name_on_eth0(lab: Lab, hosts: list[LabHost]) -> None:
    await ask(lab, 1, "ping", "-c", "1", "-W", "5", hosts[1].name)
    assert f"{hosts[0].address}/24" in await ask(lab, 1, "ip", "-4", "address", "show", "dev", "eth0")
    assert await ask(lab, 1, "ip", "-4", "address", "show", "dev", "eth1") == ""
    assert await ask(lab, 1, "ip", "route", "show", "default") == ""


async def test_a_destroyed_guest_is_reaped_at_once(lab: Lab, hosts: list[LabHost]) -> None:
    await create(lab, hosts[0], "tiny")
    assert "tiny" in await ask(lab, 1, *VIRSH, "list", "--name")
    assert "tiny" not in await ask(lab, 2, *VIRSH, "list", "--name")
    before = monotonic()
    await ask(lab, 1, *VIRSH, "destroy", "tiny")
    assert monotonic() - before < 5.0, "libvirt waits 10 s and more for one that nobody reaps"


async def test_a_daemon_that_dies_comes_back(lab: Lab, hosts: list[LabHost]) -> None:
    first, old = process.first(hosts[1].name), await ask(lab, 2, "pidof", "libvirtd")
    await create(lab, hosts[1], "survivor")
    await ask(lab, 2, "kill", "-9", old)
    await lab.up()
    assert process.first(hosts[1].name) == first
    assert await ask(lab, 2, "pidof", "libvirtd") != old
    assert await ask(lab, 2, *VIRSH, "list", "--name") == "survivor"
    await ask(lab, 2, *VIRSH, "destroy", "survivor")


async def test_a_reboot_keeps_disks_and_loses_the_rest(lab: Lab, hosts: list[LabHost]) -> None:
    boot = await ask(lab, 1, "cat", "/proc/sys/kernel/random/boot_id")
    await create(lab, hosts[0], "mortal")
    await ask(lab, 1, "ip", "link", "add", "name", "br-old", "type", "bridge")
    script = "#!/bin/sh\ntouch /run/local-was-run\n"
    await lab.exec(1, ["tee", "/etc/rc.local", "/zstack_ps/kept", "/run/lost", "/tmp/lost"], stdin=script)
    await ask(lab, 1, "chmod", "755", "/etc/rc.local")
    neighbour = process.first(hosts[1].name)
    await lab.reboot(hosts[0])
    assert process.first(hosts[1].name) == neighbour
    assert await ask(lab, 1, "cat", "/proc/sys/kernel/random/boot_id") != boot
    assert await ask(lab, 1, "cat", "/zstack_ps/kept") == script.strip()
    assert await ask(lab, 1, "ls", "/run/local-was-run")
    for lost in ("/run/lost", "/tmp/lost", "/sys/class/net/br-old"):
        assert (await lab.exec(1, ["test", "-e", lost])).returncode == 1
    assert await ask(lab, 1, *VIRSH, "list", "--name") == ""
    assert await login(hosts[0], "root", "hostname", with_key=True) == hosts[0].name


async def test_a_cut_host_cannot_be_reached_until_healed(lab: Lab, hosts: list[LabHost]) -> None:
    await lab.cut(hosts[1])
    assert [row["cable"] for row in await lab.status()] == ["plugged", "unplugged"]
    assert (await lab.exec(1, ["ping", "-c", "1", "-W", "1", hosts[1].address])).returncode == 1
    assert await ask(lab, hosts[1], "hostname") == hosts[1].name
    await lab.heal(hosts[1])
    await ask(lab, 1, "ping", "-c", "1", "-W", "5", hosts[1].address)


async def test_up_leaves_alone_what_runs_and_heals_what_does_not(lab: Lab, hosts: list[LabHost]) -> None:
    first = process.first(hosts[0].name)
    await lab.kill(2)
    with pytest.raises(LabError, match="is off"):
        await lab.exec(2, ["true"])
    assert [row["state"] for row in await lab.status()] == ["running", "off"]
    assert await lab.up() == hosts
    assert process.first(hosts[0].name) == first
    assert process.first(hosts[1].name) is not None


async def test_a_command_past_its_limit_is_killed(lab: Lab, hosts: list[LabHost]) -> None:
    with pytest.raises(LabError, match="did not end within"):
        await lab.exec(1, ["sleep", "4321"], timeout_seconds=0.3)
    assert (await lab.exec(1, ["pgrep", "-f", "^sleep 4321"])).returncode == 1


async def test_another_folder_cannot_take_a_running_lab(
    lab: Lab, hosts: list[LabHost], tmp_path: Path
) -> None:
    with pytest.raises(LabError, match="runs from"):
        await Lab(NAME, 2, tmp_path).up()


async def test_down_leaves_nothing_and_keeps_the_disks(tmp_path: Path) -> None:
    name = f"{NAME}-gone"
    lab = Lab(name, 1, tmp_path / "lab", nics=3, single_nic={2})
    (host,) = await lab.up()
    assert await ask(lab, host, "ls", "/sys/class/net/eth2")
    await create(lab, host, "left")
    await ask(lab, host, "ip", "netns", "add", "guest-net")
    detached = ["setsid", "--fork", "ip", "netns", "exec", "guest-net", "sleep", "987654"]
    await lab.exec(host, ["sh", "-c", f"{' '.join(detached)} >/dev/null 2>&1"], check=True)
    await ask(lab, host, "touch", "/zstack_ps/volume")
    instance = load(name, lab.folder)
    assert instance
    await lab.down()
    await lab.down()
    assert not [space for space in await network.namespaces() if f"zstui-{name}-" in space]
    assert not there(f"/sys/class/net/{uplink_of(name)}")
    assert str(lab.folder) not in mounts()
    assert not commands_with("987654") | commands_with(str(lab.folder))
    assert not there(f"/run/zstui-lab/{name}")
    assert there(f"{host.folder}/disk/zstack_ps/volume")
    await lab.purge()
    assert not there(str(lab.folder))


async def test_half_a_lab_is_healed(tmp_path: Path) -> None:
    lab = Lab(f"{NAME}-half", 2, tmp_path / "lab", single_nic={2})
    try:
        one, two = await lab.up()
        assert (await lab.exec(two, ["test", "-e", "/sys/class/net/eth1"])).returncode == 1
        old = process.first(two.name)
        await network.drop_namespace(one.name)
        leave_stale_name(one.name)
        os.kill(process.first(two.name) or 0, 9)
        assert await lab.up() == [one, two]
        assert process.first(two.name) not in (None, old)
        assert await login(one, "root", "hostname", with_key=True) == one.name
        await network.drop_namespace(f"zstui-{lab.name}-sw")
        assert await lab.up() == [one, two]
        assert len(commands_with(str(lab.folder / "host1"))) == 2
    finally:
        await lab.purge()


def there(path: str) -> bool:
    return Path(path).exists()


def mounts() -> str:
    return Path("/proc/mounts").read_text()


def leave_stale_name(namespace: str) -> None:
    """What a crash between the two steps of `ip netns add` leaves."""
    Path("/run/netns", namespace).touch()


def commands_with(text: str) -> set[int]:
    """Processes whose command line holds a text: of a host, those around its first process."""
    found = set()
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            line = (entry / "cmdline").read_bytes().decode(errors="replace")
        except OSError:
            continue
        if text in line and int(entry.name) != os.getpid():
            found.add(int(entry.name))
    return found


async def test_a_network_in_use_is_avoided(tmp_path: Path) -> None:
    free = settle(NAME, tmp_path / "one", [])
    other = settle(NAME, tmp_path / "two", [free.network])
    assert not other.network.overlaps(free.network)
    assert settle(NAME, tmp_path / "one", []) == free
    moved = settle(NAME, tmp_path / "one", [free.network])
    assert moved.network == other.network
    assert moved.password == free.password


async def test_a_name_that_cannot_be_used_is_refused() -> None:
    with pytest.raises(LabError, match="cannot be used"):
        Lab("Demo/..")
    with pytest.raises(LabError, match="1 to 64 hosts"):
        Lab("demo", 0)
