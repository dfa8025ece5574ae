"""Images in files: sent in from any byte on, written out again with the same bytes, converted from VMDK."""

from __future__ import annotations

import asyncio
import hashlib
import subprocess
import sys
from pathlib import Path
from uuid import uuid4

import pytest

from appliance.api.errors import BackupStorageFailed
from appliance.lab.cloud import tiny_image
from tests.e2e.conftest import VmFactory
from tests.e2e.stage import IMAGES, Stage
from tests.e2e.test_template import nothing_left, removed


def md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


async def zstui(cloud: Stage, *words: str) -> str:
    """What the command line prints."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "zstui", "--data", str(cloud.appliance.folder), *words,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    said, _ = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0, said.decode()
    return said.decode()


@pytest.mark.timeout(300)
async def test_half_an_upload_is_gone_on_with_and_the_image_comes_out_again(
    cloud: Stage, tmp_path: Path
) -> None:
    file, out = tiny_image(), tmp_path / "out.qcow2"
    job = await cloud.session.call_job(
        "AddImage", name="halves", url="upload://x", format="qcow2", backup_storage_uuids=[cloud.backup]
    )
    (image,) = await cloud.session.query("Image", name="halves")
    half = file.stat().st_size // 2

    enough = asyncio.Event()
    first = asyncio.create_task(
        cloud.session.upload(image["uuid"], file, lambda done, _: enough.set() if done > half else None)
    )
    await asyncio.wait_for(enough.wait(), 30)
    first.cancel()
    await asyncio.wait({first})
    assert first.cancelled()
    told: list[int] = []
    await cloud.session.upload(image["uuid"], file, lambda done, _total: told.append(done))
    assert told[0] > half // 2  # what had arrived was not sent again
    made = (await cloud.session.wait(job, 60))["inventory"]
    assert made["md5Sum"] == md5(file)
    assert 0 < made["actualSize"] <= file.stat().st_size + 4096
    out.with_name("out.qcow2.part").write_bytes(file.read_bytes()[:1000])
    assert made["md5Sum"] in await zstui(cloud, "export", made["uuid"], str(out))
    assert md5(out) == md5(file)
    await removed(cloud, made)
    await nothing_left(cloud)


async def test_an_upload_for_which_there_is_no_room_is_refused_with_the_reason(
    cloud: Stage, tmp_path: Path
) -> None:
    file = tmp_path / "large.raw"
    with file.open("wb") as sparse:
        sparse.truncate(8 << 40)
    await cloud.session.call_job(
        "AddImage", name="large", url="upload://x", format="raw", backup_storage_uuids=[cloud.backup]
    )
    (image,) = await cloud.session.query("Image", name="large")
    with pytest.raises(BackupStorageFailed, match=r"takes 8796093022208 bytes; \d+ are free") as refused:
        await cloud.session.upload(image["uuid"], file, lambda *_: None)
    assert str(refused.value).count(f"/{image['uuid']}.") == 1  # its file is named once
    await cloud.session.call("DeleteImage", uuid=image["uuid"], timeout_seconds=60)
    await nothing_left(cloud)


@pytest.mark.timeout(300)
async def test_an_uploaded_vmdk_boots(cloud: Stage, vm: VmFactory, tmp_path: Path) -> None:
    vmdk = tmp_path / "tiny.vmdk"
    convert = ["qemu-img", "convert", "-f", "qcow2", "-O", "vmdk", str(tiny_image()), str(vmdk)]
    await asyncio.to_thread(subprocess.run, convert, check=True, timeout=60)
    before = [await cloud.files(host, IMAGES) for host in cloud.machines]
    image = uuid4().hex
    await zstui(
        cloud, "call", "AddImage", "name=foreign", f"url=upload://{vmdk}", "format=vmdk",
        f"resourceUuid={image}", f"backupStorageUuids={cloud.backup}",
    )  # fmt: skip
    (made,) = await cloud.session.query("Image", uuid=image)
    assert (made["format"], made["status"]) == ("qcow2", "Ready")
    guest = await (await vm("foreign", image=image)).booted()
    await guest.destroy()
    await removed(cloud, made)
    await nothing_left(cloud)
    assert [await cloud.files(host, IMAGES) for host in cloud.machines] == before
