"""What hosts and VMs used, over time."""

from __future__ import annotations

from typing import Any

from appliance.api.errors import InvalidArgument, NotAllowed
from appliance.api.figure import (
    METRICS,
    NAMES,
    NAMESPACES,
    SYSTEM,
    GetAllMetricMetadata,
    GetMetricData,
)
from appliance.api.host import Host
from appliance.api.vm import VmInstance
from appliance.plans.figures import paced
from appliance.resources.access import check_touch
from appliance.resources.registry import Caller, Live, asks_host, reads
from appliance.store.snapshot import Snapshot

HOUR_SECONDS = 3_600


@asks_host(GetMetricData)
async def get_metric_data(live: Live, request: GetMetricData, caller: Caller) -> dict[str, Any]:
    """From memory and from the store; whose it is is checked here, since a label is no uuid."""
    key = await live.database.read(lambda snapshot: _whose(snapshot, request, caller))
    end = live.database.now() if request.end_time is None else float(request.end_time)
    start = end - HOUR_SECONDS if request.start_time is None else float(request.start_time)
    if start > end:
        raise InvalidArgument(
            f"startTime {start:.0f} is after endTime {end:.0f}; give the earlier one as startTime"
        )
    metric = NAMES.index(request.metric_name)
    values = await live.figures.values(key, metric, start, end) if live.figures is not None else []
    label = NAMESPACES[request.namespace]
    labels = {label: key} if label else {}
    return {
        "data": [
            {
                "value": round(each.value, 3),
                "maximum": round(each.highest, 3),
                "latest": round(each.newest, 3),
                "time": int(each.at),
                "labels": labels,
            }
            for each in paced(values, start, request.period)
        ]
    }


def _whose(snapshot: Snapshot, request: GetMetricData, caller: Caller) -> str:
    """What the figures are kept under. Raises when there is no such thing, or it is none of the caller's business."""
    label = NAMESPACES[request.namespace]
    if request.namespace != "ZStack/VM" and not caller.is_admin:
        raise NotAllowed(
            f"operation denied. Figures of {request.namespace} are for the admin; ask for ZStack/VM"
        )
    if not label:
        if request.labels:
            raise InvalidArgument(f"{request.namespace} has no labels; it is all hosts together")
        return SYSTEM
    given = [each.partition("=") for each in request.labels]
    if len(given) != 1 or given[0][0] != label:
        raise InvalidArgument(
            f"labels must be one, {label}=UUID, for {request.namespace}; got {request.labels}"
        )
    uuid = given[0][2]
    if label == "HostUuid":
        return snapshot.get(Host, uuid).uuid
    vm = snapshot.get(VmInstance, uuid)
    check_touch(snapshot, VmInstance, vm.uuid, caller)
    return vm.uuid


@reads(GetAllMetricMetadata)
def get_all_metric_metadata(
    snapshot: Snapshot, request: GetAllMetricMetadata, caller: Caller
) -> dict[str, Any]:
    """What is declared."""
    return {
        "metrics": [
            {
                "namespace": namespace,
                "name": metric.name,
                "description": metric.help,
                "labelNames": [label] if label else [],
            }
            for namespace, label in NAMESPACES.items()
            for metric in METRICS
        ]
    }
