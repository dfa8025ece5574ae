"""What can be asked: every message, resource, error, setting and tag, declared once; no input or output."""

from appliance.api import (
    account,
    cluster,
    event,
    host,
    image,
    job,
    l2,
    l3,
    offering,
    service,
    setting,
    storage,
    tag,
    vm,
    volume,
    zone,
)

__all__ = [
    "account",
    "cluster",
    "event",
    "host",
    "image",
    "job",
    "l2",
    "l3",
    "offering",
    "service",
    "setting",
    "storage",
    "tag",
    "vm",
    "volume",
    "zone",
]
