"""An appliance that drives an agent: in the tests' process, or run by itself with the wire of another version."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from uuid import uuid4

from agent.protocol import (
    PROTOCOL,
    AnyEvent,
    Capacity,
    DropFile,
    EnsureStorage,
    EnsureVolume,
    HostSeen,
    ObserveHost,
)
from appliance.hosts.link import Link, Refused
from tests.contract.rig import ProcessWire


async def drive(environment: dict[str, str], storage: str, epoch: int) -> dict[str, object]:
    """What came of a greeting, a scan, and a disk that is made and dropped again; or the code of the refusal."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "agent", "attach", env=environment, cwd="/",
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    heard: list[AnyEvent] = []
    link = Link(ProcessWire(process), owner="an-appliance", epoch=epoch, on_event=heard.append)
    reading = asyncio.create_task(link.run())
    try:
        facts = await link.hello()
        uuid, path = uuid4().hex, f"{storage}/vol/d.qcow2"
        made = EnsureStorage(storage_uuid=uuid, root=storage)
        capacity = await link.ask(made, Capacity, op=uuid4().hex)
        volume = EnsureVolume(volume_uuid=uuid, path=path, size_bytes=1 << 20)
        await link.ask(volume, EnsureVolume.reply, op=uuid4().hex, resource=uuid, generation=1)
        seen = await link.ask(ObserveHost(), HostSeen)
        await link.ask(DropFile(path=path), DropFile.reply, op=uuid4().hex, resource=uuid, generation=2)
        return {
            "spoken": [PROTOCOL, facts.protocol],
            "saw": [seen.storage.get(uuid) is not None, capacity.total_bytes > 0],
            "lost": link.lost,
        }
    except Refused as refused:
        return {"refused": refused.refusal.code, "words": refused.refusal.message}
    finally:
        link.close("the test is over")
        await reading
        await process.wait()


if __name__ == "__main__":
    settings = {**os.environ, "PYTHONPATH": sys.argv[1]}
    print(json.dumps(asyncio.run(drive(settings, sys.argv[2], int(sys.argv[3])))))
