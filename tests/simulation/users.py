"""Callers of the appliance: each makes one call after the other and remembers what it was told."""

from __future__ import annotations

import asyncio
import base64
from typing import Any

from appliance.api.image import Image
from appliance.api.snapshot import VolumeSnapshot
from appliance.api.vm import VmInstance, VmNic
from appliance.api.volume import Volume
from appliance.api.volume_backup import VolumeBackup
from tests.simulation.building import Cloud, Promised
from tests.simulation.life import Killed
from tests.simulation.world import World

PATIENCE_SECONDS = 60.0
AGAIN = 0.8
"""How often a caller that got no answer asks again, with the same call id."""
MOST_VMS = 9
MOST_VOLUMES = 6

WISHES = {
    "create": 16, "start": 18, "stop": 14, "reboot": 10, "destroy": 10, "recover": 4, "expunge": 4,
    "userdata": 12, "attach": 8, "detach": 8, "size": 5,
    "rename": 4, "again": 4, "reconnect": 2, "host state": 3, "dns": 3, "setting": 3,
}  # fmt: skip
"""What callers want, by weight."""

SETTINGS = (
    ("vm", "stopGrace", "5"), ("vm", "stopGrace", "60"), ("kvm", "vm.consoleMode", "spice"),
    ("kvm", "vm.cpuMode", "host-model"), ("host", "ping.interval", "10"), ("host", "ping.interval", "60"),
)  # fmt: skip

SENSIBLE = {
    "start": {"Stopped"}, "stop": {"Running"}, "reboot": {"Running"}, "recover": {"Destroyed"},
    "attach": {"Running", "Stopped"}, "detach": {"Running", "Stopped"}, "size": {"Running", "Stopped"},
    "walk": {"Running", "Stopped"}, "expunge": {"Destroyed"}, "destroy": {"Running", "Stopped", "Starting", "Unknown"},
}  # fmt: skip


