"""Policies: what can be asked about what users and groups may do."""

from __future__ import annotations

from typing import Any

from appliance.api.account import JAVA
from appliance.api.message import CreateMessage, DeleteMessage, Message, QueryMessage, arg
from appliance.api.resource import Join, Resource, Timestamp, column
from appliance.api.user import User, UserGroup


class Policy(Resource, java=JAVA):
    """Statements of an account about what users may do: an effect, and actions as regular expressions.

    Statements have no order: one that says `Deny` wins. What a user's own policies say of an action counts; those of
    its groups only when these say nothing.
    """

    joins = (
        Join("account", "Account", "account_uuid"),
        Join("groupRef", "UserGroupPolicyRef", theirs="policy_uuid", hidden=True),
        Join("userRef", "UserPolicyRef", theirs="policy_uuid", hidden=True),
    )
    aliases = (("group", "groupRef.group"), ("user", "userRef.user"))

    uuid: str = column("Identity.")
    account_uuid: str = column("The account.", indexed=True)
    name: str = column("Display name.", indexed=True)
    description: str | None = column("What it is for.", default=None, private=True)
    statements: list[dict[str, Any]] = column("What it says: {name, effect, actions}.")


class UserPolicyRef(Resource, java=JAVA):
    """A policy holds for a user."""

    joins = (Join("user", "User", "user_uuid"), Join("policy", "Policy", "policy_uuid"))
    unique_together = (("user_uuid", "policy_uuid"),)

    uuid: str = column("Identity.", private=True)
    user_uuid: str = column("The user.")
    policy_uuid: str = column("The policy.", indexed=True)
    create_date: Timestamp = column("When it was made.", default=Timestamp(0))
    last_op_date: Timestamp = column("When it last changed.", default=Timestamp(0))


class UserGroupPolicyRef(Resource, java=JAVA):
    """A policy holds for the users of a group."""

    joins = (Join("group", "UserGroup", "group_uuid"), Join("policy", "Policy", "policy_uuid"))
    unique_together = (("group_uuid", "policy_uuid"),)

    uuid: str = column("Identity.", private=True)
    group_uuid: str = column("The group.")
    policy_uuid: str = column("The policy.", indexed=True)
    create_date: Timestamp = column("When it was made.", default=Timestamp(0))
    last_op_date: Timestamp = column("When it last changed.", default=Timestamp(0))


class CreatePolicy(CreateMessage, java=JAVA, returns=Policy):
    """Create a policy in the caller's account.

    A statement that says `Deny` wins over all that say `Allow`, in whatever order they stand.
    """

    name: str = arg("Display name.", max_length=255)
    description: str | None = arg("What it is for.", default=None, max_length=2048)
    statements: list[dict[str, Any]] = arg(
        'What it says, such as [{"name": "start", "effect": "Allow", "actions": '
        '["instance:APIStartVmInstanceMsg", "volume:.*"]}].'
    )


class DeletePolicy(DeleteMessage, in_use="deleted", java=JAVA):
    """Delete a policy; it holds for nobody any more."""

    uuid: str = arg("The policy.")


class QueryPolicy(QueryMessage, java=JAVA, resource=Policy):
    """Find policies."""


class AttachPolicyToUser(Message, java=JAVA):
    """Let a policy hold for a user."""

    user_uuid: str = arg("The user.", ref=User)
    policy_uuid: str = arg("The policy.", ref=Policy)


class DetachPolicyFromUser(Message, java=JAVA):
    """Let a policy hold for a user no more; one that did not is no error."""

    policy_uuid: str = arg("The policy.", ref=Policy)
    user_uuid: str = arg("The user.", ref=User)


class AttachPolicyToUserGroup(Message, java=JAVA):
    """Let a policy hold for the users of a group."""

    policy_uuid: str = arg("The policy.", ref=Policy)
    group_uuid: str = arg("The group.", ref=UserGroup)


class DetachPolicyFromUserGroup(Message, java=JAVA):
    """Let a policy hold for the users of a group no more; one that did not is no error."""

    policy_uuid: str = arg("The policy.", ref=Policy)
    group_uuid: str = arg("The group.", ref=UserGroup)
