"""What accounts and users may ask for: the admin's messages, policies of users and of groups."""

from __future__ import annotations

from typing import Any

import pytest

from appliance.api.message import MESSAGES
from appliance.api.permission import Statement, action_of, decide
from tests.tenants import PASSWORD, Caller, Tenants

START = "instance:APIStartVmInstanceMsg"
ABSENT = "0123456789ab4def8123456789abcdef"


def allows(*actions: str) -> dict[str, Any]:
    return {"effect": "Allow", "actions": list(actions)}


def denies(*actions: str) -> dict[str, Any]:
    return {"effect": "Deny", "actions": list(actions)}


async def policy(of: Caller, *statements: dict[str, Any]) -> str:
    return await of.make("CreatePolicy", name="p", statements=list(statements))


async def may_start(who: Caller) -> tuple[str, str] | None:
    """None when the caller may start VMs: then it is another thing that this one is not there."""
    code, details = await who.refused("StartVmInstance", uuid=ABSENT)
    return None if code == "SYS.1003" else (code, details)


@pytest.mark.parametrize(
    "name", ["CreateZone", "QueryHost", "AddKVMHost", "UpdateGlobalConfig", "QueryAccount", "CreateAccount",
             "UpdateQuota", "GetVmConsoleAddress", "RecoverVmInstance", "QueryEvent", "BackupStore"]
)  # fmt: skip
async def test_what_is_the_admins_is_refused_to_others(empty_tenants: Tenants, name: str) -> None:
    account = await empty_tenants.account("a")
    fields = {p.wire: ABSENT for p in MESSAGES[name].parameters.values() if p.required}
    if name == "CreateAccount":
        fields = {"name": "b", "password": PASSWORD}
    if name == "UpdateQuota":
        fields["value"] = "1"
    assert await account.refused(name, **fields) == ("ID.1002", f"API[API{name}Msg] is admin only")


async def test_a_new_user_reads_and_changes_its_password_and_no_more(empty_tenants: Tenants) -> None:
    account = await empty_tenants.account("a")
    user, uuid = await empty_tenants.user(account, "u")
    assert await user.seen("QueryUser") == {uuid}
    await user.call("GetVolumeFormat")
    assert await may_start(user) == (
        "ID.1002",
        f"user[name: u, uuid: {uuid}] has no policy set for this operation, API[APIStartVmInstanceMsg] is "
        f"denied by default. Create a policy that allows {START} and attach it to the user, or to a group that "
        "it is in",
    )
    await user.call("UpdateUser", password=PASSWORD[::-1])
    assert (await user.refused("CreateZone", name="z"))[1] == "API[APICreateZoneMsg] is admin only"
    await user.seen("QueryUser")


async def test_some_messages_are_the_accounts_own(empty_tenants: Tenants) -> None:
    account = await empty_tenants.account("a")
    user, uuid = await empty_tenants.user(account, "u")
    everything = await policy(account, allows(".*"))
    await account.call("AttachPolicyToUser", userUuid=uuid, policyUuid=everything)
    assert await may_start(user) is None
    assert await user.refused("CreateUser", name="v", password=PASSWORD) == (
        "ID.1002",
        f"API[APICreateUserMsg] can only be called by an account, the current session is a user session"
        f"[user uuid:{uuid}]",
    )


async def test_policies_of_a_user_come_before_those_of_its_groups(empty_tenants: Tenants) -> None:
    account = await empty_tenants.account("a")
    user, uuid = await empty_tenants.user(account, "u")
    group = await account.make("CreateUserGroup", name="g")
    await account.call("AddUserToGroup", userUuid=uuid, groupUuid=group)
    yes, no = await policy(account, allows("instance:.*")), await policy(account, denies(START))
    denied = f"user[name: u, uuid: {uuid}] is denied to execute API[APIStartVmInstanceMsg]"

    await account.call("AttachPolicyToUserGroup", groupUuid=group, policyUuid=yes)
    assert await may_start(user) is None
    await account.call("AttachPolicyToUserGroup", groupUuid=group, policyUuid=no)
    assert await may_start(user) == ("ID.1002", f"group policy denied. {denied}")
    await account.call("AttachPolicyToUser", userUuid=uuid, policyUuid=yes)
    assert await may_start(user) is None
    await account.call("AttachPolicyToUser", userUuid=uuid, policyUuid=no)
    assert await may_start(user) == ("ID.1002", f"user policy denied. {denied}")
    await account.call("DetachPolicyFromUser", userUuid=uuid, policyUuid=no)
    await account.call("DetachPolicyFromUser", userUuid=uuid, policyUuid=no)
    assert await may_start(user) is None
    await account.call("DetachPolicyFromUser", userUuid=uuid, policyUuid=yes)
    await account.call("DetachPolicyFromUserGroup", groupUuid=group, policyUuid=no)
    assert await may_start(user) is None
    await account.call("RemoveUserFromGroup", userUuid=uuid, groupUuid=group)
    assert (await may_start(user) or ("",))[0] == "ID.1002"
    await account.call("AddUserToGroup", userUuid=uuid, groupUuid=group)
    assert await may_start(user) is None
    await account.call("DeletePolicy", uuid=yes)
    assert (await may_start(user) or ("",))[0] == "ID.1002"


