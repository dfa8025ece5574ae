"""What a host uses, from the texts that its kernel has."""

from __future__ import annotations

from pathlib import Path

from agent.figures import TICKS, cpu_ns, disk_bytes, host_totals, memory_used, network_bytes

DISKSTATS = """\
   8       0 sda 10 0 100 5 20 0 200 5 0 0 0 0 0 0 0 0 0
   8       1 sda1 10 0 90 5 20 0 190 5 0 0 0 0 0 0 0 0 0
   7       0 loop0 10 0 1000 5 20 0 2000 5 0 0 0 0 0 0 0 0 0
 253       0 dm-0 10 0 80 5 20 0 180 5 0 0 0 0 0 0 0 0 0
"""
DEV = """\
Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls
    lo: 1000000     1    0    0    0     0          0         0  1000000       1    0    0    0     0       0          0
  eth1:   7000      1    0    0    0     0          0         0     9000       1    0    0    0     0       0          0
br_eth1:  6000      1    0    0    0     0          0         0     8000       1    0    0    0     0       0          0
vnic7.0:  5000      1    0    0    0     0          0         0     7000       1    0    0    0     0       0          0
 bond0:   7000      1    0    0    0     0          0         0     9000       1    0    0    0     0       0          0
"""


def test_waiting_and_stolen_time_is_not_work() -> None:
    assert cpu_ns("cpu  100 20 30 9000 500 4 6 700 50 0\ncpu0 1 1 1 1\n") == 160 * 1_000_000_000 // TICKS


def test_memory_that_can_be_had_is_not_used() -> None:
    assert memory_used("MemTotal: 100 kB\nMemFree: 1 kB\nMemAvailable:  60 kB\n") == 40 * 1024


def test_bytes_are_counted_once_on_whole_disks(tmp_path: Path) -> None:
    for name in ("sda", "loop0", "dm-0"):
        (tmp_path / name).mkdir()
    assert disk_bytes(DISKSTATS, tmp_path) == (100 * 512, 200 * 512)


def test_bytes_are_counted_once_on_the_way_out(tmp_path: Path) -> None:
    (tmp_path / "bond0").mkdir()
    (tmp_path / "bond0/lower_eth1").touch()
    assert network_bytes(DEV, tmp_path) == (7000, 9000)


def test_this_machine_uses_something() -> None:
    used = host_totals()
    assert used.cpu_ns > 0
    assert used.memory_bytes > 0
