"""Serial consoles: doors on the loopback, each for one viewer of one guest.

What the guest writes is read from its log, so that any number of viewers see all of it, each at its own pace, and none
of them holds up the guest. What viewers type goes through the one line that libvirt gives out.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
import secrets
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Literal, Protocol

from agent.domain_xml import serial_log_of
from agent.protocol import DomainSeen, OpenSerial, SerialDoor, SerialFrame
from agent.refused import Refused
from agent.serial_line import SerialLine
from agent.serial_log import SerialLog

log = logging.getLogger(__name__)

DOOR_SECONDS = 15.0
"""Whoever a door was opened for has come by then."""

DOORS = 100
"""More viewers than that at once are refused."""

LOOK_SECONDS = 1.0
SHORTEST_PAUSE, LONGEST_PAUSE = 0.01, 0.1
TYPED_BYTES = 4 << 10
FLOOD_BYTES = 64 << 10


class SerialCalls(Protocol):
    """What serial consoles need of the hypervisor."""

    uri: str

    async def seen(self, vm_uuid: str) -> DomainSeen: ...
    async def xml(self, vm_uuid: str) -> str: ...


class Serials:
    """Every viewer of every guest's serial console on this host."""

    def __init__(self, hypervisor: SerialCalls) -> None:
        self._hypervisor = hypervisor
        self._threads = ThreadPoolExecutor(4, thread_name_prefix="serial")
        self._lines: dict[str, tuple[SerialLine, set[object]]] = {}
        self._viewers: set[asyncio.Task[None]] = set()

    async def open(self, request: OpenSerial) -> SerialDoor:
        """Open a door for one viewer. Raises `Refused`."""
        vm_uuid = request.vm_uuid
        if len(self._viewers) >= DOORS:
            raise Refused(
                "serial.crowded", f"{DOORS} serial consoles of this host are open already; close some"
            )
        seen = await self._hypervisor.seen(vm_uuid)
        if not seen.defined:
            raise Refused("domain.missing", f"no domain {vm_uuid} is on this host")
        if seen.power == "off":
            raise Refused("domain.off", f"VM {vm_uuid} has no console while it is off; start it")
        path = serial_log_of(await self._hypervisor.xml(vm_uuid))
        if path is None:
            raise Refused(
                "serial.no_log", f"VM {vm_uuid} was started without a serial log; stop and start it"
            )
        came: asyncio.Future[tuple[asyncio.StreamReader, asyncio.StreamWriter]]
        came = asyncio.get_running_loop().create_future()

        def meet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            if came.done():
                writer.close()
            else:
                came.set_result((reader, writer))

        key = secrets.token_hex(32)
        door = await asyncio.start_server(meet, "127.0.0.1", 0, limit=FLOOD_BYTES)
        task = asyncio.create_task(self._let_in(door, came, key, _Viewer(self, vm_uuid, Path(path))))
        self._viewers.add(task)
        task.add_done_callback(self._viewers.discard)
        return SerialDoor(port=door.sockets[0].getsockname()[1], key=key)

    async def stop(self) -> None:
        """End all viewers."""
        for viewer in self._viewers:
            viewer.cancel()
        if self._viewers:
            await asyncio.wait(self._viewers)
        self._threads.shutdown(wait=False)

    async def seen(self, vm_uuid: str) -> DomainSeen:
        """A domain as it is now."""
        return await self._hypervisor.seen(vm_uuid)

    def line(self, vm_uuid: str, user: object) -> SerialLine:
        """The line that viewers of a guest type on."""
        line, users = self._lines.setdefault(
            vm_uuid, (SerialLine(self._hypervisor.uri, vm_uuid, self._threads), set())
        )
        users.add(user)
        return line

    async def leave(self, vm_uuid: str, user: object) -> None:
        """Who leaves last closes the line."""
        line, users = self._lines.get(vm_uuid, (None, set()))
        users.discard(user)
        if line is not None and not users:
            del self._lines[vm_uuid]
            await line.close()

    async def _let_in(
        self,
        door: asyncio.Server,
        came: asyncio.Future[tuple[asyncio.StreamReader, asyncio.StreamWriter]],
        key: str,
        viewer: _Viewer,
    ) -> None:
        """Wait for the one who has the key, and serve it."""
        try:
            async with asyncio.timeout(DOOR_SECONDS):
                reader, writer = await came
        except TimeoutError:
            return
        finally:
            door.close()
        try:
            async with asyncio.timeout(DOOR_SECONDS):
                said = await reader.readline()
            if hmac.compare_digest(said, f"{key}\n".encode()):
                await viewer.serve(reader, writer)
        except (TimeoutError, ValueError, OSError) as gone:
            log.info("a viewer of the serial console of %s is gone: %s", viewer.vm_uuid, gone)
        finally:
            writer.close()


class _Viewer:
    """One who watches a guest, and may type."""

    def __init__(self, serials: Serials, vm_uuid: str, path: Path) -> None:
        self.vm_uuid = vm_uuid
        self._serials = serials
        self._path = path
        self._typed = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Show and take until the viewer leaves or the guest is off. Raises OSError when the viewer is gone."""
        ways = [asyncio.create_task(self._show(writer)), asyncio.create_task(self._take(reader, writer))]
        try:
            done, _ = await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            for way in done:
                way.result()
        finally:
            for way in ways:
                way.cancel()
            await asyncio.wait(ways)
            with suppress(Refused):  # its line is closed with its connection, whatever libvirt says
                await self._serials.leave(self.vm_uuid, self)

    async def _show(self, writer: asyncio.StreamWriter) -> None:
        source = await asyncio.to_thread(SerialLog, self._path)
        pause, looked = SHORTEST_PAUSE, time.monotonic()
        try:
            while True:
                left_out, data = await asyncio.to_thread(source.read)
                if left_out:
                    await _send(writer, "gap", str(left_out))
                if data:
                    await _send(writer, "data", data)
                    pause = SHORTEST_PAUSE
                elif time.monotonic() - looked >= LOOK_SECONDS:
                    looked = time.monotonic()
                    if (end := await self._ended()) is not None:
                        await _send(writer, "end", end)
                        return
                else:
                    await self._rest(pause)
                    pause = min(pause * 2, LONGEST_PAUSE)
        finally:
            source.close()

    async def _rest(self, pause: float) -> None:
        """For a while, but not while the guest answers what was typed."""
        with suppress(TimeoutError):
            async with asyncio.timeout(pause):
                await self._typed.wait()
                self._typed.clear()
                await asyncio.sleep(SHORTEST_PAUSE)

    async def _ended(self) -> str | None:
        try:
            seen = await self._serials.seen(self.vm_uuid)
        except Refused as refused:
            if refused.refusal.transient:
                return None
            return f"{refused.refusal.code} {refused.refusal.message}"
        if not seen.defined:
            return "domain.missing the VM is not on this host any more"
        return "domain.off the VM is off" if seen.power == "off" else None

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(TYPED_BYTES):
            try:
                await self._serials.line(self.vm_uuid, self).type(data)
            except Refused as refused:
                await _send(writer, "notice", f"{refused.refusal.code} {refused.refusal.message}")
            self._typed.set()


async def _send(
    writer: asyncio.StreamWriter, kind: Literal["data", "gap", "notice", "end"], body: bytes | str
) -> None:
    """One frame; waits while the viewer has not taken what it was sent."""
    said = body.encode() if isinstance(body, str) else body
    writer.write(SerialFrame(kind=kind, body=said).packed())
    await writer.drain()
