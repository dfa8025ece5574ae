"""The installer on a fresh Debian 12: installs, upgrades, goes back, goes away, and can be killed anywhere."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from .machine import Machine
from .versions import BROKEN, CAPACITY, NEW, OLD, REPOSITORY, call, frozen_folder, named, until

LIMIT, VERSION_SECONDS = 60_000_000, 0.3
LAST_STEP = "Finish"
ADDRESS = "192.0.2.9"
PROGRAMS = "/opt/zstui/versions"

lab = pytest.mark.lab
pytestmark = pytest.mark.timeout(900)


@pytest.fixture
def machine() -> Iterator[Machine]:
    machine = Machine()
    yield machine
    machine.close()


def killed_at(machine: Machine, step: int, *words: str, after: float = 0.0) -> str:
    """Start an installer and kill it as soon as it begins a step, or some seconds after; returns the step's title."""
    process = subprocess.Popen(machine.command("bash", *words), stdout=subprocess.PIPE)
    assert process.stdout is not None
    seen = b""
    while (found := re.search(rb"^%d\. ([^:]+): " % step, seen, re.MULTILINE)) is None:
        chunk = os.read(process.stdout.fileno(), 4096)
        assert chunk, seen.decode()
        seen += chunk
    time.sleep(after)
    for child in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split():
        os.kill(int(child), signal.SIGKILL)
    process.wait(20)
    process.stdout.close()
    return found[1].decode()


def pretend(machine: Machine, name: str, answer: str) -> None:
    """Make the machine look older than it is, by a program that tells its version."""
    path = f"/usr/local/bin/{name}"
    machine.say("sh", "-c", f"printf '#!/bin/sh\\necho \"%s\"\\n' '{answer}' >{path}; chmod +x {path}")


@lab
@pytest.mark.alone
def test_it_is_small_and_starts_fast(whole: Path) -> None:
    assert whole.stat().st_size < LIMIT
    program = frozen_folder() / "zstui"
    took = []
    for _ in range(5):
        begun = time.monotonic()
        subprocess.run([program, "--version"], check=True, capture_output=True, timeout=20)
        took.append(time.monotonic() - begun)
    assert min(took) < VERSION_SECONDS


@lab
def test_nothing_in_it_puts_all_of_it_under_the_gpl(whole: Path) -> None:
    assert whole.is_file()
    names = [path.name for path in frozen_folder().rglob("*") if path.is_file()]
    assert any(name.startswith("libpython") for name in names)
    assert [name for name in names if "readline" in name or name.startswith("libgdbm")] == []


@lab
def test_a_payload_shows_nothing_of_when_it_was_made(whole: Path, tmp_path: Path) -> None:
    made = set()
    for moment in (1_000_000_000, 1_500_000_000):
        folder = tmp_path / str(moment)
        shutil.copytree(frozen_folder(), folder, symlinks=True)
        for path in folder.rglob("*"):
            os.utime(path, (moment, moment))
        packing = (
            "import agent, pathlib, sys; sys.stdout.buffer.write(agent.pack_plain(pathlib.Path(sys.argv[1])))"
        )
        command = [sys.executable, "-c", packing, str(folder)]
        packed = subprocess.run(
            command, cwd=REPOSITORY / "packaging", capture_output=True, check=True, timeout=60
        )
        made.add(hashlib.sha256(packed.stdout).digest())
    assert len(made) == 1


def test_metadata_says_nothing_of_the_checkout(tmp_path: Path) -> None:
    metadata = tmp_path / "_internal" / "zstui-1.dist-info"
    metadata.mkdir(parents=True)
    for name in ("METADATA", "entry_points.txt", "direct_url.json", "RECORD"):
        (metadata / name).write_text("file:///a/checkout")
    forgetting = "import appliance, pathlib, sys; appliance.forget_checkout(pathlib.Path(sys.argv[1]))"
    subprocess.run(
        [sys.executable, "-c", forgetting, str(tmp_path)],
        cwd=REPOSITORY / "packaging",
        check=True,
        timeout=60,
    )
    assert sorted(path.name for path in metadata.iterdir()) == ["METADATA", "entry_points.txt"]


