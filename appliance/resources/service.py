"""What requests about network services mean, and the provider that is there from the first start."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from appliance.api.errors import InvalidArgument, OperationFailed
from appliance.api.l2 import L2Network
from appliance.api.l3 import L3Network
from appliance.api.service import (
    AttachNetworkServiceProviderToL2Network,
    AttachNetworkServiceToL3Network,
    DetachNetworkServiceFromL3Network,
    DetachNetworkServiceProviderFromL2Network,
    GetNetworkServiceTypes,
    NetworkServiceL3NetworkRef,
    NetworkServiceProvider,
    NetworkServiceProviderL2NetworkRef,
)
from appliance.resources.placing import served
from appliance.resources.registry import Caller, handles, reads
from appliance.store.snapshot import Snapshot
from appliance.store.transaction import Transaction

FLAT_SERVICES = ("DHCP", "Userdata")


def ensure_flat_provider(tx: Transaction) -> None:
    """The provider that serves DHCP and user data on each host by itself exists from the first start."""
    if not tx.exists(NetworkServiceProvider, type="Flat"):
        tx.insert(
            NetworkServiceProvider(
                uuid=tx.new_uuid(),
                name="Flat Network Service Provider",
                description="Flat Network Service Provider",
                type="Flat",
                network_service_types=list(FLAT_SERVICES),
            )
        )


@handles(AttachNetworkServiceProviderToL2Network)
def attach_provider(
    tx: Transaction, request: AttachNetworkServiceProviderToL2Network, caller: Caller
) -> NetworkServiceProvider:
    """A reference."""
    provider = tx.get(NetworkServiceProvider, request.network_service_provider_uuid)
    network = tx.get(L2Network, request.l2_network_uuid)
    pair = {"network_service_provider_uuid": provider.uuid, "l2_network_uuid": network.uuid}
    if not tx.exists(NetworkServiceProviderL2NetworkRef, **pair):
        tx.insert(NetworkServiceProviderL2NetworkRef(uuid=tx.new_uuid(), **pair))
    return provider


@handles(DetachNetworkServiceProviderFromL2Network)
def detach_provider(
    tx: Transaction, request: DetachNetworkServiceProviderFromL2Network, caller: Caller
) -> NetworkServiceProvider:
    """The reference removed, when nothing stands on it."""
    provider = tx.get(NetworkServiceProvider, request.network_service_provider_uuid)
    for l3 in tx.all(L3Network, l2_network_uuid=request.l2_network_uuid):
        if tx.exists(
            NetworkServiceL3NetworkRef, l3_network_uuid=l3.uuid, network_service_provider_uuid=provider.uuid
        ):
            raise OperationFailed(
                f"L3 network {l3.name}[uuid:{l3.uuid}] has services of provider {provider.name}; "
                f"use DetachNetworkServiceFromL3Network first"
            )
    for ref in tx.all(
        NetworkServiceProviderL2NetworkRef,
        network_service_provider_uuid=provider.uuid,
        l2_network_uuid=request.l2_network_uuid,
    ):
        tx.delete(ref)
    return provider


@reads(GetNetworkServiceTypes)
def get_service_types(snapshot: Snapshot, request: GetNetworkServiceTypes, caller: Caller) -> dict[str, Any]:
    """Each service, with the types of the providers that have it."""
    found: dict[str, list[str]] = {}
    for provider in snapshot.all(NetworkServiceProvider):
        for service in provider.network_service_types:
            found.setdefault(service, []).append(provider.type)
    return {"serviceAndProviderTypes": found}


@handles(AttachNetworkServiceToL3Network)
def attach_service(tx: Transaction, request: AttachNetworkServiceToL3Network, caller: Caller) -> L3Network:
    """References, one a service."""
    network = tx.get(L3Network, request.l3_network_uuid)
    for provider, service in _asked(tx, request.network_services):
        if not tx.exists(
            NetworkServiceProviderL2NetworkRef,
            network_service_provider_uuid=provider.uuid,
            l2_network_uuid=network.l2_network_uuid,
        ):
            raise OperationFailed(
                f"provider {provider.name}[uuid:{provider.uuid}] is not attached to L2 network"
                f"[uuid:{network.l2_network_uuid}]; use AttachNetworkServiceProviderToL2Network first"
            )
        present = tx.first(
            NetworkServiceL3NetworkRef, l3_network_uuid=network.uuid, network_service_type=service
        )
        if present is not None:
            raise OperationFailed(f"L3 network {network.name} has the service {service} already")
        tx.insert(
            NetworkServiceL3NetworkRef(
                uuid=tx.new_uuid(),
                l3_network_uuid=network.uuid,
                network_service_provider_uuid=provider.uuid,
                network_service_type=service,
            )
        )
    return served(tx, tx.update(network, generation=network.generation + 1))


@handles(DetachNetworkServiceFromL3Network)
def detach_service(tx: Transaction, request: DetachNetworkServiceFromL3Network, caller: Caller) -> L3Network:
    """The references removed."""
    network = tx.get(L3Network, request.l3_network_uuid)
    for provider, service in _asked(tx, request.network_services):
        for ref in tx.all(
            NetworkServiceL3NetworkRef,
            l3_network_uuid=network.uuid,
            network_service_provider_uuid=provider.uuid,
            network_service_type=service,
        ):
            tx.delete(ref)
    return tx.update(network, generation=network.generation + 1)


def _asked(tx: Transaction, services: dict[str, list[str]]) -> Iterator[tuple[NetworkServiceProvider, str]]:
    if not services:
        raise InvalidArgument("networkServices must name a provider and its services")
    for provider_uuid, types in services.items():
        provider = tx.find(NetworkServiceProvider, provider_uuid)
        if provider is None:
            raise InvalidArgument(
                f"networkServices names provider[uuid:{provider_uuid}], which does not exist"
            )
        for service in types:
            if service not in provider.network_service_types:
                raise InvalidArgument(
                    f"provider {provider.name} does not provide {service}; "
                    f"it provides {', '.join(provider.network_service_types)}"
                )
            yield provider, service
