"""Makes a guest an attacker: what it runs is compiled here and carried into it; its guard can be put aside."""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

from agent.guard import TABLE
from tests.e2e.guest import SSH, Guest
from tests.e2e.stage import Stage

SOURCE = Path(__file__).with_name("attack.c")
PROGRAM = "/run/attack"


class Attacker:
    """A guest that has the program."""

    def __init__(self, guest: Guest) -> None:
        self.guest = guest

    @classmethod
    async def arm(cls, guest: Guest) -> Attacker:
        """Compile the program and put it into a guest."""
        built = guest.stage.lab.folder / "attack"
        words = ["gcc", "-static", "-Os", "-s", "-Wall", "-Werror", "-o", str(built), str(SOURCE)]
        await asyncio.to_thread(subprocess.run, words, check=True, timeout=60)
        self = cls(guest)
        await self._with(built, f"cat >{PROGRAM} && chmod +x {PROGRAM}")
        return self

    async def _with(self, file: Path, command: str, seconds: float = 60) -> str:
        """Run a command in the guest with a file as its standard input."""
        guest = self.guest
        words = [*SSH, "-i", str(guest.stage.guest_key), f"root@{guest.ip}", command]
        # The file is seen on the host at the same path.
        done = await guest.ssh_process(["sh", "-c", 'exec "$@" <"$0"', str(file), *words], seconds)
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout

    async def send(self, frames: Iterable[bytes], seconds: float = 0, card: str = "eth0") -> int:
        """Send frames in their order, once or again and again for some seconds; how many were sent."""
        file = self.guest.stage.lab.folder / "frames"
        await asyncio.to_thread(file.write_text, "".join(f"{frame.hex()}\n" for frame in frames))
        return int(await self._with(file, f"{PROGRAM} frames {card} {seconds:g}", seconds + 60))

    async def connect(self, address: str, total: int, seconds: float) -> tuple[int, int]:
        """Open very many connections that hardly say a word; how many, and how many were ended by the server."""
        words = f"{PROGRAM} connections {address} 80 {total} {seconds:g}"
        opened, ended = (await self.guest.ssh(words, seconds=seconds + 60)).split()
        return int(opened), int(ended)

    async def scan(self, address: str, first: int, last: int, seconds: float) -> dict[int, str]:
        """What each port answers, open or closed; ports that keep silent for so long are left out."""
        said = await self.guest.ssh(f"{PROGRAM} scan {address} {first} {last} {seconds:g}", seconds=120)
        return {int(port): answer for port, answer in (line.split() for line in said.splitlines())}


CHAINS = ("prerouting", "input")


@contextlib.asynccontextmanager
async def unguarded(cloud: Stage, guest: Guest) -> AsyncIterator[None]:
    """Let a guest send what it likes: the control that shows what the guard is for.

    The host puts its guard back within ten seconds, so what the body sends has to be sent at once.
    """
    handles = {}
    for chain in CHAINS:
        rule = ("rule", "bridge", TABLE, chain, "iifname", guest.device, "accept")
        said = await cloud.run(guest.host, "nft", "-j", "-e", "insert", *rule)
        (handles[chain],) = (item["insert"]["rule"]["handle"] for item in json.loads(said)["nftables"])
    try:
        yield
    finally:
        for chain, handle in handles.items():
            where = ("rule", "bridge", TABLE, chain, "handle", str(handle))
            # It is gone already where the host has put its guard back.
            await cloud.run(guest.host, "nft", "delete", *where, check=False)
