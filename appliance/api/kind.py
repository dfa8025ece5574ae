"""Kinds: what types of hosts, storage, networks and formats there are, and how hosts are chosen."""

from __future__ import annotations

from appliance.api.message import Message


class GetHypervisorTypes(Message, java="org.zstack.header.host", sync=True, role="read-only"):
    """Say what hypervisors hosts and clusters can have."""


class GetHostAllocatorStrategies(Message, java="org.zstack.header.allocator", sync=True, role="read-only"):
    """Say in what ways a host can be chosen for a VM."""


class GetPrimaryStorageTypes(Message, java="org.zstack.header.storage.primary", sync=True, role="read-only"):
    """Say what primary storage there can be."""


class GetPrimaryStorageAllocatorStrategies(Message, java="org.zstack.header.storage.primary", sync=True,
                                           role="read-only"):  # fmt: skip
    """Say in what ways a primary storage can be chosen for a volume."""


class GetBackupStorageTypes(Message, java="org.zstack.header.storage.backup", sync=True, role="read-only"):
    """Say what backup storage there can be."""


class GetL2NetworkTypes(Message, java="org.zstack.header.network.l2", sync=True, role="read-only"):
    """Say what L2 networks there can be."""


class GetL3NetworkTypes(Message, java="org.zstack.header.network.l3", sync=True, role="read-only"):
    """Say what L3 networks there can be."""


class GetNetworkServiceTypes(Message, java="org.zstack.header.network.service", sync=True, role="read-only"):
    """Say what services a network can have, and which types of provider give each."""


class GetVolumeFormat(Message, java="org.zstack.header.volume", sync=True, role="read-only"):
    """Say what formats volumes have, and on which hypervisors."""
