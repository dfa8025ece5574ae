"""A machine is one host, whatever addresses it has."""

from __future__ import annotations

from tests.appliance.resources.test_bad_input import PASSWORD, says
from tests.simulated_cloud import Cloud


async def test_a_machine_that_is_a_host_under_another_address(cloud: Cloud) -> None:
    hosts = cloud.dialer.hosts
    hosts["10.0.9.1:22"] = machine = hosts["10.0.0.1:22"]
    (known,) = await cloud.query("QueryHost", managementIp="10.0.0.1")
    async with cloud.untouched():
        error = await cloud.refused(
            "AddKVMHost", name="again", managementIp="10.0.9.1", clusterUuid=cloud.uuids["cluster"],
            username="root", password=PASSWORD,
        )  # fmt: skip
        says(error, "HOST.1000", "managementIp[10.0.9.1]", known["name"], known["uuid"], "10.0.0.1")
        assert error["cause"]["code"] == "HOST.1004"
        error = await cloud.refused(
            "AddSftpBackupStorage", name="again", hostname="10.0.9.1", url="/again",
            username="root", password=PASSWORD,
        )  # fmt: skip
        assert error["cause"]["code"] == "HOST.1004"
        assert machine.claim.host_uuid == known["uuid"]
    assert (await cloud.query("QueryHost", managementIp="10.0.0.1"))[0]["status"] == "Connected"


async def test_a_second_row_of_a_machine_goes_and_leaves_it_to_the_first(cloud: Cloud) -> None:
    """As two that were added at once, or before this was refused."""
    await cloud.vm()
    hosts = cloud.dialer.hosts
    machine = hosts["10.0.0.1:22"]
    before, claim = cloud.things()["10.0.0.1"], machine.claim
    rows = await cloud.rows()
    second = await cloud.call(
        "AddKVMHost", name="again", managementIp="10.0.9.1", clusterUuid=cloud.uuids["cluster"],
        username="root", password=PASSWORD,
    )  # fmt: skip
    apart, hosts["10.0.9.1:22"] = hosts["10.0.9.1:22"], machine
    apart.cut("it turns out to be another")
    await cloud.until(
        lambda: cloud.query("QueryHost", uuid=second["uuid"]),
        lambda found: "10.0.0.1" in str(found[0].get("statusReason")),
    )
    error = await cloud.refused("ReconnectHost", uuid=second["uuid"])
    says(error, "HOST.1002", "10.0.0.1")
    assert error["cause"]["code"] == "HOST.1004"
    await cloud.call("DeleteHost", uuid=second["uuid"])
    assert machine.claim == claim
    assert cloud.things()["10.0.0.1"] == before
    assert (await cloud.query("QueryHost", managementIp="10.0.0.1"))[0]["status"] == "Connected"
    assert await cloud.rows() == rows


async def test_a_second_row_that_has_the_machine_leaves_what_the_first_runs_on_it(cloud: Cloud) -> None:
    """An agent of the version before never said which host it is; whoever comes first is it then."""
    hosts = cloud.dialer.hosts
    machine, (known,) = hosts["10.0.0.1:22"], await cloud.query("QueryHost", managementIp="10.0.0.1")
    vm = await cloud.vm(hostUuid=known["uuid"])
    before = cloud.things()["10.0.0.1"]
    second = await cloud.call(
        "AddKVMHost", name="again", managementIp="10.0.9.1", clusterUuid=cloud.uuids["cluster"],
        username="root", password=PASSWORD,
    )  # fmt: skip
    apart, hosts["10.0.9.1:22"] = hosts["10.0.9.1:22"], machine
    machine.disown()
    apart.cut("it turns out to be another")
    await cloud.until(
        lambda: cloud.query("QueryHost", uuid=known["uuid"]),
        lambda found: "10.0.9.1" in str(found[0].get("statusReason")),
    )
    await cloud.call("DeleteHost", uuid=second["uuid"])
    assert cloud.things()["10.0.0.1"] == before
    await cloud.call("ReconnectHost", uuid=known["uuid"])
    assert machine.claim.host_uuid == known["uuid"]
    assert (await cloud.query("QueryVmInstance", uuid=vm["uuid"]))[0]["state"] == "Running"


async def test_a_machine_is_taken_over_from_a_host_that_was_deleted_while_it_was_away(cloud: Cloud) -> None:
    machine = cloud.dialer.hosts["10.0.0.2:22"]
    (known,) = await cloud.query("QueryHost", managementIp="10.0.0.2")
    machine.reachable = False
    machine.cut("the cable")
    await cloud.call("DeleteHost", uuid=known["uuid"])
    assert machine.claim.host_uuid == known["uuid"]
    machine.reachable = True
    cloud.dialer.hosts["10.0.9.2:22"] = machine
    new = await cloud.call(
        "AddKVMHost", name="again", managementIp="10.0.9.2", clusterUuid=cloud.uuids["cluster"],
        username="root", password=PASSWORD,
    )  # fmt: skip
    assert (new["status"], machine.claim.host_uuid) == ("Connected", new["uuid"])
