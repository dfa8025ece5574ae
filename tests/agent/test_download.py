"""A local file as the source of an image: only from the folders allowed, and nothing is told of other places."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from agent.download import _open_local
from agent.refused import Refused


def refused(path: Path, folder: Path) -> tuple[str, str]:
    with pytest.raises(Refused) as raised:
        _open_local(f"file://{path}", [str(folder)])
    return raised.value.refusal.code, str(raised.value).replace(str(path), "PATH")


def test_outside_of_the_folders_a_file_that_is_there_and_one_that_is_not_are_refused_alike(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    there = tmp_path / "there"
    there.write_bytes(b"x")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (folder / "out").symlink_to(tmp_path)
    said = refused(there, folder)
    assert said[0] == "url.folder"
    for name in ("absent", "absent/below", "there/below", "loop", "images/out/there", "images/out/absent"):
        assert refused(tmp_path / name, folder) == said


def test_inside_of_them_a_missing_file_is_said_to_be_missing_and_one_that_is_there_is_opened(
    tmp_path: Path,
) -> None:
    (tmp_path / "i").write_bytes(b"x")
    assert refused(tmp_path / "absent", tmp_path)[0] == "file.missing"
    descriptor = _open_local(f"file://{tmp_path}/i", [str(tmp_path)])
    assert os.read(descriptor, 2) == b"x"
    os.close(descriptor)
