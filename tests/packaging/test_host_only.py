"""A fresh Debian 12 becomes a KVM host: with packages through a proxy and from mirrors, and the host is added."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from .archive import URL, Archive
from .machine import Machine
from .versions import OLD, REPOSITORY, call

FILES = "find /etc /tmp /root /var/lib/apt/lists -type f ! -name lock | sort | xargs -d '\\n' md5sum"
SOURCES = "cat /etc/apt/sources.list; ls -R /var/lib/apt/lists /etc/apt /tmp"
PASSWORD = "of-a-host"
SECRET = "known-to-the-proxy"
PROXY = URL.replace("//", f"//somebody:{SECRET}@")
REMEMBERING = ("/etc", "/root", "/home", "/opt", "/srv", "/tmp", "/usr/local", "/var")
"""Where anything that was told could be kept."""

BEGIN = (
    f"echo root:{PASSWORD} | chpasswd",
    "echo PermitRootLogin yes >/etc/ssh/sshd_config.d/root.conf",
    *("mkdir -p /run/sshd", "/usr/sbin/sshd", "virtlogd -d", "libvirtd -d"),
)
"""What the owner of a machine without systemd does."""

MIRRORS = REPOSITORY / "packaging" / "install" / "mirrors.sh"

pytestmark = pytest.mark.timeout(900)


@pytest.fixture
def machine() -> Iterator[Machine]:
    machine = Machine()
    yield machine
    machine.close()


@pytest.fixture
def archive(machine: Machine) -> Iterator[Archive]:
    archive = Archive(machine.first)
    yield archive
    archive.close()


@pytest.mark.lab
def test_a_fresh_debian_becomes_a_host(machine: Machine, archive: Archive, versions: dict[str, Path]) -> None:
    path = machine.bring(versions[OLD])
    assert "this would install: openssh-server libvirt" in machine.say("bash", path, "--host-only", "--check")
    assert archive.asked == []

    said = machine.say("bash", path, "--host-only", "-y", PROXY, seconds=500)
    assert "this machine is ready: AddKVMHost" in said
    assert "its sshd lets root in by key only" in said
    assert [asked for asked in archive.asked if not asked.startswith("http://")] == []
    assert [name for name in wanted(archive) if "libvirt-daemon-system_" in name] != []
    it_takes_packages_from_mirrors_and_forgets_them(machine, archive, path)
    assert machine.run("grep", "-rlF", SECRET, *REMEMBERING).stdout == ""
    # Nothing is missing now, and so nothing is fetched.
    archive.asked.clear()
    machine.say("bash", path, "--host-only", "-o")
    assert archive.asked == []

    machine.say("bash", path, "-q")
    machine.say("sh", "-c", " && ".join(BEGIN))
    zone = made(machine, "CreateZone", "name=z")
    cluster = made(machine, "CreateCluster", "name=c", f"zoneUuid={zone['uuid']}", "hypervisorType=KVM")
    login = ("managementIp=127.0.0.1", "username=root", f"password={PASSWORD}")
    host = made(machine, "AddKVMHost", "name=h", f"clusterUuid={cluster['uuid']}", *login)
    assert (host["status"], host["state"]) == ("Connected", "Enabled")
    assert machine.run("sh", "-c", "command -v python3").returncode != 0


@pytest.mark.lab
@pytest.mark.parametrize(
    ("words", "what"),
    [
        (("-R", "163"), "http://mirrors.163.com/debian/dists/bookworm/InRelease  "),
        (("-R", "aliyun"), "http://mirrors.aliyun.com/debian/dists/bookworm/InRelease  "),
        (("-R", "163", "-y", PROXY), "http://mirrors.163.com/debian/dists/bookworm/InRelease  "),
        (
            ("-R", "file:/nowhere"),
            "The repository 'file:/nowhere bookworm Release' does not have a Release file",
        ),
        (("-y", PROXY), "http"),
        ((), "http"),
    ],
)
def test_without_a_network_it_says_what_it_cannot_fetch_and_rewrites_nothing(
    machine: Machine, versions: dict[str, Path], words: tuple[str, ...], what: str
) -> None:
    path = machine.bring(versions[OLD])
    before = machine.say("sh", "-c", FILES)
    failed = machine.run("bash", path, "--host-only", *words)
    assert failed.returncode == 3, failed.stdout
    assert f"Reason: apt-get could not install what is missing: {what}" in failed.stdout
    assert (
        "; another mirror can be given with -R, a proxy with -y; see /var/log/zstui-install" in failed.stdout
    )
    assert machine.say("sh", "-c", FILES) == before
    assert machine.run("grep", "-rlF", SECRET, *REMEMBERING).stdout == ""
    assert machine.run("sh", "-c", "command -v sshd").returncode != 0


@pytest.mark.lab
def test_who_is_told_to_stop_while_it_fetches_leaves_nothing(
    machine: Machine, versions: dict[str, Path]
) -> None:
    path = machine.bring(versions[OLD])
    before = machine.say("sh", "-c", FILES)
    # It has time for that: there is nobody who would answer.
    stopped = "bash {0} --host-only -R 163 & sleep 3; kill -TERM $!; wait $!; echo ended $?"
    assert "ended 130" in machine.say("bash", "-c", stopped.replace("{0}", path))
    machine.say("sh", "-c", "while pgrep -x apt-get; do sleep 0.2; done 2>/dev/null; sleep 1")
    assert machine.say("sh", "-c", FILES) == before


def it_takes_packages_from_mirrors_and_forgets_them(machine: Machine, archive: Archive, path: str) -> None:
    known = dict(re.findall(r"^ *(\w+)\) base=(\S+) ;;$", MIRRORS.read_text(), re.MULTILINE))
    assert known.keys() == {"163", "aliyun"}
    by_name = [
        (("-R", name, "-y", PROXY), f"{base}/debian", rf"{re.escape(base)}/debian(-security)?/")
        for name, base in known.items()
    ]
    for words, told, places in ((("-R", f"{URL}/debian"), f"{URL}/debian", "/debian/"), *by_name):
        machine.say("sh", "-c", "dpkg --remove dnsmasq-base && apt-get clean")
        before = machine.say("sh", "-c", SOURCES)
        archive.asked.clear()
        said = machine.say("bash", path, "--host-only", *words)
        assert f"packages came from {told}, this once; the system's own sources are as they were" in said
        assert [asked for asked in archive.asked if not re.match(places, asked)] == []
        assert len(wanted(archive)) == 1
        assert machine.say("sh", "-c", SOURCES) == before
        suites = {
            found[1] for asked in archive.asked if (found := re.search(r"/dists/([\w-]+)/InRelease$", asked))
        }
        every = {"bookworm", "bookworm-updates", "bookworm-security"}
        assert suites == (every if "-y" in words else {"bookworm"})


def wanted(archive: Archive) -> list[str]:
    """The packages that were asked for."""
    return [Path(asked).name for asked in archive.asked if asked.endswith(".deb")]


def made(machine: Machine, *words: str) -> dict[str, object]:
    inventory = call(machine, *words)["inventory"]
    assert isinstance(inventory, dict)
    return inventory


@pytest.mark.parametrize(
    ("mirror", "system", "codename", "lines"),
    [
        (
            "aliyun",
            "debian",
            "bookworm",
            (
                "http://mirrors.aliyun.com/debian bookworm main",
                "http://mirrors.aliyun.com/debian bookworm-updates main",
                "http://mirrors.aliyun.com/debian-security bookworm-security main",
            ),
        ),
        (
            "aliyun",
            "ubuntu",
            "noble",
            (
                "http://mirrors.aliyun.com/ubuntu noble main",
                "http://mirrors.aliyun.com/ubuntu noble-updates main",
                "http://mirrors.aliyun.com/ubuntu noble-security main",
            ),
        ),
        (
            "https://archive.example/debian/",
            "debian",
            "bookworm",
            ("https://archive.example/debian bookworm main",),
        ),
    ],
)
def test_a_mirror_has_the_suites_that_its_distribution_has(
    mirror: str, system: str, codename: str, lines: tuple[str, ...]
) -> None:
    asked = ["bash", "-c", '. "$0"; mirror_lines "$1"', str(MIRRORS), system]
    done = subprocess.run(
        asked, env={"MIRROR": mirror, "OS_CODENAME": codename, "PATH": "/usr/bin:/bin"},
        capture_output=True, text=True, check=True, timeout=20,
    )  # fmt: skip
    assert done.stdout.splitlines() == [f"deb {line}" for line in lines]
