"""Asking a host in steps whose answer may be lost: repeat the same operation, or fence it off first."""

from __future__ import annotations

from collections.abc import Callable

from agent.protocol import AnyRequest, ConfirmBridge, Done, EnsureBridge, Struct
from appliance.hosts.fleet import Fleet, Target
from appliance.hosts.link import LinkLost


class Asker:
    """Sends one resource's changes to a machine, one at a time, remembering the one without an answer.

    A request without an answer may still be carried out. Before anything else is asked for the same
    resource, either that very operation is repeated (and answered from the host's memory when it was
    done), or the epoch is raised, after which the host refuses it for good.
    """

    def __init__(self, fleet: Fleet, new_id: Callable[[], str]) -> None:
        self._fleet = fleet
        self._new_id = new_id
        self._unanswered: tuple[str, AnyRequest, str] | None = None

    async def settle_unanswered(self, target: Target, following: AnyRequest | None) -> bool:
        """Make sure no lost request can still act, unless it is the one asked next. True if it had to."""
        if self._unanswered is None:
            return False
        machine, request, _ = self._unanswered
        if machine == target.key and request == following:
            return False
        await self._fleet.raise_epoch(target)
        self._unanswered = None
        return True

    async def ask(
        self,
        target: Target,
        request: AnyRequest,
        *,
        resource: str,
        generation: int,
        timeout_seconds: float = 60.0,
        on_progress: Callable[[int, int], None] | None = None,
    ) -> Struct:
        """Ask for a change and return the reply; raises what `Link.ask` raises."""
        op = self._new_id()
        if self._unanswered is not None and self._unanswered[:2] == (target.key, request):
            op = self._unanswered[2]
        self._unanswered = None
        link = self._fleet.link(target)
        try:
            return await link.ask(
                request,
                type(request).reply,
                resource=resource,
                generation=generation,
                op=op,
                timeout_seconds=timeout_seconds,
                on_progress=on_progress,
            )
        except LinkLost:
            self._unanswered = (target.key, request, op)
            raise


async def confirm_reachable(fleet: Fleet, target: Target, request: AnyRequest) -> None:
    """A bridge may have taken the address over that the link runs on: prove it, or the host turns back."""
    if isinstance(request, EnsureBridge):
        await fleet.connect(target)
        await fleet.link(target).ask(ConfirmBridge(bridge=request.bridge), Done)
