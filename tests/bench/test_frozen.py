"""How fast the frozen program is there, by an empty Textual app that the same code has frozen."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.bench.measure import compare
from tests.bench.terminal import terminal

REPOSITORY = Path(__file__).resolve().parents[2]
FIRST_PAINT = 1.5

KEY = "import appliance; print(appliance.inputs_hash())"
ZSTUI = "import appliance, pathlib, sys; appliance.freeze(pathlib.Path(sys.argv[1]))"
EMPTY = """
import appliance, frozen, pathlib, sys
frozen.freeze(pathlib.Path(sys.argv[1]), "zstui-empty", "tests.bench.empty", excluded=appliance.EXCLUDED_MODULES,
              options=["--collect-submodules=textual.widgets"])
"""


@dataclass(frozen=True)
class Frozen:
    """The two programs."""

    zstui: Path
    empty: Path


def packaging(code: str, *words: str) -> str:
    """Run some lines among the modules of `packaging`; what they print."""
    command = [sys.executable, "-c", code, *words]
    done = subprocess.run(
        command, cwd=REPOSITORY / "packaging", capture_output=True, text=True, check=False, timeout=500
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture(scope="module")
def frozen() -> Frozen:
    """Both, kept until anything that zstui is frozen of is another."""
    folder = REPOSITORY / "build" / "bench" / packaging(KEY)
    if not folder.is_dir():
        shutil.rmtree(folder.parent, ignore_errors=True)
        part = folder.parent / "part"
        packaging(ZSTUI, str(part / "zstui"))
        packaging(EMPTY, str(part / "empty"))
        part.rename(folder)
    return Frozen(
        folder / "zstui" / "dist" / "zstui" / "zstui",
        folder / "empty" / "dist" / "zstui-empty" / "zstui-empty",
    )


async def test_first_paint(frozen: Frozen, tmp_path: Path) -> None:
    state = {"XDG_STATE_HOME": str(tmp_path)}

    async def ours() -> float:
        words = ("--connect", "http://127.0.0.1:9")
        async with terminal(*words, program=frozen.zstui, environment=state) as shown:
            return await shown.shows("zstui")

    async def empty() -> float:
        async with terminal(program=frozen.empty) as shown:
            return await shown.shows("empty")

    compared = await compare("first paint, frozen", ours, empty, pairs=9)
    assert compared.ratio <= FIRST_PAINT
