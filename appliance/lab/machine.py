"""The disks of a lab host: its private folders, its /etc with users and keys, its daemons' configuration."""

import asyncio
import base64
import hashlib
import json
import secrets
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

from appliance.lab.command import ENVIRONMENT, run
from appliance.lab.instance import Instance, LabHost, write_private

STORAGE = ("/zstack_ps", "/zstack_bs")
SUDO_USER = "operator"
_SUDO_USER_ID = 2000
# The folders that a host has for itself. /home and /tmp may hold the lab's own folder: they come last.
_PRIVATE = (
    "/etc",
    "/root/.ssh",
    "/var/lib/libvirt",
    "/var/lib/misc",
    "/var/lib/zstui-agent",
    "/var/cache/libvirt",
    "/var/log",
    *STORAGE,
    "/home",
    "/tmp",
)
_CLOSED = {"/root/.ssh": 0o700, "/tmp": 0o1777}

_SSHD = """ListenAddress {address}
Port 22
HostKey /etc/ssh/ssh_host_ed25519_key
UsePAM no
PermitRootLogin yes
PasswordAuthentication yes
PubkeyAuthentication yes
KbdInteractiveAuthentication no
AuthorizedKeysFile .ssh/authorized_keys
UseDNS no
PrintMotd no
PrintLastLog no
MaxStartups 100
MaxSessions 200
LogLevel VERBOSE
PidFile /run/sshd.pid
Subsystem sftp /usr/lib/openssh/sftp-server
"""

_LIBVIRTD = """host_uuid = "{uuid}"
auth_unix_ro = "none"
auth_unix_rw = "none"
unix_sock_group = "root"
unix_sock_rw_perms = "0700"
"""

_QEMU = """user = "root"
group = "root"
dynamic_ownership = 0
remember_owner = 0
security_driver = "none"
namespaces = []
cgroup_controllers = []
"""

_DAEMONS = {
    "virtlogd": ["/usr/sbin/virtlogd"],
    "virtlockd": ["/usr/sbin/virtlockd"],
    "libvirtd": ["/usr/sbin/libvirtd"],
    "sshd": ["/usr/sbin/sshd", "-D", "-e"],
}


async def prepare(instance: Instance, number: int, everyone: Sequence[int]) -> None:
    """Make a host's folders and write its configuration; its disks and keys stay if they exist."""
    folder = instance.host_folder(number)
    for path in _PRIVATE:
        place = _inside(folder, path)
        place.mkdir(parents=True, exist_ok=True)
        place.chmod(_CLOSED.get(path, 0o755))
    (folder / "log").mkdir(exist_ok=True)
    etc = _inside(folder, "/etc")
    await _copy_etc(etc)
    name_everyone(instance, number, everyone)
    _write_identity(instance, number)
    await _write_users(instance, folder)
    await _write_ssh(instance, number)
    _write_libvirt(etc)
    spec = _spec(instance, number)
    write_private(folder / "init.json", json.dumps(spec, indent=1) + "\n")


async def make_key(path: Path, comment: str) -> None:
    """Make an ed25519 key pair without a passphrase, unless it is there."""
    public = path.with_name(path.name + ".pub")
    if not await asyncio.to_thread(public.exists):
        await asyncio.to_thread(path.unlink, missing_ok=True)
        await run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(path)])


def described(instance: Instance, number: int) -> LabHost:
    """The host as its users see it. Its folder must have been prepared."""
    folder = instance.host_folder(number)
    public = _inside(folder, "/etc/ssh/ssh_host_ed25519_key.pub").read_text().split()
    digest = hashlib.sha256(base64.b64decode(public[1])).digest()
    return LabHost(
        name=instance.namespace(number),
        number=number,
        address=instance.address(number),
        password=instance.password,
        folder=folder,
        private_key=instance.folder / "id_ed25519",
        host_key=" ".join(public[:2]),
        host_key_fingerprint="SHA256:" + base64.b64encode(digest).decode().rstrip("="),
    )


def empty_tmp(instance: Instance, number: int) -> None:
    """Forget a host's /tmp, as a boot does."""
    for entry in _inside(instance.host_folder(number), "/tmp").iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()


def log_tail(folder: Path, name: str, lines: int = 12) -> str:
    """The last lines of one of a host's logs, for an error's text."""
    path = folder / "log" / f"{name}.log"
    if not path.exists():
        return f"({path} was not written)"
    return f"{path}:\n" + "\n".join(path.read_text(errors="replace").splitlines()[-lines:])


async def _copy_etc(etc: Path) -> None:
    """The machine's /etc, newer files over older; a package being installed may disturb the first try."""
    command = ["cp", "-a", "-u", "/etc/.", str(etc)]
    if (await run(command, timeout_seconds=60, check=False)).returncode != 0:
        await run(command, timeout_seconds=60)


def _inside(folder: Path, path: str) -> Path:
    """Where a path of the host is kept in its folder."""
    return folder / "disk" / path.lstrip("/")


