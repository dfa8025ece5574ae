"""A program in a pane of a real tmux: keys in, what is on its cells out."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from tests.e2e.stage import until
from zstui.picture import drawn

SECONDS = 30.0
LOOK_SECONDS = 0.1


class Pane:
    """One window of a tmux server of its own, which reads no configuration."""

    def __init__(
        self,
        socket: Path,
        words: list[str],
        environment: dict[str, str],
        *,
        columns: int = 120,
        rows: int = 36,
    ) -> None:
        self._socket = socket
        self._words = words
        self._environment = environment
        self._size = (columns, rows)

    async def __aenter__(self) -> Pane:
        columns, rows = self._size
        size = ("-x", str(columns), "-y", str(rows))
        await self._tmux("-f", "/dev/null", "new-session", "-d", *size, "--", *self._words)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._tmux("kill-server")

    async def press(self, *keys: str) -> None:
        """Press keys, by the names that tmux has for them."""
        await self._tmux("send-keys", *keys)

    async def write(self, text: str) -> None:
        """Type a text."""
        await self._tmux("send-keys", "-l", "--", text)

    async def text(self) -> str:
        """The lines as they are now; a wide character is once in them."""
        return await self._tmux("capture-pane", "-p")

    async def sees(self, *texts: str, seconds: float = SECONDS) -> None:
        """Wait until all texts are there."""
        await self.until(lambda shown: all(text in shown for text in texts), f"{texts}", seconds)

    async def misses(self, text: str) -> None:
        """Wait until a text is gone."""
        await self.until(lambda shown: text not in shown, f"end of {text!r}")

    async def until(self, fits: Callable[[str], bool], what: str, seconds: float = SECONDS) -> None:
        """Wait until what is shown fits; it is in the message when it never does."""

        async def look() -> bool:
            return fits(await self.text())

        try:
            await until(look, seconds, what, LOOK_SECONDS)
        except AssertionError:
            raise AssertionError(f"no {what} within {seconds:g} s on\n{await self.text()}") from None

    async def svg(self, title: str) -> str:
        """What is shown, drawn."""
        return drawn(
            (await self._tmux("capture-pane", "-p", "-e", "-N")).removesuffix("\n"), self._size[0], title
        )

    async def _tmux(self, *words: str) -> str:
        process = await asyncio.create_subprocess_exec(
            "tmux", "-u", "-S", str(self._socket), *words, env={**os.environ, **self._environment},
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        said, wrong = await process.communicate()
        assert process.returncode == 0, f"tmux {' '.join(words)}: {wrong.decode()}"
        return said.decode()
