"""One way to run a program on the host: no shell, a time limit, and its complaint in the error."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Collection

from agent.refused import Refused


def clean_environment() -> dict[str, str]:
    """The environment for host programs: without the library paths that a frozen agent needs for itself."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in {"LD_LIBRARY_PATH", "LD_LIBRARY_PATH_ORIG"} and not name.startswith("_PYI_")
    }
    environment["LC_ALL"] = "C"
    environment.setdefault("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
    return environment


async def run(
    *argv: str,
    stdin: str = "",
    timeout_seconds: float = 30.0,
    accepted: Collection[int] = (0,),
    mute: bool = False,
) -> str:
    """Run a program to its end and return what it printed. `mute`: its standard error may be endless.

    Raises `Refused` with code `program.missing`, `program.slow` (transient) or `program.failed`, with the
    end of its standard error.
    """
    try:
        process = await asyncio.create_subprocess_exec(
            *argv,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL if mute else asyncio.subprocess.PIPE,
            env=clean_environment(),
        )
    except FileNotFoundError as missing:
        raise Refused(
            "program.missing", f"{argv[0]} is not installed on the host; install it and reconnect"
        ) from missing
    try:
        async with asyncio.timeout(timeout_seconds):
            out, err = await process.communicate(stdin.encode())
    except TimeoutError as slow:
        raise Refused(
            "program.slow", f"{argv[0]} did not end within {timeout_seconds:g} s", transient=True
        ) from slow
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode not in accepted:
        complaint = (err or b"").decode(errors="replace").strip()[
            -600:
        ] or f"exit status {process.returncode}"
        raise Refused("program.failed", f"{' '.join(argv[:3])}: {complaint}")
    return out.decode(errors="replace")
