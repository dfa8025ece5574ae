"""The store: what can be asked about the file that everything is remembered in."""

from __future__ import annotations

from appliance.api.errors import InternalError
from appliance.api.message import Message, arg

JAVA = "org.zstui.store"


class BackupStore(Message, java=JAVA, sync=True, role="admin", raises=(InternalError,)):
    """Copy the store to a file on the appliance's machine while it is in use, and check the copy."""

    path: str = arg("The absolute path of the copy; it must not exist yet.")


class VerifyStore(Message, java=JAVA, sync=True, role="admin"):
    """Check every row of the store, and the audit log: findings, in words; none when it is sound."""
