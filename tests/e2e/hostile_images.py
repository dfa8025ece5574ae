"""Image files that mean harm: each names a file of its host, wants endless room, or is not what it is said to be."""

from __future__ import annotations

import json
import os
import struct
import subprocess
from pathlib import Path

SECRET = "/etc/shadow"
CLUSTER = 1 << 16
MIB = 1 << 20
SIZE_AT, L1_ENTRIES_AT, REFCOUNT_CLUSTERS_AT, SNAPSHOTS_AT, INCOMPATIBLE_AT = 24, 36, 56, 60, 72
COMPRESSED = 1 << 62


def _create(path: Path, size: str = "16M", *words: str) -> None:
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", *words, str(path), size], check=True)


def _patch(path: Path, at: int, form: str, *values: int) -> None:
    content = bytearray(path.read_bytes())
    struct.pack_into(form, content, at, *values)
    path.write_bytes(content)


def _patched(path: Path, at: int, form: str, *values: int) -> None:
    _create(path)
    _patch(path, at, form, *values)


def _with_extension(path: Path, kind: int, body: bytes) -> None:
    """A header extension before all others."""
    _create(path)
    content = bytearray(path.read_bytes())
    (start,) = struct.unpack_from(">I", content, 100)
    added = struct.pack(">II", kind, len(body)) + body.ljust(-(-len(body) // 8) * 8, b"\0")
    content[start:4096] = (added + content[start:4096])[: 4096 - start]
    path.write_bytes(content)


def _builds_on(path: Path, name: str) -> None:
    """A backing file named by hand: qemu-img would look whether it is there."""
    _create(path)
    content = bytearray(path.read_bytes())
    content[4096 : 4096 + len(name)] = name.encode()
    struct.pack_into(">QI", content, 8, 4096, len(name))
    path.write_bytes(content)


def on_a_secret(path: Path) -> None:
    _builds_on(path, SECRET)


def on_itself(path: Path) -> None:
    _builds_on(path, path.name)


def on_a_secret_by_json(path: Path) -> None:
    _builds_on(path, "json:" + json.dumps({"driver": "raw", "file": {"driver": "file", "filename": SECRET}}))


def on_the_network(path: Path) -> None:
    _builds_on(path, "nbd://127.0.0.1:10809/x")


def data_in_a_secret(path: Path) -> None:
    """With the feature, as CVE-2024-32498 has it."""
    _with_extension(path, 0x44415441, SECRET.encode())
    _patch(path, INCOMPATIBLE_AT, ">Q", 4)


def data_in_a_secret_by_name_alone(path: Path) -> None:
    _with_extension(path, 0x44415441, SECRET.encode())


def of_an_exbibyte(path: Path) -> None:
    _patched(path, SIZE_AT, ">Q", 1 << 60)


def of_no_size_that_can_be(path: Path) -> None:
    _patched(path, SIZE_AT, ">Q", (1 << 64) - 512)


def of_a_pebibyte_well_made(path: Path) -> None:
    """As qemu-img makes it: seventeen megabytes of tables."""
    _create(path, "1P", "-o", "cluster_size=2M")


def with_endless_l1_table(path: Path) -> None:
    _patched(path, L1_ENTRIES_AT, ">I", (1 << 32) - 1)


def with_endless_refcount_table(path: Path) -> None:
    _patched(path, REFCOUNT_CLUSTERS_AT, ">I", (1 << 32) - 1)


def with_endless_snapshots(path: Path) -> None:
    _patched(path, SNAPSHOTS_AT, ">IQ", (1 << 32) - 1, CLUSTER)


def with_unknown_features(path: Path) -> None:
    _patched(path, INCOMPATIBLE_AT, ">Q", 1 << 40)


def encrypted(path: Path) -> None:
    _patched(path, 32, ">I", 2)


def of_one_cluster_a_thousand_times(path: Path) -> None:
    """One compressed cluster of zeros is all that the file has, and every place of the disk points to it."""
    raw = path.with_suffix(".raw")
    raw.write_bytes(os.urandom(CLUSTER // 2) + bytes(64 * MIB - CLUSTER // 2))
    words = ["qemu-img", "convert", "-c", "-f", "raw", "-O", "qcow2", str(raw), str(path)]
    subprocess.run(words, check=True)
    raw.unlink()
    content = path.read_bytes()
    (l1_at,) = struct.unpack_from(">Q", content, 40)
    (l2_at,) = struct.unpack_from(">Q", content, l1_at)
    l2_at &= (1 << 56) - 512
    (entry,) = struct.unpack_from(">Q", content, l2_at)
    assert entry & COMPRESSED
    _patch(path, l2_at, ">1024Q", *[entry] * 1024)


def raw_that_is_qcow2(path: Path) -> None:
    _create(path)


def _vmdk(path: Path, description: str) -> None:
    text = f"# Disk DescriptorFile\nversion=1\nCID=fffffffe\n{description}\n".encode().ljust(1024, b"\0")
    head = struct.pack("<4sIIQQQQ", b"KDMV", 1, 3, 32768, 128, 1, 2).ljust(512, b"\0")
    path.write_bytes(head + text + bytes(MIB))


def vmdk_description_alone(path: Path) -> None:
    text = 'version=1\nCID=fffffffe\nparentCID=ffffffff\ncreateType="monolithicFlat"\n'
    path.write_text(f'# Disk DescriptorFile\n{text}RW 4 FLAT "{SECRET}" 0\n')


def vmdk_with_a_flat_extent(path: Path) -> None:
    _vmdk(path, f'parentCID=ffffffff\ncreateType="monolithicSparse"\nRW 4 FLAT "{SECRET}" 0')


def vmdk_with_a_parent(path: Path) -> None:
    _vmdk(
        path,
        f'parentCID=12345678\nparentFileNameHint="{SECRET}"\ncreateType="monolithicSparse"\nRW 32768 SPARSE "a.vmdk"',
    )


def _other(path: Path, kind: str) -> None:
    subprocess.run(["qemu-img", "create", "-q", "-f", kind, str(path), "16M"], check=True)


def a_vdi(path: Path) -> None:
    _other(path, "vdi")


def a_vhdx(path: Path) -> None:
    _other(path, "vhdx")


def no_iso(path: Path) -> None:
    path.write_bytes(bytes(MIB))
