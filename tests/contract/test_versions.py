"""Appliance and agent of versions one apart work together, whichever is the later, and of two apart do not."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
from collections.abc import AsyncIterator
from itertools import count
from pathlib import Path

import pytest

from agent.protocol import PROTOCOL
from tests.contract.drive import drive
from tests.contract.rig import ROOT, DoubledHost
from tests.later import change, speak

DOUBLES = ROOT / "tests/contract/doubles"

LATER = {
    "protocol/events.py": (
        r"^AnyEvent = (.*)$",
        r"class HostWarmed(Event, tag=True, frozen=True):\n    celsius: int\n\n\nAnyEvent = \1 | HostWarmed",
    ),
    "protocol/values.py": (r'^    cpu_model: str = ""$', r'    cpu_model: str = ""\n    celsius: int = 40'),
    "protocol/requests.py": (
        r"^class Ping\(",
        r"class CoolHost(Request, tag=True, frozen=True):\n    celsius: int\n\n\nclass Ping(",
    ),
    "server.py": (
        r"^        self\._active = link$",
        r"        self._active = link\n"
        r"        from agent.protocol.events import HostWarmed\n"
        r"        self.emit(HostWarmed(celsius=41))",
    ),
    "facts.py": (r"^        protocol=PROTOCOL,$", r"        protocol=PROTOCOL,\n        celsius=41,"),
}
"""What a later version may have learned: an event of a new kind, a new field, a request that nobody knew."""


class OtherVersion:
    """The agent's tree as that of a version with another protocol, and hosts of both versions."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._epochs = count(1)
        self._hosts: list[DoubledHost] = []

    def tree(self, protocol: int) -> Path:
        tree = self.folder / f"protocol{protocol}"
        shutil.copytree(ROOT / "agent", tree / "agent", ignore=shutil.ignore_patterns("__pycache__"))
        speak(tree, protocol)
        if protocol > PROTOCOL:
            for name, (pattern, text) in LATER.items():
                change(tree / "agent" / name, pattern, text)
        return tree

    async def agent(self, tree: Path) -> dict[str, object]:
        """What comes of this version's appliance driving that version's agent."""
        return await drive(self._host(tree), str(self.folder / "ps"), next(self._epochs))

    async def appliance(self, tree: Path) -> dict[str, object]:
        """What comes of that version's appliance driving this version's agent."""
        there, here = self._host(ROOT), os.environ | {"PYTHONPATH": f"{tree}:{ROOT}"}
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.contract.drive", there["PYTHONPATH"], str(self.folder / "ps"), "1",
            env=there | here, cwd="/", stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        said, _ = await asyncio.wait_for(process.communicate(), 30)
        outcome: dict[str, object] = json.loads(said)
        return outcome

    async def close(self) -> None:
        for host in self._hosts:
            await asyncio.to_thread(host.stop)

    def _host(self, tree: Path) -> dict[str, str]:
        host = DoubledHost(self.folder / f"host{len(self._hosts)}")
        host.folder.mkdir()
        host.environment["PYTHONPATH"] = f"{DOUBLES}:{tree}"
        self._hosts.append(host)
        return host.environment


@pytest.fixture
async def other(tmp_path: Path) -> AsyncIterator[OtherVersion]:
    made = OtherVersion(tmp_path)
    yield made
    await made.close()


@pytest.mark.long
@pytest.mark.parametrize("apart", [-1, 1])
async def test_versions_one_apart_work_together(other: OtherVersion, apart: int) -> None:
    tree = other.tree(PROTOCOL + apart)
    worked = {"saw": [True, True], "lost": None}
    assert await other.agent(tree) == {"spoken": [PROTOCOL, PROTOCOL + apart], **worked}
    assert await other.appliance(tree) == {"spoken": [PROTOCOL + apart, PROTOCOL], **worked}


@pytest.mark.long
@pytest.mark.parametrize("apart", [-2, 2])
async def test_versions_two_apart_say_what_to_do(other: OtherVersion, apart: int) -> None:
    tree = other.tree(PROTOCOL + apart)
    for spoken, outcome in (
        ((PROTOCOL, PROTOCOL + apart), await other.agent(tree)),
        ((PROTOCOL + apart, PROTOCOL), await other.appliance(tree)),
    ):
        assert outcome == {
            "refused": "protocol.other",
            "words": f"the appliance speaks protocol {spoken[0]} and this agent {spoken[1]}; "
            "install the agent that came with the appliance",
        }
