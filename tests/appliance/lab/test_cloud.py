"""Steps of the demo cloud: each looks for what it would make, and makes it only when it is absent."""

from __future__ import annotations

from pathlib import Path

import pytest

from appliance.config import Config
from appliance.lab import Lab, LabError
from appliance.lab.cloud import Cloud as LabCloud
from appliance.lab.cloud import Maker
from appliance.lab.data_folder import DataFolder
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


def lab_cloud(
    tmp_path: Path, data: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> tuple[LabCloud, list[str]]:
    """The cloud of a lab that never came up, and what is done to its hosts."""
    lab = Lab(name, 1, tmp_path / "labs" / name)
    done: list[str] = []

    async def take_down() -> None:
        done.append("down")

    async def purge() -> None:
        done.append("purge")

    monkeypatch.setattr(lab, "down", take_down)
    monkeypatch.setattr(lab, "purge", purge)
    return LabCloud(Config(data), lab, progress=done.append), done


async def test_the_data_of_another_lab_is_not_purged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = tmp_path / "data"
    DataFolder(data, "one").claim()
    (data / "store.db").write_text("precious")
    other, done = lab_cloud(tmp_path, data, "two", monkeypatch)
    for action in (other.purge, other.down, other.up):
        with pytest.raises(LabError, match="is the data of the lab 'one', not of 'two'"):
            await action()
    assert done == []
    assert (data / "store.db").read_text() == "precious"

    own, done = lab_cloud(tmp_path, data, "one", monkeypatch)
    await own.purge()
    assert done == ["down", "purge"]
    assert not data.exists()
    await own.purge()  # a second time finds nothing


async def test_a_folder_of_no_lab_is_not_purged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even one that a lab's cloud was brought up on later: somebody's appliance was there before."""
    data = tmp_path / "data"
    data.mkdir()
    (data / "store.db").write_text("precious")
    DataFolder(data, "one").claim()
    own, done = lab_cloud(tmp_path, data, "one", monkeypatch)
    with pytest.raises(LabError, match="is not the data of a lab"):
        await own.purge()
    assert done == []
    assert (data / "store.db").exists()
