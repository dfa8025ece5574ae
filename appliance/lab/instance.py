"""What is derived from a lab instance's name: namespaces, links, addresses, folders, secrets."""

import hashlib
import json
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from ipaddress import IPv4Network
from pathlib import Path

from appliance.lab.command import LabError

ROOT = Path("/var/lib/zstui-lab")
_NAME = re.compile(r"[a-z][a-z0-9-]{0,19}")
_LINK_NAME_MAX = 15
HOSTS_MAX = 64


@dataclass(frozen=True)
class LabHost:
    """One host of the lab as the appliance sees it: where it is and how to log in."""

    name: str
    number: int
    address: str
    password: str = field(repr=False)
    folder: Path
    private_key: Path
    host_key: str
    host_key_fingerprint: str
    ssh_port: int = 22
    user: str = "root"
    sudo_user: str = "operator"


@dataclass(frozen=True)
class Instance:
    """The names and the network of one lab instance."""

    name: str
    folder: Path
    network: IPv4Network
    password: str = field(repr=False)

    @property
    def switch(self) -> str:
        """The namespace that holds the instance's bridges."""
        return f"zstui-{self.name}-sw"

    @property
    def uplink(self) -> str:
        """The appliance's end of the management network, in the machine's own namespace."""
        return uplink_of(self.name)

    @property
    def gateway(self) -> str:
        """The appliance's address in the management network."""
        return str(self.network[1])

    def namespace(self, number: int) -> str:
        """The network namespace of a host; also its host name."""
        return f"zstui-{self.name}-h{number}"

    def address(self, number: int) -> str:
        """The management address of a host: the first is .11."""
        return str(self.network[10 + number])

    def host_folder(self, number: int) -> Path:
        """Where a host's disks, configuration and logs are kept."""
        return self.folder / f"host{number}"

    def mac(self, number: int, nic: int) -> str:
        """The hardware address of a host's interface: the same after each reboot."""
        digest = hashlib.sha256(f"{self.name}/{number}/{nic}".encode()).digest()
        return ":".join(f"{byte:02x}" for byte in (2, *digest[:5]))


def uplink_of(name: str) -> str:
    """The link name of an instance: its own name if that fits a link's 15 characters."""
    plain = f"zstui-{name}"
    if len(plain) <= _LINK_NAME_MAX:
        return plain
    return f"zstui-{name[:4]}{hashlib.sha256(name.encode()).hexdigest()[:5]}"


def port_name(number: int, nic: int) -> str:
    """The switch's end of a host's cable, in the switch's namespace."""
    return f"zstui-h{number}-eth{nic}"


def checked_name(name: str) -> str:
    """The name if it can be used for an instance; LabError otherwise."""
    if _NAME.fullmatch(name):
        return name
    raise LabError(
        f"lab name {name!r} cannot be used: take 1 to 20 of a-z, 0-9 and -, starting with a letter"
    )


def load(name: str, folder: Path) -> Instance | None:
    """The instance kept in a folder, or None if none was ever brought up there."""
    path = folder / "lab.json"
    if not path.exists():
        return None
    try:
        data = json.loads(path.read_text())
        network = IPv4Network(data["network"])
        instance = Instance(str(data["name"]), folder, network, str(data["password"]))
    except (ValueError, KeyError, TypeError) as error:
        text = f"{path} cannot be read ({error}); remove the folder and bring the lab up anew"
        raise LabError(text) from error
    if instance.name != name:
        raise LabError(f"{folder} belongs to the lab {instance.name!r}, not to {name!r}: give another folder")
    return instance


def settle(name: str, folder: Path, taken: Iterable[IPv4Network]) -> Instance:
    """The instance of this folder, made and saved if new; its network overlaps none of `taken`."""
    known = load(name, folder)
    used = list(taken)
    if known and not any(known.network.overlaps(other) for other in used):
        return known
    password = known.password if known else secrets.token_urlsafe(12)
    instance = Instance(name, folder, _free_network(name, used), password)
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    data = {"name": name, "network": str(instance.network), "password": password}
    write_private(folder / "lab.json", json.dumps(data, indent=1) + "\n")
    return instance


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner reads, in one step."""
    draft = path.with_name(path.name + ".new")
    draft.touch(mode=0o600)
    draft.write_text(text)
    draft.rename(path)


def _free_network(name: str, taken: list[IPv4Network]) -> IPv4Network:
    """A /24 of 10.64.0.0/10, at a place given by the name, moved on while it is taken."""
    start = int.from_bytes(hashlib.sha256(name.encode()).digest()[:2])
    for step in range(1 << 14):
        place = (start + step) % (1 << 14)
        network = IPv4Network((0x0A400000 + (place << 8), 24))
        if not any(network.overlaps(other) for other in taken):
            return network
    raise LabError("every /24 of 10.64.0.0/10 is in use on this machine: the lab has no address left")