async def test_users_of_an_admin_do_everything(empty_tenants: Tenants) -> None:
    admin = await empty_tenants.account("root2", type="SystemAdmin")
    user, _ = await empty_tenants.user(admin, "u")
    await user.call("CreateZone", name="z")


@pytest.mark.parametrize(
    ("policies", "effect"),
    [
        ([], None),
        ([[Statement("Allow", ("volume:.*",))]], None),
        ([[Statement("Allow", (START,)), Statement("Deny", ("instance:.*",))]], "Deny"),
        ([[Statement("Allow", (".*:read", "instance:.*")), Statement("Deny", (START,))]], "Deny"),
        ([[Statement("Deny", ("instance:.*",)), Statement("Allow", (START,))]], "Deny"),
        ([[Statement("Allow", (START,))], [Statement("Deny", (START,))]], "Deny"),
        ([[Statement("Allow", ("instance:org.zstack.header.vm.APIStartVmInstanceMsg",))]], "Allow"),
        ([[Statement("Allow", ("instance:API",))]], None),
        ([[Statement("Allow", ("instance:read",))]], None),
    ],
)
def test_deny_wins_in_a_policy_and_among_policies(
    policies: list[list[Statement]], effect: str | None
) -> None:
    action = action_of(MESSAGES["StartVmInstance"])
    assert action is not None
    assert decide(action, policies) == effect


@pytest.mark.parametrize(
    ("statements", "details"),
    [
        ([], "field[statements] must be a nonempty list"),
        ([{"actions": [START]}], "a statement must have effect field. Invalid statement[{'actions': ['"),
        ([{"effect": "Perhaps", "actions": [START]}], "a statement's effect is Allow or Deny, not Perhaps"),
        ([{"effect": "Allow"}], "a statement must have action field. Invalid statement[{'effect': 'Allow'}]"),
        ([{"effect": "Allow", "actions": []}],
         "a statement must have a non-empty action field. Invalid statement[{'effect': 'Allow', 'actions': []}]"),
        ([{"effect": "Allow", "actions": ["(a"]}],
         "action[(a] is no regular expression that a policy can have: there is no ) for a ("),
        ([{"effect": "Allow", "actions": [{"a": 1}]}],
         "action[{'a': 1}] is no regular expression that a policy can have: it is no text"),
        ([allows(START)] * 101, "a policy may have 100 statements, not 101"),
        (["x"], "field[statements] of message[org.zstack.header.identity.APICreatePolicyMsg] must be an object"),
    ],
)  # fmt: skip
async def test_a_policy_says_what_is_wrong_with_it(
    empty_tenants: Tenants, statements: list[Any], details: str
) -> None:
    account = await empty_tenants.account("a")
    async with empty_tenants.cloud.untouched():
        code, said = await account.refused("CreatePolicy", name="p", statements=statements)
    assert code == "SYS.1007"
    assert said.startswith(details)


