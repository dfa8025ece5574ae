"""Accounts: made, changed, deleted; what is theirs goes to the admin; sessions end."""

from __future__ import annotations

from appliance.api.account import ADMIN_UUID, Account, Session, hash_password
from appliance.api.user import User
from tests.tenants import PASSWORD, Tenants

OTHER = hash_password("another")
ABSENT = "0123456789ab4def8123456789abcdef"


async def test_an_account_is_made_whole(empty_tenants: Tenants) -> None:
    cloud = empty_tenants.cloud
    made = await cloud.call("CreateAccount", name="a", password=PASSWORD, description="d", userTags=["t"])
    assert made.keys() == {"uuid", "name", "description", "type", "role", "createDate", "lastOpDate"}
    assert (made["type"], made["role"], made["description"]) == ("Normal", "admin", "d")
    quotas = {
        each["name"]: each["value"] for each in await cloud.query("QueryQuota", identityUuid=made["uuid"])
    }
    assert quotas == {
        "vm.num": 20, "vm.cpuNum": 80, "vm.memorySize": 85899345920, "volume.data.num": 40,
        "volume.capacity": 10995116277760, "l3.num": 20, "securityGroup.num": 20, "vip.num": 20, "eip.num": 20,
        "portForwarding.num": 20, "loadBalancer.num": 20,
    }  # fmt: skip
    policies = await cloud.query("QueryPolicy", accountUuid=made["uuid"])
    assert {each["name"] for each in policies} == {"DEFAULT-READ", "USER-RESET-PASSWORD"}
    assert [each["tag"] for each in await cloud.query("QueryUserTag", resourceUuid=made["uuid"])] == ["t"]


async def test_an_accounts_password_is_kept_as_a_hash_only(empty_tenants: Tenants) -> None:
    account = await empty_tenants.account("a")
    found = await empty_tenants.cloud.database.read(lambda s: s.get(Account, account.account_uuid))
    assert found.password_hash.startswith("$argon2id$")
    jobs = await empty_tenants.cloud.query("QueryLongJob", name="CreateAccount")
    assert PASSWORD not in str(jobs)


async def test_accounts_have_names_of_their_own(empty_tenants: Tenants) -> None:
    cloud = empty_tenants.cloud
    await cloud.call("CreateAccount", name="a", password=PASSWORD)
    async with cloud.untouched():
        error = await cloud.refused("CreateAccount", name="a", password=PASSWORD)
    assert error["code"] == "SYS.1007"
    assert error["details"].startswith("unable to create an account. An account already called a")
    error = await cloud.refused("CreateAccount", name="b")
    assert error["details"] == (
        "field[password] of message[org.zstack.header.identity.APICreateAccountMsg] is mandatory, can not be null"
    )


async def test_a_second_admin_sees_and_does_everything(empty_tenants: Tenants) -> None:
    admin = await empty_tenants.account("root2", type="SystemAdmin")
    zone = await admin.make("CreateZone", name="z")
    assert await admin.seen("QueryZone") == {zone}
    assert await admin.seen("QueryQuota", ("identityUuid", "=", admin.account_uuid)) == set()
    assert ADMIN_UUID in await admin.seen("QueryAccount")


async def test_the_role_of_an_account_is_the_most_its_sessions_may_do(empty_tenants: Tenants) -> None:
    reader = await empty_tenants.account("eyes", type="SystemAdmin", sessionRole="read-only")
    assert await reader.seen("QueryZone") == set()
    code, details = await reader.refused("CreateZone", name="z")
    assert (code, details) == (
        "ID.1002",
        "CreateZone needs the role admin, but the caller has read-only; log in as another",
    )
    await empty_tenants.cloud.call(
        "UpdateAccount", uuid=reader.account_uuid, password=PASSWORD, sessionRole="admin"
    )
    again = await empty_tenants.log_in("eyes", reader.account_uuid)
    await again.call("CreateZone", name="z")


async def test_the_role_may_be_asked_for_by_the_name_that_inventories_give_it(empty_tenants: Tenants) -> None:
    cloud = empty_tenants.cloud
    made = await cloud.call("CreateAccount", name="a", password=PASSWORD, role="read-only")
    assert made["role"] == "read-only"
    changed = await cloud.call("UpdateAccount", uuid=made["uuid"], password=PASSWORD, role="operator")
    assert changed["role"] == "operator"
    token = await cloud.call("CreateAccessToken", name="t", role="operator")
    assert token["role"] == "operator"
    async with cloud.untouched():
        error = await cloud.refused("CreateAccount", name="b", password=PASSWORD, role="reader")
        assert error["details"].startswith("valid value for field[sessionRole] of message[")
        both = {"role": "read-only", "sessionRole": "admin"}
        error = await cloud.refused("CreateAccount", name="b", password=PASSWORD, **both)
        assert (error["code"], error["details"]) == (
            "SYS.1007", "field[sessionRole] and field[role] mean the same; give one of them"
        )  # fmt: skip