@lab
def test_no_file_of_the_payload_names_the_folder_it_was_built_in(whole: Path) -> None:
    assert whole.is_file()
    here = str(REPOSITORY).encode()
    files = [path for path in frozen_folder().rglob("*") if path.is_file() and not path.is_symlink()]
    assert len(files) > 100
    assert [path.name for path in files if here in path.read_bytes()] == []


@lab
def test_install_use_upgrade_roll_back_uninstall(machine: Machine, versions: dict[str, Path]) -> None:
    old, new = machine.bring(versions[OLD]), machine.bring(versions[NEW])
    assert machine.run("sh", "-c", "command -v python3 || command -v xz").returncode != 0
    machine.say("bash", old, "--check")
    assert machine.run("ls", "/opt/zstui", "/var/lib/zstui", "/var/log/zstui-install.log").stdout == ""
    machine.say("bash", old, "-q")
    assert machine.say("zstui", "--version") == f"zstui {OLD}\n"
    call(machine, "CreateZone", "name=before")
    zone = call(machine, "QueryZone", "fields=uuid")["inventories"]
    cluster = call(
        machine, "CreateCluster", f"zoneUuid={zone[0]['uuid']}", "name=c", "hypervisorType=Simulator"
    )  # type: ignore[index]
    uuid = cluster["inventory"]["uuid"]  # type: ignore[index]
    call(machine, "AddSimulatorHost", f"clusterUuid={uuid}", "name=h", "managementIp=192.0.2.1", *CAPACITY)
    # Another version does not install itself over this one, and the same one finds itself.
    refused = machine.run("bash", new)
    assert (refused.returncode, "upgrade it with -u" in refused.stdout) == (2, True)
    assert "is installed already" in machine.say("bash", old)

    said = machine.say("bash", new, "-u")
    assert "Wait for the hosts, with their agents renewed: ... PASS" in said
    assert machine.say("zstui", "--version") == f"zstui {NEW}\n"
    assert named(machine, "Zone") == ["before"]
    call(machine, "CreateZone", "name=after")
    refused = machine.run("bash", old, "-u")
    told = f"zstui {OLD} is older; use --rollback to go back to {OLD}-"
    assert (refused.returncode, told in refused.stdout) == (2, True), refused.stdout
    it_tries_the_way_back(machine)
    assert named(machine, "Zone") == ["after", "before"]

    machine.say("bash", "/opt/zstui/installer", "--rollback")
    assert machine.say("zstui", "--version") == f"zstui {OLD}\n"
    assert named(machine, "Zone") == ["before"]
    assert call(machine, "QueryHost", "status=Connected", "count=true")["total"] == 1
    assert machine.run("bash", "/opt/zstui/installer", "--rollback").returncode == 2

    machine.say("bash", "/opt/zstui/installer", "--uninstall")
    assert machine.run("sh", "-c", "ls -d /opt/zstui /usr/local/bin/zstui").stdout == ""
    assert "store.db\n" in machine.say("ls", "/var/lib/zstui")
    refused = machine.run("bash", new)
    assert (refused.returncode, "keep it with -k" in refused.stdout) == (2, True)
    machine.say("bash", new, "-k")
    assert named(machine, "Zone") == ["before"]
    machine.say("bash", "/opt/zstui/installer", "--uninstall")
    # The store is NEW's now.
    for check in ((), ("--check",)):
        newer = machine.run("bash", old, "-k", *check)
        assert (newer.returncode, "install a later zstui with -k, or set that" in newer.stdout) == (2, True)
        assert machine.run("ls", "/opt/zstui").returncode != 0
    machine.say("bash", old, "-D", "-z")
    assert machine.run("ls", "/var/lib/zstui/appliance.sock").returncode != 0


