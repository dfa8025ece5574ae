"""What requests about users and groups of users mean."""

from __future__ import annotations

from appliance.api.account import Session
from appliance.api.errors import InvalidArgument, NotAllowed
from appliance.api.policy import Policy, UserGroupPolicyRef, UserPolicyRef
from appliance.api.token import AccessToken
from appliance.api.user import (
    AddUserToGroup,
    CreateUser,
    CreateUserGroup,
    DeleteUser,
    DeleteUserGroup,
    RemoveUserFromGroup,
    UpdateUser,
    User,
    UserGroup,
    UserGroupUserRef,
)
from appliance.resources.creating import add, uuid_for
from appliance.resources.policy import DEFAULTS, same_account
from appliance.resources.registry import Caller, handles
from appliance.store.transaction import Transaction


@handles(CreateUser)
def create_user(tx: Transaction, request: CreateUser, caller: Caller) -> User:
    """A row, and the policies that every user has."""
    if tx.exists(User, account_uuid=caller.account_uuid, name=request.name):
        raise InvalidArgument(
            f"unable to create a user. A user called {request.name} is already under the account"
            f"[uuid:{caller.account_uuid}]"
        )
    user = User(
        uuid=uuid_for(tx, request, User),
        account_uuid=caller.account_uuid,
        name=request.name,
        description=request.description,
        password_hash=request.password,
    )
    user = add(tx, request, user)
    for name in DEFAULTS:
        policy = tx.first(Policy, account_uuid=caller.account_uuid, name=name)
        if policy is not None:
            tx.insert(UserPolicyRef(uuid=tx.new_uuid(), user_uuid=user.uuid, policy_uuid=policy.uuid))
    return user


@handles(UpdateUser)
def update_user(tx: Transaction, request: UpdateUser, caller: Caller) -> None:
    """The password; a user changes its own only. Its other sessions end."""
    uuid = request.uuid or caller.user_uuid
    if uuid is None:
        raise InvalidArgument("field[uuid] must name the user: it is an account that asks")
    if caller.user_uuid not in (None, uuid) and not caller.is_admin:
        raise NotAllowed(
            f"user[uuid:{caller.user_uuid}] cannot reset the password of another user[uuid:{uuid}]"
        )
    tx.update(tx.get(User, uuid), password_hash=request.password)
    end_sessions(tx, uuid, besides=caller.session_digest)


@handles(DeleteUser)
def delete_user(tx: Transaction, request: DeleteUser, caller: Caller) -> None:
    """Gone, with its sessions."""
    user = tx.find(User, request.uuid)
    if user is not None:
        remove_user(tx, user)


@handles(CreateUserGroup)
def create_group(tx: Transaction, request: CreateUserGroup, caller: Caller) -> UserGroup:
    """A row."""
    if tx.exists(UserGroup, account_uuid=caller.account_uuid, name=request.name):
        raise InvalidArgument(
            f"unable to create a group. A group called {request.name} is already under the account"
            f"[uuid:{caller.account_uuid}]"
        )
    group = UserGroup(
        uuid=uuid_for(tx, request, UserGroup),
        account_uuid=caller.account_uuid,
        name=request.name,
        description=request.description,
    )
    return add(tx, request, group)


@handles(DeleteUserGroup)
def delete_group(tx: Transaction, request: DeleteUserGroup, caller: Caller) -> None:
    """Gone; who was in it has its policies no more."""
    group = tx.find(UserGroup, request.uuid)
    if group is not None:
        remove_group(tx, group)


@handles(AddUserToGroup)
def add_user_to_group(tx: Transaction, request: AddUserToGroup, caller: Caller) -> None:
    """A row, once."""
    user, group = tx.get(User, request.user_uuid), tx.get(UserGroup, request.group_uuid)
    same_account(user, group)
    if not tx.exists(UserGroupUserRef, user_uuid=user.uuid, group_uuid=group.uuid):
        tx.insert(UserGroupUserRef(uuid=tx.new_uuid(), user_uuid=user.uuid, group_uuid=group.uuid))


@handles(RemoveUserFromGroup)
def remove_user_from_group(tx: Transaction, request: RemoveUserFromGroup, caller: Caller) -> None:
    """The row gone."""
    for ref in tx.all(UserGroupUserRef, user_uuid=request.user_uuid, group_uuid=request.group_uuid):
        tx.delete(ref)


def remove_user(tx: Transaction, user: User) -> None:
    """A user gone, from its groups and policies, too; its sessions end."""
    for kind in (UserGroupUserRef, UserPolicyRef):
        for ref in tx.all(kind, user_uuid=user.uuid):
            tx.delete(ref)
    end_sessions(tx, user.uuid)
    for token in tx.all(AccessToken, user_uuid=user.uuid):
        tx.delete(token)
    tx.delete(user)


def remove_group(tx: Transaction, group: UserGroup) -> None:
    """A group gone, from its users and policies, too."""
    for kind in (UserGroupUserRef, UserGroupPolicyRef):
        for ref in tx.all(kind, group_uuid=group.uuid):
            tx.delete(ref)
    tx.delete(group)


def end_sessions(tx: Transaction, user_uuid: str, besides: str | None = None) -> None:
    """End the sessions of a user, or of an account itself."""
    for session in tx.all(Session, user_uuid=user_uuid):
        if session.digest != besides:
            tx.delete(session)
