"""Zones: what can be asked about the largest unit, which clusters and networks live in."""

from __future__ import annotations

from appliance.api.message import CreateMessage, DeleteMessage, Message, QueryMessage, arg
from appliance.api.resource import Join, Resource, Timestamp, column

JAVA = "org.zstack.header.zone"


class Zone(Resource, java=JAVA):
    """A zone: hosts and networks of one place."""

    joins = (
        Join("vmInstance", "VmInstance", theirs="zone_uuid"),
        Join("cluster", "Cluster", theirs="zone_uuid"),
        Join("host", "Host", theirs="zone_uuid"),
        Join("primaryStorage", "PrimaryStorage", theirs="zone_uuid"),
        Join("l2Network", "L2Network", theirs="zone_uuid"),
        Join("l3Network", "L3Network", theirs="zone_uuid"),
        Join("backupStorageRef", "BackupStorageZoneRef", theirs="zone_uuid", hidden=True),
    )
    aliases = (("backupStorage", "backupStorageRef.backupStorage"),)

    uuid: str = column("Identity.")
    name: str = column("Display name.", indexed=True)
    description: str | None = column("What it is for.", default=None)
    state: str = column("Enabled or Disabled.", default="Enabled")
    type: str = column("Always zstack.", default="zstack")
    create_date: Timestamp = column("When it was made.", default=Timestamp(0))
    last_op_date: Timestamp = column("When it last changed.", default=Timestamp(0))


class CreateZone(CreateMessage, java=JAVA, returns=Zone):
    """Create a zone."""

    name: str = arg("Display name.", max_length=255)
    description: str | None = arg("What it is for.", default=None, max_length=2048)
    type: str | None = arg("Kind of zone.", default=None, choices=("zstack",))


class DeleteZone(DeleteMessage, java=JAVA):
    """Delete a zone that holds no cluster and no network."""

    uuid: str = arg("The zone.")


class UpdateZone(Message, java=JAVA, returns=Zone):
    """Change name or description of a zone."""

    uuid: str = arg("The zone.", ref=Zone)
    name: str | None = arg("New name.", default=None, max_length=255)
    description: str | None = arg("New description.", default=None, max_length=2048)


class ChangeZoneState(Message, java=JAVA, returns=Zone):
    """Enable or disable a zone; no VM is placed in a disabled one."""

    uuid: str = arg("The zone.", ref=Zone)
    state_event: str = arg("What to do.", choices=("enable", "disable"))


class QueryZone(QueryMessage, java=JAVA, resource=Zone):
    """Find zones."""