async def test_identities_are_found_through_each_other(empty_tenants: Tenants) -> None:
    a, b = await empty_tenants.account("a"), await empty_tenants.account("b")
    _, user = await empty_tenants.user(a, "u")
    await empty_tenants.user(b, "u")
    group = await a.make("CreateUserGroup", name="g", description="d")
    said = {"name": "s", **allows(START)}
    rule = await policy(a, said)
    await a.call("AddUserToGroup", userUuid=user, groupUuid=group)
    await a.call("AddUserToGroup", userUuid=user, groupUuid=group)
    await a.call("AttachPolicyToUserGroup", groupUuid=group, policyUuid=rule)
    await a.call("AttachPolicyToUserGroup", groupUuid=group, policyUuid=rule)
    await a.call("AttachPolicyToUser", userUuid=user, policyUuid=rule)
    await a.call("AttachPolicyToUser", userUuid=user, policyUuid=rule)
    for query, condition, found in (
        ("QueryUser", ("group.name", "=", "g"), user),
        ("QueryUser", ("policy.uuid", "=", rule), user),
        ("QueryUser", ("account.name", "=", "a"), user),
        ("QueryUserGroup", ("user.name", "=", "u"), group),
        ("QueryUserGroup", ("policy.name", "=", "p"), group),
        ("QueryPolicy", ("group.name", "=", "g"), rule),
    ):
        assert await a.seen(query, condition) == {found}, (query, condition)
        assert await b.seen(query, condition) == set(), (query, condition)
    assert rule in await a.seen("QueryPolicy", ("user.name", "=", "u"))
    assert rule not in await b.seen("QueryPolicy", ("user.name", "=", "u"))
    found = await empty_tenants.cloud.one("QueryPolicy", rule)
    assert found == {"uuid": rule, "name": "p", "accountUuid": a.account_uuid, "statements": [said]}
    assert await empty_tenants.cloud.query("QueryUser", **{"policy.uuid": rule})
    await a.call("DeleteUserGroup", uuid=group)
    await a.call("DeleteUserGroup", uuid=group)
    assert await a.seen("QueryUser", ("policy.uuid", "=", rule)) == {user}


async def test_an_accounts_identities_are_touched_by_no_other(empty_tenants: Tenants) -> None:
    a, b = await empty_tenants.account("a"), await empty_tenants.account("b")
    _, user = await empty_tenants.user(a, "u")
    _, other = await empty_tenants.user(b, "u")
    group, rule = await a.make("CreateUserGroup", name="g"), await policy(a, allows(".*"))
    async with empty_tenants.cloud.untouched():
        for name, fields in (
            ("UpdateUser", {"uuid": user, "password": PASSWORD}),
            ("DeleteUser", {"uuid": user}),
            ("DeleteUserGroup", {"uuid": group}),
            ("DeletePolicy", {"uuid": rule}),
            ("AttachPolicyToUser", {"userUuid": other, "policyUuid": rule}),
            ("DetachPolicyFromUser", {"userUuid": user, "policyUuid": rule}),
            ("AttachPolicyToUserGroup", {"groupUuid": group, "policyUuid": rule}),
            ("DetachPolicyFromUserGroup", {"groupUuid": group, "policyUuid": rule}),
            ("AddUserToGroup", {"userUuid": other, "groupUuid": group}),
            ("RemoveUserFromGroup", {"userUuid": user, "groupUuid": group}),
        ):
            code, details = await b.refused(name, **fields)
            assert code == "ID.1002", name
            assert details.startswith("operation denied. The resource[uuid: "), name
        for name, one in (("AttachPolicyToUser", "userUuid"), ("AddUserToGroup", "userUuid")):
            fields = {one: other, "policyUuid": rule, "groupUuid": group}
            error = await empty_tenants.cloud.refused(name, **fields)
            assert error["details"].endswith("belong to different accounts"), name


async def test_users_and_groups_have_names_of_their_own_in_an_account(empty_tenants: Tenants) -> None:
    a = await empty_tenants.account("a")
    _, user = await empty_tenants.user(a, "u")
    await a.call("CreateUserGroup", name="g")
    assert await a.refused("CreateUser", name="u", password=PASSWORD) == (
        "SYS.1007",
        f"unable to create a user. A user called u is already under the account[uuid:{a.account_uuid}]",
    )
    assert await a.refused("CreateUserGroup", name="g") == (
        "SYS.1007",
        f"unable to create a group. A group called g is already under the account[uuid:{a.account_uuid}]",
    )
    assert await a.refused("UpdateUser", password=PASSWORD) == (
        "SYS.1007",
        "field[uuid] must name the user: it is an account that asks",
    )
    _, other = await empty_tenants.user(a, "v")
    u = await empty_tenants.log_in_user(a, "u")
    assert await u.refused("UpdateUser", uuid=other, password=PASSWORD) == (
        "ID.1002",
        f"user[uuid:{user}] cannot reset the password of another user[uuid:{other}]",
    )


async def test_a_users_password_is_changed_by_its_account(empty_tenants: Tenants) -> None:
    a = await empty_tenants.account("a")
    user, uuid = await empty_tenants.user(a, "u")
    await a.call("UpdateUser", uuid=uuid, password=PASSWORD[::-1])
    assert (await user.refused("QueryUser"))[0] == "ID.1001"
    fields = {"accountName": "a", "userName": "u"}
    assert (await empty_tenants.nobody.refused("LogInByUser", password=PASSWORD, **fields))[0] == "ID.1000"
    await empty_tenants.nobody.call("LogInByUser", password=PASSWORD[::-1], **fields)
