"""`zstui shell` at a terminal: a line typed at its prompt, and what it answered."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import pty
import re
import struct
import termios
from types import TracebackType
from typing import Any

from tests.e2e.appliance_process import TREE, ApplianceProcess

COLUMNS = 8000
"""Wide enough that no line typed is wrapped."""

LINE_SECONDS = 90.0


class Prompt:
    """A shell, started in a terminal of its own."""

    def __init__(self, appliance: ApplianceProcess) -> None:
        self._appliance = appliance
        self._seen = b""

    async def __aenter__(self) -> Prompt:
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 50, COLUMNS, 0, 0))
        home = self._appliance.folder / "home"
        home.mkdir(exist_ok=True)
        environment = {
            **self._appliance.environment, "TERM": "dumb", "XDG_STATE_HOME": str(home),
            "COLUMNS": "80",  # as a shell may have exported it once: the terminal is wider
        }  # fmt: skip
        self._process = await asyncio.create_subprocess_exec(
            *self._appliance.command("shell"),
            cwd=TREE,
            env=environment,
            stdin=slave,
            stdout=slave,
            stderr=slave,
        )
        os.close(slave)
        await self._until_prompt()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.write(self._master, b"\x04")
        try:
            async with asyncio.timeout(30):
                await self._process.wait()
        finally:
            if self._process.returncode is None:
                self._process.kill()
                await self._process.wait()
            os.close(self._master)

    async def say(self, line: str) -> dict[str, Any]:
        """Type a line. The reply, or of one that failed its `code`, `description` and `details`."""
        os.write(self._master, line.encode() + b"\n")
        said = await self._until_prompt()
        answer = said.partition("\n")[2]
        if answer.startswith("{"):
            reply: dict[str, Any] = json.loads(answer)
            return reply
        error = dict(re.findall(r"^(code|description|details): (.*)$", answer, re.MULTILINE))
        assert error, f"{line!r} was answered by {answer!r}"
        return error

    async def _until_prompt(self) -> str:
        async with asyncio.timeout(LINE_SECONDS):
            while not self._seen.endswith(b">>> "):
                chunk = await asyncio.to_thread(os.read, self._master, 65536)
                self._seen += chunk.replace(b"\r\n", b"\n")
        said, self._seen = self._seen.removesuffix(b">>> ").decode(), b""
        return said
