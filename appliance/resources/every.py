"""Imports every noun, so that what answers each message is registered."""

from appliance.resources import (
    cluster,
    host,
    image,
    job,
    l2,
    l3,
    offering,
    service,
    setting,
    storage,
    store,
    tag,
    vm,
    vm_create,
    volume,
    zone,
)

__all__ = [
    "cluster",
    "host",
    "image",
    "job",
    "l2",
    "l3",
    "offering",
    "service",
    "setting",
    "storage",
    "store",
    "tag",
    "vm",
    "vm_create",
    "volume",
    "zone",
]
