"""Network services: what can be asked about DHCP and user data, and who provides them."""

from __future__ import annotations

from typing import ClassVar

from appliance.api.l2 import L2Network
from appliance.api.l3 import L3Network
from appliance.api.message import Message, QueryMessage, arg
from appliance.api.resource import Embed, Join, Resource, Timestamp, column

JAVA = "org.zstack.header.network.service"


class NetworkServiceProvider(Resource, java=JAVA):
    """Something that can serve a network. Flat serves DHCP and Userdata on each host by itself."""

    embeds: ClassVar[tuple[Embed, ...]] = (
        Embed("attachedL2NetworkUuids", "NetworkServiceProviderL2NetworkRef",
              "network_service_provider_uuid", "l2_network_uuid"),
    )  # fmt: skip

    uuid: str = column("Identity.")
    name: str = column("Display name.")
    description: str | None = column("What it does.", default=None)
    type: str = column("Flat.")
    network_service_types: list[str] = column("The services it can provide.", default_factory=list)
    create_date: Timestamp = column("When it was made.", default=Timestamp(0))
    last_op_date: Timestamp = column("When it last changed.", default=Timestamp(0))


class NetworkServiceProviderL2NetworkRef(Resource, java=JAVA):
    """A provider that may serve the L3 networks of an L2 network."""

    unique_together: ClassVar[tuple[tuple[str, ...], ...]] = (
        ("network_service_provider_uuid", "l2_network_uuid"),
    )

    uuid: str = column("Identity.", private=True)
    network_service_provider_uuid: str = column("The provider.", indexed=True)
    l2_network_uuid: str = column("The network.", indexed=True)


class NetworkServiceL3NetworkRef(Resource, java=JAVA):
    """A service that an L3 network has, and its provider."""

    joins = (
        Join("l3Network", "L3Network", "l3_network_uuid"),
        Join("serviceProvider", "NetworkServiceProvider", "network_service_provider_uuid"),
    )
    unique_together: ClassVar[tuple[tuple[str, ...], ...]] = (("l3_network_uuid", "network_service_type"),)

    uuid: str = column("Identity.", private=True)
    l3_network_uuid: str = column("The network.", indexed=True)
    network_service_provider_uuid: str = column("The provider.", indexed=True)
    network_service_type: str = column("The service.")


class AttachNetworkServiceProviderToL2Network(Message, java=JAVA, returns=NetworkServiceProvider):
    """Let a provider serve the L3 networks of an L2 network."""

    network_service_provider_uuid: str = arg("The provider.", ref=NetworkServiceProvider)
    l2_network_uuid: str = arg("The network.", ref=L2Network)


class DetachNetworkServiceProviderFromL2Network(Message, java=JAVA, returns=NetworkServiceProvider):
    """Let a provider serve an L2 network no more; refused while an L3 network there has a service of it."""

    network_service_provider_uuid: str = arg("The provider.", ref=NetworkServiceProvider)
    l2_network_uuid: str = arg("The network.", ref=L2Network)


class AttachNetworkServiceToL3Network(Message, java=JAVA, returns=L3Network):
    """Give services to an L3 network; running VMs get them at their next start."""

    l3_network_uuid: str = arg("The network.", ref=L3Network)
    network_services: dict[str, list[str]] = arg("Provider uuid to service types.")


class DetachNetworkServiceFromL3Network(Message, java=JAVA, returns=L3Network):
    """Take services from an L3 network."""

    l3_network_uuid: str = arg("The network.", ref=L3Network)
    network_services: dict[str, list[str]] = arg("Provider uuid to service types.")


class GetNetworkServiceTypes(Message, java=JAVA, sync=True, role="read-only"):
    """Say which service can be had from which type of provider."""


class QueryNetworkServiceProvider(QueryMessage, java=JAVA, resource=NetworkServiceProvider):
    """Find network service providers."""


class QueryNetworkServiceL3NetworkRef(QueryMessage, java=JAVA, resource=NetworkServiceL3NetworkRef):
    """Find which L3 network has which service."""
