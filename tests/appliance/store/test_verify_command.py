"""`zstui verify` and `zstui backup` where no appliance runs: the store is read, and nothing is started or made."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from pysqlite3 import dbapi2 as sqlite

from appliance.api.audit import AuditEntry
from appliance.api.resource import Timestamp
from appliance.config import Config
from appliance.starting import answers
from appliance.store import audit, migrations
from appliance.store.database import Database
from tests.simulated_cloud import Cloud
from zstui.__main__ import main

from .samples import zone


@pytest.fixture(autouse=True)
def umask() -> Iterator[None]:
    """To serve takes others' right to read what the process makes from then on; here that is the tests' process."""
    before = os.umask(0o022)
    yield
    os.umask(before)


@pytest.fixture(autouse=True)
def nothing_is_started(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: object) -> None:
        raise AssertionError("an appliance was started")

    monkeypatch.setattr("appliance.starting._spawn", refuse)


async def stopped(folder: Path, *, spoil: bool = False) -> None:
    database = await Database.open(folder)
    await database.write(lambda tx: tx.insert(zone("a")))
    if spoil:
        await database.write(lambda tx: tx.rows("UPDATE zone SET description = 'b'"))
    await database.close()


@pytest.mark.parametrize("spoil", [False, True])
async def test_a_stopped_store_is_verified_without_an_appliance(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], spoil: bool
) -> None:
    folder = tmp_path / "data"
    await stopped(folder, spoil=spoil)
    assert main(["--data", str(folder), "verify"]) == int(spoil)
    out = capsys.readouterr().out
    assert ("does not fit its checksum" in out, "the store is sound" in out) == (spoil, not spoil)
    assert not answers(Config(folder).socket)
    await (await Database.open(folder)).close()


async def cut_log(database: Database) -> None:
    made = [
        AuditEntry(sequence=0, create_date=Timestamp(0), source="here", message=f"Call{number}")
        for number in range(3)
    ]
    await database.write(lambda tx: audit.append(tx, made))
    await database.write(lambda tx: tx.rows("DELETE FROM audit_entry WHERE sequence > 1"))


async def test_an_audit_log_that_somebody_cut_is_found(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    database = await Database.open(tmp_path)
    await cut_log(database)
    assert await database.verify() == []
    await database.close()
    assert main(["--data", str(tmp_path), "verify"]) == 1
    assert capsys.readouterr().out == "the audit log: entries 2 to 3 are missing, at the end\n"


async def test_an_audit_log_that_somebody_cut_is_found_while_the_appliance_runs(cloud: Cloud) -> None:
    await cut_log(cloud.database)
    (found,) = (await cloud.call("VerifyStore"))["findings"]
    assert re.fullmatch("the audit log: entries 2 to [0-9]+ are missing, at the end", found)


@pytest.mark.parametrize("words", [["--serve"], ["migrate"], ["verify"], ["backup", "copy.db"]])
async def test_a_store_of_a_later_version_is_refused_with_what_to_do_and_left_as_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    await stopped(tmp_path / "data")
    store, known = tmp_path / "data/store.db", migrations.latest()
    raw = sqlite.connect(str(store))
    raw.execute(f"PRAGMA user_version = {known + 1}")
    raw.close()
    before = store.read_bytes()
    assert await asyncio.to_thread(main, ["--data", str(tmp_path / "data"), *words]) == 1
    captured = capsys.readouterr()
    said = captured.out + captured.err
    why = f"is of version {known + 1}, which a later zstui wrote, and this one knows versions up to {known}; "
    assert why + "use that zstui" in said
    if words[0] in {"--serve", "migrate"}:
        assert f"zstui: {store} {why}" in said
        assert "or go back by zstui restore FILE, where FILE is a backup from before the upgrade" in said
        assert f"those that upgrades make are in {tmp_path / 'data/backups'}\n" in said
    assert store.read_bytes() == before
    assert not (tmp_path / "copy.db").exists()


@pytest.mark.parametrize("words", [["verify"], ["backup", "copy.db"]])
def test_a_folder_without_a_store_is_left_as_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "other").mkdir(mode=0o755)
    for name in ("mistyped/x", "other"):
        assert main(["--data", name, *words]) == 1
        said = f"zstui: there is no store in {tmp_path / name}; --data names the folder of one\n"
        assert capsys.readouterr().err == said
    assert [each.name for each in tmp_path.rglob("*")] == ["other"]
    assert (tmp_path / "other").stat().st_mode & 0o777 == 0o755


async def test_a_store_that_is_in_use_is_not_read_beside_its_owner(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    database = await Database.open(tmp_path / "data")
    try:
        assert main(["--data", str(tmp_path / "data"), "verify"]) == 1
        assert "is in use by process" in capsys.readouterr().err
    finally:
        await database.close()
