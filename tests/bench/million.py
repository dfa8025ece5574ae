"""A store with a million VMs, made fast: indexes are built when all rows are there."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pysqlite3 import dbapi2 as sqlite

from appliance.api.resource import Timestamp
from appliance.api.vm import VmInstance, VmNic
from appliance.store.database import Database
from appliance.store.table import quoted, table_of

VMS = 1_000_000
HOSTS = 1_000
CLUSTERS = 10
STATES = ["Running"] * 60 + ["Stopped"] * 30 + ["Destroyed"] * 8 + ["Starting", "Unknown"]
WORDS = ["abc", "web", "db", "cache", *(f"n{number:02}" for number in range(96))]


def uuid(number: int) -> str:
    """Some uuid, the same for the same number."""
    return f"{number * 0x9E3779B97F4A7C15 & (1 << 64) - 1:016x}{number:016x}"


def address(number: int) -> str:
    """The address of a VM's only NIC."""
    return f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"


def machines(count: int) -> Iterator[list[Any]]:
    """Rows of VMs."""
    table, chance = table_of(VmInstance), random.Random(1)
    first = VmInstance(
        uuid="", name="", zone_uuid=uuid(0), image_uuid=uuid(0), memory_size=1 << 30, cpu_num=1,
        cpu_speed=1000, internal_id=0, last_op_date=Timestamp(1.6e9),
    )  # fmt: skip
    for number in range(count):
        changes = {
            "uuid": uuid(number),
            "name": f"{chance.choice(WORDS)}-{number:07}",
            "cluster_uuid": uuid(number % CLUSTERS),
            "host_uuid": uuid(number % HOSTS),
            "state": chance.choice(STATES),
            "create_date": 1.5e9 + chance.random() * 1e8,
            "internal_id": number,
        }
        yield table.encode(table.remade(first, changes))


def nics(count: int) -> Iterator[list[Any]]:
    """Rows of NICs, one a VM."""
    table = table_of(VmNic)
    first = VmNic(uuid="", vm_instance_uuid="", l3_network_uuid="", mac="")
    for number in range(count):
        tail = ":".join(f"{number >> shift & 255:02x}" for shift in (24, 16, 8, 0))
        changes = {
            "uuid": uuid(number),
            "vm_instance_uuid": uuid(number),
            "l3_network_uuid": uuid(number % CLUSTERS),
            "ip": address(number),
            "mac": f"fa:00:{tail}",
        }
        yield table.encode(table.remade(first, changes))


async def fill(folder: Path, count: int = VMS) -> Path:
    """Make a store in a folder with so many VMs; returns its file."""
    await (await Database.open(folder)).close()
    begun = time.perf_counter()
    raw = sqlite.connect(str(folder / "store.db"), isolation_level=None)
    raw.execute("PRAGMA journal_mode = OFF")
    raw.execute("PRAGMA synchronous = OFF")
    raw.execute("PRAGMA cache_size = -400000")
    raw.execute("BEGIN")
    raw.execute("CREATE TEMP TABLE told AS SELECT * FROM sqlite_stat1")
    sql = "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL AND tbl_name LIKE 'vm_%'"
    indexes = raw.execute(sql).fetchall()
    for name, _ in indexes:
        raw.execute(f"DROP INDEX {quoted(name)}")
    raw.executemany(table_of(VmInstance).insert, machines(count))
    raw.executemany(table_of(VmNic).insert, nics(count))
    for _, made in indexes:
        raw.execute(made)
    raw.execute("DELETE FROM sqlite_stat1")
    raw.execute("INSERT INTO sqlite_stat1 SELECT * FROM told")
    raw.execute("COMMIT")
    raw.close()
    print(f"\n{count} VMs and NICs in {time.perf_counter() - begun:.0f} s")
    return folder / "store.db"
