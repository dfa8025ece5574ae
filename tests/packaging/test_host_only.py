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

SOURCES = "cat /etc/apt/sources.list; ls -R /var/lib/apt/lists /etc/apt /tmp"
PASSWORD = "of-a-host"
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

    said = machine.say("bash", path, "--host-only", "-y", URL, seconds=500)
    assert "this machine is ready: AddKVMHost" in said
    assert "its sshd lets root in by key only" in said
    assert [asked for asked in archive.asked if not asked.startswith("http://")] == []
    assert [name for name in wanted(archive) if "libvirt-daemon-system_" in name] != []
    it_takes_packages_from_mirrors_and_forgets_them(machine, archive, path)
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


def it_takes_packages_from_mirrors_and_forgets_them(machine: Machine, archive: Archive, path: str) -> None:
    known = dict(re.findall(r"^ *(\w+)\) base=(\S+) ;;$", MIRRORS.read_text(), re.MULTILINE))
    assert known.keys() == {"163", "aliyun"}
    by_name = [
        (("-R", name, "-y", URL), f"{base}/debian", rf"{re.escape(base)}/debian(-security)?/")
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
