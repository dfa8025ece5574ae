"""SSH to a machine: the appliance's own key pair, host keys pinned at first contact, and the ciphers."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import re
import socket
from pathlib import Path
from typing import Protocol

import asyncssh
import msgspec

from agent.protocol import Claim
from appliance.api.errors import HostUnreachable
from appliance.hosts.fleet import Admit, Target

log = logging.getLogger(__name__)

CIPHERS = ["aes128-gcm@openssh.com", "chacha20-poly1305@openssh.com", "aes256-gcm@openssh.com"]
"""AES-GCM first: it carries 2.7 times the requests of asyncssh's default on the machines measured."""
KEY_EXCHANGES = "-*-sha1,rsa2048-sha256"
"""All that asyncssh has but those that rest on SHA-1, or on a key of the moment that is no secret for ever."""
SIGNATURES = {"ssh-rsa": ["rsa-sha2-512", "rsa-sha2-256"]}
"""How a host proves a key of a kind, where it is not by the kind's own name: RSA never with SHA-1."""
CONNECT_SECONDS = 10.0
KEEPALIVE_SECONDS = 2
KEEPALIVE_COUNT = 3

DOTTED = re.compile(r"[0-9]+(\.[0-9]+){3}")
"""What is meant as an IPv4 address, whatever its numbers are."""

NO_WAY = frozenset({errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN, errno.ENETDOWN})
LOST = frozenset({errno.ECONNRESET, errno.ECONNABORTED, errno.EPIPE})

CLAIM = "/var/lib/zstui-agent/state/claim.json"
"""Where an agent writes down whose its machine is."""

_COPY_KEYS = """
set -e
umask 077
export LC_ALL=C
read -r key
mkdir -p "$HOME/.ssh"
touch "$HOME/.ssh/authorized_keys"
keys=$(readlink -f "$HOME/.ssh/authorized_keys")
while :; do
exec 9<"$keys"
flock 9
test ! "$keys" -ef "/proc/$$/fd/9" || break
done
part="$keys.zstui-key"
cp -a "$keys" "$part"
"""
"""A copy of the list of keys, which nobody else of us changes meanwhile: an agent that opens a lane holds it, too."""
_KEEP_COPY = """
sync "$part"
mv "$part" "$keys"
"""

# The rest of the list is the user's, who may have written anything into it: `-a` and LC_ALL take it for lines of bytes.
INSTALL_KEY = f"""{_COPY_KEYS}
test -z "$(tail -c 1 "$part")" || echo >> "$part"
grep -aqxF "$key" "$part" || printf '%s\\n' "$key" >> "$part"
{_KEEP_COPY}"""
REMOVE_KEY = f"""{_COPY_KEYS}
grep -avxF "$key" "$keys" > "$part" || test $? = 1
{_KEEP_COPY}"""


class Pins(Protocol):
    """Where pinned host keys are remembered, by `address:port`."""

    async def pinned(self, machine: str) -> str | None:
        """The public key pinned for a machine."""

    async def pin(self, machine: str, public_key: str, fingerprint: str) -> None:
        """Pin a machine's public key, in place of the one that is."""


