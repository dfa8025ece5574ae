"""The installer on a Debian 12 server with systemd: its unit, locked down, and what it owes who runs it."""

from __future__ import annotations

import hashlib
import json
import re
import ssl
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from .server import FILES, Server
from .versions import NEW, OLD, call, named, until

PORT, SSH_PORT = 8080, 2222
EXPOSURE = 3.0
"""What systemd may find exposed, of 10. What is left is the network, root's rights to files, and where backups go."""

LOCKS = {
    "NoNewPrivileges": "yes",
    "ProtectSystem": "full",
    "PrivateDevices": "yes",
    "ProtectKernelTunables": "yes",
    "ProtectKernelModules": "yes",
    "ProtectControlGroups": "yes",
    "ProtectProc": "invisible",
    "MemoryDenyWriteExecute": "yes",
    "RestrictSUIDSGID": "yes",
    "RestrictNamespaces": "yes",
    "RestrictAddressFamilies": "AF_INET AF_INET6 AF_NETLINK AF_UNIX",
    "CapabilityBoundingSet": "cap_chown cap_dac_override cap_fowner cap_net_bind_service",
    "SystemCallArchitectures": "native",
    "UMask": "0077",
}

pytestmark = [pytest.mark.lab, pytest.mark.alone, pytest.mark.timeout(1800)]


@pytest.fixture
def server(versions: dict[str, Path]) -> Iterator[Server]:
    server = Server([versions[OLD], versions[NEW]], [PORT, SSH_PORT])
    yield server
    server.close()


def test_it_is_installed_locked_down_brought_back_upgraded_and_taken_away(
    server: Server, versions: dict[str, Path]
) -> None:
    old, new = (f"{FILES}/{versions[version].name}" for version in (OLD, NEW))
    server.say("bash", old, "-q", "-I", "eth0", "--ssh", f"0.0.0.0:{SSH_PORT}")
    assert server.say("systemctl", "is-active", "zstui") == "active\n"
    assert server.say("systemctl", "is-enabled", "zstui") == "enabled\n"
    it_is_locked_down(server)
    it_answers_its_admin(server)
    it_is_brought_back(server)

    call(server, "CreateZone", "name=before")
    server.say("bash", new, "-u", "-q")
    assert (active(server), named(server, "Zone")) == (NEW, ["before"])
    call(server, "CreateZone", "name=after")
    server.say("bash", "/opt/zstui/installer", "--rollback", "-q")
    assert (active(server), named(server, "Zone")) == (OLD, ["before"])
    # How it is reached is remembered by all of them.
    assert f"--listen 10.0.2.15:{PORT} --ssh 0.0.0.0:{SSH_PORT}" in command_line(server)

    server.say("bash", "/opt/zstui/installer", "--uninstall", "-q")
    assert server.run("systemctl", "cat", "zstui").returncode != 0
    assert server.run("ls", "-d", "/opt/zstui", "/usr/local/bin/zstui").stdout == ""
    assert "store.db\n" in server.say("ls", "/var/lib/zstui")


def it_is_locked_down(server: Server) -> None:
    shown = server.say("systemctl", "show", "zstui", *(f"--property={name}" for name in LOCKS))
    found = dict(line.split("=", 1) for line in shown.splitlines())
    assert {name: " ".join(sorted(value.split())) for name, value in found.items()} == LOCKS
    said = server.say("systemd-analyze", "security", "zstui", "--no-pager")
    score = re.search(r"Overall exposure level for zstui\.service: ([\d.]+)", said)
    assert score is not None, said
    assert float(score[1]) < EXPOSURE


def it_answers_its_admin(server: Server) -> None:
    """From another machine, over TLS that its own certificate makes true."""
    trust = ssl.create_default_context(cadata=server.say("cat", "/var/lib/zstui/certificate.pem"))
    trust.check_hostname = False  # it is for the server's own address, which a forwarded port leads to
    address = f"https://127.0.0.1:{server.port(PORT)}"
    with urllib.request.urlopen(f"{address}/healthz", context=trust, timeout=60) as answer:
        assert json.load(answer) == {"ready": True}
    words = server.say("journalctl", "-u", "zstui", "-o", "cat")
    password = re.search(r"the password of admin is (\S+);", words)
    assert password is not None, words
    digest = hashlib.sha512(password[1].encode()).hexdigest()
    message = {
        "org.zstack.header.identity.APILogInByAccountMsg": {"accountName": "admin", "password": digest}
    }
    asked = urllib.request.Request(f"{address}/zstack/api", json.dumps(message).encode())
    with urllib.request.urlopen(asked, context=trust, timeout=60) as answer:
        assert "inventory" in answer.read().decode()


def it_is_brought_back(server: Server) -> None:
    before = main_pid(server)
    server.say("kill", "-9", before)
    # Faces that come in between wait for the service, if not for as long as it takes here, and start nothing.
    until(lambda: server.run("zstui", "call", "GetVersion").returncode == 0, "it is not back")
    assert main_pid(server) not in ("0", before)
    assert server.say("pgrep", "-fc", "zstui --serve") == "1\n"


def main_pid(server: Server) -> str:
    return server.say("systemctl", "show", "zstui", "--property=MainPID", "--value").strip()


def command_line(server: Server) -> str:
    return server.say("ps", "-o", "args=", "-p", main_pid(server))


def active(server: Server) -> str:
    """The version that the service runs."""
    until(lambda: server.run("systemctl", "is-active", "zstui").stdout == "active\n", "it is not active")
    return server.say("zstui", "--version").split()[1]
