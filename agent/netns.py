"""Network namespaces of the host: making them, and doing work inside one from a thread."""

from __future__ import annotations

import array
import asyncio
import ctypes
import fcntl
import os
import socket
import struct
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from agent.run import run

FOLDER = Path("/run/netns")

_CLONE_NEWNET = 0x40000000
_SIOCETHTOOL = 0x8946
_SIOCGSKNS = 0x894C
_ETHTOOL_STXCSUM = 0x17
_libc = ctypes.CDLL(None, use_errno=True)

T = TypeVar("T")


def exists(name: str) -> bool:
    """Whether the namespace is there. A left-over plain file of that name, as after a reboot, is not one."""
    try:
        return (FOLDER / name).stat().st_dev == Path("/proc/self/ns/net").stat().st_dev
    except FileNotFoundError:
        return False


async def create(name: str) -> None:
    """Make a namespace exist, with its loopback up. Raises `Refused` when the kernel does not let us."""
    if exists(name):
        return
    (FOLDER / name).unlink(missing_ok=True)
    await run("ip", "netns", "add", name)
    await run("ip", "-n", name, "link", "set", "dev", "lo", "up")


async def remove(name: str) -> None:
    """Remove a namespace with everything in it; absent is fine."""
    if exists(name):
        await run("ip", "netns", "del", name)
    else:
        (FOLDER / name).unlink(missing_ok=True)


def holds(name: str, pid: int) -> bool:
    """Whether a process lives in the namespace."""
    try:
        here = (FOLDER / name).stat()
        there = Path(f"/proc/{pid}/ns/net").stat()
    except OSError:
        return False
    return (here.st_dev, here.st_ino) == (there.st_dev, there.st_ino)


def has_socket(name: str, found: socket.socket) -> bool:
    """Whether a socket is one of the namespace that has that name now."""
    descriptor = fcntl.ioctl(found, _SIOCGSKNS)
    try:
        here, there = (FOLDER / name).stat(), os.fstat(descriptor)
    except FileNotFoundError:
        return False
    finally:
        os.close(descriptor)
    return (here.st_dev, here.st_ino) == (there.st_dev, there.st_ino)


async def inside(name: str, work: Callable[[], T]) -> T:
    """Call `work` in a thread of its own that has entered the namespace.

    Sockets opened there stay in the namespace wherever they are used later. The thread ends afterwards,
    since a thread that changed its namespace must not serve anyone else. Raises what `work` raises.
    """
    loop = asyncio.get_running_loop()
    result: asyncio.Future[T] = loop.create_future()

    def settle(value: T | None, error: BaseException | None) -> None:
        if result.cancelled():
            return
        if error is not None:
            result.set_exception(error)
        else:
            result.set_result(value)  # type: ignore[arg-type]

    def body() -> None:
        try:
            _enter(name)
            value = work()
        except BaseException as error:  # noqa: BLE001 - carried over to the awaiting task
            loop.call_soon_threadsafe(settle, None, error)
        else:
            loop.call_soon_threadsafe(settle, value, None)

    threading.Thread(target=body, name=f"netns {name}", daemon=True).start()
    return await result


def _enter(name: str) -> None:
    descriptor = os.open(FOLDER / name, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if _libc.setns(descriptor, _CLONE_NEWNET) != 0:
            code = ctypes.get_errno()
            raise OSError(code, f"cannot enter network namespace {name}: {os.strerror(code)}")
    finally:
        os.close(descriptor)


def send_checksums_in_software(device: str) -> None:
    """Make the device's packets carry full checksums.

    A veth leaves them out because no wire follows, and a guest's DHCP client then discards every answer.
    """
    value = array.array("B", struct.pack("II", _ETHTOOL_STXCSUM, 0))
    request = struct.pack("16sP", device.encode(), value.buffer_info()[0])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control, _SIOCETHTOOL, request.ljust(40, b"\0"))


def keep_to_itself() -> None:
    """Set the namespace we are in to be an end point: it never forwards, and speaks ARP as its own address.

    New namespaces inherit forwarding from the host, which may well be a router.
    """
    settings = {
        "ipv4/ip_forward": "0",
        "ipv4/conf/all/arp_announce": "2",
        "ipv4/conf/all/accept_redirects": "0",
        "ipv4/conf/all/send_redirects": "0",
        "ipv6/conf/all/disable_ipv6": "1",
    }
    for name, value in settings.items():
        path = Path("/proc/sys/net") / name
        if path.exists():
            path.write_text(value)
