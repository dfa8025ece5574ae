"""The network half of an agent as a process of its own, told what to do by lines of JSON on its input."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import Any

import msgspec

from agent import protocol
from agent.bridge import Bridges
from agent.network import Networks
from agent.nic import Nics
from agent.paths import Paths
from agent.protocol import AnyEvent
from agent.refused import Refused


class Process:
    def __init__(self, folder: Path) -> None:
        self.events: list[Any] = []
        paths = Paths(state=folder / "state", run=folder / "run")
        paths.make()
        self.bridges = Bridges(paths)
        self.networks = Networks(paths)
        self.nics = Nics(paths, self.networks, self.emit)

    def emit(self, event: AnyEvent) -> None:
        self.events.append(msgspec.to_builtins(event))

    async def start(self) -> None:
        await self.bridges.start()
        await self.networks.start()
        await self.nics.start()

    async def stop(self) -> None:
        await self.nics.stop()
        await self.networks.stop()
        await self.bridges.stop()

    async def handle(self, verb: str, body: Any) -> Any:
        if verb == "events":
            return self.events
        if verb == "digests":
            return [self.bridges.digests(), self.networks.digests(), self.nics.digests()]
        if verb == "guarded":
            return self.nics.guarded(body)
        if verb == "check_guard":
            return await self.networks.guard.check()
        if verb == "remove_guard":
            return await self.networks.guard.remove()
        if verb == "fetches":
            return [msgspec.to_builtins(fetch) for fetch in self.nics.fetches_after(body)]
        if verb == "dnsmasq":
            server = self.networks.dhcp(body)
            return server.pid if server else 0
        kind = getattr(protocol, verb)
        request = msgspec.convert(body, kind)
        nouns = {"Bridge": self.bridges, "Network": self.networks, "Nic": self.nics}
        noun = next(name for name in nouns if verb.endswith(name))
        began = time.perf_counter()
        await getattr(nouns[noun], verb.removesuffix(noun).lower())(request)
        return time.perf_counter() - began


async def main() -> None:
    process = Process(Path(sys.argv[1]))
    await process.start()
    print(json.dumps({"value": "started"}), flush=True)
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        verb, body = json.loads(line)
        try:
            answer = {"value": await process.handle(verb, body)}
        except Refused as refused:
            answer = {"error": refused.refusal.code, "message": refused.refusal.message}
        print(json.dumps(answer), flush=True)
    await process.stop()


if __name__ == "__main__":
    asyncio.run(main())
