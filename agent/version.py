"""Which build of the agent runs, and how it starts itself again."""

from __future__ import annotations

import os
import sys
from pathlib import Path

AGENT_VERSION = "0.1.0"


def frozen_folder() -> Path | None:
    """The folder of the frozen agent; None when it runs from source."""
    return Path(sys.executable).resolve().parent if getattr(sys, "frozen", False) else None


def version() -> str:
    """Version and build: two agents with the same answer are the same program."""
    folder = frozen_folder()
    if folder is None:
        return f"{AGENT_VERSION}+source"
    build = folder / "build"
    return f"{AGENT_VERSION}+{build.read_text().strip() if build.is_file() else folder.name}"


def own_command(verb: str) -> list[str]:
    """The argument list that runs a verb of this same agent."""
    start = [sys.executable] if frozen_folder() else [sys.executable, "-m", "agent"]
    return [*start, verb]


def own_environment() -> dict[str, str]:
    """The environment for `own_command`: a new frozen process of its own, not a worker of this one."""
    # Attach starts nothing in most cases, and need not wait for what this imports.
    from agent.run import clean_environment

    environment = clean_environment()
    environment["PYINSTALLER_RESET_ENVIRONMENT"] = "1"
    if frozen_folder() is None and (here := os.environ.get("PYTHONPATH")):
        environment["PYTHONPATH"] = here
    return environment
