"""VMDK images: converted from their stated format, and refused when they reach for another file."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from agent.download import Downloads
from agent.image import read_header
from agent.paths import Paths
from agent.protocol import EnsureStorage, FetchImage, ImageFacts
from agent.refused import Refused
from agent.storage import StorageRoots

MIB = 1 << 20


def img(*words: str) -> None:
    subprocess.run(["qemu-img", *words], check=True, timeout=30, capture_output=True)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A raw disk of 8 MiB with something in it."""
    path = tmp_path / "source.raw"
    img("create", "-q", "-f", "raw", str(path), "8M")
    subprocess.run(["qemu-io", "-f", "raw", "-c", "write -P 7 1M 1M", str(path)], check=True, timeout=30,
                   capture_output=True)  # fmt: skip
    return path


async def fetch(folder: Path, path: Path) -> tuple[Path, ImageFacts]:
    storage = StorageRoots(Paths(folder / "state", folder / "run"))
    storage.ensure(EnsureStorage(storage_uuid="a" * 32, root=str(folder / "bs")))
    place = folder / "bs" / "images" / "i.qcow2"
    request = FetchImage(
        image_uuid="i", url=f"file://{path}", path=str(place), format="qcow2", source_format="vmdk",
        allowed_folders=[str(folder)],
    )  # fmt: skip
    try:
        return place, await Downloads(storage).fetch(request, lambda _done, _total: None)
    except Refused:
        assert not list((folder / "bs").rglob("*.*"))
        raise


@pytest.mark.parametrize("kind", ["monolithicSparse", "streamOptimized"])
async def test_a_vmdk_in_one_file_becomes_qcow2(tmp_path: Path, source: Path, kind: str) -> None:
    vmdk = tmp_path / "disk.vmdk"
    img("convert", "-f", "raw", "-O", "vmdk", "-o", f"subformat={kind}", str(source), str(vmdk))
    place, facts = await fetch(tmp_path, vmdk)
    assert (facts.format, facts.size_bytes, facts.actual_bytes) == ("qcow2", 8 * MIB, place.stat().st_size)
    assert read_header(place, "qcow2").backing is None
    img("compare", "-f", "raw", "-F", "qcow2", str(source), str(place))
    assert [path.name for path in place.parent.iterdir()] == ["i.qcow2"]


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("-o", "subformat=monolithicFlat"), "image.not_an_image"),
        (("-o", "subformat=twoGbMaxExtentSparse"), "image.not_an_image"),
        (("-b", "{base}", "-F", "vmdk"), "image.backing_file"),
    ],
)
async def test_one_that_names_another_file_is_refused(
    tmp_path: Path, words: tuple[str, ...], code: str
) -> None:
    base, vmdk = tmp_path / "base.vmdk", tmp_path / "disk.vmdk"
    img("create", "-q", "-f", "vmdk", str(base), "8M")
    named = [word.format(base=base) for word in words]
    img("create", "-q", "-f", "vmdk", *named, str(vmdk), *([] if "-b" in named else ["8M"]))
    with pytest.raises(Refused) as refused:
        await fetch(tmp_path, vmdk)
    assert refused.value.refusal.code == code


async def test_one_that_lies_about_where_its_data_are_is_refused(tmp_path: Path) -> None:
    vmdk = tmp_path / "disk.vmdk"
    img("create", "-q", "-f", "vmdk", str(vmdk), "8M")
    data = vmdk.read_bytes()
    for old, new in (
        (b"monolithicSparse", b"monolithicFlat\0\0"),
        (b"parentCID=ffffffff", b"parentCID=12345678"),
        (b'RW 16384 SPARSE "disk.vmdk"', b'RW 16384 FLAT "/etc/motd" 0'),
        (b'RW 16384 SPARSE "disk.vmdk"', b'RW 16384 SPARSE "/etc/motd"'),
    ):
        vmdk.write_bytes(data.replace(old, new))
        assert vmdk.read_bytes() != data
        with pytest.raises(Refused):
            await fetch(tmp_path, vmdk)


async def test_what_is_no_vmdk_is_refused(tmp_path: Path, source: Path) -> None:
    with pytest.raises(Refused) as refused:
        await fetch(tmp_path, source)
    assert refused.value.refusal.code == "image.not_an_image"
