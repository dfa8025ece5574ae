"""Access tokens: what programs carry instead of a password, with an end, a role and a scope."""

from __future__ import annotations

from typing import Any

import pytest

from appliance.api.account import hash_password
from appliance.api.resource import Timestamp
from appliance.api.token import PREFIX, AccessToken
from appliance.store.transaction import Transaction
from tests.tenants import Caller, Tenants


async def admin(tenants: Tenants) -> Caller:
    """The admin, as somebody with a token of theirs."""
    return await holder(tenants, tenants.cloud, sessionRole="admin")


async def holder(tenants: Tenants, of: Any, **fields: Any) -> Caller:
    """Whoever holds a new token."""
    made = await of.call("CreateAccessToken", name="ci", **fields)
    assert made["token"].startswith(PREFIX)
    return Caller(tenants.cloud, tenants.dispatch, made["token"], made["accountUuid"])


async def one(tenants: Tenants) -> dict[str, Any]:
    [found] = await tenants.cloud.query("QueryAccessToken")
    return found


async def test_a_token_is_shown_once_and_kept_nowhere(tenants: Tenants) -> None:
    made = await tenants.cloud.call("CreateAccessToken", name="ci", expiresIn=60)
    found = await one(tenants)
    assert {**found, "token": made["token"]} == made
    assert "digest" not in found
    everything = str(await tenants.cloud.rows())
    assert made["token"] not in everything


async def test_a_token_has_a_role_that_is_no_more_than_its_makers(tenants: Tenants) -> None:
    reader = await holder(tenants, tenants.cloud)
    await reader.call("QueryZone")
    assert (await reader.refused("CreateZone", name="z"))[0] == "ID.1002"
    assert (await reader.refused("StopVmInstance", uuid="x"))[0] == "ID.1002"
    operator = await holder(tenants, tenants.cloud, sessionRole="operator")
    assert (await operator.refused("CreateZone", name="z"))[0] == "ID.1002"
    assert (await operator.refused("StopVmInstance", uuid="x"))[0] == "SYS.1003"
    full = await admin(tenants)
    await full.call("CreateZone", name="z")
    tenant = await tenants.account("a")
    account = await holder(tenants, tenant, sessionRole="operator")
    assert account.account_uuid == tenant.account_uuid
    for caller in (account, tenant):
        assert (await caller.refused("CreateZone", name="z"))[0] == "ID.1002"


async def test_a_token_makes_no_tokens_and_revokes_only_itself(tenants: Tenants) -> None:
    full = await admin(tenants)
    assert (await full.refused("CreateAccessToken", name="more"))[0] == "ID.1002"
    other = await tenants.cloud.call("CreateAccessToken", name="other")
    assert (await full.refused("DeleteAccessToken", uuid=other["uuid"]))[0] == "ID.1002"
    own = next(each for each in await tenants.cloud.query("QueryAccessToken") if each["name"] == "ci")
    await full.call("DeleteAccessToken", uuid=own["uuid"])
    assert await full.refused("QueryZone") == (
        "ID.1001", "the access token is unknown; it may have been revoked",
    )  # fmt: skip


async def test_a_scope_names_messages_or_patterns(tenants: Tenants) -> None:
    narrow = await holder(tenants, tenants.cloud, sessionRole="admin", scope=["Query*", "StartVmInstance"])
    await narrow.call("QueryHost")
    assert (await narrow.refused("StartVmInstance", uuid="x"))[0] == "SYS.1003"
    code, details = await narrow.refused("StopVmInstance", uuid="x")
    assert code == "ID.1002"
    assert details.startswith("StopVmInstance is not in the scope of the access token[uuid:")
    async with tenants.cloud.untouched():
        error = await tenants.cloud.refused("CreateAccessToken", name="ci", scope=["Fly*"])
        assert (error["code"], "Fly*" in error["details"]) == ("SYS.1007", True)


async def test_a_token_ends_by_itself_and_is_forgotten_later(tenants: Tenants) -> None:
    brief = await holder(tenants, tenants.cloud, expiresIn=60)
    uuid = (await one(tenants))["uuid"]

    def end(tx: Transaction, ago: float) -> None:
        tx.update(tx.get(AccessToken, uuid), expired_date=Timestamp(tx.now - ago))

    await tenants.cloud.database.write(lambda tx: end(tx, 1))
    assert await brief.refused("QueryZone") == (
        "ID.1001", f"the access token[uuid:{uuid}] has expired; make another with CreateAccessToken",
    )  # fmt: skip
    await tenants.cloud.call("CreateAccessToken", name="next")
    assert len(await tenants.cloud.query("QueryAccessToken")) == 2
    await tenants.cloud.database.write(lambda tx: end(tx, 31 * 86400))
    await tenants.cloud.call("CreateAccessToken", name="last")
    assert {each["name"] for each in await tenants.cloud.query("QueryAccessToken")} == {"next", "last"}


async def test_a_new_password_ends_sessions_and_no_token(tenants: Tenants) -> None:
    account = await tenants.account("a")
    other = await tenants.log_in("a", account.account_uuid)
    program = await holder(tenants, account)
    await account.call("UpdateAccount", password=hash_password("another"))
    assert (await other.refused("QueryZone"))[0] == "ID.1001"
    (token,) = await program.seen("QueryAccessToken")
    await account.call("DeleteAccessToken", uuid=token)
    assert (await program.refused("QueryZone"))[0] == "ID.1001"


@pytest.mark.parametrize("seconds", [0, -1, 10**12])
async def test_no_token_lasts_for_ever(tenants: Tenants, seconds: int) -> None:
    async with tenants.cloud.untouched():
        error = await tenants.cloud.refused("CreateAccessToken", name="ci", expiresIn=seconds)
        assert error["code"] == "SYS.1007"


async def test_an_account_sees_its_own_tokens_only_and_takes_them_along(tenants: Tenants) -> None:
    tenant, other = await tenants.account("a"), await tenants.account("b")
    key = await holder(tenants, tenant)
    mine = await tenant.seen("QueryAccessToken")
    assert len(mine) == 1
    assert await other.seen("QueryAccessToken") == set()
    assert (await other.refused("DeleteAccessToken", uuid=next(iter(mine))))[0] in ("ID.1002", "SYS.1003")
    await tenants.cloud.call("DeleteAccount", uuid=tenant.account_uuid)
    assert (await key.refused("QueryZone"))[0] == "ID.1001"
    assert await tenants.cloud.query("QueryAccessToken") == []


async def test_a_users_token_may_what_the_user_may_and_ends_with_it(tenants: Tenants) -> None:
    account = await tenants.account("a")
    user, uuid = await tenants.user(account, "u")
    statements = [{"effect": "Allow", "actions": ["identity:APICreateAccessTokenMsg"]}]
    policy = await account.make("CreatePolicy", name="p", statements=statements)
    await account.call("AttachPolicyToUser", policyUuid=policy, userUuid=uuid)
    key = await holder(tenants, user, sessionRole="operator")
    await key.call("GetVolumeFormat")
    assert await key.refused("StartVmInstance", uuid="x") == await user.refused("StartVmInstance", uuid="x")
    await account.call("DeleteUser", uuid=uuid)
    assert (await key.refused("GetVolumeFormat"))[0] == "ID.1001"
    assert await tenants.cloud.query("QueryAccessToken") == []
