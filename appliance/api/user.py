"""Users and groups of users: what can be asked about who works for an account."""

from __future__ import annotations

from appliance.api.account import JAVA
from appliance.api.message import CreateMessage, DeleteMessage, Message, QueryMessage, arg
from appliance.api.resource import Join, Resource, Timestamp, column


class User(Resource, java=JAVA):
    """Somebody who works for an account, and may do what its policies allow."""

    joins = (
        Join("account", "Account", "account_uuid"),
        Join("groupRef", "UserGroupUserRef", theirs="user_uuid", hidden=True),
        Join("policyRef", "UserPolicyRef", theirs="user_uuid", hidden=True),
    )
    aliases = (("group", "groupRef.group"), ("policy", "policyRef.policy"))
    unique_together = (("account_uuid", "name"),)

    uuid: str = column("Identity.")
    account_uuid: str = column("The account.")
    name: str = column("Name to log in with.", indexed=True)
    description: str | None = column("Who it is.", default=None)
    create_date: Timestamp = column("When it was made.", default=Timestamp(0))
    last_op_date: Timestamp = column("When it last changed.", default=Timestamp(0))
    password_hash: str = column("argon2 of the SHA-512 that clients send.", private=True)


class UserGroup(Resource, java=JAVA):
    """Users of an account that have policies in common."""

    joins = (
        Join("account", "Account", "account_uuid"),
        Join("userRef", "UserGroupUserRef", theirs="group_uuid", hidden=True),
        Join("policyRef", "UserGroupPolicyRef", theirs="group_uuid", hidden=True),
    )
    aliases = (("user", "userRef.user"), ("policy", "policyRef.policy"))
    unique_together = (("account_uuid", "name"),)

    uuid: str = column("Identity.")
    account_uuid: str = column("The account.")
    name: str = column("Display name.", indexed=True)
    description: str | None = column("What it is for.", default=None)
    create_date: Timestamp = column("When it was made.", default=Timestamp(0))
    last_op_date: Timestamp = column("When it last changed.", default=Timestamp(0))


class UserGroupUserRef(Resource, java=JAVA):
    """A user is in a group."""

    joins = (Join("user", "User", "user_uuid"), Join("group", "UserGroup", "group_uuid"))
    unique_together = (("user_uuid", "group_uuid"),)

    uuid: str = column("Identity.", private=True)
    user_uuid: str = column("The user.")
    group_uuid: str = column("The group.", indexed=True)
    create_date: Timestamp = column("When it was made.", default=Timestamp(0))
    last_op_date: Timestamp = column("When it last changed.", default=Timestamp(0))


class CreateUser(CreateMessage, java=JAVA, returns=User):
    """Create a user in the caller's account; it may read, and change its password, until policies say more."""

    name: str = arg("Name to log in with.", max_length=255)
    password: str = arg("SHA-512 of the password, in lower-case hexadecimal.", max_length=255, secret=True)
    description: str | None = arg("Who it is.", default=None, max_length=2048)


class UpdateUser(Message, java=JAVA):
    """Change a user's password; that of the user who asks when none is named. The user's other sessions end.

    Access tokens have an end of their own and go on: QueryAccessToken lists them, DeleteAccessToken revokes one.
    """

    uuid: str | None = arg("The user.", default=None, ref=User)
    password: str = arg(
        "SHA-512 of the new password, in lower-case hexadecimal.", max_length=255, secret=True
    )


class DeleteUser(DeleteMessage, in_use="deleted", along=("AccessToken",), java=JAVA):
    """Delete a user and end its sessions; what it made belongs to its account, and stays."""

    uuid: str = arg("The user.")


class QueryUser(QueryMessage, java=JAVA, resource=User):
    """Find users."""


class CreateUserGroup(CreateMessage, java=JAVA, returns=UserGroup):
    """Create a group of users in the caller's account."""

    name: str = arg("Display name.", max_length=255)
    description: str | None = arg("What it is for.", default=None, max_length=2048)


class DeleteUserGroup(DeleteMessage, in_use="deleted", java=JAVA):
    """Delete a group; its users and policies stay."""

    uuid: str = arg("The group.")


class QueryUserGroup(QueryMessage, java=JAVA, resource=UserGroup):
    """Find groups of users."""


class AddUserToGroup(Message, java=JAVA):
    """Put a user into a group of the same account."""

    user_uuid: str = arg("The user.", ref=User)
    group_uuid: str = arg("The group.", ref=UserGroup)


class RemoveUserFromGroup(Message, java=JAVA):
    """Take a user out of a group; one that is not in it is no error."""

    user_uuid: str = arg("The user.", ref=User)
    group_uuid: str = arg("The group.", ref=UserGroup)
