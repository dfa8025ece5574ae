"""The way in to a VNC server: its password is known here and asked of no viewer, who came in by a token.

RFC 6143, 7.1 and 7.2: versions are told, a kind of security is chosen, a challenge is answered.
"""

from __future__ import annotations

import asyncio

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher, modes

from appliance.api.errors import HostUnreachable
from appliance.hosts.link import Pipe

GREETING = b"RFB 003.008\n"
OPEN, PASSWORD = 1, 2
"""Kinds of security: none, and VNC authentication."""

CHALLENGE_BYTES = 16
WELL = bytes(4)
ENTER_SECONDS = 10.0


class WrongPassword(HostUnreachable):
    """The console takes another password, or none any more."""


def answer(password: str, challenge: bytes) -> bytes:
    """The challenge encrypted by DES with the password, whose bytes VNC reads from their low bits on."""
    key = bytes(int(f"{byte:08b}"[::-1], 2) for byte in password.encode()[:8].ljust(8, b"\0"))
    cipher = Cipher(TripleDES(key * 3), modes.ECB())  # nosec B305  # VNC has no other
    return cipher.encryptor().update(challenge)


async def entered(pipe: Pipe, password: str) -> EnteredConsole:
    """A console that a viewer can have without a password, which was given here. Closes the pipe when it fails.

    Raises `WrongPassword`, or `HostUnreachable` when there is no VNC server that can be understood.
    """
    talk = _Talk(pipe)
    try:
        async with asyncio.timeout(ENTER_SECONDS):
            await _enter(talk, password)
    except TimeoutError as late:
        pipe.close()
        raise HostUnreachable(f"the console does not answer within {ENTER_SECONDS:g} s; try again") from late
    except BaseException:
        pipe.close()
        raise
    return EnteredConsole(pipe, talk.rest)


async def _enter(talk: _Talk, password: str) -> None:
    greeting = await talk.take(len(GREETING))
    if greeting != GREETING:
        raise HostUnreachable(f"the console speaks {greeting!r}, not {GREETING!r}; is it QEMU's?")
    talk.pipe.write(GREETING)
    kinds = await talk.take((await talk.take(1))[0])
    if PASSWORD in kinds:
        talk.pipe.write(bytes([PASSWORD]))
        talk.pipe.write(answer(password, await talk.take(CHALLENGE_BYTES)))
    elif OPEN in kinds:
        talk.pipe.write(bytes([OPEN]))
    else:
        raise HostUnreachable(f"the console offers security {list(kinds)}; 1 and 2 are known")
    if await talk.take(len(WELL)) != WELL:
        raise WrongPassword(
            "the console refuses its password; somebody else was given one meanwhile, try again"
        )


class _Talk:
    """Bytes in the lengths that are asked for."""

    def __init__(self, pipe: Pipe) -> None:
        self.pipe = pipe
        self.rest = b""

    async def take(self, count: int) -> bytes:
        while len(self.rest) < count:
            if not (more := await self.pipe.read()):
                raise HostUnreachable("the console ended the connection before it began; is the VM on?")
            self.rest += more
        taken, self.rest = self.rest[:count], self.rest[count:]
        return taken


class EnteredConsole:
    """The stream of a VNC server that was entered, which tells its viewer that there is no password."""

    def __init__(self, pipe: Pipe, rest: bytes) -> None:
        self._pipe = pipe
        self._rest = rest
        self._told: asyncio.Queue[bytes] = asyncio.Queue()
        self._told.put_nowait(GREETING)
        self._awaited = [(len(GREETING), bytes([1, OPEN])), (1, WELL)]
        """What the viewer says at first, by its length, and what it is told then."""
        self._said = b""

    async def read(self) -> bytes:
        """Some bytes; empty at the end."""
        if self._awaited or not self._told.empty():
            return await self._told.get()
        rest, self._rest = self._rest, b""
        return rest or await self._pipe.read()

    def write(self, data: bytes) -> None:
        """What the viewer says. One that speaks an older version of the protocol is at its end."""
        self._said += data
        while self._awaited and len(self._said) >= self._awaited[0][0]:
            length, told = self._awaited.pop(0)
            said, self._said = self._said[:length], self._said[length:]
            if said not in (GREETING, bytes([OPEN])):
                self._awaited, told = [], b""
                self._pipe.close()
            self._told.put_nowait(told)
        if not self._awaited and self._said:
            said, self._said = self._said, b""
            self._pipe.write(said)

    async def drain(self) -> None:
        """Wait until there is room for more. Raises ConnectionError."""
        await self._pipe.drain()

    def close(self) -> None:
        """Let go of it."""
        self._pipe.close()
