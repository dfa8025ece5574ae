"""Bridges over the host's interfaces, and the host's own addresses on them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec

from agent.link import Link, batch, links
from agent.paths import Paths
from agent.protocol import ConfirmBridge, DropBridge, EnsureBridge, digest
from agent.refused import Refused
from agent.restore import Restoring
from agent.run import run
from agent.specs import keep, read_all
from agent.takeover import Belongings, belongings, take
from agent.turnback import Guarding, Held, alone, now, port_of, undo

PATIENCE_SECONDS = 90.0
"""So long after its boot a host may take to configure an interface that had addresses before."""

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_NAME = re.compile(r"\A[A-Za-z0-9_][A-Za-z0-9_.-]{0,14}\Z")
_log = logging.getLogger(__name__)


def uplinks(paths: Paths, bridge: str, physical_interface: str) -> list[str]:
    """The links by which a bridge reaches the outside, as stored; the interface itself where none is."""
    stored = [held.request for held in read_all(paths.state / "bridges", Held).values()]
    found = {port_of(request) for request in stored if request.bridge == bridge}
    return sorted((found or {physical_interface}) - {""})


class Bridges:
    """The bridges that were asked for."""

    def __init__(self, paths: Paths) -> None:
        self._folder = paths.state / "bridges"
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._held = read_all(self._folder, Held)
        self._boot_id = _BOOT_ID.read_text().strip()
        self._applied: set[str] = set()
        self._lock = asyncio.Lock()
        self._guarding = Guarding()
        self._restoring = Restoring("bridge", self._restore)

    async def start(self) -> None:
        """Make every stored bridge again where a reboot took it, and go on waiting for confirmations.

        A take-over that was never confirmed does not outlive a reboot.
        """
        awaiting = {l2_uuid: held for l2_uuid, held in self._held.items() if held.deadline}
        for l2_uuid in [u for u, held in awaiting.items() if held.boot_id != self._boot_id]:
            del awaiting[l2_uuid]
            self._forget(l2_uuid)
        await self._restoring.start([u for u in self._held if u not in awaiting])
        for l2_uuid in awaiting:
            self._applied.add(l2_uuid)
            await self._guarding.stand_by(self._path(l2_uuid))

    async def stop(self) -> None:
        """Restore no more; what stands by an unconfirmed take-over goes on."""
        await self._restoring.stop()
        await self._guarding.stop()

    async def ensure(self, request: EnsureBridge) -> None:
        """Have a bridge as specified.

        Raises `Refused`: `bridge.bad_name`, `bridge.interface_missing`, `bridge.interface_taken`,
        `bridge.interface_unfit`, `bridge.name_taken`, `bridge.vlan_unsupported`, `bridge.failed`.
        """
        async with self._alone():
            held = self._held.get(request.l2_uuid)
            if held is not None and held.deadline and held.request == request:
                return
            if held is not None and _shape(held.request) != _shape(request):
                raise Refused(
                    "bridge.other_spec",
                    f"L2 network {request.l2_uuid} is bridge {held.request.bridge} over "
                    f"{port_of(held.request)} here; drop it before making it something else",
                )
            await self._carry_out(request, confirmed=held is not None and not held.deadline)

    async def confirm(self, request: ConfirmBridge) -> None:
        """Keep what a bridge took over, for good.

        Raises `Refused` with `bridge.unknown` where there is no such bridge, or it was given back already.
        """
        async with self._alone():
            found = {u: h for u, h in self._held.items() if h.request.bridge == request.bridge}
            if not found:
                raise Refused(
                    "bridge.unknown",
                    f"bridge {request.bridge} is not there, or was undone because no confirmation came in "
                    "time; make it again",
                )
            for l2_uuid, held in found.items():
                self._guarding.leave(self._path(l2_uuid))
                self._keep(l2_uuid, msgspec.structs.replace(held, deadline=0.0))

    async def drop(self, request: DropBridge) -> None:
        """Undo a bridge; absent is fine. Raises `Refused` with `bridge.in_use` while guests are on it."""
        async with self._alone():
            held = self._held.get(request.l2_uuid)
            if held is None:
                return
            shared = [u for u, h in self._held.items() if h.request.bridge == held.request.bridge]
            if len(shared) == 1:
                await self._refuse_in_use(held.request.bridge)
                await undo(await _as_now(held))
            else:
                heir = next(u for u in shared if u != request.l2_uuid)
                self._keep(heir, msgspec.structs.replace(held, request=self._held[heir].request))
            self._guarding.leave(self._path(request.l2_uuid))
            self._forget(request.l2_uuid)

    def digests(self) -> dict[str, str]:
        """uuid to digest of the bridges that are here to stay: not of those that await confirmation."""
        return {u: digest(self._held[u].request) for u in self._applied if not self._held[u].deadline}

    async def _restore(self, l2_uuid: str) -> None:
        async with self._alone():
            held = self._held.get(l2_uuid)
            if held is not None:
                await self._carry_out(held.request, confirmed=True)

    async def _carry_out(self, request: EnsureBridge, *, confirmed: bool) -> None:
        self._applied.discard(request.l2_uuid)
        seen = await links()
        _check(request, seen)
        port = port_of(request)
        if port and port not in seen:
            await _add_vlan(request)
            seen = await links()
        before = self._held.get(request.l2_uuid, Held(request=request))
        made = before.made or request.bridge not in seen
        if request.bridge not in seen:
            await run("ip", "link", "add", "name", request.bridge, "type", "bridge",
                      "stp_state", "0", "forward_delay", "0")  # fmt: skip
        # What is addressed to a bridge itself (01:80:c2:00:00:0x) passes no filter, and would teach it that another
        # guest's MAC is behind the sender's tap.
        await run("ip", "link", "set", "dev", request.bridge, "type", "bridge", "no_linklocal_learn", "1")
        held = Held(request=request, made=made, belongings=before.belongings)
        if port and seen[port].master != request.bridge:
            held = await self._enslave(held, seen[port], confirmed=confirmed)
        else:
            await run("ip", "link", "set", "dev", request.bridge, "up")
        self._keep(request.l2_uuid, held)
        self._applied.add(request.l2_uuid)

    async def _enslave(self, held: Held, port: Link, *, confirmed: bool) -> Held:
        """Put the bridge over its port. What the port has goes on disk before it moves."""
        request = held.request
        has = await belongings(port.name, port.mac)
        if confirmed and not has.any and held.belongings is not None and held.belongings.any:
            has = _remembered(port, held.belongings)
        awaiting = has.any and not confirmed
        held = msgspec.structs.replace(
            held,
            belongings=has if has.any or held.belongings is None else held.belongings,
            boot_id=self._boot_id,
            deadline=now() + request.confirm_seconds if awaiting else 0.0,
        )
        self._keep(request.l2_uuid, held)
        try:
            if awaiting:
                await self._guarding.stand_by(self._path(request.l2_uuid))
            await batch(take(port.name, request.bridge, has))
        except Refused as refused:
            await undo(held)
            self._forget(request.l2_uuid)
            raise Refused(
                "bridge.failed",
                f"{port.name} could not be put into {request.bridge}, everything is as before: {refused}",
                transient=True,
            ) from refused
        return held

    async def _refuse_in_use(self, bridge: str) -> None:
        taps = sorted(
            n for n, link in (await links()).items() if link.master == bridge and n.startswith("vnic")
        )
        if taps:
            raise Refused(
                "bridge.in_use",
                f"bridge {bridge} still carries guests ({', '.join(taps[:5])}); stop them first",
            )

    @contextlib.asynccontextmanager
    async def _alone(self) -> AsyncIterator[None]:
        """Let nobody else change bridges, and know what was given back meanwhile."""
        async with self._lock, alone(self._folder):
            self._held = read_all(self._folder, Held)
            self._applied &= self._held.keys()
            yield

    def _path(self, l2_uuid: str) -> Path:
        return self._folder / f"{l2_uuid}.json"

    def _keep(self, l2_uuid: str, held: Held) -> None:
        keep(self._path(l2_uuid), msgspec.json.encode(held))
        self._held[l2_uuid] = held

    def _forget(self, l2_uuid: str) -> None:
        self._path(l2_uuid).unlink(missing_ok=True)
        self._held.pop(l2_uuid, None)
        self._applied.discard(l2_uuid)


def _remembered(port: Link, had: Belongings) -> Belongings:
    """What a link had before a reboot, for one that has nothing now.

    Raises `Refused` while the host may still be about to configure it: taking it too early would leave
    the host without any address.
    """
    if now() < PATIENCE_SECONDS:
        raise Refused("bridge.address_pending", f"{port.name} has no address yet", transient=True)
    _log.warning("%s has no address: its bridge gets those of before the reboot", port.name)
    return msgspec.structs.replace(had, mac=port.mac)


async def _as_now(held: Held) -> Held:
    """With what the bridge has now where it took something over: addresses change in the course of time."""
    took, bridge = held.belongings, held.request.bridge
    if took is None or not took.any or bridge not in await links():
        return held
    has = await belongings(bridge, took.mac)
    return msgspec.structs.replace(held, belongings=has) if has.any else held


def _shape(request: EnsureBridge) -> tuple[str, str]:
    return request.bridge, port_of(request)


def _check(request: EnsureBridge, seen: dict[str, Link]) -> None:
    interface, port = request.physical_interface, port_of(request)
    for name in filter(None, (request.bridge, port)):
        if not _NAME.match(name):
            raise Refused(
                "bridge.bad_name", f"{name!r} cannot name a link: at most 15 letters, digits, _ . -"
            )
    if request.bridge in seen and seen[request.bridge].kind != "bridge":
        raise Refused("bridge.name_taken", f"{request.bridge} exists on the host and is not a bridge")
    if not interface:
        return
    if interface not in seen:
        raise Refused(
            "bridge.interface_missing",
            f"the host has no interface {interface}; it has {', '.join(sorted(seen))}",
        )
    if seen[interface].loopback or seen[interface].kind == "bridge" or interface.startswith("vnic"):
        raise Refused("bridge.interface_unfit", f"{interface} is not a network interface a bridge can use")
    master = seen[port].master if port in seen else ""
    if master not in {"", request.bridge}:
        raise Refused(
            "bridge.interface_taken",
            f"{port} already belongs to {master}; free it or choose another interface",
        )


async def _add_vlan(request: EnsureBridge) -> None:
    try:
        await batch(vlan_commands(request))
    except Refused as refused:
        raise Refused(
            "bridge.vlan_unsupported",
            f"the host's kernel did not make VLAN {request.vlan} of {request.physical_interface}: {refused}",
        ) from refused


def vlan_commands(request: EnsureBridge) -> list[str]:
    """The commands that make the VLAN link of a request."""
    interface, port = request.physical_interface, port_of(request)
    return [
        f"link set dev {interface} up",
        f"link add link {interface} name {port} type vlan id {request.vlan}",
        f"link set dev {port} up",
    ]
