"""Pull an image over HTTP, within limits of time, size and redirects."""

from __future__ import annotations

import asyncio
import ipaddress
import os
import socket
import ssl
from collections.abc import Callable
from typing import Protocol

import aiohttp

from agent.address import without_password
from agent.refused import Refused

MAX_REDIRECTS = 3
CHUNK_BYTES = 4 << 20
CONNECT_SECONDS = 15.0
SILENCE_SECONDS = 60.0
"""A server that sends nothing for so long is given up; a slow one that sends is not."""


class Receives(Protocol):
    """Where the bytes go."""

    done: int

    def open(self, expected_bytes: int) -> None: ...
    def write(self, chunk: bytes) -> None: ...
    def finish(self) -> str: ...
    def close(self) -> None: ...


def leads_inward(address: str) -> bool:
    """Whether an address is no other machine's: what answers there trusts who is here, and no image is meant by it.

    Link-local ones are such, too: clouds tell their machines' keys at 169.254.169.254.
    """
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    if found.is_loopback or found.is_link_local or found.is_multicast or found.is_unspecified:
        return True
    with socket.socket(socket.AF_INET if found.version == 4 else socket.AF_INET6, socket.SOCK_DGRAM) as probe:
        try:
            # Nothing is sent: the kernel says from which of its addresses it would speak with that one.
            probe.connect((found.compressed, 9))
        except OSError:
            return False
        return ipaddress.ip_address(probe.getsockname()[0].partition("%")[0]) == found


class _Outward:
    """Opens sockets to other machines only, and remembers whom it opened none to.

    What it is given has been resolved, so that no second answer of a name server counts.
    """

    def __init__(self) -> None:
        self.refused: list[str] = []

    def __call__(self, address: aiohttp.AddrInfoType) -> socket.socket:
        family, kind, protocol, _, where = address
        if leads_inward(str(where[0])):
            self.refused.append(str(where[0]))
            raise OSError(f"{where[0]} is no other machine's")
        return socket.socket(family, kind, protocol)


async def pull(url: str, sink: Receives, report: Callable[[int, int], None]) -> str:
    """Write what a URL has into a sink and return its MD5. Raises `Refused` with `url.…` codes."""
    outward, shown = _Outward(), without_password(url)
    connector = aiohttp.TCPConnector(socket_factory=outward)
    limits = aiohttp.ClientTimeout(total=None, connect=CONNECT_SECONDS, sock_read=SILENCE_SECONDS)
    try:
        async with (
            aiohttp.ClientSession(timeout=limits, auto_decompress=False, connector=connector) as session,
            session.get(
                url, max_redirects=MAX_REDIRECTS, headers={"Accept-Encoding": "identity"}
            ) as response,
        ):
            if response.status != 200:
                raise Refused(
                    "url.status",
                    f"{shown} answered {response.status} {response.reason}; check the address",
                    transient=response.status >= 500,
                )
            return await _receive(response, sink, report)
    except aiohttp.TooManyRedirects as redirects:
        raise Refused("url.redirects", f"{shown} redirects more than {MAX_REDIRECTS} times") from redirects
    except aiohttp.InvalidURL as invalid:
        raise Refused("url.bad", f"{shown[:200]!r} is not an address that can be fetched") from invalid
    except aiohttp.ClientConnectorError as failed:
        if outward.refused:
            raise Refused(
                "url.inward",
                f"{failed.host} leads to {', '.join(outward.refused)}, which is no other machine; serve the image from "
                "another one, or upload it (upload://NAME)",
            ) from failed
        where = f"{failed.host}:{failed.port}"
        raise Refused(
            "url.failed", f"no connection to {where}: {_reason(failed)}", transient=True
        ) from failed
    except (aiohttp.ClientError, TimeoutError) as failed:
        raise Refused(
            "url.failed", without_password(f"{url}: {failed or 'it did not answer in time'}"), transient=True
        ) from failed
    finally:
        sink.close()


def _reason(failed: aiohttp.ClientConnectorError) -> str:
    """Why a connection could not be made, without what aiohttp says around it."""
    if isinstance(failed, aiohttp.ClientConnectorCertificateError):
        return str(failed.certificate_error)
    number = failed.os_error.errno
    if (
        number is None or number < 0 or isinstance(failed.os_error, ssl.SSLError)
    ):  # which have errors of their own
        return failed.os_error.strerror or str(failed.os_error)
    return os.strerror(number)


async def _receive(
    response: aiohttp.ClientResponse, sink: Receives, report: Callable[[int, int], None]
) -> str:
    total = response.content_length or 0
    await asyncio.to_thread(sink.open, total)
    gathered = bytearray()
    async for chunk in response.content.iter_any():
        gathered += chunk
        if len(gathered) >= CHUNK_BYTES:
            await asyncio.to_thread(sink.write, bytes(gathered))
            gathered.clear()
            report(sink.done, max(total, sink.done))
    await asyncio.to_thread(sink.write, bytes(gathered))
    if total and sink.done != total:
        raise Refused(
            "url.short",
            f"{without_password(str(response.url))} ended after {sink.done} of {total} bytes",
            transient=True,
        )
    return await asyncio.to_thread(sink.finish)