def it_tries_the_way_back(machine: Machine) -> None:
    """With the backup as it is, and cut off, and with other bytes in the middle of it."""
    back = ("bash", "/opt/zstui/installer", "--rollback", "--check")
    machine.say(*back)
    (backup,) = machine.say("sh", "-c", "ls /var/lib/zstui/backups/before-0*").split()
    machine.say("cp", "-p", backup, "/root/sound")
    noise = f"head -c 65536 /dev/urandom | dd of={backup} bs=4096 seek=2 conv=notrunc"
    for damage in (f"truncate -s 8192 {backup}", f"echo rotten >{backup}", noise):
        machine.say("sh", "-c", damage)
        refused = machine.run(*back)
        told = f"Reason: {backup}, the store that {OLD}-[0-9a-f]{{12}} goes back to, cannot be restored: [^;(]*; put"
        assert (refused.returncode, re.search(told, refused.stdout) is None) == (2, False), refused.stdout
        machine.say("cp", "-p", "/root/sound", backup)
    assert machine.say("sh", "-c", "ls /tmp") == ""


@lab
def test_how_it_is_reached_is_remembered_and_can_be_changed(
    machine: Machine, versions: dict[str, Path]
) -> None:
    old, new = machine.bring(versions[OLD]), machine.bring(versions[NEW])
    machine.address(f"{ADDRESS}/24")
    said = machine.say("bash", old, "-r", "/srv/zstui", "-I", f"{ADDRESS}:8443", "--plain-http", "-t", "60")
    assert f"passwords and sessions go to {ADDRESS}:8443 without TLS" in said
    assert says_it_is_ready(machine, 8443)
    machine.say("bash", new, "-r", "/srv/zstui", "-u", "-q")
    assert machine.say("zstui", "--version") == f"zstui {NEW}\n"
    assert says_it_is_ready(machine, 8443)

    wrong = machine.run("bash", new, "-r", "/srv/zstui", "--ssh", "nowhere")
    assert (wrong.returncode, "--ssh: 'nowhere' is not ADDRESS:PORT" in wrong.stdout) == (2, True)
    taken = machine.run(
        "bash", new, "-r", "/srv/zstui", "-I", f"{ADDRESS}:8443", "--ssh", f"{ADDRESS}:8443", "-t", "5"
    )
    assert (taken.returncode, "--listen has that address already" in taken.stdout) == (2, True)
    assert says_it_is_ready(machine, 8443)

    said = machine.say("bash", new, "-r", "/srv/zstui", "-I", f"{ADDRESS}:8444", "--name", "cloud.example")
    assert "who connects from elsewhere trusts /var/lib/zstui/certificate.pem" in said
    assert not says_it_is_ready(machine, 8443)
    assert not says_it_is_ready(machine, 8444)
    trust = ("--connect", f"https://{ADDRESS}:8444", "--certificate", "/var/lib/zstui/certificate.pem")
    assert NEW in machine.say("zstui", *trust, "call", "GetVersion")

    # Told the same again, it runs on.
    pid = ("cut", "-d", " ", "-f", "1", "/var/lib/zstui/lock")
    process = machine.say(*pid)
    machine.say("bash", new, "-r", "/srv/zstui", "-I", f"{ADDRESS}:8444", "--name", "cloud.example")
    assert machine.say(*pid) == process

    for action in ("--uninstall", "--rollback"):
        machine.say("bash", "/srv/zstui/installer", action, "--check")
    newer = machine.run("bash", old, "-r", "/srv/zstui", "-u", "--check")
    assert (newer.returncode, "is older; use --rollback to go back" in newer.stdout) == (2, True)
    assert machine.say("zstui", "--version") == f"zstui {NEW}\n"
    machine.say("bash", "/srv/zstui/installer", "--uninstall", "-D", "-q")
    assert machine.run("ls", "-d", "/srv/zstui", "/var/lib/zstui").stdout == ""


def says_it_is_ready(machine: Machine, port: int) -> bool:
    """Whether it answers without TLS, at its address."""
    asked = f"exec 3<>/dev/tcp/{ADDRESS}/{port} && printf 'GET /healthz HTTP/1.0\\r\\n\\r\\n' >&3 && cat <&3"
    return '{"ready": true}' in machine.run("bash", "-c", asked).stdout


