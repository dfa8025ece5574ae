"""L3 networks: what can be asked about subnets, their address ranges and name servers."""

from __future__ import annotations

from typing import ClassVar

from appliance.api.l2 import L2Network
from appliance.api.message import CreateMessage, DeleteMessage, Message, QueryMessage, arg
from appliance.api.resource import Embed, Join, Resource, Timestamp, column
from appliance.api.tally import of_range
from appliance.api.zone import Zone

JAVA = "org.zstack.header.network.l3"


class L3Network(Resource, java=JAVA):
    """A subnet on an L2 network."""

    embeds: ClassVar[tuple[Embed, ...]] = (
        Embed("dns", "L3NetworkDns", "l3_network_uuid", "dns"),
        Embed("ipRanges", "IpRange", "l3_network_uuid"),
        Embed("networkServices", "NetworkServiceL3NetworkRef", "l3_network_uuid"),
    )
    joins = (
        Join("zone", "Zone", "zone_uuid"),
        Join("l2Network", "L2Network", "l2_network_uuid"),
        Join("vmNic", "VmNic", theirs="l3_network_uuid"),
        Join("serviceProviderRef", "NetworkServiceL3NetworkRef", theirs="l3_network_uuid", hidden=True),
    )
    aliases = (("serviceProvider", "serviceProviderRef.serviceProvider"),)

    uuid: str = column("Identity.")
    name: str = column("Display name.", indexed=True)
    description: str | None = column("What it is for.", default=None)
    type: str = column("L3BasicNetwork.", default="L3BasicNetwork")
    zone_uuid: str = column("The zone it is in.", indexed=True)
    l2_network_uuid: str = column("The L2 network it is on.", indexed=True)
    state: str = column("Enabled or Disabled.", default="Enabled")
    dns_domain: str | None = column("The domain its guests search.", default=None)
    system: bool = column("Whether it belongs to the appliance.", default=False)
    create_date: Timestamp = column("When it was made.", default=Timestamp(0))
    last_op_date: Timestamp = column("When it last changed.", default=Timestamp(0))
    dhcp_ip: str | None = column("Its DHCP server's address, on every host.", default=None, private=True)
    generation: int = column("Counts its changes.", default=1, private=True)
    intended: str = column("Present or Absent.", default="Present", private=True)


class L3NetworkDns(Resource, java=JAVA):
    """A name server of an L3 network."""

    unique_together: ClassVar[tuple[tuple[str, ...], ...]] = (("l3_network_uuid", "dns"),)

    uuid: str = column("Identity.", private=True)
    l3_network_uuid: str = column("The network.", indexed=True)
    dns: str = column("The name server's address.")
    create_date: Timestamp = column("When it was added.", default=Timestamp(0))


class IpRange(Resource, java=JAVA):
    """Addresses that an L3 network may give to its VMs, both ends included."""

    joins = (Join("l3Network", "L3Network", "l3_network_uuid"),)

    uuid: str = column("Identity.")
    l3_network_uuid: str = column("The network.", indexed=True)
    name: str = column("Display name.", indexed=True)
    description: str | None = column("What it is for.", default=None)
    start_ip: str = column("First address.")
    end_ip: str = column("Last address.")
    netmask: str = column("Netmask.")
    gateway: str = column("The network's router.")
    network_cidr: str = column("The subnet.")
    create_date: Timestamp = column("When it was added.", default=Timestamp(0))
    last_op_date: Timestamp = column("When it last changed.", default=Timestamp(0))


class UsedIp(Resource, java=JAVA):
    """An address that is taken, and by what."""

    unique_together: ClassVar[tuple[tuple[str, ...], ...]] = (("l3_network_uuid", "ip"),)
    indexes = (("ip_range_uuid", "ip_number"),)

    uuid: str = column("Identity.")
    l3_network_uuid: str = column("The network.", indexed=True)
    ip_range_uuid: str = column("The range it is from.")
    ip: str = column("The address.")
    ip_number: int = column("The address as a number, to find gaps by.", private=True)
    used_for: str = column("DHCP, or the NIC's uuid.", indexed=True)
    create_date: Timestamp = column("When it was taken.", default=Timestamp(0))

    def tallies(self) -> dict[str, int]:
        """It is one of its block of its range."""
        return {of_range(self.ip_range_uuid, self.ip_number): 1}


class CreateL3Network(CreateMessage, java=JAVA, returns=L3Network):
    """Create a subnet on an L2 network."""

    name: str = arg("Display name.", max_length=255)
    description: str | None = arg("What it is for.", default=None, max_length=2048)
    type: str | None = arg("Kind of network.", default=None)
    l2_network_uuid: str = arg("The L2 network it goes on.", ref=L2Network)
    system: bool = arg("Whether it belongs to the appliance.", default=False)
    dns_domain: str | None = arg("The domain its guests search.", default=None, max_length=255)


