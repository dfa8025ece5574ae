"""What requests about policies mean."""

from __future__ import annotations

from typing import Any

from appliance.api.account import Account
from appliance.api.errors import InvalidArgument
from appliance.api.pattern import check_pattern
from appliance.api.policy import (
    AttachPolicyToUser,
    AttachPolicyToUserGroup,
    CreatePolicy,
    DeletePolicy,
    DetachPolicyFromUser,
    DetachPolicyFromUserGroup,
    Policy,
    UserGroupPolicyRef,
    UserPolicyRef,
)
from appliance.api.user import User, UserGroup
from appliance.resources.creating import add, uuid_for
from appliance.resources.registry import Caller, handles
from appliance.resources.tags_of import drop_tags
from appliance.store.transaction import Transaction

DEFAULTS = {
    "DEFAULT-READ": ("read-permission-for-account", r".*:read"),
    "USER-RESET-PASSWORD": ("user-reset-password", "identity:APIUpdateUserMsg"),
}
"""The policies that an account has from the start, and each new user of it gets: statement and action."""

STATEMENTS, ACTIONS = 100, 100


@handles(CreatePolicy)
def create_policy(tx: Transaction, request: CreatePolicy, caller: Caller) -> Policy:
    """A row."""
    if len(request.statements) > STATEMENTS:
        raise InvalidArgument(f"a policy may have {STATEMENTS} statements, not {len(request.statements)}")
    policy = Policy(
        uuid=uuid_for(tx, request, Policy),
        account_uuid=caller.account_uuid,
        name=request.name,
        description=request.description,
        statements=[_statement(each) for each in request.statements],
    )
    return add(tx, request, policy)


@handles(DeletePolicy)
def delete_policy(tx: Transaction, request: DeletePolicy, caller: Caller) -> None:
    """Gone, from its users and groups, too."""
    policy = tx.find(Policy, request.uuid)
    if policy is not None:
        remove_policy(tx, policy)


@handles(AttachPolicyToUser)
def attach_to_user(tx: Transaction, request: AttachPolicyToUser, caller: Caller) -> None:
    """A row, once."""
    user, policy = tx.get(User, request.user_uuid), tx.get(Policy, request.policy_uuid)
    same_account(user, policy)
    if not tx.exists(UserPolicyRef, user_uuid=user.uuid, policy_uuid=policy.uuid):
        tx.insert(UserPolicyRef(uuid=tx.new_uuid(), user_uuid=user.uuid, policy_uuid=policy.uuid))


@handles(DetachPolicyFromUser)
def detach_from_user(tx: Transaction, request: DetachPolicyFromUser, caller: Caller) -> None:
    """The row gone."""
    for ref in tx.all(UserPolicyRef, user_uuid=request.user_uuid, policy_uuid=request.policy_uuid):
        tx.delete(ref)


@handles(AttachPolicyToUserGroup)
def attach_to_group(tx: Transaction, request: AttachPolicyToUserGroup, caller: Caller) -> None:
    """A row, once."""
    group, policy = tx.get(UserGroup, request.group_uuid), tx.get(Policy, request.policy_uuid)
    same_account(group, policy)
    if not tx.exists(UserGroupPolicyRef, group_uuid=group.uuid, policy_uuid=policy.uuid):
        tx.insert(UserGroupPolicyRef(uuid=tx.new_uuid(), group_uuid=group.uuid, policy_uuid=policy.uuid))


@handles(DetachPolicyFromUserGroup)
def detach_from_group(tx: Transaction, request: DetachPolicyFromUserGroup, caller: Caller) -> None:
    """The row gone."""
    for ref in tx.all(UserGroupPolicyRef, group_uuid=request.group_uuid, policy_uuid=request.policy_uuid):
        tx.delete(ref)


def give_policies(tx: Transaction, account: Account) -> None:
    """The policies that an account has from the start."""
    for name, (statement, action) in DEFAULTS.items():
        said = {"name": f"{statement}-{account.uuid}", "effect": "Allow", "actions": [action]}
        tx.insert(Policy(uuid=tx.new_uuid(), account_uuid=account.uuid, name=name, statements=[said]))


def remove_policy(tx: Transaction, policy: Policy) -> None:
    """A policy gone, from its users and groups, too."""
    for kind in (UserPolicyRef, UserGroupPolicyRef):
        for ref in tx.all(kind, policy_uuid=policy.uuid):
            tx.delete(ref)
    drop_tags(tx, policy.uuid)
    tx.delete(policy)


def same_account(one: User | UserGroup, other: Policy | UserGroup) -> None:
    """Refuse to bring together what two accounts have."""
    if one.account_uuid != other.account_uuid:
        raise InvalidArgument(
            f"{one.vo}[uuid:{one.uuid}] and {other.vo}[uuid:{other.uuid}] belong to different accounts"
        )


def _statement(given: dict[str, Any]) -> dict[str, Any]:
    """A statement as it is kept."""
    effect, actions, name = given.get("effect"), given.get("actions"), given.get("name")
    shown = str(given)[:200]
    if effect is None:
        raise InvalidArgument(f"a statement must have effect field. Invalid statement[{shown}]")
    if effect not in ("Allow", "Deny"):
        raise InvalidArgument(f"a statement's effect is Allow or Deny, not {str(effect)[:50]}")
    if actions is None:
        raise InvalidArgument(f"a statement must have action field. Invalid statement[{shown}]")
    if not isinstance(actions, list) or not actions or len(actions) > ACTIONS:
        raise InvalidArgument(f"a statement must have a non-empty action field. Invalid statement[{shown}]")
    for action in actions:
        _check_action(action)
    known = {"effect": effect, "actions": actions}
    return known if name is None else {"name": str(name)[:255], **known}


def _check_action(action: Any) -> None:
    try:
        if not isinstance(action, str):
            raise ValueError("it is no text")
        check_pattern(action)
    except ValueError as wrong:
        raise InvalidArgument(
            f"action[{str(action)[:100]}] is no regular expression that a policy can have: {wrong}"
        ) from wrong
