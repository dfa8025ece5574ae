"""What requests about accounts mean."""

from __future__ import annotations

from appliance.api.account import (
    ADMIN_UUID,
    Account,
    CreateAccount,
    DeleteAccount,
    DeleteSession,
    Session,
    UpdateAccount,
)
from appliance.api.errors import InvalidArgument, NotAllowed
from appliance.api.ownership import AccountResourceRef, SharedResource
from appliance.api.policy import Policy
from appliance.api.quota import Quota
from appliance.api.token import AccessToken
from appliance.api.user import User, UserGroup
from appliance.resources.creating import add, uuid_for
from appliance.resources.policy import give_policies, remove_policy
from appliance.resources.quota import give_quotas
from appliance.resources.registry import Caller, handles
from appliance.resources.user import end_sessions, remove_group, remove_user
from appliance.store.transaction import Transaction


@handles(CreateAccount)
def create_account(tx: Transaction, request: CreateAccount, caller: Caller) -> Account:
    """A row, its quotas unless it is an admin's, and the policies that its users will have."""
    if tx.exists(Account, name=request.name):
        raise InvalidArgument(
            f"unable to create an account. An account already called {request.name}; choose another name"
        )
    account = Account(
        uuid=uuid_for(tx, request, Account),
        name=request.name,
        description=request.description,
        type=request.type,
        role=request.session_role,
        password_hash=request.password,
    )
    account = add(tx, request, account)
    give_policies(tx, account)
    if account.type == "Normal":
        give_quotas(tx, account)
    return account


@handles(UpdateAccount)
def update_account(tx: Transaction, request: UpdateAccount, caller: Caller) -> Account:
    """The password, and the role if an admin says so. The account's other sessions end."""
    uuid = request.uuid or caller.account_uuid
    if uuid != caller.account_uuid and not caller.is_admin:
        raise NotAllowed(
            f"account[uuid: {caller.account_uuid}] is a normal account, it cannot reset the password of "
            f"another account[uuid: {uuid}]"
        )
    if request.session_role is not None and not caller.is_admin:
        raise NotAllowed("only the admin may change an account's role")
    account = tx.get(Account, uuid)
    role = {} if request.session_role is None else {"role": request.session_role}
    account = tx.update(account, password_hash=request.password, **role)
    end_sessions(tx, account.uuid, besides=caller.session_digest)
    return account


@handles(DeleteAccount)
def delete_account(tx: Transaction, request: DeleteAccount, caller: Caller) -> None:
    """Gone, with users, groups, policies, quotas, sessions and access tokens; what it owned is the admin's."""
    account = tx.find(Account, request.uuid)
    if request.uuid != caller.account_uuid and not caller.is_admin:
        raise NotAllowed(
            f"account[uuid: {caller.account_uuid}] is a normal account, it cannot delete another "
            f"account[uuid: {request.uuid}]"
        )
    if account is None:
        return
    if account.uuid == ADMIN_UUID:
        raise InvalidArgument("unable to delete an account. The account is an admin account")
    owned = tx.count(AccountResourceRef, account_uuid=account.uuid)
    _remove(tx, account)
    tx.note(
        "AccountDeleted",
        f"{account.name}: deleted; {owned} resources that it owned belong to the admin now",
        about=account,
    )


@handles(DeleteSession)
def delete_session(tx: Transaction, request: DeleteSession, caller: Caller) -> None:
    """Gone; whoever has it must log in again. One that is unknown has ended already."""
    session = tx.find(Session, request.uuid)
    if session is None:
        return
    whose = session.user_uuid if caller.user_uuid is not None else session.account_uuid
    if not caller.is_admin and whose != (caller.user_uuid or caller.account_uuid):
        raise NotAllowed(f"session[digest:{request.uuid}] is another account's; only the admin may end it")
    tx.delete(session)


def _remove(tx: Transaction, account: Account) -> None:
    for row in (
        *tx.all(AccountResourceRef, account_uuid=account.uuid),
        *tx.all(SharedResource, receiver_account_uuid=account.uuid),
        *tx.all(SharedResource, owner_account_uuid=account.uuid),
        *tx.all(Quota, identity_uuid=account.uuid),
        *tx.all(Session, account_uuid=account.uuid),
        *tx.all(AccessToken, account_uuid=account.uuid),
    ):
        tx.delete(row)
    for user in tx.all(User, account_uuid=account.uuid):
        remove_user(tx, user)
    for group in tx.all(UserGroup, account_uuid=account.uuid):
        remove_group(tx, group)
    for policy in tx.all(Policy, account_uuid=account.uuid):
        remove_policy(tx, policy)
    tx.delete(account)