class DeleteL3Network(DeleteMessage, along=("IpRange", "L3NetworkDns"), java=JAVA):
    """Delete a subnet that no VM is on."""

    uuid: str = arg("The network.")


class UpdateL3Network(Message, java=JAVA, returns=L3Network):
    """Change name or description of a subnet, or whether it belongs to the appliance."""

    uuid: str = arg("The network.", ref=L3Network)
    name: str | None = arg("New name.", default=None, max_length=255)
    description: str | None = arg("New description.", default=None, max_length=2048)
    system: bool | None = arg("Whether it belongs to the appliance.", default=None)


class ChangeL3NetworkState(Message, java=JAVA, returns=L3Network):
    """Let new NICs onto a subnet, or no more; those it has keep working."""

    uuid: str = arg("The network.", ref=L3Network)
    state_event: str = arg("What to do.", choices=("enable", "disable"))


class GetL3NetworkTypes(Message, java=JAVA, sync=True, role="read-only"):
    """Say which kinds of L3 network there are."""


class QueryL3Network(QueryMessage, java=JAVA, resource=L3Network):
    """Find L3 networks."""


class AddIpRange(CreateMessage, java=JAVA, returns=IpRange):
    """Add addresses to a subnet, by first and last."""

    l3_network_uuid: str = arg("The network.", ref=L3Network)
    name: str = arg("Display name.", max_length=255)
    description: str | None = arg("What it is for.", default=None, max_length=2048)
    start_ip: str = arg("First address.")
    end_ip: str = arg("Last address.")
    netmask: str = arg("Netmask.")
    gateway: str = arg("The network's router.")


class AddIpRangeByNetworkCidr(CreateMessage, java=JAVA, returns=IpRange):
    """Add all addresses of a CIDR to a subnet; the first becomes its gateway."""

    name: str = arg("Display name.", max_length=255)
    description: str | None = arg("What it is for.", default=None, max_length=2048)
    l3_network_uuid: str = arg("The network.", ref=L3Network)
    network_cidr: str = arg("For example 10.0.0.0/24.")


class DeleteIpRange(DeleteMessage, java=JAVA):
    """Delete a range none of whose addresses a VM has."""

    uuid: str = arg("The range.")


class UpdateIpRange(Message, java=JAVA, returns=IpRange):
    """Change name or description of a range."""

    uuid: str = arg("The range.", ref=IpRange)
    name: str | None = arg("New name.", default=None, max_length=255)
    description: str | None = arg("New description.", default=None, max_length=2048)


class CheckIpAvailability(Message, java=JAVA, sync=True, role="read-only"):
    """Say whether a NIC on a subnet could have an address: `available`."""

    l3_network_uuid: str = arg("The network.", ref=L3Network)
    ip: str = arg("The address.", max_length=255)


class GetFreeIp(Message, java=JAVA, sync=True, role="read-only"):
    """List addresses of a subnet or range that nobody has, lowest first."""

    l3_network_uuid: str | None = arg("Of this network.", default=None, ref=L3Network)
    ip_range_uuid: str | None = arg("Of this range.", default=None, ref=IpRange)
    limit: int = arg("At most so many.", default=100, minimum=0)


class GetIpAddressCapacity(Message, java=JAVA, sync=True, role="read-only"):
    """Count the addresses of ranges, and those of them that nobody has."""

    zone_uuids: list[str] = arg("Of all networks of these zones.", default=[], ref=Zone)
    l3_network_uuids: list[str] = arg("Of these networks.", default=[], ref=L3Network)
    ip_range_uuids: list[str] = arg("Of these ranges.", default=[], ref=IpRange)
    all: bool = arg("Of everything.", default=False)


class QueryIpRange(QueryMessage, java=JAVA, resource=IpRange):
    """Find IP ranges."""


class QueryIpAddress(QueryMessage, java=JAVA, resource=UsedIp):
    """Find addresses that are taken, by what, and since when."""


class AddDnsToL3Network(Message, java=JAVA, returns=L3Network):
    """Tell the guests of a subnet about a name server."""

    l3_network_uuid: str = arg("The network.", ref=L3Network)
    dns: str = arg("The name server's address.")


class RemoveDnsFromL3Network(Message, java=JAVA, returns=L3Network):
    """Stop telling the guests of a subnet about a name server."""

    l3_network_uuid: str = arg("The network.", ref=L3Network)
    dns: str = arg("The name server's address.")
