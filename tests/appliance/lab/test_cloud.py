"""Steps of the demo cloud: each looks for what it would make, and makes it only when it is absent."""

from __future__ import annotations

from appliance.lab.cloud import Maker
from tests.zstui.conftest import Cloud, cloud

__all__ = ["cloud"]  # a fixture


async def test_what_is_attached_is_not_attached_again(cloud: Cloud) -> None:
    session = cloud.session
    said: list[str] = []
    make = Maker(session, said.append)
    zone = await make("Zone", "CreateZone", name="apart")
    cluster = await make("Cluster", "CreateCluster", name="c", zoneUuid=zone, hypervisorType="KVM")
    primary = await make("PrimaryStorage", "AddLocalPrimaryStorage", name="p", url="/p", zoneUuid=zone)
    l2 = await make("L2Network", "CreateL2NoVlanNetwork", name="l2", zoneUuid=zone, physicalInterface="eth7")
    [backup] = [each["uuid"] for each in await session.query("BackupStorage")]
    wanted = (
        ("AttachBackupStorageToZone", backup, {"zoneUuid": zone, "backupStorageUuid": backup}),
        (
            "AttachPrimaryStorageToCluster",
            primary,
            {"clusterUuid": cluster, "primaryStorageUuid": primary},
        ),
        ("AttachL2NetworkToCluster", l2, {"clusterUuid": cluster, "l2NetworkUuid": l2}),
    )
    for _ in range(2):
        for message, uuid, parameters in wanted:
            await make.attach(message, uuid, **parameters)
    for message, _, _ in wanted:
        assert said.count(message) == 1
        jobs = await session.query("LongJob", name=message)
        assert sum(zone in job["jobData"] or cluster in job["jobData"] for job in jobs) == 1
