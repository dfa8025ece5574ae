"""Bytes from outside, made up by the thousand: each parser of the agent answers or refuses, and never falls over.

`ZSTUI_FUZZ` is how many times as many are tried: `make torture` tries a hundred.
"""

from __future__ import annotations

import contextlib
import os
import struct
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.image import QCOW2_MAGIC, read_header
from agent.metadata import document
from agent.protocol import Call, Done, EnsureNic, Metadata, Ping, encode, normalise
from agent.protocol.frames import decode_call, decode_outgoing, decode_reply
from agent.refused import Refused
from agent.vmdk import MAGIC, SECTOR, vmdk_size

thorough = settings(
    max_examples=100 * int(os.environ.get("ZSTUI_FUZZ", "1")),
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
FRAME = encode(Call(id=1, owner="o", epoch=1, request=Ping()))
U32, U64 = st.integers(0, 2**32 - 1), st.integers(0, 2**64 - 1)
NIC = EnsureNic(
    nic_uuid="n", vm_uuid="v", l3_uuid="l", device="vnic1.0", bridge="br", mac="52:54:00:AA:00:01", ip="10.0.0.5",
    hostname="web", primary=True,
    metadata=Metadata(instance_id="i", local_hostname="web", public_keys=["ssh-ed25519 A a"], user_data="a: b"),
)  # fmt: skip
STEPS = st.sampled_from(
    [
        "latest",
        "2009-04-04",
        "meta-data",
        "user-data",
        "public-keys",
        "0",
        "0=key",
        "nocloud",
        "..",
        ".",
        "",
        "%2e",
        "1",
    ]
)
LINES = st.sampled_from(
    [b"CID=1", b"parentCID=ffffffff", b"parentCID=1", b'createType="monolithicSparse"', b'createType="custom"',
     b'RW 8 SPARSE "a.vmdk"', b'RW 8 FLAT "/etc/shadow" 0', b'parentFileNameHint="/etc/shadow"', b"=", b"\xff"]
)  # fmt: skip


def changed(data: bytes, at: int, new: bytes) -> bytes:
    """Some bytes in the midst of others replaced."""
    at %= len(data)
    return data[:at] + new + data[at + len(new) :]


def decoded(line: bytes) -> None:
    for decode in (decode_call, decode_outgoing):
        with contextlib.suppress(msgspec.DecodeError):
            decode(line)


@thorough
@given(st.binary(max_size=200))
def test_any_line_is_a_frame_or_refused(line: bytes) -> None:
    decoded(line)


@thorough
@given(st.integers(0, 1000), st.binary(min_size=1, max_size=8))
def test_a_frame_with_bytes_changed_is_a_frame_or_refused(at: int, new: bytes) -> None:
    decoded(changed(FRAME, at, new))


@pytest.mark.parametrize(
    "line", [b"[" * 200_000, b'{"a":' * 200_000, b'{"frame":"call","request":' * 50_000, b'"\x80"']
)
def test_what_msgspec_fails_on_is_refused_as_all_else(line: bytes) -> None:
    for decode in (decode_call, decode_outgoing):
        with pytest.raises(msgspec.DecodeError):
            decode(line)
    with pytest.raises(msgspec.DecodeError):
        decode_reply(msgspec.Raw(line), Done)


@thorough
@given(st.lists(STEPS, max_size=6) | st.lists(st.text(max_size=6), max_size=4))
def test_a_path_is_served_exactly_or_not_at_all(steps: list[str]) -> None:
    body = document("/" + "/".join(steps), NIC)
    assert body is None or isinstance(body, str)
    if ".." in steps or "%2e" in steps:
        assert body is None


@thorough
@given(st.text(max_size=100))
def test_user_data_that_was_put_right_stays_so(text: str) -> None:
    assert normalise(normalise(text)) == normalise(text)


def header_of(folder: Path, content: bytes) -> None:
    """A file's header as both formats see it: facts that make sense, or a refusal."""
    path = folder / "image"
    path.write_bytes(content)
    for image_format in ("qcow2", "raw"):
        try:
            header = read_header(path, image_format)
        except Refused:
            continue
        assert header.size_bytes > 0
    with contextlib.suppress(Refused):
        assert vmdk_size(path) > 0


@thorough
@given(st.binary(max_size=2048))
def test_any_file_is_an_image_or_refused(tmp_path: Path, content: bytes) -> None:
    header_of(tmp_path, content)


@thorough
@given(
    st.tuples(U32, U64, U32, U32, U64, U32, U32, U64, U64, U32, U32, U64),
    st.tuples(U64, U64, U64, U32, U32),
    st.binary(max_size=600),
    st.booleans(),
)
def test_any_qcow2_header_is_an_image_or_refused(
    tmp_path: Path, fields: tuple[int, ...], more: tuple[int, ...], rest: bytes, known: bool
) -> None:
    version, *others = fields
    if known:
        version, others[2] = 2 + version % 2, 9 + others[2] % 13
    head = QCOW2_MAGIC + struct.pack(">IQIIQIIQQIIQ", version, *others) + struct.pack(">QQQII", *more)
    header_of(tmp_path, head + rest)


@thorough
@given(U32, U64, U64, U64, st.lists(LINES, max_size=6), st.booleans())
def test_any_vmdk_is_whole_in_itself_or_refused(
    tmp_path: Path, version: int, capacity: int, at: int, length: int, lines: list[bytes], known: bool
) -> None:
    if known:
        version, at, length = 1 + version % 3, at if at % 4 == 0 else 1, 1 + length % 8
    head = struct.pack("<4sIIQQQQ", MAGIC, version, 3, capacity, 128, at, length).ljust(SECTOR, b"\0")
    text = b"\n".join(lines).ljust(SECTOR, b"\0")
    header_of(tmp_path, head + text)
    if any(b"/etc/shadow" in line for line in lines):
        path = tmp_path / "image"
        try:
            vmdk_size(path)
        except Refused:
            return
        raise AssertionError(f"it names another file: {lines}")
