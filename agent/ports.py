"""What the core asks of the network half, so that either can be tested without the other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from agent.protocol import (
    AnyEvent,
    ConfirmBridge,
    DropBridge,
    DropNetwork,
    DropNic,
    EnsureBridge,
    EnsureNetwork,
    EnsureNic,
    UserdataFetch,
)

Emit = Callable[[AnyEvent], None]


class BridgesPort(Protocol):
    """Bridges over physical interfaces."""

    async def start(self) -> None:
        """Make what was asked for hold again."""
        ...

    async def stop(self) -> None:
        """End its tasks; what serves guests goes on."""
        ...

    async def ensure(self, request: EnsureBridge) -> object:
        """Make a bridge."""
        ...

    async def confirm(self, request: ConfirmBridge) -> object:
        """Keep the addresses on a bridge."""
        ...

    async def drop(self, request: DropBridge) -> object:
        """Remove a bridge."""
        ...

    def digests(self) -> dict[str, str]:
        """L2 uuid to digest of the request last applied."""
        ...


class NetworksPort(Protocol):
    """DHCP and user data of L3 networks."""

    async def start(self) -> None:
        """Make what was asked for hold again."""
        ...

    async def stop(self) -> None:
        """End its tasks; what serves guests goes on."""
        ...

    async def ensure(self, request: EnsureNetwork) -> object:
        """Serve a network."""
        ...

    async def drop(self, request: DropNetwork) -> object:
        """Stop serving a network."""
        ...

    async def have_kept(self) -> bool:
        """Have the supervisor keep what guests connect to; whether it does."""
        ...

    def digests(self) -> dict[str, str]:
        """L3 uuid to digest of the request last applied."""
        ...


class NicsPort(Protocol):
    """Guards, address offers and user data of NICs."""

    async def start(self) -> None:
        """Make what was asked for hold again."""
        ...

    async def stop(self) -> None:
        """End its tasks; what serves guests goes on."""
        ...

    async def ensure(self, request: EnsureNic) -> object:
        """Guard and serve a NIC."""
        ...

    async def drop(self, request: DropNic) -> object:
        """Take everything of a NIC back."""
        ...

    def digests(self) -> dict[str, str]:
        """NIC uuid to digest of the request last applied."""
        ...

    def guarded(self, device: str) -> bool:
        """Whether the guard of a tap is in force."""
        ...

    def fetches_after(self, sequence: int) -> list[UserdataFetch]:
        """Recorded metadata requests after a sequence number, oldest first."""
        ...