class User:
    """One caller."""

    def __init__(self, world: World, cloud: Cloud, number: int) -> None:
        self.world = world
        self.cloud = cloud
        self.number = number
        self._created = 0

    async def run(self) -> None:
        """Make calls until the run has had enough of them."""
        world = self.world
        while world.counts.calls < world.options.calls:
            world.counts.calls += 1
            await asyncio.sleep(world.chance.choice((0.0, 0.05, 0.5, 3.0, 10.0)))
            wishes = {**WISHES, "regret": world.options.regrets, "disk": world.options.disks}
            wishes["walk"] = world.options.moves
            (wish,) = world.chance.choices(list(wishes), weights=list(wishes.values()))
            await self._wish(wish)

    async def _wish(self, wish: str) -> None:
        if wish in {"create", "regret"}:
            await self._create(wait=wish == "create")
            return
        if wish in {"walk", "again"}:
            await (self._walk() if wish == "walk" else self._again())
            return
        if wish in {"reconnect", "host state", "dns", "setting", "disk"}:
            await self._operate(wish)
            return
        uuid = self._some_vm(wish)
        if uuid is None:
            await self._create()
            return
        match wish:
            case "start" | "stop" | "reboot":
                await self._call(f"{wish.capitalize()}VmInstance", {"uuid": uuid})
            case "destroy" | "expunge":
                await self._destroy(wish, uuid)
            case "recover":
                await self._call("RecoverVmInstance", {"vmInstanceUuid": uuid})
            case "userdata":
                await self._userdata(uuid)
            case "attach" | "detach" | "size" | "rename":
                await self._rebuild(wish, uuid)

    async def _rebuild(self, wish: str, uuid: str) -> None:
        """Another name or size, one NIC more or one less."""
        chance = self.world.chance
        if wish == "rename":
            await self._call("UpdateVmInstance", {"uuid": uuid, "name": f"vm-{self._text(4)}"})
            return
        if wish == "size":
            offering = self.cloud.uuids[chance.choice(("offering", "other offering"))]
            fields = {"vmInstanceUuid": uuid, "instanceOfferingUuid": offering}
            await self._call("ChangeInstanceOffering", fields)
            return
        if wish == "attach":
            l3 = self.cloud.uuids[chance.choice(("l3", "second l3", "second l3"))]
            await self._call("AttachL3NetworkToVm", {"vmInstanceUuid": uuid, "l3NetworkUuid": l3})
            return
        nics = self.world.look().all(VmNic, vm_instance_uuid=uuid, order_by="device_id")
        if nics:
            await self._call("DetachL3NetworkFromVm", {"vmNicUuid": chance.choice(nics).uuid})

    def _some_vm(self, wish: str) -> str | None:
        """Mostly a VM that allows the wish; sometimes any that ever was."""
        states = SENSIBLE.get(wish)
        known = [] if self.world.happens(0.1) else self.world.look().all(VmInstance, order_by="uuid")
        fitting = [vm.uuid for vm in known if states is None or vm.state in states]
        found = fitting or (sorted(self.cloud.vms) if self.world.happens(0.2) else [])
        return self.world.chance.choice(found) if found else None

    # --- wishes --------------------------------------------------------------------------------------

    async def _create(self, *, wait: bool = True) -> None:
        """A VM. Who does not wait for it destroys it soon, or takes the call back."""
        cloud = self.cloud
        alive = self.world.look().count(VmInstance)
        if alive >= MOST_VMS:
            return
        uuid = self.world.new_uuid()
        promised = cloud.vms[uuid] = Promised()
        fields = {
            "name": f"vm-{self.number}-{self._created}",
            "resourceUuid": uuid,
            "instanceOfferingUuid": cloud.uuids["offering"],
            "imageUuid": cloud.uuids["image"],
            "l3NetworkUuids": [cloud.uuids["l3"]],
            "systemTags": [_userdata(self._text(8))],
        }
        self._created += 1
        if not wait:
            await self._regret(uuid, fields)
            return
        body = await self._call("CreateVmInstance", fields)
        if body is not None:
            promised.created = body["success"]
            promised.create_failed = not body["success"]

    async def _regret(self, uuid: str, fields: dict[str, Any]) -> None:
        world, call_id = self.world, self.world.new_uuid()
        self.cloud.vms[uuid].may_go = True
        await self._asked("CreateVmInstance", fields, call_id, seconds=world.chance.uniform(0, 4))
        if world.happens(0.5):
            await self._destroy("destroy", uuid)
        else:
            await self._call("CancelLongJob", {"uuid": call_id})

    async def _destroy(self, wish: str, uuid: str) -> None:
        promised = self.cloud.vms[uuid]
        promised.may_go = True
        name = "DestroyVmInstance" if wish == "destroy" else "ExpungeVmInstance"
        body = await self._call(name, {"uuid": uuid})
        if body is not None and body["success"] and (wish == "expunge" or self.cloud.direct):
            promised.gone = True

    async def _disk(self) -> None:
        """Something with a data volume: made, given to a VM, taken away, made larger, deleted and taken back."""
        world, chance = self.world, self.world.chance
        volumes = world.look().all(Volume, type="Data", order_by="uuid")
        if len(volumes) < chance.randint(1, MOST_VOLUMES):
            fields = {"name": "data", "diskOfferingUuid": self.cloud.uuids["disk"]}
            await self._call("CreateDataVolume", {**fields, "resourceUuid": world.new_uuid()})
            return
        volume = chance.choice(volumes)
        if volume.status == "Deleted":
            name = chance.choice(("RecoverDataVolume", "RecoverDataVolume", "ExpungeDataVolume"))
            await self._call(name, {"uuid": volume.uuid})
            return
        wish = chance.choice(
            ("move", "move", "move", "move", "snap", "snap", "ResizeDataVolume", "DeleteDataVolume")
        )
        if wish == "snap":
            await self._snap()
            return
        if wish == "ResizeDataVolume":
            await self._call(wish, {"uuid": volume.uuid, "size": volume.size + (1 << 20)})
        elif wish == "DeleteDataVolume":
            await self._call(wish, {"uuid": volume.uuid})
        elif volume.vm_instance_uuid is not None and not world.happens(0.05):
            await self._call("DetachDataVolumeFromVm", {"uuid": volume.uuid})
        elif (uuid := self._some_vm("attach")) is not None:
            fields = {"vmInstanceUuid": uuid, "volumeUuid": volume.uuid}
            if world.happens(0.2):
                await self._taken_back("AttachDataVolumeToVm", fields)
            else:
                await self._call("AttachDataVolumeToVm", fields)

    async def _snap(self) -> None:
        """A snapshot of a data or root volume: taken, gone back to or deleted."""
        world, chance = self.world, self.world.chance
        ready = world.look().all(Volume, status="Ready", order_by="uuid")
        if not ready:
            return
        uuid = chance.choice(ready).uuid
        known = world.look().all(VolumeSnapshot, volume_uuid=uuid, order_by="uuid")
        wish = chance.choice(
            (
                "take",
                "take",
                "RevertVolumeFromSnapshot",
                "DeleteVolumeSnapshot",
                "template",
                "backup",
                "backup",
            )
        )
        if wish == "backup":
            await self._backup(uuid)
        elif wish == "template":
            await self._template(uuid, chance.choice(known).uuid if known else None)
        elif wish == "take" or not known:
            await self._call("CreateVolumeSnapshot", {"volumeUuid": uuid, "name": "s"})
        else:
            await self._call(wish, {"uuid": chance.choice(known).uuid})

    async def _backup(self, volume_uuid: str) -> None:
        """A backup of a volume: made, or one of those that are there restored or deleted."""
        world, chance = self.world, self.world.chance
        known = world.look().all(VolumeBackup, order_by="uuid")
        name, fields = "CreateVolumeBackup", {
            "volumeUuid": volume_uuid, "name": "b", "backupStorageUuid": self.cloud.uuids["backup"]
        }  # fmt: skip
        if known and world.happens(0.6):
            name = chance.choice(
                ("DeleteVolumeBackup", "DeleteVolumeBackup", "RevertVolumeFromVolumeBackup",
                 "CreateDataVolumeFromVolumeBackup")
            )  # fmt: skip
            fields = {"uuid": chance.choice(known).uuid}
        if name == "CreateDataVolumeFromVolumeBackup":
            if world.look().count(Volume, type="Data") >= MOST_VOLUMES:
                return
            host = self.cloud.uuids["host " + chance.choice(sorted(world.hosts))]
            where = {"primaryStorageUuid": self.cloud.uuids["primary"], "hostUuid": host}
            fields = {"backupUuid": fields["uuid"], "name": "data", **where}
        if world.happens(0.3) and name != "DeleteVolumeBackup":
            await self._taken_back(name, fields)
        else:
            await self._call(name, fields)

    async def _template(self, volume_uuid: str, snapshot_uuid: str | None) -> None:
        """An image of a volume, or of a snapshot of it; taken back while it is made, or deleted afterwards."""
        name, fields = "CreateDataVolumeTemplateFromVolume", {"name": "t", "volumeUuid": volume_uuid}
        if snapshot_uuid is not None and self.world.happens(0.5):
            name = "CreateRootVolumeTemplateFromVolumeSnapshot"
            fields = {"name": "t", "snapshotUuid": snapshot_uuid}
            if self.world.happens(0.5):
                name = "CreateDataVolumeFromVolumeSnapshot"
                fields = {"name": "then", "volumeSnapshotUuid": snapshot_uuid}
        if self.world.happens(0.3):
            await self._taken_back(name, fields)
        else:
            await self._call(name, fields)
        made = self.world.look().all(Image, name="t", order_by="uuid")
        if made and self.world.happens(0.7):
            await self._call("DeleteImage", {"uuid": self.world.chance.choice(made).uuid})

    async def _walk(self) -> None:
        """A VM to another host: as it runs, or its root volume while it rests; or a data volume of nobody."""
        world, chance = self.world, self.world.chance
        uuid = self._some_vm("walk")
        vm = world.look().find(VmInstance, uuid) if uuid is not None else None
        loose = world.look().all(Volume, type="Data", status="Ready", vm_instance_uuid=None, order_by="uuid")
        host = self.cloud.uuids["host " + chance.choice(sorted(world.hosts))]
        name, fields = "LocalStorageMigrateVolume", {"volumeUuid": "", "destHostUuid": host}
        if loose and world.happens(0.3):
            fields["volumeUuid"] = chance.choice(loose).uuid
        elif vm is not None and vm.state == "Running":
            name, fields = "MigrateVm", {"vmInstanceUuid": vm.uuid}
            if world.happens(0.3):
                fields["hostUuid"] = host
        elif vm is not None and vm.root_volume_uuid is not None:
            fields["volumeUuid"] = vm.root_volume_uuid
        else:
            return
        if world.happens(0.25):
            await self._taken_back(name, fields)
        else:
            await self._call(name, fields)

    async def _taken_back(self, name: str, fields: dict[str, Any]) -> None:
        world, call_id = self.world, self.world.new_uuid()
        await self._asked(name, fields, call_id, seconds=world.chance.uniform(0, 2))
        await self._call("CancelLongJob", {"uuid": call_id})

    async def _userdata(self, uuid: str) -> None:
        promised = self.cloud.vms[uuid]
        text = _userdata(self._text(8))
        free = sorted(promised.userdata)
        if free and self.world.happens(0.7):
            tag = self.world.chance.choice(free)
            del promised.userdata[tag]
            body = await self._call("UpdateSystemTag", {"uuid": tag, "tag": text})
        else:
            fields = {"resourceType": "VmInstanceVO", "resourceUuid": uuid, "tag": text}
            body = await self._call("CreateSystemTag", fields)
        if body is not None and body["success"] and "inventory" in body:
            promised.userdata[body["inventory"]["uuid"]] = text

    async def _operate(self, wish: str) -> None:
        """What is not about one VM: hosts, the network, settings, volumes."""
        if wish == "disk":
            await self._disk()
            return
        chance, uuids = self.world.chance, self.cloud.uuids
        host = uuids["host " + chance.choice(sorted(self.world.hosts))]
        match wish:
            case "reconnect":
                await self._call("ReconnectHost", {"uuid": host})
            case "host state":
                event = chance.choice(("enable", "enable", "disable", "maintain"))
                await self._call("ChangeHostState", {"uuid": host, "stateEvent": event})
            case "dns":
                name = chance.choice(("AddDnsToL3Network", "RemoveDnsFromL3Network"))
                await self._call(
                    name, {"l3NetworkUuid": uuids["l3"], "dns": chance.choice(("8.8.8.8", "9.9.9.9"))}
                )
            case "setting":
                category, key, value = chance.choice(SETTINGS)
                await self._call("UpdateGlobalConfig", {"category": category, "name": key, "value": value})

    async def _again(self) -> None:
        """A call whose end was told, made once more with its id: it must have the same end, and no effect."""
        answers = self.cloud.answers
        if not answers:
            return
        call_id = self.world.chance.choice(sorted(answers))
        name, fields, succeeded = answers[call_id]
        body = await self._asked(name, fields, call_id)
        if body is not None and body["success"] != succeeded:
            self.world.violated("I-23", f"{name} {call_id} succeeded {succeeded}, then {body}")

    # --- calling -------------------------------------------------------------------------------------

    async def _call(self, name: str, fields: dict[str, Any]) -> dict[str, Any] | None:
        """A call's body, or None when its end stays unknown."""
        world = self.world
        call_id = world.new_uuid()
        body = await self._asked(name, fields, call_id)
        while body is None and world.happens(AGAIN):
            await asyncio.sleep(world.chance.uniform(0, 3))
            body = await self._asked(name, fields, call_id)
        if body is None:
            world.counts.answered("unknown")
            return None
        world.counts.answered("success" if body["success"] else "failure")
        # A call that was refused at the door has no job: made again, it may well be let in.
        if body["success"]:
            self.cloud.answers[call_id] = (name, fields, True)
        return body

    async def _asked(
        self, name: str, fields: dict[str, Any], call_id: str, seconds: float = PATIENCE_SECONDS
    ) -> dict[str, Any] | None:
        world, life = self.world, self.world.life
        if life is None or not life.ready:
            return None
        world.tell(f"user {self.number} asks {name} {fields.get('uuid', fields.get('resourceUuid', ''))[:6]} "
                   f"call {call_id[:6]}")  # fmt: skip
        try:
            reply = await life.ask(name, fields, call_id)
            if not reply.done and reply.job_uuid is not None:
                ended = await life.outcome(reply.job_uuid, seconds)
                if ended is None:
                    return None
                reply = ended
        except Killed:
            world.tell(f"user {self.number} hears nothing of {call_id[:6]}")
            return None
        body: dict[str, Any] = reply.body
        said = "success" if body["success"] else body["error"]["details"]
        world.tell(f"user {self.number} hears of {call_id[:6]}: {said}")
        return body

    def _text(self, length: int) -> str:
        return "".join(self.world.chance.choice("abcdefghijklmnop") for _ in range(length))


def _userdata(text: str) -> str:
    return "userdata::" + base64.b64encode(f"#cloud-config\n# {text}\n".encode()).decode()
