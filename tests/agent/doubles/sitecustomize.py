"""Put on the path of an agent process by tests: a network half that does nothing, in place of the real one."""

from __future__ import annotations

import sys
from types import ModuleType


class Nothing:
    """Answers every call of the ports with success."""

    def __init__(self, *_: object) -> None:
        pass

    async def start(self) -> None:
        pass

    async def stop(self) -> None:
        pass

    async def ensure(self, _: object) -> None:
        pass

    confirm = drop = ensure

    async def have_kept(self) -> bool:
        return False

    def digests(self) -> dict[str, str]:
        return {}

    def guarded(self, _: str) -> bool:
        return True

    def fetches_after(self, _: int) -> list[object]:
        return []


for name, kind in {"bridge": "Bridges", "network": "Networks", "nic": "Nics"}.items():
    module = ModuleType(f"agent.{name}")
    setattr(module, kind, Nothing)
    sys.modules[module.__name__] = module
