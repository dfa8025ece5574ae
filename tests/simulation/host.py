"""A simulated host that is watched: every effect on it is checked as it happens."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.protocol import (
    AnyEvent,
    Call,
    Cause,
    DefineDomain,
    DomainSeen,
    DropFile,
    EnsureVolume,
    ShutdownDomain,
    StartDomain,
    Struct,
)
from appliance.api.host import Host
from appliance.api.job import LongJob
from appliance.api.snapshot import VolumeSnapshot
from appliance.api.vm import VmInstance
from appliance.api.volume import Volume
from appliance.hosts.simulated_things import Things
from appliance.hosts.simulator import OBSERVING, Delays, Domain, Rules, SimulatedHost

if TYPE_CHECKING:
    from tests.simulation.world import World

STARTING = ("CreateVmInstance", "StartVmInstance", "RebootVmInstance")
STRANGER = "5" * 32
STRANGE_FILE = "/zstack_ps/rootVolumes/somebody-elses.qcow2"


class WatchedHost(SimulatedHost):
    """One host of the world: slow at times, with guests of their own mind, and things that are not ours."""

    def __init__(self, world: World, address: str) -> None:
        rules = Rules(
            check_epoch=world.options.check_epoch, remember_operations=world.options.remember_operations
        )
        super().__init__(address, rules=rules, delays=Delays(usual=0.02))
        self.world = world
        self.loses_events = False
        self._done: set[str] = set()
        self._outdated: set[str] = set()
        self._highest = 0
        self._latest: dict[str, int] = {}
        self.domains[STRANGER] = Domain("", 0, {}, power="on")
        self.things.files[STRANGE_FILE] = 1

    @property
    def epoch(self) -> int:
        """The highest epoch seen."""
        return self._epoch

    def meet(self, hosts: dict[str, WatchedHost]) -> None:
        """Reach the other hosts, by lanes."""

        def neighbour(machine: str) -> WatchedHost | None:
            host = hosts[machine.rpartition(":")[0]]
            return host if host.reachable and self.reachable else None

        def reach(machine: str) -> Things | None:
            host = neighbour(machine)
            return host.things if host is not None else None

        self.neighbour, self.things.lanes.reach = neighbour, reach

    def become_slow(self, seconds: float) -> None:
        """What takes long on real hosts takes up to so long."""
        chance = self.world.chance
        verbs = (
            "EnsureVolume",
            "StartDomain",
            "EnsureNetwork",
            "FetchImage",
            "Copy",
            "DropFile",
            "EnsureNic",
            "CopyFiles",
            "MigrateDomain",
        ) if self.world.options.moves else (
            "EnsureVolume", "StartDomain", "EnsureNetwork", "FetchImage", "Copy", "DropFile", "EnsureNic",
        )  # fmt: skip
        self.delays.by_verb = {verb: chance.uniform(0, seconds) for verb in verbs}
        self.delays.usual = chance.uniform(0, seconds / 10)

    def become_quick(self) -> None:
        """From now on it hides nothing and takes no time."""
        self.delays = Delays(usual=0.02)
        self.loses_events = False

    def _carry_out(self, call: Call) -> Struct:
        request = call.request
        world = self.world
        if not isinstance(request, OBSERVING):
            world.tell(f"{self.address} does {type(request).__name__} of {call.resource[:6]} g{call.generation} "
                       f"e{call.epoch} op {call.op[:6]}")  # fmt: skip
            self._check_once(call)
        match request:
            case StartDomain(vm_uuid=uuid):
                self._check_start(uuid, call)
            case EnsureVolume(path=path) if path not in self.things.files:
                self._check_birth(path)
            case DropFile(path=path) if path in self.things.files:
                self._check_drop(path)
            case DefineDomain(spec=spec) if world.options.disks and spec.vm_uuid in self.domains:
                # Guests do not always let go of what they are asked for.
                self.domains[spec.vm_uuid].clinging = not world.calm and world.happens(0.1)
            case ShutdownDomain(vm_uuid=uuid) if not world.calm and world.happens(0.3):
                return self.seen(uuid)  # the guest does not listen
        return super()._carry_out(call)

    def _admit_generation(self, call: Call) -> None:
        """Where a change begins: nothing of an older epoch, or decided before something newer, may."""
        super()._admit_generation(call)
        if call.epoch < self._epoch:
            self._outdated.add(call.op)
        if call.epoch < self._epoch and self.rules.check_epoch:
            self.world.violated("I-29", f"{self.address} acts for epoch {call.epoch} after {self._epoch}")

    def _check_once(self, call: Call) -> None:
        if call.op and call.op in self._done:
            self.world.violated("one-effect", f"operation {call.op} acts on {self.address} again")
        self._done.add(call.op)

    def _check_start(self, uuid: str, call: Call) -> None:
        world = self.world
        domain = self.domains.get(uuid)
        if domain is None or domain.power == "on":
            return
        for host in world.hosts.values():
            other = host.domains.get(uuid)
            if host is not self and other is not None and other.power == "on":
                world.violated("I-1", f"VM {uuid} starts on {self.address} while it runs on {host.address}")
        halted = world.disturbance(uuid).halted_at
        # Asked for before the guest halted, and nothing newer has reached the host: nobody could stop it.
        late = world.sent.get(call.op, world.now) < halted and call.op not in self._outdated
        if halted < 0 or late:
            return
        wanted = [
            job
            for job in world.look().all(LongJob, target_resource_uuid=uuid)
            if job.name in STARTING
            and (job.state == "Running" or job.last_op_date >= halted + world.loop.wall() - world.now)
        ]
        if not wanted:
            world.violated("no-auto-start", f"VM {uuid} halted by itself and is started again unasked")

    def _check_birth(self, path: str) -> None:
        """A volume that has been whole is never made anew: that would be an empty disk in place of a full one."""
        self.world.born[path] = self.world.born.get(path, 0) + 1
        volume = self.world.look().first(Volume, install_path=path)
        if volume is not None and self._has(volume) and volume.status in {"Ready", "Deleted", "Migrating"}:
            self.world.violated("I-16", f"volume {path} was {volume.status} and is made anew")

    def _check_drop(self, path: str) -> None:
        snapshot = self.world.look()
        volume = snapshot.first(Volume, install_path=path)
        if volume is not None and not self._has(volume):
            volume = None  # what is here has left, or has not come
        going = volume is not None and volume.intended == "Absent"
        if not going and any(
            path in domain.writes.values() and domain.power == "on" for domain in self.domains.values()
        ):
            self.world.violated("I-20", f"{path} is removed while a domain writes to it")
        self._check_below(path)
        if volume is not None and volume.type == "Data":
            if volume.whole_size is not None and volume.intended != "Absent":
                self.world.violated("I-20", f"{path} is removed while it is intended {volume.intended}")
            return
        vm = snapshot.find(VmInstance, volume.vm_instance_uuid or "") if volume else None
        if vm is not None and vm.intended != "Absent":
            self.world.violated("I-20", f"{path} is removed while its VM {vm.uuid} is intended {vm.intended}")

    def _check_below(self, path: str) -> None:
        """A file goes only when none that stays builds on it."""
        look = self.world.look()
        for top in [above for above, below in self.things.backings.items() if below == path]:
            snapshot = look.first(VolumeSnapshot, primary_storage_install_path=top, status="Ready")
            volume = look.find(Volume, snapshot.volume_uuid if snapshot is not None else "")
            volume = volume or look.first(Volume, install_path=top)
            if volume is not None and not self._has(volume):
                continue
            vm = look.find(VmInstance, volume.vm_instance_uuid or "") if volume is not None else None
            going = (
                volume is None or volume.intended == "Absent" or (vm is not None and vm.intended == "Absent")
            )
            if top in self.things.files and not going:
                self.world.violated("I-20", f"{path} is removed while {top} builds on it")

    def _has(self, volume: Volume) -> bool:
        """Whether a volume is this host's, and not one that comes here or has left."""
        host = self.world.look().find(Host, volume.host_uuid or "")
        return host is None or host.management_ip == self.address

    def _emit(self, event: AnyEvent) -> None:
        if not (self.loses_events and self.world.happens(0.5)):
            super()._emit(event)

    def check_order(self) -> None:
        """Neither the epoch nor any generation that this host has seen ever falls."""
        if self._epoch < self._highest:
            self.world.violated("I-29", f"{self.address}: epoch {self._epoch} after {self._highest}")
        self._highest = self._epoch
        for resource, known in self._latest.items():
            if self._generations.get(resource, 0) < known:
                self.world.violated("I-29", f"{self.address}: the generation of {resource} fell from {known}")
        self._latest = dict(self._generations)

    # --- what happens to it ----------------------------------------------------------------------

    def halt(self, uuid: str, cause: Cause, *, tell: bool = True) -> None:
        """A domain goes off without the appliance."""
        found = self.world.disturbance(uuid)
        found.at = found.halted_at = self.world.now
        self.power_off(uuid, cause, tell=tell)

    def start_by_hand(self, uuid: str) -> DomainSeen:
        """`virsh start`."""
        self.world.disturbance(uuid).at = self.world.now
        return self.power_on(uuid)

    def vanish(self, seconds: float) -> None:
        """Nothing reaches the host for a while; its link notices by silence, if at all."""
        if self.reachable:
            self.world.tell(f"{self.address} cannot be reached for {seconds:.3f} s")
            self.reachable = False
            self.world.later(seconds, self.come_back)

    def come_back(self) -> None:
        """The network carries again."""
        self.reachable = True
        life = self.world.life
        for wire in life.dialer.wires if life is not None else []:
            if wire.host is self and not wire.ended:
                wire.healed()

    def kill_agent(self) -> None:
        """`kill -9` of the agent: what it has not finished is not done; what it wrote down stays."""
        self.world.tell(f"the agent of {self.address} is killed")
        for task in list(self._tasks):
            task.cancel()
        self.cut("the agent died")

    def reboot(self) -> None:
        """The host loses power and comes back."""
        for uuid, domain in self.domains.items():
            found = self.world.disturbance(uuid)
            found.at = self.world.now
            if domain.power == "on":
                found.halted_at = self.world.now
        self.crash_and_boot()
        self.domains[STRANGER].power = "on"

    def running(self) -> list[str]:
        """Our domains that are on."""
        return [uuid for uuid, domain in self.domains.items() if domain.power == "on" and uuid != STRANGER]

    def settled(self) -> bool:
        """Whether nothing is being carried out."""
        return not [task for task in self._tasks if not task.done()]


def known_hosts(hosts: dict[str, WatchedHost]) -> list[WatchedHost]:
    """The hosts in the order of their addresses."""
    return [hosts[address] for address in sorted(hosts)]


__all__ = ["STRANGER", "STRANGE_FILE", "WatchedHost", "known_hosts"]
