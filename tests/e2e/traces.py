"""What is left of something, anywhere: on hosts by its words, in the store by its uuids."""

from __future__ import annotations

import sqlite3
import uuid
from contextlib import closing
from pathlib import Path

from appliance.lab import LabHost
from tests.e2e.stage import Stage

FOLDERS = (
    "/zstack_ps", "/zstack_bs", "/var/lib/zstui-agent", "/var/lib/libvirt", "/etc/libvirt",
    "/run/zstui-agent", "/run/zstui-agent-dhcp", "/run/libvirt",
    "/var/log/libvirt", "/var/log/swtpm", "/etc/apparmor.d/libvirt",
)  # fmt: skip
HISTORY = ("*.log", "*.err", "log", "log.old", "fetches*", "read", "*.qcow2", "zstui-agent")
"""Files that tell what was: logs, fetches, operations answered, what a DHCP server has ever read."""

PAST = frozenset({"audit_entry", "event", "journal_entry", "long_job", "userdata_fetch", "session"})
"""Tables of history, which what is gone stays in."""


async def on_host(stage: Stage, host: LabHost, *words: str) -> list[str]:
    """Every place on a host that still knows one of the words."""
    patterns = [part for word in words for part in ("-e", word)]
    folders = [
        folder for folder in FOLDERS if (await stage.lab.exec(host, ["test", "-d", folder])).returncode == 0
    ]
    excluded = [f"--exclude={name}" for name in HISTORY]
    found = await stage.run(host, "grep", "-rIlF", *excluded, *patterns, *folders, check=False, seconds=60)
    left = [f"content of {path}" for path in found.split()]
    names = await stage.run(host, "find", *folders, check=False)
    left += [f"name {path}" for path in names.split() if any(word in path for word in words)]
    places = {
        "nft": ("nft", "list", "ruleset"),
        "links": ("ip", "-d", "link", "show"),
        "fdb": ("bridge", "fdb", "show"),
        "domains": ("virsh", "-q", "-c", "qemu:///system", "list", "--all", "--name", "--uuid"),
        "processes": ("ps", "-eo", "args"),
    }
    for place, argv in places.items():
        seen = await stage.run(host, *argv)
        lines = [line.strip() for line in seen.splitlines() if any(word in line for word in words)]
        left += [f"{place}: {line}" for line in lines if not _forgotten_by_itself(place, line)]
    return left


def _forgotten_by_itself(place: str, line: str) -> bool:
    """Whether the kernel has learnt it: a meter of packets, for a minute, or where a MAC was last seen, for five."""
    return " expires " in line or (place == "fdb" and not {"permanent", "static"} & set(line.split()))


async def in_store(stage: Stage, folder: Path, *words: str) -> list[str]:
    """Every row outside history that still has one of the words, from a verified copy of the store."""
    path = folder / f"{uuid.uuid4().hex}.db"
    await stage.session.call("BackupStore", path=str(path))
    with closing(sqlite3.connect(path)) as store:
        names = [row[0] for row in store.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        rows = {name: store.execute(f'SELECT * FROM "{name}"').fetchall() for name in set(names) - PAST}
    return [f"{name}: {row}" for name in sorted(rows) for row in rows[name] if _has(row, words)]


def _has(row: tuple[object, ...], words: tuple[str, ...]) -> bool:
    return any(word in str(value) for value in row for word in words)
