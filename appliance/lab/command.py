"""Commands run as argument lists, each with a time limit, and the error that the lab raises."""

import asyncio
import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

ENVIRONMENT: Mapping[str, str] = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "LANG": "C.UTF-8",
    "TERM": "dumb",
    "DEBIAN_FRONTEND": "noninteractive",
}


class LabError(Exception):
    """Something in the lab did not work; the text says what, and shows the end of the relevant log."""


async def run(
    argv: Sequence[str],
    *,
    stdin: str | None = None,
    timeout_seconds: float = 30.0,
    check: bool = True,
) -> subprocess.CompletedProcess[str]:
    """Run a command with a clean environment and give its output.

    Raises LabError if it takes longer than the limit (it and its children are killed), if it does
    not exist, or, with `check`, if its exit status is not 0.
    """
    try:
        process = await asyncio.create_subprocess_exec(
            *argv,
            stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=dict(ENVIRONMENT),
            start_new_session=True,
        )
    except OSError as error:
        raise LabError(f"cannot run {argv[0]}: {error.strerror}") from error
    try:
        async with asyncio.timeout(timeout_seconds):
            out, err = await process.communicate(None if stdin is None else stdin.encode())
    except TimeoutError as error:
        raise LabError(f"{_shown(argv)} did not end within {timeout_seconds:g} s and was killed") from error
    finally:
        if process.returncode is None:
            await _kill(process)
    status = await process.wait()
    done = subprocess.CompletedProcess(
        list(argv), status, out.decode(errors="replace"), err.decode(errors="replace")
    )
    if check and done.returncode != 0:
        raise LabError(f"{_shown(argv)} failed with status {done.returncode}: {done.stderr.strip()[-600:]}")
    return done


async def detach(argv: Sequence[str], log: Path) -> None:
    """Start a command that goes on by itself in the background, its output added to a log."""
    with log.open("ab") as output:
        process = await asyncio.create_subprocess_exec(
            *argv, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=dict(ENVIRONMENT)
        )
    try:
        async with asyncio.timeout(10):
            status = await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if status != 0:
        raise LabError(f"{_shown(argv)} failed with status {status}; see {log}")


async def _kill(process: asyncio.subprocess.Process) -> None:
    """End the whole session of the command: its children may sit in another pid namespace."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    await process.wait()


def _shown(argv: Sequence[str]) -> str:
    text = " ".join(argv)
    return text if len(text) <= 160 else text[:157] + "..."