async def test_a_new_password_ends_the_other_sessions(empty_tenants: Tenants) -> None:
    account = await empty_tenants.account("a")
    second = await empty_tenants.log_in("a", account.account_uuid)
    changed = await account.call("UpdateAccount", password=OTHER)
    assert changed["uuid"] == account.account_uuid
    assert (await second.refused("QueryUser"))[0] == "ID.1001"
    await account.seen("QueryUser")
    code, _ = await empty_tenants.nobody.refused("LogInByAccount", accountName="a", password=PASSWORD)
    assert code == "ID.1000"
    await empty_tenants.nobody.call("LogInByAccount", accountName="a", password=OTHER)


async def test_an_account_changes_no_other_accounts_password_and_no_role(empty_tenants: Tenants) -> None:
    a, b = await empty_tenants.account("a"), await empty_tenants.account("b")
    assert await a.refused("UpdateAccount", uuid=b.account_uuid, password=OTHER) == (
        "ID.1002",
        f"account[uuid: {a.account_uuid}] is a normal account, it cannot reset the password of another "
        f"account[uuid: {b.account_uuid}]",
    )
    assert await a.refused("UpdateAccount", password=OTHER, sessionRole="admin") == (
        "ID.1002",
        "only the admin may change an account's role",
    )
    assert await a.refused("DeleteAccount", uuid=b.account_uuid) == (
        "ID.1002",
        f"account[uuid: {a.account_uuid}] is a normal account, it cannot delete another "
        f"account[uuid: {b.account_uuid}]",
    )
    error = await empty_tenants.cloud.refused("UpdateAccount", uuid=ABSENT, password=OTHER)
    assert (error["code"], error["details"]) == (
        "SYS.1003",
        f"invalid field[uuid], resource[uuid:{ABSENT}, type:AccountVO] not found",
    )


async def test_a_deleted_account_leaves_its_resources_to_the_admin(tenants: Tenants) -> None:
    cloud = tenants.cloud
    a, b = await tenants.account("a"), await tenants.account("b")
    image = await a.make(
        "AddImage", name="i", url="http://images/tiny.qcow2", format="qcow2",
        backupStorageUuids=[cloud.uuids["backup"]],
    )  # fmt: skip
    await a.call("ShareResource", resourceUuids=[image], accountUuids=[b.account_uuid])
    user, user_uuid = await tenants.user(a, "u")
    group = await a.make("CreateUserGroup", name="g")
    await a.call("AddUserToGroup", userUuid=user_uuid, groupUuid=group)
    assert await b.seen("QueryImage") == {image}

    await cloud.call("DeleteAccount", uuid=a.account_uuid)

    for gone in (a, user):
        code, details = await gone.refused("QueryImage")
        assert (code, details) == ("ID.1001", "Session expired")
    assert (await cloud.one("QueryImage", image))["status"] == "Ready"
    assert await b.seen("QueryImage") == set()
    rows = await cloud.rows()
    for kind in (
        "User",
        "UserGroup",
        "UserGroupUserRef",
        "UserPolicyRef",
        "AccountResourceRef",
        "SharedResource",
    ):
        assert rows[kind] == [], kind
    for kind, column in (("Policy", "account_uuid"), ("Quota", "identity_uuid"), ("Session", "account_uuid")):
        assert {row[column] for row in rows[kind]} == {b.account_uuid}, kind
    (event,) = await cloud.query("QueryEvent", name="AccountDeleted")
    assert event["text"] == "a: deleted; 1 resources that it owned belong to the admin now"
    await cloud.call("DeleteAccount", uuid=a.account_uuid)


async def test_the_first_admin_cannot_be_deleted(empty_tenants: Tenants) -> None:
    error = await empty_tenants.cloud.refused("DeleteAccount", uuid=ADMIN_UUID)
    assert (error["code"], error["details"]) == (
        "SYS.1007",
        "unable to delete an account. The account is an admin account",
    )