def _spec(instance: Instance, number: int) -> dict[str, Any]:
    folder = instance.host_folder(number)
    return {
        "hostname": instance.namespace(number),
        "logs": str(folder / "log"),
        "binds": [[str(_inside(folder, path)), path] for path in _PRIVATE],
        "services": _DAEMONS,
        "environment": dict(ENVIRONMENT),
    }


def name_everyone(instance: Instance, number: int, everyone: Sequence[int]) -> None:
    """Let a host know all hosts of its lab by name; libvirt migrates to names."""
    etc = _inside(instance.host_folder(number), "/etc")
    etc.mkdir(parents=True, exist_ok=True)
    lines = ["127.0.0.1 localhost", "::1 localhost"]
    lines += [f"{instance.address(other)} {instance.namespace(other)}" for other in everyone]
    _replace(etc / "hosts", "\n".join(lines) + "\n")


def _write_identity(instance: Instance, number: int) -> None:
    etc = _inside(instance.host_folder(number), "/etc")
    _replace(etc / "hostname", instance.namespace(number) + "\n")
    marker = instance.host_folder(number) / "machine-id"
    if not marker.exists():
        marker.write_text(secrets.token_hex(16) + "\n")
    _replace(etc / "machine-id", marker.read_text())


async def _write_users(instance: Instance, folder: Path) -> None:
    """The machine's users, with the lab's password for root and one more user who may sudo."""
    etc, home = _inside(folder, "/etc"), _inside(folder, f"/home/{SUDO_USER}")
    digest = (await run(["openssl", "passwd", "-6", "-stdin"], stdin=instance.password + "\n")).stdout.strip()
    ids = f"{_SUDO_USER_ID}:{_SUDO_USER_ID}"
    extra = {
        "passwd": f"{SUDO_USER}:x:{ids}::/home/{SUDO_USER}:/bin/bash",
        "group": f"{SUDO_USER}:x:{_SUDO_USER_ID}:",
        "shadow": f"{SUDO_USER}:{digest}:19000:0:99999:7:::",
        "gshadow": f"{SUDO_USER}:!::",
    }
    for name, line in extra.items():
        lines = (Path("/etc") / name).read_text().splitlines()
        kept = [old for old in lines if old.split(":")[0] != SUDO_USER]
        if name == "shadow":
            kept = [f"root:{digest}:19000:0:99999:7:::" if old.startswith("root:") else old for old in kept]
        (etc / name).write_text("\n".join([*kept, line]) + "\n")
    rule = etc / "sudoers.d" / SUDO_USER
    rule.parent.mkdir(exist_ok=True)
    _replace(rule, f"{SUDO_USER} ALL=(ALL:ALL) NOPASSWD: ALL\n")
    rule.chmod(0o440)
    (home / ".ssh").mkdir(parents=True, exist_ok=True, mode=0o700)
    await run(["chown", "-R", ids, str(home)])


async def _write_ssh(instance: Instance, number: int) -> None:
    """Host keys of its own, the lab's key for both users, and an sshd that asks no other service."""
    folder = instance.host_folder(number)
    ssh = _inside(folder, "/etc/ssh")
    marker = folder / "ssh_host_ed25519_key"
    await make_key(marker, instance.namespace(number))
    for old in ssh.glob("ssh_host_*"):
        old.unlink()
    for suffix in ("", ".pub"):
        shutil.copy2(f"{marker}{suffix}", ssh / f"ssh_host_ed25519_key{suffix}")
    _replace(ssh / "sshd_config", _SSHD.format(address=instance.address(number)))
    lab_key = (instance.folder / "id_ed25519.pub").read_text()
    for home, owner in (("/root/.ssh", 0), (f"/home/{SUDO_USER}/.ssh", _SUDO_USER_ID)):
        keys = _inside(folder, home) / "authorized_keys"
        _keep_line(keys, lab_key)
        await run(["chown", f"{owner}:{owner}", str(keys)])


def _write_libvirt(etc: Path) -> None:
    """libvirt as on a host of its own: its own uuid (migration refuses equal ones), no default network."""
    uuid = UUID((etc / "machine-id").read_text().strip())
    libvirt = etc / "libvirt"
    _replace(libvirt / "libvirtd.conf", _LIBVIRTD.format(uuid=uuid))
    _replace(libvirt / "qemu.conf", _QEMU)
    for network in (libvirt / "qemu/networks").glob("**/default.xml"):
        network.unlink()
    # The copy of the machine's /etc brings the machine's own guests; this host has only its own.
    for folder in ("qemu", "qemu/autostart"):
        for domain in Path("/etc/libvirt", folder).glob("*.xml"):
            (libvirt / folder / domain.name).unlink(missing_ok=True)


def _replace(path: Path, text: str) -> None:
    """Write a file anew: the copy may be a link to a file of the machine, or not writable."""
    path.unlink(missing_ok=True)
    path.write_text(text)


def _keep_line(path: Path, line: str) -> None:
    """Add a line to a file that has not got it, leaving what others added."""
    old = path.read_text() if path.exists() else ""
    if line not in old:
        path.touch(mode=0o600)
        path.write_text(old + line)
