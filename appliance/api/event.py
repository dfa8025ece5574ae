"""Events: what is pushed to those who watch, and the history of what happened."""

from __future__ import annotations

from typing import ClassVar

from appliance.api.message import Message, QueryMessage, arg
from appliance.api.resource import Join, Resource, Timestamp, column
from appliance.api.vm import VmInstance

JAVA = "org.zstack.header.core"

QUIET = frozenset({"AuditEntry", "Session"})
"""Resources that come and go by being asked: the stream of events tells nobody of them, whoever wants them asks."""


class Event(Resource, java=JAVA, primary="sequence"):
    """Something that happened, in words: a state that changed, a host that was lost, a job that ended."""

    sequence: int = column("Rises by one.")
    create_date: Timestamp = column("When it happened.", indexed=True)
    level: str = column("info, warning or error.", default="info")
    name: str = column("What kind of event.", indexed=True)
    resource_uuid: str | None = column("What it happened to.", default=None, indexed=True)
    resource_type: str | None = column("What kind that is.", default=None)
    resource_name: str | None = column("Its name.", default=None)
    text: str = column("What happened, in one sentence.")


class JournalEntry(Resource, primary="sequence"):
    """One resource that a transaction changed in the eyes of watchers; its place in the order of all changes."""

    sequence: int = column("Rises by one.", private=True)
    resource: str = column("What kind of resource.", private=True)
    key: str = column("Which one.", private=True)


class UserdataFetch(Resource, java=JAVA):
    """A guest's request to the metadata server: who, what, when, and with which program."""

    joins = (
        Join("host", "Host", "host_uuid"),
        Join("vmInstance", "VmInstance", "vm_instance_uuid"),
        Join("vmNic", "VmNic", "vm_nic_uuid"),
    )

    unique_together: ClassVar[tuple[tuple[str, ...], ...]] = (("host_uuid", "sequence"),)

    uuid: str = column("Identity.", private=True)
    host_uuid: str = column("The host that answered.", indexed=True)
    sequence: int = column("The host's own number of it.")
    vm_instance_uuid: str = column("The VM that asked.", indexed=True)
    vm_nic_uuid: str = column("The NIC it asked through.", indexed=True)
    create_date: Timestamp = column("When it asked.", indexed=True)
    path: str = column("What it asked for.")
    http_status: int = column("What it was answered.")
    user_agent: str = column("The program that asked.", default="")


class QueryEvent(QueryMessage, java=JAVA, resource=Event):
    """Find events."""


class QueryUserdataFetch(QueryMessage, java=JAVA, resource=UserdataFetch):
    """Find out which guest fetched what of its user data, and when."""


class PreviewUserdata(Message, java=JAVA, sync=True, role="read-only"):
    """Say what a VM would be served: publicKeys and userData, merged and normalised."""

    uuid: str = arg("The VM.", ref=VmInstance)
