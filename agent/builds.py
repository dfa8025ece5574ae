"""Which builds of the agent are kept on this host: the one that runs, the one before it, and whatever still runs."""

from __future__ import annotations

import logging
import os
import re
import shutil
from pathlib import Path

from agent.version import frozen_folder

log = logging.getLogger(__name__)

KEPT = 2
"""The build that runs, and the one to go back to without carrying it here again."""

_NAME = re.compile(r"[0-9a-f]{16}")


def tidy() -> None:
    """Remove builds that an appliance has carried here and that nobody runs any more; nothing when run from source."""
    own = frozen_folder()
    if own is None or not _NAME.fullmatch(own.name):
        return
    try:
        # When it ran last is what tells the one before from those before that.
        os.utime(own)
        remove_older(own.parent, Path("/proc"))
    except OSError as failed:
        # They take room and do no harm; the next start tries again.
        log.warning("old agents stay in %s: %s", own.parent, failed)


def remove_older(folder: Path, processes: Path) -> None:
    """Remove from a folder of builds all but those that ran last, or that a process is of; raises `OSError`."""
    builds = [each for each in folder.iterdir() if _NAME.fullmatch(each.name) and each.is_dir()]
    builds.sort(key=lambda build: (build.stat().st_mtime, build.name), reverse=True)
    running = _running(folder, processes)
    for build in builds[KEPT:]:
        if build.name not in running:
            shutil.rmtree(build)
            log.info("removed an old agent, which nobody runs any more: %s", build)


def _running(folder: Path, processes: Path) -> set[str]:
    """The names of the builds in a folder that some process is of."""
    found = set()
    for process in processes.iterdir():
        if not process.name.isdecimal():
            continue
        try:
            program = (process / "exe").readlink()
        except OSError:
            continue  # it has ended, or is a thread of the kernel
        if program.is_relative_to(folder):
            found.add(program.relative_to(folder).parts[0])
    return found