class Ssh:
    """Connections to machines, authenticated by the appliance's key in `folder`."""

    def __init__(self, folder: Path, pins: Pins) -> None:
        self._pins = pins
        self._key = _own_key(folder)
        self._connections: dict[str, asyncssh.SSHClientConnection] = {}

    @property
    def public_key(self) -> str:
        """The appliance's own public key, as hosts store it."""
        return self._key.export_public_key().decode().strip()

    async def trust(self, target: Target, password: str, fingerprint: str | None, admit: Admit) -> None:
        """Pin the machine's host key, then use the password once to install the appliance's key.

        An empty password says that the key is there already. Nothing is offered to the machine before its
        own key is accepted: another one than the pinned is, where its fingerprint is the one given.
        `admit` looks at whose the machine is before anything is left on it. Raises `HostUnreachable`, and
        what `admit` does.
        """
        key = await self._offered_key(target)
        _check_fingerprint(target, key, fingerprint)
        pinned = await self._pins.pinned(target.key)
        offered = _public_line(key)
        if fingerprint is None and pinned is not None and pinned != offered:
            raise _changed(target, key, pinned)
        connection = await self._open(target, offered, password=password or None)
        try:
            await self._check_sudo(connection, target)
            await admit(await self._claim(connection, target))
            if password:
                await self._keep_keys(connection, target, INSTALL_KEY, "installed for")
        finally:
            connection.close()
        await self._pins.pin(target.key, offered, key.get_fingerprint())

    async def connection(self, target: Target) -> asyncssh.SSHClientConnection:
        """A connection by the appliance's key; the one that is open, if one is."""
        found = self._connections.get(target.key)
        if found is not None and not found.is_closed():
            return found
        pinned = await self._pins.pinned(target.key)
        if pinned is None:
            raise HostUnreachable(f"{target.address} has never been added: its host key is not known")
        connection = await self._open(target, pinned)
        self._connections[target.key] = connection
        return connection

    async def leave(self, target: Target) -> None:
        """Take the appliance's key from the machine and close the connection. Raises `HostUnreachable`."""
        connection = await self.connection(target)
        await self._keep_keys(connection, target, REMOVE_KEY, "removed from")
        self.forget(target)

    def forget(self, target: Target) -> None:
        """Close the connection to a machine."""
        found = self._connections.pop(target.key, None)
        if found is not None:
            found.abort()

    async def _open(
        self, target: Target, host_key: str, *, password: str | None = None
    ) -> asyncssh.SSHClientConnection:
        known = asyncssh.import_known_hosts(f"{_known_name(target)} {host_key}\n")
        explain = _Explain(target)
        kind = host_key.partition(" ")[0]
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                return await asyncssh.connect(
                    target.address,
                    target.port,
                    username=target.username,
                    password=password,
                    client_keys=None if password is not None else [self._key],
                    preferred_auth="password,keyboard-interactive" if password is not None else "publickey",
                    known_hosts=known,
                    config=None,
                    agent_path=None,
                    kex_algs=KEY_EXCHANGES,
                    server_host_key_algs=SIGNATURES.get(kind, [kind]),
                    encryption_algs=CIPHERS,
                    compression_algs=None,
                    keepalive_interval=KEEPALIVE_SECONDS,
                    keepalive_count_max=KEEPALIVE_COUNT,
                )
        except asyncssh.HostKeyNotVerifiable as failed:
            raise _changed(target, await self._offered_key(target), host_key) from failed
        except (OSError, TimeoutError, asyncssh.Error) as failed:
            raise explain(failed) from failed

    async def _offered_key(self, target: Target) -> asyncssh.SSHKey:
        explain = _Explain(target)
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                key = await asyncssh.get_server_host_key(target.address, target.port, config=None)
        except (OSError, TimeoutError, asyncssh.Error) as failed:
            raise explain(failed) from failed
        if key is None:
            raise HostUnreachable(f"{target.address}:{target.port} offers no SSH host key")
        return key

    async def _keep_keys(
        self, connection: asyncssh.SSHClientConnection, target: Target, script: str, what: str
    ) -> None:
        """Run a script on the machine that is given the appliance's public key."""
        try:
            done = await connection.run(
                f"sh -c {_quoted(script)}", input=self.public_key + "\n", check=False, timeout=20
            )
        except (OSError, TimeoutError, asyncssh.Error) as failed:
            raise _Explain(target)(failed) from failed
        if done.exit_status != 0:
            raise HostUnreachable(
                f"the key could not be {what} {target.username}@{target.address}: "
                f"{str(done.stderr).strip()[-300:]}"
            )

    async def _claim(self, connection: asyncssh.SSHClientConnection, target: Target) -> Claim:
        """Whose a machine is by its agent, if there is one."""
        try:
            done = await connection.run(
                f"{sudo(target)}sh -c 'test ! -e {CLAIM} || cat {CLAIM}'", check=False, timeout=20
            )
        except (OSError, TimeoutError, asyncssh.Error) as failed:
            raise _Explain(target)(failed) from failed
        if done.exit_status != 0:
            raise HostUnreachable(f"{CLAIM} on {target.address}: {str(done.stderr).strip()[-300:]}")
        try:
            return msgspec.json.decode(str(done.stdout) or "{}", type=Claim)
        except msgspec.DecodeError as bad:
            raise HostUnreachable(
                f"{CLAIM} on {target.address} cannot be read: {bad}; remove it if no appliance holds the machine"
            ) from bad

    async def _check_sudo(self, connection: asyncssh.SSHClientConnection, target: Target) -> None:
        if target.username != "root":
            sudo = await connection.run("sudo -n true", check=False, timeout=20)
            if sudo.exit_status != 0:
                raise HostUnreachable(
                    f"{target.username}@{target.address} needs a password for sudo; allow it without one "
                    f"(NOPASSWD) or add the host as root"
                )


