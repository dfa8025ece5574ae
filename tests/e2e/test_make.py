"""The commands of a fresh machine: make run without a terminal, again, stop, and clean."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from appliance.client import Session
from appliance.lab import Lab, network
from appliance.lab.instance import ROOT, uplink_of
from tests.e2e.appliance_process import TREE, free_port

pytestmark = pytest.mark.timeout(420)
NAME = f"e2em-{os.getpid()}"
SECOND_RUN_SECONDS = 45.0
ZSTUI = "#!{python}\nfrom zstui.__main__ import main\nraise SystemExit(main())\n"


class Tree:
    """A copy of the tree with an instance of its own, and its make."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.port = free_port()

    async def make(self, target: str, seconds: float = 240) -> tuple[list[str], float]:
        """The lines that a target printed, without a terminal, and the seconds it took."""
        began = time.monotonic()
        done = await self.tried(target, self.data, seconds)
        assert done.returncode == 0, f"{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
        return done.stdout.splitlines(), time.monotonic() - began

    async def tried(self, target: str, data: Path, seconds: float = 240) -> subprocess.CompletedProcess[str]:
        """What became of a target with this data folder."""
        words = ["make", target, f"NAME={NAME}", f"DATA={data}", f"LISTEN=127.0.0.1:{self.port}"]
        inherited = ("MAKE", "MFLAGS", "ZSTUI_", "PYTHONPATH")
        environment = {name: value for name, value in os.environ.items() if not name.startswith(inherited)}
        return await asyncio.to_thread(
            subprocess.run, words, cwd=self.folder, env=environment, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=seconds, check=False,
        )  # fmt: skip


@pytest_asyncio.fixture(loop_scope="session")
async def tree(tmp_path: Path) -> AsyncIterator[Tree]:
    made = Tree(tmp_path / "tree")
    try:
        await asyncio.to_thread(copy_tree, made.folder)
        yield made
    finally:
        await made.make("clean")
        await Lab(NAME).purge()


def copy_tree(target: Path) -> None:
    """The tree with what `make run` has built, set up to use the packages that the tests run with."""
    ignored = shutil.ignore_patterns(".git", ".venv", "__pycache__", ".*_cache", "build", "dist")
    shutil.copytree(TREE, target, ignore=ignored, symlinks=True)
    for built in ("agent", "tiny"):
        shutil.copytree(TREE / "build" / built, target / "build" / built, symlinks=True)
    venv = target / ".venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(venv)], check=True)
    packages = next((venv / "lib").glob("python3*")) / "site-packages"
    (packages / "e2e.pth").write_text(f"{target}\n{sysconfig.get_path('purelib')}\n")
    (venv / "bin/zstui").write_text(ZSTUI.format(python=venv / "bin/python"))
    (venv / "bin/zstui").chmod(0o755)
    for stamp in (target / "build/.packages", venv / ".installed"):
        stamp.touch()


def leftovers(tree: Tree) -> dict[str, list[Any]]:
    """Processes, namespaces, links and mounts of the instance, and files of the lab."""
    marks = (str(tree.data), f"zstui-{NAME}-", str(ROOT / NAME))
    processes = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if any(mark in line for mark in marks) and int(entry.name) != os.getpid():
            processes.append(line)
    return {
        "processes": processes,
        "namespaces": [path.name for path in Path("/run/netns").glob(f"zstui-{NAME}-*")],
        "links": [path.name for path in Path("/sys/class/net").iterdir() if path.name == uplink_of(NAME)],
        "mounts": [
            line for line in Path("/proc/mounts").read_text().splitlines() if str(ROOT / NAME) in line
        ],
        "owners": [path.name for path in Path("/run/zstui-lab").glob(NAME)],
    }


def nothing() -> dict[str, list[Any]]:
    return {"processes": [], "namespaces": [], "links": [], "mounts": [], "owners": []}


async def test_run_run_again_stop_and_clean(tree: Tree) -> None:
    lines, _ = await tree.make("run")
    summary = json.loads(lines[-1])
    assert set(summary) == {"url", "hosts", "vms"}
    assert [(host["name"], host["status"]) for host in summary["hosts"]] == [
        (f"zstui-{NAME}-h{number}", "Connected") for number in (1, 2)
    ]
    (vm,) = summary["vms"]
    assert set(vm) == {"name", "uuid", "state", "ip", "hostUuid"}
    assert vm["state"] == "Running"
    assert vm["ip"]
    assert summary["url"] == f"http://127.0.0.1:{tree.port}"
    async with aiohttp.ClientSession() as http, http.get(f"{summary['url']}/healthz") as answer:
        assert answer.status == 200
    running = [await domains(number) for number in (1, 2)]
    assert sorted(running) == ["", vm["uuid"]]

    jobs = await job_names(tree)
    lines, took = await tree.make("run")
    again = json.loads(lines[-1])
    assert again == summary
    assert await job_names(tree) == jobs, "what is there already is asked for, not done again"
    assert took < SECOND_RUN_SECONDS

    elsewhere = tree.folder.parent / "photos"
    elsewhere.mkdir()
    (elsewhere / "one").write_text("precious")
    refused = await tree.tried("clean", elsewhere)
    assert refused.returncode != 0
    assert "is not the data of a lab" in refused.stderr
    assert [path.name for path in elsewhere.iterdir()] == ["one"]
    assert sorted([await domains(number) for number in (1, 2)]) == ["", vm["uuid"]], (
        "nothing was stopped either"
    )

    await tree.make("stop")
    assert leftovers(tree) == nothing()
    assert f"zstui-{NAME}-h1" not in await network.namespaces()
    assert (ROOT / NAME).exists(), "stop keeps the state"
    assert tree.data.exists()

    await tree.make("clean")
    assert leftovers(tree) == nothing()
    assert not (ROOT / NAME).exists()
    assert not tree.data.exists()


async def job_names(tree: Tree) -> list[str]:
    """The names of all jobs that the instance's appliance knows of."""
    async with await Session.connect(tree.data / "appliance.sock") as session:
        return sorted(str(job["name"]) for job in await session.query("LongJob"))


async def domains(number: int) -> str:
    """The names of the domains that run on a host of the instance."""
    argv = ["virsh", "-q", "-c", "qemu:///system", "list", "--name"]
    return (await Lab(NAME).exec(number, argv, check=True)).stdout.strip()
