"""Management nodes: what can be asked about the appliance itself."""

from __future__ import annotations

from appliance.api.message import QueryMessage
from appliance.api.resource import Resource, Timestamp, column

JAVA = "org.zstack.header.managementnode"


class ManagementNode(Resource, java=JAVA):
    """The appliance of a data folder. There is one."""

    uuid: str = column("Identity.")
    host_name: str = column("The machine it runs on.")
    join_date: Timestamp = column("When it was first started.")
    heart_beat: Timestamp = column("When it was last known to run.", owner="observed")


class QueryManagementNode(QueryMessage, java=JAVA, resource=ManagementNode):
    """Find the appliance."""