def sudo(target: Target) -> str:
    """What stands before a command that is root's."""
    return "" if target.username == "root" else "sudo -n "


class _Explain:
    """Turns what SSH raises into one error that says what to do."""

    def __init__(self, target: Target) -> None:
        self.target = target

    def __call__(self, failed: BaseException) -> HostUnreachable:
        target = self.target
        where = f"{target.address}:{target.port}"
        if isinstance(failed, asyncssh.PermissionDenied):
            return HostUnreachable(f"{where} refuses the login of {target.username}: wrong user or password")
        if isinstance(failed, TimeoutError):
            return HostUnreachable(f"{where} does not answer within {CONNECT_SECONDS:g} s; does sshd run?")
        if isinstance(failed, socket.gaierror) and DOTTED.fullmatch(target.address):
            return HostUnreachable(
                f"{target.address} is not a valid IPv4 address: that has four numbers from 0 to 255, with dots between"
            )
        if isinstance(failed, socket.gaierror):
            return HostUnreachable(
                f"{target.address} is no name that the appliance's machine can look up: check how it is "
                f"written and the DNS, or give an IP address"
            )
        numbers = _numbers(failed)
        if errno.ECONNREFUSED in numbers:
            return HostUnreachable(
                f"{where} refuses the connection: nothing listens there; start sshd on it, or give the port "
                f"that its sshd has"
            )
        if numbers & NO_WAY:
            return HostUnreachable(
                f"there is no route to {where}: see that the address is right and the machine is on and in a "
                f"network that the appliance's machine reaches"
            )
        if numbers & LOST or isinstance(failed, asyncssh.ConnectionLost):
            return HostUnreachable(
                f"the connection to {where} was lost: see that sshd answers there and no firewall ends it, "
                f"then try again"
            )
        reasons = [os.strerror(number) for number in sorted(numbers)]
        return HostUnreachable(f"{where} cannot be reached: {', '.join(reasons) or failed}")


def _numbers(failed: BaseException) -> set[int]:
    """The system's numbers of what went wrong: with each of a name's addresses, asyncio has them in its text only."""
    if not isinstance(failed, OSError):
        return set()
    if failed.errno is not None:
        return {failed.errno}
    return {int(number) for number in re.findall(r"\[Errno (\d+)\]", str(failed))}


def _changed(target: Target, key: asyncssh.SSHKey, pinned: str) -> HostUnreachable:
    found, was = key.get_fingerprint(), asyncssh.import_public_key(pinned).get_fingerprint()
    return HostUnreachable(
        f"the SSH host key of {target.key} has changed: it is now {found} and was {was}; nothing was sent to it. If "
        f"that is known to be right, as after a new installation, accept it ({target.accepted_by} "
        f"hostKeyFingerprint={found})"
    )


def _check_fingerprint(target: Target, key: asyncssh.SSHKey, fingerprint: str | None) -> None:
    if fingerprint is not None and key.get_fingerprint() != fingerprint:
        raise HostUnreachable(
            f"hostKeyFingerprint: {target.key} offers {key.get_fingerprint()}, not {fingerprint}; "
            f"nothing was sent to it"
        )


def _public_line(key: asyncssh.SSHKey) -> str:
    kind, blob = key.export_public_key().decode().split()[:2]
    return f"{kind} {blob}"


def _known_name(target: Target) -> str:
    return target.address if target.port == 22 else f"[{target.address}]:{target.port}"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\"'\"'") + "'"


def _own_key(folder: Path) -> asyncssh.SSHKey:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = folder / "id_ed25519"
    if path.exists():
        return asyncssh.read_private_key(path)
    key = asyncssh.generate_private_key("ssh-ed25519", comment="zstui")
    part = path.with_suffix(".part")
    part.touch(mode=0o600)
    with part.open("wb") as file:
        file.write(key.export_private_key())
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
    return key
