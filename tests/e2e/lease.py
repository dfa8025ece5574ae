"""What a guest's DHCP client is answered, read from its tap."""

from __future__ import annotations

from tests.e2e.frames import Dhcp, listening, read_dhcp
from tests.e2e.guest import Guest
from tests.e2e.stage import Stage

ACKNOWLEDGED = 5


def is_ack(frame: bytes, mac: str) -> bool:
    """Whether a frame gives a client of a MAC its lease."""
    found = read_dhcp(frame)
    return found is not None and found.kind == ACKNOWLEDGED and found.client == mac


async def renewed(cloud: Stage, of: Guest, card: str = "eth0", seconds: float = 10.0) -> Dhcp:
    """What the server acknowledges when a card's client asks again."""
    number = int(card.removeprefix("eth"))
    mac = next(str(nic["mac"]) for nic in of.inventory["vmNics"] if int(nic["deviceId"]) == number)
    async with listening(of.host.name, of.device.replace(".0", f".{number}")) as tap:
        await of.ssh(f"kill -USR1 $(cat /run/udhcpc.{card}.pid)")
        answer = read_dhcp(await tap.hear(lambda frame: is_ack(frame, mac), seconds))
    assert answer is not None
    return answer
