"""A whole cloud for tests: real core and store, simulated hosts, real SSH where trust is begun."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from argon2 import PasswordHasher

from appliance.api.account import ADMIN_UUID, Account
from appliance.api.errors import ERRORS
from appliance.api.message import MESSAGES
from appliance.api.resource import RESOURCES
from appliance.core import Core, DatabasePins, running
from appliance.hosts.dialing import EitherDialer
from appliance.hosts.fleet import Admit, Dialer, Target
from appliance.hosts.simulated_dialer import SimulatedDialer
from appliance.hosts.simulator import SimulatedHost
from appliance.hosts.ssh import Ssh
from appliance.reconcile.jobs import Jobs
from appliance.serve.auth import Auth
from appliance.serve.dispatch import Dispatch, Origin
from appliance.serve.zstack import Call
from appliance.store.database import Database
from appliance.store.transaction import Transaction
from tests import empty_store

T = TypeVar("T")

CHEAP = partial(PasswordHasher, time_cost=1, memory_cost=8, parallelism=1)
"""What makes passwords dear to guess would make most of these tests' time."""

PATIENCE_SECONDS = 20.0
HISTORY = frozenset({"AuditEntry", "Event", "JournalEntry", "LongJob"})
"""What happened stays, also what failed; everything else must be as if it had not been tried."""
GIB = 1 << 30

Body = dict[str, Any]


class SshDialer(SimulatedDialer):
    """Simulated hosts, but those on loopback are trusted over real SSH."""

    def __init__(self) -> None:
        super().__init__()
        self.ssh: Ssh | None = None

    async def trust(self, target: Target, password: str, fingerprint: str | None, admit: Admit) -> None:
        if target.address == "127.0.0.1" and self.ssh is not None:
            await self.ssh.trust(target, password, fingerprint, admit)
        else:
            await super().trust(target, password, fingerprint, admit)