@lab
def test_after_a_crash_its_supervisor_brings_it_back_and_no_face_does(
    machine: Machine, versions: dict[str, Path]
) -> None:
    machine.say("bash", machine.bring(versions[OLD]), "-q")
    machine.say("sh", "-c", "kill -9 $(cut -d ' ' -f 1 /var/lib/zstui/lock)")
    call(machine, "GetVersion")
    parent = "read pid _ </var/lib/zstui/lock; sed 's/.*) //' /proc/$pid/stat | cut -d ' ' -f 2"
    assert machine.say("bash", "-c", parent) == machine.say("cat", "/opt/zstui/supervisor.pid")


@lab
def test_a_killed_installation_leaves_nothing_that_runs_and_can_be_repeated(
    machine: Machine, versions: dict[str, Path]
) -> None:
    old = machine.bring(versions[OLD])
    step, title = 9, ""
    while title != LAST_STEP:
        title = killed_at(machine, step, old)
        until(lambda: machine.run("ls", "/opt/zstui/transition").returncode != 0, f"{title} was not undone")
        if title != LAST_STEP:
            assert machine.run("ls", "/opt/zstui/current").returncode != 0, title
            # What a step had begun may still come to its end, but nothing stays.
            until(lambda: machine.run("sh", "-c", f"ls -l /proc/*/exe | grep {PROGRAMS}").stdout == "", title)
        step += 1
    assert step > 15
    machine.say("bash", old)
    assert machine.say("zstui", "--version") == f"zstui {OLD}\n"


@lab
def test_a_killed_upgrade_leaves_the_version_before_running(
    machine: Machine, versions: dict[str, Path]
) -> None:
    old, new = machine.bring(versions[OLD]), machine.bring(versions[NEW])
    machine.say("bash", old, "-q")
    step, title, zones = 9, "", []
    while title != LAST_STEP:
        zones.append(f"zone-{step:02d}")
        call(machine, "CreateZone", f"name={zones[-1]}")
        title = killed_at(machine, step, new, "-u")
        until(lambda: machine.run("ls", "/opt/zstui/transition").returncode != 0, f"{title} was not undone")
        until(lambda: machine.run("sh", "-c", "test -S /var/lib/zstui/appliance.sock").returncode == 0, title)
        until(lambda: machine.run("zstui", "call", "GetVersion").returncode == 0, title)
        if title != LAST_STEP:
            assert machine.say("zstui", "--version") == f"zstui {OLD}\n", title
        assert named(machine, "Zone") == zones, title
        step += 1
    assert step > 19
    machine.say("bash", new, "-u")
    assert machine.say("zstui", "--version") == f"zstui {NEW}\n"
    assert named(machine, "Zone") == zones


@lab
def test_a_killed_rollback_leaves_the_version_after_running(
    machine: Machine, versions: dict[str, Path]
) -> None:
    old, new = machine.bring(versions[OLD]), machine.bring(versions[NEW])
    machine.say("bash", old, "-q")
    machine.say("bash", new, "-u", "-q")
    step, title, zones = 1, "", []
    while True:
        zones.append(f"zone-{step:02d}")
        call(machine, "CreateZone", f"name={zones[-1]}")
        title = killed_at(machine, step, "/opt/zstui/installer", "--rollback")
        until(lambda: machine.run("ls", "/opt/zstui/transition").returncode != 0, f"{title} was not undone")
        until(lambda: machine.run("zstui", "call", "GetVersion").returncode == 0, title)
        if title == LAST_STEP:
            break
        assert machine.say("zstui", "--version") == f"zstui {NEW}\n", title
        assert named(machine, "Zone") == zones, title
        step += 1
    assert step > 9
    # In its last moment it may have been done.
    if machine.say("zstui", "--version") == f"zstui {NEW}\n":
        machine.say("bash", "/opt/zstui/installer", "--rollback")
    assert machine.say("zstui", "--version") == f"zstui {OLD}\n"
    assert named(machine, "Zone") == []
    assert machine.run("bash", "/opt/zstui/installer", "--rollback").returncode == 2


def uninstalled(machine: Machine, installer: str) -> bool:
    """Take away whatever is left of an installation, if any is; False while what the last one began goes on."""
    done = machine.run("bash", installer, "--uninstall", "-D")
    if "another installer is at work" in done.stderr:
        return False
    assert done.returncode == 0 or "nothing is installed in /opt/zstui" in done.stderr, done.stdout
    return True


