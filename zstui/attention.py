"""What somebody should look at: each in a sentence, the worst first, with the row that it is about."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from zstui import recycle_bin, words
from zstui.cells import safe
from zstui.i18n import enumerated, labelled, mark, server_texts, tr, trn
from zstui.jobs import error_of, job_title, target_of
from zstui.mirror import Mirror, Row
from zstui.states import stands_still

FULL = 0.8
"""A storage that is as full as this is worth a look."""

ALMOST = 0.95
FAILED_SECONDS = 3600.0
BUSY_PERCENT = 95.0
LOOKS = 3
"""Of so many figures in a row each must be high: one alone is a moment's work."""


@dataclass(frozen=True)
class Concern:
    """A sign, a sentence, its paint, and where more is told."""

    text: str
    paint: str
    noun: str
    key: str

    @property
    def sign(self) -> str:
        """For those who see no colours."""
        return "✗" if self.paint == "bad" else "!"


def concerns(mirror: Mirror) -> list[Concern]:
    """All of them."""
    found = [*_machines(mirror), *_vms(mirror), *_storages(mirror), *_jobs(mirror), *_leaving(mirror)]
    return sorted(found, key=lambda each: each.paint != "bad")


def _named(mirror: Mirror, *kinds: str) -> list[Row]:
    """The rows of some kinds, those of each by name."""
    return [row for kind in kinds for row in sorted(mirror.all(kind), key=lambda row: row.by_name)]


def _machines(mirror: Mirror) -> Iterator[Concern]:
    for host in _named(mirror, "Host"):
        if host.get("status") == "Disconnected":
            why = host.text("statusReason")
            said = tr("host {name} does not answer", name=host.name)
            yield Concern(labelled(said, server_texts.said(why)) if why else said, "bad", "host", host.key)
        else:
            yield from _kept_from_vms(host)
            yield from _busy(host, mirror)


def _kept_from_vms(host: Row) -> Iterator[Concern]:
    """A host that somebody has taken out of use, and may have forgotten."""
    said = {
        "Disabled": mark("host {name} is disabled: no VM is started on it"),
        "PreMaintenance": mark("host {name} is entering maintenance"),
        "Maintenance": mark("host {name} is in maintenance: no VM runs on it"),
    }.get(host.text("state"))
    if said is not None:
        yield Concern(tr(said, name=host.name), "warn", "host", host.key)


def _busy(host: Row, mirror: Mirror) -> Iterator[Concern]:
    """A host all of whose CPU was used each time that it was looked at lately."""
    trend = mirror.figures.get(host.key)
    lately = list(trend.cpu)[-LOOKS:] if trend is not None else []
    if len(lately) == LOOKS and min(lately) >= BUSY_PERCENT:
        share = f"{lately[-1] / 100:.0%}"
        yield Concern(
            tr("host {name} is busy: CPU at {share}", name=host.name, share=share), "warn", "host", host.key
        )


def _vms(mirror: Mirror) -> Iterator[Concern]:
    vms = _named(mirror, "VmInstance")
    for vm in vms:
        if still := stands_still(vm):
            yield Concern(labelled(vm.name, server_texts.said(still)), "bad", "vm", vm.key)
    unknown = [vm for vm in vms if vm.get("state") == "Unknown"]
    if unknown:
        names = enumerated(vm.name for vm in unknown[:3]) + (" …" if len(unknown) > 3 else "")
        said = trn("{number} VM is in a state that is not known",
                   "{number} VMs are in a state that is not known", len(unknown))  # fmt: skip
        yield Concern(labelled(said, names), "warn", "vm", unknown[0].key)


def _storages(mirror: Mirror) -> Iterator[Concern]:
    for row in _named(mirror, "PrimaryStorage", "BackupStorage"):
        total = row.get("totalCapacity") or 0
        used = (total - (row.get("availableCapacity") or 0)) / total if total else 0.0
        if row.get("status") == "Disconnected":
            yield Concern(tr("storage {name} does not answer", name=row.name), "bad", "store", row.key)
        elif used >= FULL:
            paint = "bad" if used >= ALMOST else "warn"
            yield Concern(tr("storage {name} is {share} full", name=row.name, share=f"{used:.0%}"), paint,
                          "store", row.key)  # fmt: skip


def _jobs(mirror: Mirror) -> Iterator[Concern]:
    since = words.now() - FAILED_SECONDS
    failed = [job for job in mirror.all("LongJob")
              if job.get("state") == "Failed" and words.seconds(job.text("lastOpDate")) >= since]  # fmt: skip
    for job in sorted(failed, key=lambda job: -words.seconds(job.text("lastOpDate"))):
        error = error_of(job) or {}
        about = target_of(job, mirror)
        said = tr("{job} failed", job=f"{job_title(job)} {about}".strip())
        why = server_texts.said(safe(str(error.get("details", ""))))
        yield Concern(labelled(said, why), "warn", "job", job.key)


def _leaving(mirror: Mirror) -> Iterator[Concern]:
    for item in _named(mirror, recycle_bin.KIND):
        left = recycle_bin.seconds_left(item)
        if item.get("status") == "Deleted" and left is not None and left <= recycle_bin.SOON_SECONDS:
            said = tr("{name} can be recovered for {time} only", name=item.name, time=words.duration(left))
            yield Concern(said, "warn", "bin", item.key)
