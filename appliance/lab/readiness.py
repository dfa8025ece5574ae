"""Waiting for a lab host to answer, with a limit and the reason why it did not."""

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from appliance.lab import machine
from appliance.lab.command import LabError


async def lack_of_greeting(address: str) -> str:
    """Empty if an sshd greets at the address, else what happened instead."""
    try:
        async with asyncio.timeout(1.0):
            reader, writer = await asyncio.open_connection(address, 22)
            try:
                line = await reader.readline()
            finally:
                writer.close()
    except (OSError, TimeoutError) as error:
        return f"{address} port 22: {error or 'no answer within 1 s'}"
    return "" if line.startswith(b"SSH-2.0-") else f"{address} port 22 says {line!r}"


async def until(
    lack: Callable[[], Coroutine[Any, Any, str]], limit_seconds: float, what: str, folder: Path
) -> None:
    """Ask until nothing is lacking.

    Raises LabError, with the last answer and the ends of the host's logs, if that takes too long.
    """
    reason = "no answer"
    try:
        async with asyncio.timeout(limit_seconds):
            while True:
                reason = await lack()
                if not reason:
                    return
                await asyncio.sleep(0.03)
    except TimeoutError as error:
        logs = "\n".join(machine.log_tail(folder, name) for name in dict.fromkeys((what, "init")))
        text = f"{folder.name} of the lab: {what} did not come up within {limit_seconds:g} s: {reason}"
        raise LabError(f"{text}\n{logs}") from error