class Cloud:
    """One appliance on one folder, and the hosts that outlive it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.dialer = SshDialer()
        self.uuids: dict[str, str] = {}
        self._stack = AsyncExitStack()

    # --- the appliance's life -------------------------------------------------------------------------

    async def start(self) -> None:
        """Open the store and run the core, as an appliance does when it starts."""
        empty_store.lay(self.folder)
        self.database = await Database.open(self.folder, inline=True)
        await self.database.write(_admin)
        self.dialer.ssh = Ssh(self.folder / "ssh", DatabasePins(self.database))
        self.core = await self._stack.enter_async_context(running(self._core()))
        self.dispatch = Dispatch(
            self.database,
            Auth(self.database, hasher=CHEAP()),
            version="1",
            node_uuid="n" * 32,
            live=self.core.live,
        )
        await self.until(lambda: self.query("QueryNetworkServiceProvider"), bool)

    def _core(self) -> Core:
        dialer: Dialer = self.dialer
        return Core(self.database, dialer)

    async def stop(self) -> None:
        """End the core and close the store."""
        await self._stack.aclose()
        await self.database.close()

    async def kill(self) -> None:
        """End everything where it stands, as `kill -9` does; hosts see their link break."""
        await self.database.crash()
        await self._stack.aclose()
        for host in self.hosts:
            host.cut("the appliance died")

    # --- asking ---------------------------------------------------------------------------------------

    async def begin(self, name: str, /, **fields: Any) -> tuple[Body, str | None]:
        """Make a call and return its first answer, and the job to wait for if it is not done."""
        kind = MESSAGES[name]
        call = Call(java=kind.java, kind=kind, fields=fields, session_uuid=None, id=None)
        reply = await self.dispatch.answer(call, Origin("test", trusted=True))
        return reply.body, None if reply.done else reply.job_uuid

    async def ended(self, job_uuid: str) -> Body:
        """The answer of a call, once its job has ended."""
        await Jobs(self.database).wait(job_uuid, PATIENCE_SECONDS)
        return (await self.dispatch.job(job_uuid)).body

    async def answer(self, name: str, /, **fields: Any) -> Body:
        """Make a call and wait for what comes of it."""
        body, job_uuid = await self.begin(name, **fields)
        return body if job_uuid is None else await self.ended(job_uuid)

    async def call(self, name: str, /, **fields: Any) -> Body:
        """Make a call that must succeed; its inventory, or its body."""
        body = await self.answer(name, **fields)
        assert body["success"], (name, body)
        inventory: Body = body.get("inventory", body)
        return inventory

    async def make(self, key: str, name: str, /, **fields: Any) -> str:
        """Make a call that creates something; its uuid is kept under a key."""
        uuid: str = (await self.call(name, name=key, **fields))["uuid"]
        self.uuids[key] = uuid
        return uuid

    async def waits(self, name: str, /, **fields: Any) -> str:
        """Make a call that must wait for its turn; its job."""
        body, job_uuid = await self.begin(name, **fields)
        assert job_uuid is not None, (name, body)
        assert (await self.one("QueryLongJob", job_uuid))["state"] == "Queued", name
        return job_uuid

    async def refused(self, name: str, /, **fields: Any) -> Body:
        """Make a call that must fail; its error, which must be one of those that callers can know."""
        body = await self.answer(name, **fields)
        assert not body["success"], (name, body)
        error: Body = body["error"]
        below: Body | None = error
        while below is not None:
            assert below["code"] in ERRORS
            assert below["details"]
            below = below.get("cause")
        return error

    async def one(self, query: str, uuid: str) -> Body:
        """The inventory of one resource."""
        found = await self.query(query, uuid=uuid)
        assert len(found) == 1, (query, uuid, found)
        return found[0]

    async def query(self, query: str, **equals: str) -> list[Body]:
        """The inventories that match."""
        conditions = [{"name": name, "op": "=", "value": value} for name, value in equals.items()]
        body = await self.answer(query, conditions=conditions)
        found: list[Body] = body["inventories"]
        return found

    async def until(self, look: Callable[[], Awaitable[T]], holds: Callable[[T], bool]) -> T:
        """What was looked at, once something holds of it."""
        subscription = self.database.feed.subscribe()
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                found = await look()
                while not holds(found):
                    await anext(aiter(subscription))
                    found = await look()
                return found
        finally:
            subscription.close()

    async def vm_becomes(self, uuid: str, state: str) -> Body:
        """The inventory of a VM, once it has a state."""
        return await self.until(lambda: self.one("QueryVmInstance", uuid), lambda vm: vm["state"] == state)

    async def idle(self, seconds: float = PATIENCE_SECONDS) -> None:
        """Wait until no host carries anything out and no VM, image or network has work left."""
        quiet = 0
        async with asyncio.timeout(seconds):
            while quiet < 50:
                await asyncio.sleep(0)
                working = [kind for kind, _ in self.core.loop.busy if kind not in RESTLESS]
                quiet = 0 if working or any(host._tasks for host in self.hosts) else quiet + 1

    # --- looking at everything ------------------------------------------------------------------------

    @property
    def hosts(self) -> list[SimulatedHost]:
        """The simulated hosts."""
        return list(self.dialer.hosts.values())

    def host_of(self, vm_uuid: str) -> SimulatedHost:
        """The simulated host that knows a VM's domain."""
        (found,) = [host for host in self.hosts if vm_uuid in host.domains]
        return found

    async def rows(self) -> dict[str, list[Any]]:
        """Every row of the store but history, without the time of its last change."""
        return await self.database.read(
            lambda snapshot: {
                kind.name_: [
                    {name: value for name, value in row.__dict__.items() if name not in MOVING}
                    for row in snapshot.all(kind)
                ]
                for kind in RESOURCES.values()
                if kind.name_ not in HISTORY
            }
        )

    def things(self) -> dict[str, Any]:
        """Everything on the hosts."""
        return {
            host.address: {
                "domains": {uuid: (d.power, d.digest) for uuid, d in host.domains.items()},
                "files": dict(host.things.files),
                "nics": dict(host.things.nics),
                "networks": dict(host.things.networks),
                "bridges": dict(host.things.bridges),
                "storage": sorted(host.things.storage),
            }
            for host in self.hosts
        }

    @asynccontextmanager
    async def untouched(self) -> AsyncIterator[None]:
        """Whatever the body tries leaves no row, file, domain or lease behind."""
        rows, things = await self.rows(), self.things()
        yield
        assert await self.rows() == rows
        assert {at: each for at, each in self.things().items() if at in things} == things
        for address in self.things().keys() - things.keys():
            assert not any(self.things()[address].values()), address
        assert await self.database.verify() == []

    # --- building -------------------------------------------------------------------------------------

    async def build(self, hosts: int = 2) -> None:
        """Zone, cluster, hosts, storage, network, offering and image."""
        zone = await self.make("zone", "CreateZone")
        cluster = await self.make("cluster", "CreateCluster", zoneUuid=zone, hypervisorType="KVM")
        for number in range(1, hosts + 1):
            await self.make(
                f"host{number}", "AddKVMHost", managementIp=f"10.0.0.{number}", clusterUuid=cluster,
                username="root", password="password",
            )  # fmt: skip
        primary = await self.make("primary", "AddLocalPrimaryStorage", url="/zstack_ps", zoneUuid=zone)
        await self.call("AttachPrimaryStorageToCluster", primaryStorageUuid=primary, clusterUuid=cluster)
        backup = await self.make(
            "backup", "AddSftpBackupStorage", url="/zstack_bs", hostname="10.0.0.1", username="root",
            password="password",
        )  # fmt: skip
        await self.call("AttachBackupStorageToZone", backupStorageUuid=backup, zoneUuid=zone)
        await self._network(zone, cluster)
        await self.make("offering", "CreateInstanceOffering", cpuNum=1, cpuSpeed=10, memorySize=GIB // 4)
        await self.make(
            "image", "AddImage", url="http://images/tiny.qcow2", format="qcow2", backupStorageUuids=[backup]
        )

    async def _network(self, zone: str, cluster: str, cidr: str = "10.9.0.0/24") -> None:
        l2 = await self.make("l2", "CreateL2NoVlanNetwork", zoneUuid=zone, physicalInterface="eth1")
        await self.call("AttachL2NetworkToCluster", l2NetworkUuid=l2, clusterUuid=cluster)
        l3 = await self.make("l3", "CreateL3Network", l2NetworkUuid=l2)
        await self.make("range", "AddIpRangeByNetworkCidr", l3NetworkUuid=l3, networkCidr=cidr)
        (provider,) = await self.query("QueryNetworkServiceProvider")
        self.uuids["provider"] = provider["uuid"]
        services = {provider["uuid"]: ["DHCP", "Userdata"]}
        await self.call("AttachNetworkServiceToL3Network", l3NetworkUuid=l3, networkServices=services)

    def vm_fields(self, **changes: Any) -> Body:
        """What CreateVmInstance needs here."""
        return {
            "name": "vm",
            "instanceOfferingUuid": self.uuids["offering"],
            "imageUuid": self.uuids["image"],
            "l3NetworkUuids": [self.uuids["l3"]],
            **changes,
        }

    async def vm(self, **changes: Any) -> Body:
        """A new running VM."""
        return await self.call("CreateVmInstance", **self.vm_fields(**changes))


class SimulatorCloud(Cloud):
    """An appliance with the dialer that the product has: simulated hosts die with it, and there are no others."""

    def _core(self) -> Core:
        simulated = SimulatedDialer()
        # What is asked of real machines ends at a dialer of no use: `self.dialer` knows none, and must not.
        self.simulated = simulated
        return Core(self.database, EitherDialer(self.dialer, simulated), simulated)

    @property
    def hosts(self) -> list[SimulatedHost]:
        """The simulated hosts that this appliance has made."""
        return list(self.simulated.hosts.values())

    async def build(self, hosts: int = 2, *, cidr: str = "10.9.0.0/24") -> None:
        """The same cloud as others have, of simulated things only."""
        zone = await self.make("zone", "CreateZone")
        cluster = await self.make("cluster", "CreateCluster", zoneUuid=zone, hypervisorType="Simulator")
        for number in range(1, hosts + 1):
            await self.make(
                f"host{number}", "AddSimulatorHost", managementIp=f"10.0.0.{number}", clusterUuid=cluster,
                memoryCapacity=64 * GIB, cpuCapacity=100_000,
            )  # fmt: skip
        primary = await self.make(
            "primary",
            "AddSimulatorPrimaryStorage",
            url="/simulated/ps",
            zoneUuid=zone,
            totalCapacity=1000 * GIB,
        )
        await self.call("AttachPrimaryStorageToCluster", primaryStorageUuid=primary, clusterUuid=cluster)
        backup = await self.make(
            "backup", "AddSimulatorBackupStorage", url="/simulated/bs", totalCapacity=1000 * GIB
        )
        await self.call("AttachBackupStorageToZone", backupStorageUuid=backup, zoneUuid=zone)
        await self._network(zone, cluster, cidr)
        await self.make("offering", "CreateInstanceOffering", cpuNum=1, cpuSpeed=10, memorySize=GIB // 4)
        await self.make(
            "image", "AddImage", url="http://images/none", format="simulator", backupStorageUuids=[backup]
        )


RESTLESS = frozenset({"Host", "BackupStorage"})
"""Whose workers never end: they look again and again."""
MOVING = frozenset({"last_op_date", "seen_at", "heart_beat"})


def _admin(tx: Transaction) -> None:
    """The account of trusted callers, without the time that a password's hash takes."""
    if tx.find(Account, ADMIN_UUID) is None:
        tx.insert(Account(uuid=ADMIN_UUID, name="admin", type="SystemAdmin", password_hash="", role="admin"))


__all__ = ["CHEAP", "GIB", "PATIENCE_SECONDS", "Body", "Cloud", "SimulatorCloud"]
