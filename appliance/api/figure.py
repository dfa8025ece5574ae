"""Figures: what hosts and VMs use of CPU, memory, disks and network, and how to ask for it over time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from appliance.api.message import Message, arg
from appliance.api.resource import Resource, column

JAVA = "org.zstack.zwatch.api"
"""Where ZStack has these messages since 2.3; 1.0's, which ask for a host's or a VM's, were never published."""

KEPT_SECONDS = 86_400
SLOT_SECONDS = 300
BLOCK_SECONDS = 7_200


@dataclass(frozen=True)
class Metric:
    """One figure: ZStack's name of it, and its unit."""

    name: str
    help: str


METRICS = (
    Metric("CPUAverageUsedUtilization", "Percent of all its CPUs that were busy."),
    Metric(
        "MemoryUsedBytes",
        "Bytes of its memory that are in use; a VM's are known where its guest has a balloon driver.",
    ),
    Metric("DiskReadBytes", "Bytes a second read from disks."),
    Metric("DiskWriteBytes", "Bytes a second written to disks."),
    Metric("NetworkInBytes", "Bytes a second that came in."),
    Metric("NetworkOutBytes", "Bytes a second that went out."),
)
NAMES = tuple(metric.name for metric in METRICS)

NAMESPACES = {"ZStack/VM": "VMUuid", "ZStack/Host": "HostUuid", "ZStack/System": ""}
"""Whose figures: of a VM, of a host, or of all hosts together; and the label that names which."""

SYSTEM = "system"
"""What the figures of all hosts together are kept under."""

MEASURED = frozenset({"VmInstance", "Host"})


class FigureBlock(Resource, primary="key"):
    """Figures of one resource over two hours, a place for every five minutes."""

    indexes: ClassVar[tuple[tuple[str, ...], ...]] = (("began",),)

    key: str = column("Whose, and when it began.", private=True)
    began: int = column("Seconds since 1970.", private=True)
    points: str = column("Averages, sixteen bits a figure, packed, as base64.", private=True)
    peaks: str = column("The highest samples, packed like the averages.", private=True)


class GetMetricData(Message, java=JAVA, sync=True, role="read-only"):
    """Say what a host, a VM or the whole cloud used over time: {value, time, labels} each, oldest first.

    `value` is the average of a period; beside it `maximum` is its highest sample, and `latest` its newest. The last
    hour is known to the `monitor.interval`, a day to five minutes with the highest sample of each.
    """

    namespace: str = arg("Whose.", choices=tuple(NAMESPACES))
    metric_name: str = arg("Which figure.", choices=NAMES)
    labels: list[str] = arg("VMUuid=… or HostUuid=…: which VM or host.", default=[])
    start_time: int | None = arg(
        "From here, in seconds since 1970; an hour ago when absent.", default=None, minimum=0
    )
    end_time: int | None = arg("To here; now when absent.", default=None, minimum=0)
    period: int = arg(
        "Seconds that one value is the average of.", default=10, minimum=1, maximum=KEPT_SECONDS
    )


class GetAllMetricMetadata(Message, java=JAVA, sync=True, role="read-only"):
    """Say which figures there are: namespace, name, description and label of each."""
