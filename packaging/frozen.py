"""Freeze a program into one folder that needs no Python: what the agent's folder and the appliance's have in common."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def freeze(work: Path, name: str, module: str, *, excluded: Iterable[str], options: Iterable[str]) -> Path:
    """Run PyInstaller on a module with a `main`, in a folder that is made anew; returns the folder that it made.

    Raises `CalledProcessError` after showing what PyInstaller said.
    """
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    # Not beside this file, where packages of the entry's imports have namesakes.
    entry = work / f"{name.removeprefix('zstui-')}_entry.py"
    entry.write_text(f"import sys\nfrom {module} import main\nsys.exit(main())\n")
    done = subprocess.run(
        [
            *(sys.executable, "-m", "PyInstaller", "--noconfirm", "--clean", "--log-level=WARN"),
            *("--onedir", "--noupx", f"--name={name}", f"--paths={ROOT}"),
            *(["--strip"] if shutil.which("strip") else []),
            *(f"--distpath={work / 'dist'}", f"--workpath={work / 'build'}", f"--specpath={work}"),
            *options,
            *(f"--exclude-module={each}" for each in excluded),
            str(entry),
        ],
        check=False,
        cwd=work,
        # Byte code that does not depend on the order of sets.
        env={
            **os.environ,
            "PYTHONHASHSEED": "1",
            "SOURCE_DATE_EPOCH": "1",
            # Its cache is its own, lest one that freezes elsewhere at the same time clean it away.
            "PYINSTALLER_CONFIG_DIR": str(work / "cache"),
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    if done.returncode:
        sys.stderr.buffer.write(done.stdout)
        done.check_returncode()
    return work / "dist" / name
