"""Whether a caller may send a message: what its role includes, its account's type allows, its policies say."""

from __future__ import annotations

from appliance.api.errors import NotAllowed
from appliance.api.message import ROLES, Message, Role
from appliance.api.permission import Action, Statement, action_of, decide, statements_of
from appliance.api.policy import Policy, UserGroupPolicyRef, UserPolicyRef
from appliance.api.user import User, UserGroupUserRef
from appliance.resources.registry import Caller
from appliance.resources.token import check_scope
from appliance.store.database import Database
from appliance.store.snapshot import Snapshot


async def check_permission(database: Database, message: type[Message], caller: Caller) -> None:
    """Refuse a message that its caller may not send. Raises NotAllowed.

    The role is the most that a session may do. An admin's account may do everything, and its users, too;
    another account everything that is not the admin's alone; a user what its policies allow.
    """
    allow(message, caller.role)
    check_scope(caller, message.__name__)
    if caller.is_admin:
        return
    name = f"API{message.__name__}Msg"
    action = action_of(message)
    if action is None:
        raise NotAllowed(f"API[{name}] is admin only")
    user_uuid = caller.user_uuid
    if user_uuid is None:
        return
    if action.account_only:
        raise NotAllowed(
            f"API[{name}] can only be called by an account, the current session is a user session"
            f"[user uuid:{user_uuid}]"
        )
    await database.read(lambda snapshot: _ask_policies(snapshot, name, action, user_uuid))


def allow(message: type[Message], role: Role) -> None:
    """Refuse a message that a role does not include. Raises NotAllowed."""
    if ROLES.index(role) < ROLES.index(message.role):
        raise NotAllowed(
            f"{message.__name__} needs the role {message.role}, but the caller has {role}; log in as another"
        )


def _ask_policies(snapshot: Snapshot, name: str, action: Action, user_uuid: str) -> None:
    """What a user's own policies say counts; those of its groups only when these say nothing."""
    own = [ref.policy_uuid for ref in snapshot.all(UserPolicyRef, user_uuid=user_uuid)]
    groups = {ref.group_uuid for ref in snapshot.all(UserGroupUserRef, user_uuid=user_uuid)}
    common = (
        [ref.policy_uuid for ref in snapshot.all(UserGroupPolicyRef, group_uuid=groups)] if groups else []
    )
    user = snapshot.get(User, user_uuid)
    for kind, uuids in (("user policy", own), ("group policy", common)):
        effect = decide(action, _policies(snapshot, uuids))
        if effect == "Allow":
            return
        if effect == "Deny":
            raise NotAllowed(
                f"{kind} denied. user[name: {user.name}, uuid: {user.uuid}] is denied to execute API[{name}]"
            )
    raise NotAllowed(
        f"user[name: {user.name}, uuid: {user.uuid}] has no policy set for this operation, API[{name}] is "
        f"denied by default. Create a policy that allows {action.names[0]} and attach it to the user, or to a "
        "group that it is in"
    )


def _policies(snapshot: Snapshot, uuids: list[str]) -> list[list[Statement]]:
    return [statements_of(each.statements) for each in snapshot.all(Policy, uuid=uuids)] if uuids else []
