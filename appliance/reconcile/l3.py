"""The worker of an L3 network that is deleted: its hosts stop serving it, then its rows go."""

from __future__ import annotations

from agent.protocol import Done as AgentDone
from agent.protocol import DropNetwork
from appliance.api.errors import ApiError
from appliance.api.host import Host
from appliance.api.l3 import IpRange, L3Network, L3NetworkDns, UsedIp
from appliance.api.service import NetworkServiceL3NetworkRef
from appliance.reconcile import jobs
from appliance.reconcile.context import Context, target_of
from appliance.reconcile.loop import DONE, Backoff, Next
from appliance.store.snapshot import Snapshot
from appliance.store.transaction import Transaction


class L3NetworkWorker:
    """Takes one deleted L3 network from every connected host."""

    def __init__(self, context: Context, uuid: str) -> None:
        self._context = context
        self._uuid = uuid
        self._backoff = Backoff()

    async def advance(self) -> Next:
        """One pass over the hosts."""
        hosts = await self._context.database.read(self._load)
        try:
            for host in hosts:
                link = self._context.fleet.link(target_of(host))
                await link.ask(DropNetwork(l3_uuid=self._uuid), AgentDone)
        except ApiError:
            return self._backoff.next()
        await self._context.database.write(lambda tx: forget(tx, self._uuid))
        return DONE

    def _load(self, snapshot: Snapshot) -> list[Host]:
        network = snapshot.find(L3Network, self._uuid)
        if network is None or network.intended != "Absent":
            return []
        return snapshot.all(Host, zone_uuid=network.zone_uuid, status="Connected")


def forget(tx: Transaction, uuid: str) -> None:
    """Remove every row of a deleted L3 network, and end the jobs on it."""
    network = tx.find(L3Network, uuid)
    if network is None or network.intended != "Absent":
        return
    for kind in (IpRange, L3NetworkDns, UsedIp, NetworkServiceL3NetworkRef):
        for row in tx.all(kind, l3_network_uuid=uuid):
            tx.delete(row)
    tx.delete(network)
    for job in jobs.running(tx, uuid):
        jobs.succeed(tx, job, {})
