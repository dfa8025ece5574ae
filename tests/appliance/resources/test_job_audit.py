"""The audit log says of a job's call that it was accepted, and when the job ends what came of it."""

from __future__ import annotations

from appliance.api.audit import AuditEntry
from tests.simulated_cloud import Cloud


async def entries(cloud: Cloud, job: str) -> list[AuditEntry]:
    return await cloud.database.read(lambda s: s.all(AuditEntry, job_uuid=job, order_by="sequence"))


async def test_a_call_is_accepted_and_its_end_is_an_entry_of_its_own(cloud: Cloud) -> None:
    vm = await cloud.vm()
    _, job = await cloud.begin("StopVmInstance", uuid=vm["uuid"])
    assert job is not None
    (accepted,) = await entries(cloud, job)
    assert (accepted.stage, accepted.code, accepted.source) == ("accepted", None, "test")
    await cloud.ended(job)
    _, ended = await entries(cloud, job)
    assert (ended.stage, ended.code, ended.details) == ("ended", None, None)
    assert (ended.message, ended.target_uuid) == ("StopVmInstance", vm["uuid"])
    assert (ended.account_uuid, ended.source) == (accepted.account_uuid, "the appliance")
    assert await cloud.database.audit_findings(None) == []


async def test_a_failure_that_comes_late_is_in_the_log(cloud: Cloud) -> None:
    vm = await cloud.vm()
    cloud.host_of(vm["uuid"]).delays.by_verb["ShutdownDomain"] = 0.1
    jobs = [(await cloud.begin(name, uuid=vm["uuid"]))[1] for name in ("StopVmInstance", "RebootVmInstance")]
    error = (await cloud.ended(str(jobs[1])))["error"]
    accepted, ended = await entries(cloud, str(jobs[1]))
    assert (accepted.stage, accepted.code) == ("accepted", None)
    assert (ended.stage, ended.code, ended.details) == ("ended", error["code"], error["details"])


async def test_what_is_done_when_it_is_answered_has_one_entry(cloud: Cloud) -> None:
    await cloud.call("UpdateZone", uuid=cloud.uuids["zone"], name="other")
    found = await cloud.database.read(lambda s: s.all(AuditEntry, message="UpdateZone"))
    assert [(each.stage, each.code) for each in found] == [(None, None)]
