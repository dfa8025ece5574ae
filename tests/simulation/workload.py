"""What users ask for in a simulated run, and what they may rely on after each answer."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import UUID

from appliance.api.l3 import L3NetworkDns
from appliance.api.tag import SystemTag
from tests.simulation.life import Killed

if TYPE_CHECKING:
    from appliance.serve.zstack import Reply
    from tests.simulation.world import World

PATIENCE_SECONDS = 60.0
"""A user looks again after so long."""

THINKING_SECONDS = 2.0
SERVERS = ("192.0.2.1", "192.0.2.2", "192.0.2.3")


@dataclass
class Promise:
    """What users were told about one VM."""

    uuid: str = ""
    created: bool = False
    """A create was answered with success."""
    given_up: bool = False
    """A create failed, or a destroy was asked for: it need not be there any more."""
    gone: bool = False
    """Its create failed, or its destroy succeeded: nothing of it may be there."""


@dataclass
class Cloud:
    """The uuids of what VMs are made with, and what has been promised about VMs."""

    zone: str = ""
    l3: str = ""
    image: str = ""
    offering: str = ""
    vms: dict[str, Promise] = field(default_factory=dict)
    busy: set[str] = field(default_factory=set)
    """VMs that some user has a call on."""


class Users:
    """Some users at once, each making one call after the other until the run has had enough of them."""

    def __init__(self, world: World, cloud: Cloud) -> None:
        self.world = world
        self.cloud = cloud
        self._begun = 0

    async def work(self, users: int) -> None:
        """Make all the calls of the run."""
        async with asyncio.TaskGroup() as group:
            for _ in range(users):
                group.create_task(self._use())

    async def _use(self) -> None:
        while self._begun < self.world.options.calls:
            self._begun += 1
            await asyncio.sleep(self.world.chance.uniform(0, 2 * THINKING_SECONDS))
            await self._one()

    async def _one(self) -> None:
        chance, cloud = self.world.chance, self.cloud
        if chance.random() < 0.12:
            await self._dns()
            return
        idle = [
            uuid
            for uuid, vm in cloud.vms.items()
            if vm.created and not vm.given_up and uuid not in cloud.busy
        ]
        if not idle or (len(cloud.vms) < 40 and chance.random() < 0.35):
            await self._create()
            return
        uuid = chance.choice(idle)
        cloud.busy.add(uuid)
        try:
            match chance.choices(("stop", "start", "reboot", "destroy", "tag"), (3, 4, 2, 3, 5))[0]:
                case "stop":
                    await self._power(uuid, "StopVmInstance", on=False)
                case "start":
                    await self._power(uuid, "StartVmInstance", on=True)
                case "reboot":
                    await self.ask("RebootVmInstance", uuid=uuid)
                case "destroy":
                    await self._destroy(uuid)
                case _:
                    await self._tag(uuid)
        finally:
            cloud.busy.discard(uuid)

    async def _create(self) -> None:
        cloud = self.cloud
        uuid = self._uuid()
        promise = cloud.vms[uuid] = Promise(uuid)
        cloud.busy.add(uuid)
        reply = await self.ask(
            "CreateVmInstance", name=f"vm-{uuid[:4]}", resourceUuid=uuid, instanceOfferingUuid=cloud.offering,
            imageUuid=cloud.image, l3NetworkUuids=[cloud.l3], systemTags=[f"userdata::#!/bin/sh\n# {uuid}"],
        )  # fmt: skip
        if reply is not None and reply.body.get("success"):
            promise.created = True
            self._check_power(uuid, on=True)
        elif reply is not None:
            promise.given_up = promise.gone = True
        cloud.busy.discard(uuid)

    async def _destroy(self, uuid: str) -> None:
        promise = self.cloud.vms[uuid]
        promise.given_up = True
        reply = await self.ask("DestroyVmInstance", uuid=uuid)
        if reply is not None and reply.body.get("success"):
            promise.gone = True

    async def _power(self, uuid: str, message: str, *, on: bool) -> None:
        reply = await self.ask(message, uuid=uuid)
        if reply is not None and reply.body.get("success"):
            self._check_power(uuid, on=on)

    async def _tag(self, uuid: str) -> None:
        """A user who changes user data, and changes it again."""
        tags = self.world.look().all(SystemTag, resource_uuid=uuid)
        found = next((tag for tag in tags if tag.tag.startswith("userdata::")), None)
        for _ in range(self.world.chance.randint(1, 6) if found else 0):
            assert found is not None
            text = f"userdata::#!/bin/sh\n# {self.world.chance.random()}"
            await self.ask("UpdateSystemTag", uuid=found.uuid, tag=text)
            await asyncio.sleep(self.world.chance.uniform(0, 1.0))

    async def _dns(self) -> None:
        """Somebody tries name servers out: every VM of the network is served anew, one change after the other."""
        for _ in range(self.world.chance.randint(1, 5)):
            server = self.world.chance.choice(SERVERS)
            known = [row.dns for row in self.world.look().all(L3NetworkDns, l3_network_uuid=self.cloud.l3)]
            message = "RemoveDnsFromL3Network" if server in known else "AddDnsToL3Network"
            await self.ask(message, l3NetworkUuid=self.cloud.l3, dns=server)
            await asyncio.sleep(self.world.chance.uniform(0, 0.8))

    def _check_power(self, uuid: str, *, on: bool) -> None:
        """A success that was answered holds, unless others did something to the VM meanwhile."""
        world = self.world
        if world.now - world.disturbance(uuid).at < PATIENCE_SECONDS + 10 and world.disturbance(uuid).at >= 0:
            return
        running = [host.address for host in world.hosts.values() if uuid in host.running()]
        if bool(running) != on:
            world.violated(
                "I-21", f"VM {uuid} was answered to be {'on' if on else 'off'}; it runs on {running}"
            )

    async def ask(self, message: str, **fields: Any) -> Reply | None:
        """Make a call under an id of its own until something is known of it; None: it stays unknown."""
        call_id = self._uuid()
        self.world.counts.calls += 1
        self.world.tell(
            f"asks {message} {fields.get('uuid', fields.get('resourceUuid', ''))[:6]} as {call_id[:6]}"
        )
        for _ in range(5):
            try:
                reply = await self._answer(message, fields, call_id)
            except Killed:
                await asyncio.sleep(self.world.chance.uniform(0, 3))
                continue
            if reply is not None:
                self._heard(message, call_id, reply)
                return reply
        self.world.counts.answered("unknown")
        return None

    async def _answer(self, message: str, fields: dict[str, Any], call_id: str) -> Reply | None:
        life = await self.world.alive()
        reply: Reply | None = await life.ask(message, fields, call_id)
        if reply is not None and reply.job_uuid and not reply.done:
            reply = await life.outcome(reply.job_uuid, PATIENCE_SECONDS)
        return reply

    def _uuid(self) -> str:
        return UUID(int=self.world.chance.getrandbits(128), version=4).hex

    def _heard(self, message: str, call_id: str, reply: Reply) -> None:
        code = "ok" if reply.body.get("success") else str(reply.body.get("error", {}).get("code"))
        self.world.counts.answered(code)
        self.world.tell(
            f"hears {message} {call_id[:6]}: {code} {json.dumps(reply.body.get('error', ''))[:300]}"
        )
