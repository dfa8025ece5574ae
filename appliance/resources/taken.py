"""Which addresses of IP ranges somebody has, read where it is wanted and no further."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from appliance.api.l3 import IpRange
from appliance.api.tally import of_range
from appliance.store.snapshot import Snapshot


class TakenIn:
    """What is taken as a snapshot has it: `addresses.Taken`."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot

    def by_block(self, ip_range: IpRange) -> Mapping[int, int]:
        """How many addresses of a range are taken, by the number of their block."""
        return {int(block): count for block, count in self._snapshot.tallies(of_range(ip_range.uuid)).items()}

    def between(self, ip_range: IpRange, first: int, last: int) -> Collection[int]:
        """Those that are taken of some addresses of a range, both ends included."""
        sql = "SELECT ip_number FROM used_ip WHERE ip_range_uuid = ? AND ip_number BETWEEN ? AND ?"
        return {int(row[0]) for row in self._snapshot.rows(sql, (ip_range.uuid, first, last))}

    def count(self, ranges: Sequence[IpRange]) -> int:
        """How many addresses of all these ranges are taken."""
        return sum(count for each in ranges for count in self.by_block(each).values())
