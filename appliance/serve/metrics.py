"""What Prometheus is told: the state of the cloud, and how calls are answered. Text format 0.0.4."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from appliance.store.snapshot import Snapshot

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

BUCKETS = (0.005, 0.025, 0.1, 0.5, 2.5, 10.0)
"""Upper bounds of the answer times, in seconds."""

Labels = tuple[tuple[str, str], ...]
Sample = tuple[Labels, float]


@dataclass
class CallCounts:
    """How often each message was answered, how, and how fast; since this start of the appliance."""

    answered: Counter[tuple[str, str]] = field(default_factory=Counter)
    """By message and by code of its error, empty when there was none."""
    within: dict[str, list[int]] = field(default_factory=dict)
    """By message: how many took at most so long, for each of `BUCKETS`, and all of them."""
    seconds: dict[str, float] = field(default_factory=dict)

    def count(self, message: str, code: str, seconds: float) -> None:
        """Count one answer."""
        self.answered[message, code] += 1
        self.seconds[message] = self.seconds.get(message, 0.0) + seconds
        within = self.within.setdefault(message, [0] * (len(BUCKETS) + 1))
        for place, bound in enumerate((*BUCKETS, float("inf"))):
            within[place] += seconds <= bound


@dataclass(frozen=True)
class Gauge:
    """A number of the cloud: its name, what it is, and how it is had from the store."""

    name: str
    help: str
    samples: Callable[[Snapshot], Iterable[Sample]]


def _counted(table: str, *columns: str) -> Callable[[Snapshot], Iterator[Sample]]:
    """How many rows have each combination of values."""
    listed = ", ".join(f'"{column}"' for column in columns)

    def samples(snapshot: Snapshot) -> Iterator[Sample]:
        for *values, number in snapshot.rows(f'SELECT {listed}, COUNT(*) FROM "{table}" GROUP BY {listed}'):
            yield tuple(zip(columns, map(str, values), strict=True)), number

    return samples


def _summed(table: str, kind: str, column: str) -> Callable[[Snapshot], Iterator[Sample]]:
    """The sum of a column over each kind of row."""

    def samples(snapshot: Snapshot) -> Iterator[Sample]:
        for value, number in snapshot.rows(
            f'SELECT "{kind}", SUM("{column}") FROM "{table}" GROUP BY "{kind}"'
        ):
            yield (((kind, str(value)),), number or 0)

    return samples


def _store_bytes(snapshot: Snapshot) -> Iterator[Sample]:
    [(pages,)], [(size,)] = snapshot.rows("PRAGMA page_count"), snapshot.rows("PRAGMA page_size")
    yield (), pages * size


GAUGES = (
    Gauge("zstui_hosts", "Hosts.", _counted("host", "state", "status")),
    Gauge("zstui_vms", "VMs.", _counted("vm_instance", "state")),
    Gauge("zstui_volumes", "Volumes.", _counted("volume", "type", "status")),
    Gauge("zstui_images", "Images.", _counted("image", "status")),
    Gauge("zstui_jobs", "Calls that take time, of those that are remembered.", _counted("long_job", "state")),
    Gauge("zstui_primary_storage_bytes", "Size of primary storages.",
          _summed("primary_storage", "status", "total_capacity")),
    Gauge("zstui_primary_storage_free_bytes", "Bytes that primary storages have to give.",
          _summed("primary_storage", "status", "available_capacity")),
    Gauge("zstui_memory_bytes", "Memory of hosts.", _summed("host", "status", "total_memory_capacity")),
    Gauge("zstui_memory_free_bytes", "Memory that hosts have to give.",
          _summed("host", "status", "available_memory_capacity")),
    Gauge("zstui_addresses_used", "Addresses that somebody has.", _counted("used_ip", "l3_network_uuid")),
    Gauge("zstui_store_bytes", "Size of the store.", _store_bytes),
)  # fmt: skip


def metrics(snapshot: Snapshot, calls: CallCounts, watchers: int) -> str:
    """All of it."""
    lines: list[str] = []
    for gauge in GAUGES:
        lines += _family(gauge.name, "gauge", gauge.help, gauge.samples(snapshot))
    lines += _family("zstui_watchers", "gauge", "Open event streams.", [((), watchers)])
    answered = (
        ((("message", message), ("code", code)), number)
        for (message, code), number in sorted(calls.answered.items())
    )
    lines += _family("zstui_calls_total", "counter", "Calls answered, by the code of their error.", answered)
    lines += [*_histogram(calls)]
    return "\n".join(lines) + "\n"


def _histogram(calls: CallCounts) -> Iterator[str]:
    name = "zstui_call_seconds"
    yield f"# HELP {name} Time from a call to its first answer."
    yield f"# TYPE {name} histogram"
    for message, within in sorted(calls.within.items()):
        for bound, number in zip((*BUCKETS, "+Inf"), within, strict=True):
            yield _line(f"{name}_bucket", (("message", message), ("le", str(bound))), number)
        yield _line(f"{name}_sum", (("message", message),), calls.seconds[message])
        yield _line(f"{name}_count", (("message", message),), within[-1])


def _family(name: str, kind: str, words: str, samples: Iterable[Sample]) -> Iterator[str]:
    yield f"# HELP {name} {words}"
    yield f"# TYPE {name} {kind}"
    for labels, number in samples:
        yield _line(name, labels, number)


def _line(name: str, labels: Labels, number: float) -> str:
    written = ",".join(f'{key}="{_escaped(value)}"' for key, value in labels)
    return f"{name}{{{written}}} {number:.15g}" if written else f"{name} {number:.15g}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