@lab
@pytest.mark.parametrize("after", [0.0, 0.05])
def test_a_killed_uninstallation_can_be_repeated(
    machine: Machine, versions: dict[str, Path], after: float
) -> None:
    old = machine.bring(versions[OLD])
    data = "Delete /var/lib/zstui, with all that is in it"
    titles = ("Stop zstui", "Take the service away", data, "Delete /opt/zstui")
    for step, title in enumerate(titles, start=1):
        machine.say("bash", old, "-q")
        assert killed_at(machine, step, "/opt/zstui/installer", "--uninstall", "-D", after=after) == title
        until(lambda: uninstalled(machine, old), "the killed one still holds its lock")
        assert machine.run("ls", "-d", "/opt/zstui/current", "/var/lib/zstui").stdout == "", title
    machine.say("bash", old, "-q")
    assert named(machine, "Zone") == []


@lab
def test_an_upgrade_that_does_not_come_up_is_undone(machine: Machine, versions: dict[str, Path]) -> None:
    old, broken = machine.bring(versions[OLD]), machine.bring(versions[BROKEN])
    machine.say("bash", old, "-q")
    call(machine, "CreateZone", "name=kept")
    failed = machine.run("bash", broken, "-u")
    assert failed.returncode == 3
    told = (
        "zstui ended 4 times, and did not answer; its last words: ImportError: .*_rust.abi3.so: file too short; "
        "(.*) has all of them\n"
    )
    assert (found := re.search(told, failed.stdout)) is not None, failed.stdout
    assert "Traceback" in machine.say("cat", found[1])
    assert "everything is as it was before" in failed.stderr
    until(lambda: machine.run("zstui", "call", "GetVersion").returncode == 0, "the old version is not back")
    assert machine.say("zstui", "--version") == f"zstui {OLD}\n"
    assert named(machine, "Zone") == ["kept"]


@lab
def test_what_cannot_be_is_refused_by_name_before_anything_changes(
    machine: Machine, versions: dict[str, Path]
) -> None:
    path = machine.bring(versions[OLD])

    def refused(*words: str) -> str:
        done = machine.run("bash", *words)
        assert done.returncode in (1, 2), done.stdout
        assert machine.run("ls", "/opt/zstui").returncode != 0
        return done.stdout + done.stderr

    damage = "printf x | dd of=/root/bad bs=1 seek=20000000 conv=notrunc"
    machine.say("sh", "-c", f"head -c -1 {path} >/root/short; cp {path} /root/bad; {damage}")
    assert "download it again" in refused("/root/short")
    assert "is damaged: its checksum is another" in refused("/root/bad")
    assert "is damaged: its checksum is another" in refused("/root/bad", "--host-only")
    assert "-I 192.0.2.7 is no address of this machine" in refused(path, "-I", "192.0.2.7")
    assert "/opt/a b cannot be used" in refused(path, "-r", "/opt/a b")
    assert "-R nowhere is not 163, aliyun or a URL" in refused(path, "-R", "nowhere")
    assert "nothing is installed" in refused(path, "-u")
    assert "-y proxy:3128 is not http://HOST:PORT" in refused(path, "--host-only", "-y", "proxy:3128")
    assert "--certificate /root/none is no file" in refused(path, "--certificate", "/root/none")
    # It has no ip command.
    assert "-I eth7: eth7 is neither an IPv4 address nor an interface with one" in refused(path, "-I", "eth7")
    assert "libvirt-daemon-system qemu-system-x86" in refused(path, "--host-only", "-o")
    pretend(machine, "libvirtd", "libvirtd (libvirt) 7.0.0")
    assert re.search(r"Debian GNU/Linux 12 .* has libvirt 7\.0\.0; a host of zstui needs", refused(path))
    pretend(machine, "getconf", "glibc 2.31")
    machine.say("sh", "-c", "echo 'PRETTY_NAME=\"Debian GNU/Linux 11 (bullseye)\"' >/etc/os-release")
    assert "Debian GNU/Linux 11 (bullseye) has glibc 2.31; zstui needs" in refused(path)
