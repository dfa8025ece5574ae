"""Quotas: what can be asked about how much an account may have."""

from __future__ import annotations

from appliance.api.account import JAVA, Account
from appliance.api.message import Message, QueryMessage, arg
from appliance.api.resource import Join, Resource, Timestamp, column

CATEGORY = "quota"
"""The global configs that hold what a new account may have."""


class Quota(Resource, java=JAVA):
    """How much of something an account may have."""

    joins = (Join("account", "Account", "identity_uuid"),)
    unique_together = (("identity_uuid", "name"),)

    uuid: str = column("Identity.", private=True)
    name: str = column("What is limited, for example vm.num.", indexed=True)
    identity_uuid: str = column("The account.")
    identity_type: str = column("Always AccountVO.", default="AccountVO")
    value: int = column("At most so much: a number, or bytes.")
    create_date: Timestamp = column("When it was made.", default=Timestamp(0))
    last_op_date: Timestamp = column("When it last changed.", default=Timestamp(0))


class UpdateQuota(Message, java=JAVA, returns=Quota):
    """Change how much of something an account may have; what it has already stays."""

    identity_uuid: str = arg("The account.", ref=Account)
    name: str = arg("What is limited, for example vm.num.")
    value: int = arg("At most so much: a number, or bytes.")


class QueryQuota(QueryMessage, java=JAVA, resource=Quota):
    """Find quotas."""
