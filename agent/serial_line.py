"""What is typed into a guest's serial console, through libvirt, which lets one at a time do so."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import libvirt

from agent.libvirt_calls import domain_of, message_of, translated, unreachable
from agent.refused import Refused

TAKE_SECONDS = 5.0
"""A guest that takes nothing for so long will not."""

PAUSE_SECONDS = 0.02
BUSY = "Active console session"


class SerialLine:
    """The way in to one guest. Opened when something is typed first, on a connection of its own."""

    def __init__(self, uri: str, vm_uuid: str, threads: ThreadPoolExecutor) -> None:
        self._uri = uri
        self._vm_uuid = vm_uuid
        self._threads = threads
        self._turn = threading.Lock()
        self._connection: Any = None
        self._stream: Any = None

    async def type(self, data: bytes) -> None:
        """Give the guest what was typed, after what others type. Raises `Refused`, when some may have arrived."""
        loop = asyncio.get_running_loop()
        until = loop.time() + TAKE_SECONDS
        while data:
            taken = await loop.run_in_executor(self._threads, self._type, data)
            if taken > 0:
                data, until = data[taken:], loop.time() + TAKE_SECONDS
            elif loop.time() > until:
                raise Refused("serial.full", f"the guest has taken no input for {TAKE_SECONDS:g} s")
            else:
                await asyncio.sleep(PAUSE_SECONDS)

    async def close(self) -> None:
        """Let others have it."""
        await asyncio.get_running_loop().run_in_executor(self._threads, self._leave)

    def _type(self, data: bytes) -> int:
        """How much was taken; not more than 0 when there is no room."""
        with self._turn:
            try:
                if self._stream is None:
                    self._open()
                return int(self._stream.send(data))
            except Refused:
                self._let_go()
                raise
            except libvirt.libvirtError as failed:
                self._let_go()
                raise Refused("serial.lost", f"the serial console was lost: {message_of(failed)}") from failed

    def _leave(self) -> None:
        with self._turn:
            self._let_go()

    def _open(self) -> None:
        try:
            self._connection = libvirt.open(self._uri)
        except libvirt.libvirtError as failed:
            raise unreachable(message_of(failed)) from failed
        try:
            self._stream = translated(self._console, self._connection)
        except Refused as refused:
            if BUSY in refused.refusal.message:
                raise Refused(
                    "serial.busy",
                    "somebody else types into this console, as `virsh console` does; it is free when they leave",
                ) from refused
            raise

    def _console(self, connection: Any) -> Any:
        stream = connection.newStream(libvirt.VIR_STREAM_NONBLOCK)
        domain_of(connection, self._vm_uuid).openConsole(None, stream, libvirt.VIR_DOMAIN_CONSOLE_SAFE)
        stream.eventAddCallback(libvirt.VIR_STREAM_EVENT_READABLE, _drop, None)
        return stream

    def _let_go(self) -> None:
        stream, self._stream = self._stream, None
        connection, self._connection = self._connection, None
        try:
            if stream is not None:
                stream.eventRemoveCallback()
                stream.abort()
        except libvirt.libvirtError:
            pass  # it has ended by itself
        finally:
            if connection is not None:
                connection.close()


def _drop(stream: Any, events: int, _: object) -> None:
    """The guest would stand still if nobody read here; what it says is read from the log."""
    try:
        while (data := stream.recv(1 << 16)) != -2:
            if not data:
                break
        else:
            return
    except libvirt.libvirtError:
        pass  # which the next `send` says, too
    stream.eventRemoveCallback()
