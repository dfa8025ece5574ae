"""Sums that are kept, so that nobody adds up ten thousand rows for one number: of what, and by which keys."""

from __future__ import annotations

from appliance.api.resource import Resource, column

BLOCK_BITS = 8
"""Addresses of an IP range are counted by blocks of 256: those that differ in so many of their last bits."""


class Tally(Resource, primary="key"):
    """What the `tallies` of all rows of all resources add up to under one key; no row where that is 0."""

    key: str = column("What is summed up, of what.", private=True)
    total: int = column("The sum.", private=True)


def of_host(what: str, host_uuid: str) -> str:
    """What VMs have of a host: `vms`, their number; `memory`, bytes; `cpu`, CPUs times MHz."""
    return f"{what}.{host_uuid}"


def of_storage(storage_uuid: str, host_uuid: str | None = None) -> str:
    """Bytes promised on a primary storage: in all, or of them on one host."""
    return f"storage.{storage_uuid}" if host_uuid is None else f"storage.{storage_uuid}.{host_uuid}"


def of_range(ip_range_uuid: str, ip_number: int | None = None) -> str:
    """Addresses taken of an IP range: what all keys of its blocks begin with, or that of an address's block."""
    start = f"ips.{ip_range_uuid}"
    return start if ip_number is None else f"{start}.{ip_number >> BLOCK_BITS}"


def promised(storage_uuid: str | None, host_uuid: str | None, size: int) -> dict[str, int]:
    """What some bytes on a primary storage add: to the storage, and to what its host has of it."""
    if storage_uuid is None:
        return {}
    on_host = {of_storage(storage_uuid, host_uuid): size} if host_uuid is not None else {}
    return {of_storage(storage_uuid): size, **on_host}