async def test_an_account_may_delete_itself(empty_tenants: Tenants) -> None:
    account = await empty_tenants.account("a")
    await account.call("DeleteAccount", uuid=account.account_uuid)
    assert (await account.refused("QueryUser"))[0] == "ID.1001"
    assert await empty_tenants.cloud.database.read(lambda s: s.count(Account)) == 1


async def test_sessions_of_a_user_and_its_account_have_limits_of_their_own(empty_tenants: Tenants) -> None:
    cloud = empty_tenants.cloud
    account = await empty_tenants.account("a")
    await empty_tenants.user(account, "u")
    await cloud.call("UpdateGlobalConfig", category="identity", name="session.maxConcurrent", value="2")
    await empty_tenants.log_in_user(account, "u")
    code, details = await empty_tenants.nobody.refused(
        "LogInByUser", accountUuid=account.account_uuid, userName="u", password=PASSWORD
    )
    assert code == "SYS.1006"
    assert details.startswith("user[u] has 2 sessions, which is the limit")
    await empty_tenants.log_in("a", account.account_uuid)


async def test_who_logs_in_by_user_names_the_account_by_uuid_or_name(empty_tenants: Tenants) -> None:
    a, b = await empty_tenants.account("a"), await empty_tenants.account("b")
    _, of_a = await empty_tenants.user(a, "u")
    _, of_b = await empty_tenants.user(b, "u")
    nobody = empty_tenants.nobody
    for account, user in ((a, of_a), (b, of_b)):
        asked = {"userName": "u", "password": PASSWORD}
        session = await nobody.call("LogInByUser", accountUuid=account.account_uuid, **asked)
        assert (session["accountUuid"], session["userUuid"]) == (account.account_uuid, user)
    session = await nobody.call("LogInByUser", accountName="b", userName="u", password=PASSWORD)
    assert session["userUuid"] == of_b
    assert await nobody.refused("LogInByUser", userName="u", password=PASSWORD) == (
        "SYS.1007",
        "field[accountUuid] of message[org.zstack.header.identity.APILogInByUserMsg] is mandatory, can not be null",
    )
    for wrong in ({"accountName": "c"}, {"accountUuid": ABSENT}, {"accountName": "a", "userName": "v"},
                  {"accountName": "a", "password": OTHER}):  # fmt: skip
        fields = {"userName": "u", "password": PASSWORD, **wrong}
        assert await nobody.refused("LogInByUser", **fields) == (
            "ID.1000",
            "wrong account, user name or password",
        )


async def test_a_users_password_is_not_guessed_without_end(empty_tenants: Tenants) -> None:
    account = await empty_tenants.account("a")
    await empty_tenants.user(account, "u")
    fields = {"accountName": "a", "userName": "u"}
    for _ in range(10):
        await empty_tenants.nobody.refused("LogInByUser", password=OTHER, **fields)
    code, details = await empty_tenants.nobody.refused("LogInByUser", password=PASSWORD, **fields)
    assert code == "ID.1000"
    assert details.startswith("too many wrong passwords")
    await empty_tenants.log_in("a", account.account_uuid)


async def test_a_deleted_users_session_ends_and_leaves_nothing(empty_tenants: Tenants) -> None:
    account = await empty_tenants.account("a")
    user, uuid = await empty_tenants.user(account, "u")
    await user.seen("QueryUser")
    await account.call("DeleteUser", uuid=uuid)
    assert (await user.refused("QueryUser"))[0] == "ID.1001"
    database = empty_tenants.cloud.database
    assert await database.read(lambda s: (s.count(User), s.count(Session, user_uuid=uuid))) == (0, 0)
    await account.call("DeleteUser", uuid=uuid)


async def test_a_session_is_ended_by_its_own_account_or_the_admin(empty_tenants: Tenants) -> None:
    one, other = await empty_tenants.account("one"), await empty_tenants.account("other")
    [mine] = (await one.answer("QuerySession"))["inventories"]
    [its] = (await other.answer("QuerySession"))["inventories"]
    assert mine["accountUuid"] == one.account_uuid != its["accountUuid"]
    code, details = await one.refused("DeleteSession", uuid=its["digest"])
    assert code == "ID.1002"
    assert "is another account's" in details
    await one.call("DeleteSession", uuid=mine["digest"])
    assert (await one.refused("QueryZone"))[0] == "ID.1001"
    await empty_tenants.cloud.call("DeleteSession", uuid=its["digest"])
    await empty_tenants.cloud.call("DeleteSession", uuid=its["digest"])
    assert (await other.refused("QueryZone"))[0] == "ID.1001"
