"""What requests about simulated hosts and storage mean."""

from __future__ import annotations

from appliance.api.cluster import Cluster
from appliance.api.errors import InvalidArgument
from appliance.api.host import Host
from appliance.api.simulator import (
    BACKUP_TYPE,
    DEFAULT_CAPACITY,
    HYPERVISOR,
    PRIMARY_TYPE,
    AddSimulatorBackupStorage,
    AddSimulatorHost,
    AddSimulatorPrimaryStorage,
)
from appliance.api.storage import BackupStorage, PrimaryStorage
from appliance.api.tag import CAN_SNAPSHOT
from appliance.reconcile.inherent_tags import put_inherent_tag
from appliance.resources.creating import add, refuse_twins, uuid_for
from appliance.resources.host import check_hypervisor, refuse_address
from appliance.resources.promising import promise
from appliance.resources.registry import Caller, Promise, handles
from appliance.store.transaction import Transaction

NO_PORT = 0
"""Where no sshd listens: it keeps a simulated machine apart from a real one of the same address."""


@handles(AddSimulatorHost)
def add_simulator_host(tx: Transaction, request: AddSimulatorHost, caller: Caller) -> Promise:
    """A row, and the job that connects it."""
    address = request.management_ip
    refuse_address(tx, address)
    cluster = tx.get(Cluster, request.cluster_uuid)
    check_hypervisor(cluster, HYPERVISOR)
    host = Host(
        uuid=uuid_for(tx, request, Host),
        name=request.name,
        description=request.description,
        zone_uuid=cluster.zone_uuid,
        cluster_uuid=cluster.uuid,
        management_ip=address,
        ssh_port=NO_PORT,
        username="",
        hypervisor_type=HYPERVISOR,
        memory_capacity=request.memory_capacity,
        cpu_capacity=request.cpu_capacity,
    )
    return promise(tx, request, add(tx, request, host), caller)


@handles(AddSimulatorPrimaryStorage)
def add_simulator_primary_storage(
    tx: Transaction, request: AddSimulatorPrimaryStorage, caller: Caller
) -> PrimaryStorage:
    """A row, with the capacity that it is said to have."""
    url = request.url
    refuse_twins(
        tx,
        PrimaryStorage,
        f"url[{url}] is a primary storage of the zone",
        url=url,
        zone_uuid=request.zone_uuid,
    )
    total, available = _capacity(request)
    storage = PrimaryStorage(
        uuid=uuid_for(tx, request, PrimaryStorage),
        zone_uuid=request.zone_uuid,
        url=url,
        name=request.name,
        description=request.description,
        mount_path=url,
        type=PRIMARY_TYPE,
        total_capacity=total,
        available_capacity=available,
        total_physical_capacity=total,
        available_physical_capacity=available,
        system_used_capacity=total - available,
    )
    storage = add(tx, request, storage)
    put_inherent_tag(tx, storage, CAN_SNAPSHOT)
    return storage


@handles(AddSimulatorBackupStorage)
def add_simulator_backup_storage(
    tx: Transaction, request: AddSimulatorBackupStorage, caller: Caller
) -> Promise:
    """A row, and the job that connects it: a machine of its own, which only the appliance knows."""
    total, available = _capacity(request)
    uuid = uuid_for(tx, request, BackupStorage)
    storage = BackupStorage(
        uuid=uuid,
        name=request.name,
        description=request.description,
        url=request.url,
        type=BACKUP_TYPE,
        hostname=f"simulator-{uuid}",
        ssh_port=NO_PORT,
        username="",
        total_capacity=total,
        available_capacity=available,
    )
    return promise(tx, request, add(tx, request, storage), caller)


def _capacity(request: AddSimulatorPrimaryStorage | AddSimulatorBackupStorage) -> tuple[int, int]:
    total = DEFAULT_CAPACITY if request.total_capacity is None else request.total_capacity
    available = total if request.available_capacity is None else request.available_capacity
    if available > total:
        raise InvalidArgument(f"availableCapacity[{available}] is more than totalCapacity[{total}]")
    return total, available
