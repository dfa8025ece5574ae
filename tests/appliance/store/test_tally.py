"""Sums are kept with the rows that they are of, and checked against them."""

from __future__ import annotations

from typing import Any

import pytest

from appliance.api.l3 import UsedIp
from appliance.api.tally import Tally, of_host, of_range, of_storage
from appliance.api.volume import Volume
from appliance.store.database import Database
from appliance.store.snapshot import Snapshot

from .samples import vm

HOST, OTHER, STORAGE = "h", "h2", "s"


def sums(snapshot: Snapshot) -> dict[str, int]:
    return {each.key: each.total for each in snapshot.all(Tally)}


def on(host_uuid: str, vms: int, memory: int, cpu: int) -> dict[str, int]:
    return {
        of_host("vms", host_uuid): vms,
        of_host("memory", host_uuid): memory,
        of_host("cpu", host_uuid): cpu,
    }


async def test_a_sum_follows_its_rows_wherever_they_go(database: Database) -> None:
    first, second = vm(host_uuid=HOST, memory_size=5), vm(memory_size=7, cpu_num=2)
    await database.write(lambda tx: [tx.insert(first), tx.insert(second)])
    assert await database.read(sums) == on(HOST, 1, 5, 1000)
    await database.write(lambda tx: tx.update(second, host_uuid=HOST, pending_memory_size=9))
    assert await database.read(sums) == on(HOST, 2, 14, 3000)
    await database.write(lambda tx: tx.update(second, name="what adds nothing"))
    await database.write(lambda tx: tx.update(first, host_uuid=OTHER))
    assert await database.read(sums) == on(HOST, 1, 9, 2000) | on(OTHER, 1, 5, 1000)
    # As they were read, neither is what it is by now.
    await database.write(lambda tx: [tx.delete(first), tx.delete(second), tx.delete(second)])
    assert await database.read(sums) == {}
    assert await database.verify() == []


async def test_a_data_volume_in_the_bin_takes_nothing(database: Database) -> None:
    kept = Volume(uuid="v", name="v", type="Data", size=9, primary_storage_uuid=STORAGE, host_uuid=HOST)
    await database.write(lambda tx: tx.insert(kept))
    assert await database.read(sums) == {of_storage(STORAGE): 9, of_storage(STORAGE, HOST): 9}
    assert await database.read(lambda snapshot: snapshot.tallies(of_storage(STORAGE))) == {HOST: 9}
    await database.write(lambda tx: tx.update(kept, status="Deleted"))
    assert await database.read(sums) == {}


async def test_addresses_are_counted_by_their_block(database: Database) -> None:
    def take(tx: Any) -> None:
        for number in (255, 256, 257):
            tx.insert(UsedIp(uuid=f"{number}", l3_network_uuid="l3", ip_range_uuid="r", ip=f"{number}",
                             ip_number=number, used_for="n"))  # fmt: skip

    await database.write(take)
    assert await database.read(lambda snapshot: snapshot.tallies(of_range("r"))) == {"0": 1, "1": 2}


async def test_a_change_that_is_undone_leaves_the_sum(database: Database) -> None:
    def fail(tx: Any) -> None:
        tx.insert(vm(host_uuid=HOST))
        raise LookupError

    await database.write(lambda tx: tx.insert(vm(host_uuid=HOST)))
    before = await database.read(sums)
    with pytest.raises(LookupError):
        await database.write(fail)
    assert await database.read(sums) == before


async def test_verify_finds_a_sum_that_is_not_that_of_its_rows(database: Database) -> None:
    def lie(tx: Any) -> None:
        tx.insert(vm(host_uuid=HOST))
        tx.update(tx.get(Tally, of_host("vms", HOST)), total=4)
        tx.delete(tx.get(Tally, of_host("cpu", HOST)))
        tx.insert(Tally(key=of_storage(STORAGE), total=3))

    await database.write(lie)
    assert await database.verify() == [
        "the sum kept of cpu.h is 0, and that of its rows is 1000",
        "the sum kept of storage.s is 3, and that of its rows is 0",
        "the sum kept of vms.h is 4, and that of its rows is 1",
    ]
