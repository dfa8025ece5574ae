"""Where the data is, unless somebody says: where the installation says that a program belongs to."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from appliance.config import default_folder
from appliance.starting import SERVICE
from zstui.__main__ import main

SETTINGS = "DATA=/srv/d\nLISTEN=127.0.0.1:8080\nSERVE=('--name' 'cloud.example')\n"
USUAL = Path("/var/lib/zstui")


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The settings of an installation; who asks is a version of it, as its owner."""
    program = tmp_path / "versions/1.0-abcdef012345/_internal"
    program.mkdir(parents=True)
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    monkeypatch.setattr(sys, "_MEIPASS", str(program), raising=False)
    if os.geteuid():
        pytest.skip("only root takes the folder of an installation")
    path = tmp_path / "settings"
    path.write_text(SETTINGS)
    path.chmod(0o600)
    return path


def test_a_version_of_an_installation_takes_the_data_folder_of_that(
    settings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert default_folder() == Path("/srv/d")
    (tmp_path / "current").symlink_to("versions/1.0-abcdef012345")
    monkeypatch.setattr(sys, "_MEIPASS", str(tmp_path / "current/_internal"))
    assert default_folder() == Path("/srv/d")
    settings.unlink()
    assert default_folder() == USUAL


def test_a_program_of_no_installation_takes_the_usual_one(
    settings: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "zstui/_internal").mkdir(parents=True)
    monkeypatch.setattr(sys, "_MEIPASS", str(tmp_path / "zstui/_internal"))
    assert default_folder() == USUAL
    monkeypatch.delattr(sys, "frozen")
    assert default_folder() == USUAL


@pytest.mark.parametrize(
    "data", ["", "relative", "''", "'/srv/d'", "$'/srv/\\n'", "/srv/a\\ b", "/srv;true", "(/srv)"]
)
def test_settings_that_the_installer_did_not_write_begin_no_appliance(settings: Path, data: str) -> None:
    settings.write_text(f"DATA={data}\n")
    with pytest.raises(
        ValueError, match="names no data folder as zstui writes it; give the data folder by --data"
    ):
        default_folder()


@pytest.mark.parametrize("mode", [0o620, 0o602])
def test_settings_that_others_can_write_are_not_believed(
    settings: Path, mode: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("appliance.starting._spawn", lambda _: pytest.fail("an appliance was started"))
    settings.chmod(mode)
    assert main(["call", "QueryZone"]) == 1
    said = f"zstui: {settings} is not root's, or others can write to it; give the data folder by --data\n"
    assert capsys.readouterr().err == said
    # What needs no data folder does not ask for it.
    assert main(["api", "QueryZone"]) == 0


def test_a_call_waits_for_the_service_of_the_installation(
    settings: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("appliance.starting.START_SECONDS", 0.1)
    data = tmp_path / "data"
    data.mkdir()
    (data / SERVICE).write_text("systemctl start zstui.service\n")
    settings.write_text(f"DATA={data}\n")
    assert main(["call", "QueryZone"]) == 1
    said = capsys.readouterr().err
    assert said.startswith(f"zstui: the service of {data} did not answer")
    assert said.endswith("start it with: systemctl start zstui.service\n")
