"""Images that mean harm, through the API and on a real host: refused by name, soon, and nothing is left."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from urllib.parse import quote

import pytest
import pytest_asyncio

from appliance.api.errors import ApiError
from appliance.lab.cloud import tiny_image
from tests.e2e import hostile_images as hostile
from tests.e2e import traces
from tests.e2e.stage import IMAGES, Stage
from tests.e2e.test_template import removed

SECONDS = 30
HOSTILE: list[tuple[Callable[[Path], None], str, str]] = [
    (hostile.on_a_secret, "qcow2", "builds on another file"),
    (hostile.on_itself, "qcow2", "builds on another file"),
    (hostile.on_a_secret_by_json, "qcow2", "builds on another file"),
    (hostile.on_the_network, "qcow2", "builds on another file"),
    (hostile.data_in_a_secret, "qcow2", "keeps its data in another file"),
    (hostile.data_in_a_secret_by_name_alone, "qcow2", "names another file for its data"),
    (hostile.of_an_exbibyte, "qcow2", "at most"),
    (hostile.of_no_size_that_can_be, "qcow2", "at most"),
    (hostile.of_a_pebibyte_well_made, "qcow2", "at most"),
    (hostile.with_endless_l1_table, "qcow2", "tables where none can be"),
    (hostile.with_endless_refcount_table, "qcow2", "table too large"),
    (hostile.with_endless_snapshots, "qcow2", "table too large"),
    (hostile.with_unknown_features, "qcow2", "not known here"),
    (hostile.encrypted, "qcow2", "is encrypted"),
    (hostile.of_one_cluster_a_thousand_times, "qcow2", "damaged or cut off"),
    (hostile.raw_that_is_qcow2, "raw", "is declared raw and is qcow2"),
    (hostile.raw_that_is_qcow2, "iso", "is declared iso and is qcow2"),
    (hostile.vmdk_description_alone, "vmdk", "no disk in one file"),
    (hostile.vmdk_with_a_flat_extent, "vmdk", "data in other files"),
    (hostile.vmdk_with_a_parent, "vmdk", "builds on another file"),
    (hostile.vmdk_description_alone, "qcow2", "declared qcow2 and is not"),
    (hostile.a_vdi, "qcow2", "declared qcow2 and is not"),
    (hostile.a_vhdx, "vmdk", "no disk in one file"),
    (hostile.no_iso, "iso", "has no ISO 9660 volume"),
]


@pytest_asyncio.fixture(loop_scope="session")
async def untouched(cloud: Stage, tmp_path: Path) -> AsyncIterator[None]:
    """Nothing of the image is on the host or in the store afterwards, and the host answers."""
    first = cloud.machines[0]
    before = await cloud.files(first)
    yield
    assert await cloud.files(first) == before
    assert await traces.in_store(cloud, tmp_path, "hostile-image") == []
    assert await cloud.pids(first, "qemu-img") == []


async def refused(cloud: Stage, url: str, image_format: str, file: Path | None = None) -> str:
    """What is said of an image that is not taken."""
    media = {"media_type": "ISO"} if image_format == "iso" else {}
    job = await cloud.session.call_job(
        "AddImage", name="hostile-image", url=url, format=image_format, backup_storage_uuids=[cloud.backup],
        **media,
    )  # fmt: skip
    if file is not None:
        (image,) = await cloud.session.query("Image", name="hostile-image")
        await cloud.session.upload(image["uuid"], file)
    with pytest.raises(ApiError) as failed:
        await cloud.session.wait(job, SECONDS)
    assert failed.value.code == "IMG.1000", failed.value.details
    return failed.value.details


@pytest.mark.parametrize(("make", "image_format", "word"), HOSTILE)
@pytest.mark.usefixtures("untouched")
async def test_an_image_that_means_harm_is_refused_and_leaves_nothing(
    cloud: Stage, tmp_path: Path, make: Callable[[Path], None], image_format: str, word: str
) -> None:
    path = tmp_path / "image"
    await asyncio.to_thread(make, path)
    said = await refused(cloud, "upload://image", image_format, path)
    assert word in said
    assert "root:" not in said


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("to-secret", "below none of the folders"),
        ("../etc/shadow", "not a plain absolute path"),
        ("out/etc/shadow", "below none of the folders"),
        ("%2e%2e/etc/shadow", "not a plain absolute path"),
        ("fifo", "not a regular file"),
        ("folder", "not a regular file"),
        ("zeros", "not a regular file"),
        ("a%00b", ""),
        ("x" * 300, ""),
        ("absent", "No such file"),
    ],
)
async def test_a_path_that_leads_elsewhere_is_no_source(
    cloud: Stage, tmp_path: Path, name: str, word: str
) -> None:
    first, place = cloud.machines[0], f"{IMAGES}/hostile"
    made = (
        f"mkdir {place}; ln -s /etc/shadow {place}/to-secret; ln -s / {place}/out; mkfifo {place}/fifo; "
        f"mkdir {place}/folder; mknod {place}/zeros c 1 5"
    )
    await cloud.run(first, "sh", "-c", made)
    before = await cloud.files(first)
    try:
        said = await refused(cloud, f"file://{place}/{quote(name, safe='/%')}", "raw")
        assert word in said
        assert await cloud.files(first) == before
        assert await traces.in_store(cloud, tmp_path, "hostile-image") == []
    finally:
        await cloud.run(first, "rm", "-r", place)


async def test_a_name_that_is_a_path_names_no_file(cloud: Stage) -> None:
    """What an image is called is said of it, and decides nothing about where it is."""
    first = cloud.machines[0]
    before = await cloud.files(first, "/zstack_bs", "/zstack_ps", "/etc", "/root", "/tmp")
    name = "upload://../../../etc/cron.d/hostile"
    job = await cloud.session.call_job(
        "AddImage", name="hostile-name", url=name, format="qcow2", backup_storage_uuids=[cloud.backup]
    )
    (image,) = await cloud.session.query("Image", name="hostile-name")
    await cloud.session.upload(image["uuid"], tiny_image())
    made = (await cloud.session.wait(job, 60))["inventory"]
    after = await cloud.files(first, "/zstack_bs", "/zstack_ps", "/etc", "/root", "/tmp")
    assert [path for path in after - before if image["uuid"] not in path] == []
    await removed(cloud, made)


async def test_nothing_that_listens_on_the_storages_machine_alone_becomes_an_image(cloud: Stage) -> None:
    first = cloud.machines[0]
    served = "exec busybox httpd -f -p 127.0.0.1:8099 -h /etc"
    await cloud.run(first, "sh", "-c", f"({served}) </dev/null >/dev/null 2>&1 & echo $! >/run/hostile.pid")
    before = await cloud.files(first)
    try:
        for host in ("127.0.0.1", "localhost", "[::ffff:127.0.0.1]"):
            said = await refused(cloud, f"http://{host}:8099/hostname", "raw")
            assert "no other machine" in said
        said = await refused(cloud, f"http://{first.address}:22/", "raw")
        assert "no other machine" in said
        assert await cloud.files(first) == before
    finally:
        await cloud.run(first, "sh", "-c", "kill $(cat /run/hostile.pid); rm /run/hostile.pid")
