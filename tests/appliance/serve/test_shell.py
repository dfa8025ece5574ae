"""The shell: completion, and lines carried out one after another."""

from __future__ import annotations

import asyncio
import io
import os
import pty
import sys
from pathlib import Path

import pytest

from appliance.api.completion import OFFERED, Named, Where
from appliance.api.message import MESSAGES
from appliance.api.resource import Resource
from appliance.api.zone import Zone
from appliance.client import Session
from appliance.serve.reference import names
from appliance.serve.shell import Completer, may_be_kept, shell_command
from appliance.store.transaction import Transaction

from .conftest import Face


def look_up(resource: type[Resource], typed: str, where: Where) -> list[tuple[str, str]]:
    known = {"Zone": [("1" * 32, "north"), ("2" * 32, "south")], "Image": [("3" * 32, "tiny")],
             "UserTag": [("4" * 32, "mine")], "SystemTag": [("5" * 32, "hostname::web")]}  # fmt: skip
    return [
        each
        for each in known.get(resource.__name__, [])
        if each[0].startswith(typed) or each[1].startswith(typed)
    ]


@pytest.mark.parametrize(
    ("line", "offers"),
    [
        ("CreateZ", ["CreateZone"]),
        ("hel", ["help"]),
        ("help CreateZ", ["CreateZone"]),
        ("CreateZone na", ["name="]),
        ("ChangeZoneState stateEvent=", ["stateEvent=enable", "stateEvent=disable"]),
        ("QueryZone count=t", ["count=true"]),
        ("CreateCluster zoneUuid=no", ["zoneUuid=" + "1" * 32]),
        ("CreateCluster zoneUuid=2", ["zoneUuid=" + "2" * 32]),
        ("DeleteZone uuid=so", ["uuid=" + "2" * 32]),
        ("QueryCluster zoneUuid=no", ["zoneUuid=" + "1" * 32]),
        ("QueryZone stat", ["state="]),
        ("CreateVmInstance imageUuid=t", ["imageUuid=" + "3" * 32]),
        ("Nonsense na", []),
        ("DeleteZone uuid=1 u", []),
        ("CreateVmInstance l3NetworkUuids=1 l3", ["l3NetworkUuids="]),
        ("QueryZone uuid=1 uui", ["uuid="]),
        ("CreateAccount role=admin sess", []),
        ("QueryZone fields=uuid,desc", ["fields=uuid,description"]),
        ("QueryZone fields=uuid,uui", []),
        ("QueryZone fields=uuid fields=uui", []),
        ("CreateUserTag resourceType=Zo", ["resourceType=ZoneVO"]),
        ("QuerySystemTag resourceType=Zo", ["resourceType=ZoneVO"]),
        ("QueryEvent resourceType=Zo", ["resourceType=Zone"]),
        ("QueryZone sortBy=desc", ["sortBy=description"]),
        ("QueryVmInstance vmNics.i", ["vmNics.ip="]),
        ("QueryVmInstance vmNics.l3", ["vmNics.l3NetworkUuid=", "vmNics.l3Network."]),
        ("QueryVmInstance vmNics.l3Network.dnsD", ["vmNics.l3Network.dnsDomain="]),
        ("QueryVmInstance nothing.at", []),
        ("UpdateGlobalConfig category=simu", ["category=simulator"]),
        ("UpdateGlobalConfig category=simulator name=", ["name=delay", "name=faultRate"]),
        ("UpdateGlobalConfig category=vm name=deletionPolicy value=D", ["value=Direct", "value=Delay"]),
        ("UpdateGlobalConfig category=audit name=reads value=", ["value=true", "value=false"]),
        ("QueryGlobalConfig category=audit name=re", ["name=reads"]),
        ("CreateZone name=x", []),
        (
            "CreateUserTag resourceType=ZoneVO resourceUuid=",
            [f"resourceUuid={'1' * 32}", f"resourceUuid={'2' * 32}"],
        ),
        ("CreateSystemTag resourceUuid=ti", ["resourceUuid=" + "3" * 32]),
        ("CreateUserTag resourceType=ZoneVO resourceUuid=ti", []),
        ("ShareResource resourceUuids=1,ti", ["resourceUuids=1," + "3" * 32]),
        ("DeleteTag uuid=mi", ["uuid=" + "4" * 32]),
        ("UpdateSystemTag uuid=hos", ["uuid=" + "5" * 32]),
        ("QueryCluster zone.uuid=no", ["zone.uuid=" + "1" * 32]),
        ("QueryVmInstance cluster.zoneUuid=so", ["cluster.zoneUuid=" + "2" * 32]),
    ],
)
def test_completion(line: str, offers: list[str]) -> None:
    assert Completer(look_up).complete(line, line.split(" ")[-1]) == offers


def test_nothing_typed_is_taken_back_for_several() -> None:
    completer = Completer(look_up)
    assert completer.grown("uuid=web", ["uuid=1", "uuid=2"]) == "uuid=web"
    assert completer.grown("na", ["name=", "named="]) == "name"
    assert (completer.grown("na", ["name="]), completer.grown("uuid=w", ["uuid=1"])) == ("name=", "uuid=1 ")


def test_an_element_of_a_list_may_be_followed_by_another() -> None:
    def networks(_: type[Resource], typed: str, where: Where) -> Named:
        known = [("1" * 32, "web"), ("2" * 32, "db")]
        return [each for each in known if each[0].startswith(typed) or each[1].startswith(typed)]

    completer = Completer(networks)
    word = "l3NetworkUuids="
    for typed in ("we", ",d"):
        word += typed
        line = f"CreateVmInstance {word}"
        grown = completer.grown(word, completer.complete(line, word))
        word = grown
    assert word == f"l3NetworkUuids={'1' * 32},{'2' * 32}"
    alone = completer.complete("DeleteL3Network uuid=w", "uuid=w")
    assert completer.grown("uuid=w", alone) == f"uuid={'1' * 32} "


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("StopVmInstance uuid=", "Running Stopped Unknown"),
        ("StartVmInstance uuid=", "Stopped"),
        ("RecoverVmInstance vmInstanceUuid=", "Destroyed"),
        ("MigrateVm vmInstanceUuid=", "Running"),
        ("AttachDataVolumeToVm vmInstanceUuid=", "Running Stopped"),
        ("UpdateVmInstance uuid=", "Running Stopped Unknown Destroyed"),
        ("QueryVmInstance uuid=", "Running Stopped Unknown Destroyed"),
        ("DeleteDataVolume uuid=", "Ready Deleted"),
    ],
)
def test_what_is_offered_may_be_named(line: str, offered: str) -> None:
    known = {"VmInstance": "Running Stopped Unknown Destroyed", "Volume": "Ready Deleted"}

    def one_of_each(resource: type[Resource], typed: str, where: Where) -> Named:
        states = known[resource.__name__].split()
        allowed = where[0][2] if where else states
        return [(state, "web") for state in states if state in allowed]

    name = line.split(" ")[-1]
    assert Completer(one_of_each).complete(line, name) == [f"{name}{state}" for state in offered.split()]


def test_offered_uuids_have_their_names() -> None:
    completer = Completer(look_up)
    completer.complete("DeleteZone uuid=", "uuid=")
    assert completer.names == {"uuid=" + "1" * 32: "north", "uuid=" + "2" * 32: "south"}


async def test_what_is_looked_up_is_found_by_its_beginning_however_many_there_are(
    face: Face, local: Session
) -> None:
    def fill(tx: Transaction) -> None:
        for number in range(1100):
            tx.insert(Zone(uuid=f"{number:032x}", name=f"a{number}"))
        for number, name in enumerate(("z%1", "z_2", "zz")):
            tx.insert(Zone(uuid=f"{number:x}{'f' * 31}", name=name, state="Disabled"))

    await face.database.write(fill)
    assert await local.named(Zone, "zz", ()) == [("2" + "f" * 31, "zz")]
    assert await local.named(Zone, "1f", ()) == [("1" + "f" * 31, "z_2")]
    assert [name for _, name in await local.named(Zone, "z_", ())] == ["z_2"]
    assert [name for _, name in await local.named(Zone, "z%", ())] == ["z%1"]
    assert await local.named(Zone, "zz", (("state", "in", ["Enabled"]),)) == []
    assert len(await local.named(Zone, "", ())) == OFFERED


async def shell(face: Face, text: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[int, str, str]:
    monkeypatch.setenv("XDG_STATE_HOME", os.fspath(home))
    out, err = io.StringIO(), io.StringIO()
    code = await asyncio.to_thread(
        lambda: shell_command(face.socket, source=io.StringIO(text), out=out, err=err)
    )
    return code, out.getvalue(), err.getvalue()


def test_help_is_by_resource_in_whole_words() -> None:
    lines = names(80).splitlines()
    assert max(map(len, lines)) <= 80
    assert len(lines) < 100
    assert {word for line in lines for word in line.split()} >= MESSAGES.keys()
    assert sum("AddKVMHost" in line and line.startswith("host ") for line in lines) == 1


async def test_lines_are_carried_out(face: Face, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = "CreateZone name='a b' description='x\\ny'\n\nQueryZone name='a b'\nexit\nnot reached\n"
    code, out, err = await shell(face, lines, tmp_path, monkeypatch)
    assert (code, err) == (0, "")
    assert '"description": "x\\\\ny"' in out


async def test_a_script_exits_with_its_last_failure(
    face: Face, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, out, err = await shell(face, "CreateZone\nhelp CreateZone\n", tmp_path, monkeypatch)
    assert code == 3
    assert "SYS.1007" in err
    assert "Create a zone." in out
    code, _, err = await shell(face, "CreateZone name='a\nNonsense\n", tmp_path, monkeypatch)
    assert code == 1
    assert "the line has no closing ' at its end; complete it" in err
    assert "no message is called Nonsense" in err


def test_only_jobs_that_have_not_ended_are_offered_to_be_cancelled() -> None:
    asked: list[Where] = []

    def jobs(_: type[Resource], __: str, where: Where) -> Named:
        asked.append(where)
        return [("1" * 32, "")]

    assert Completer(jobs).complete("CancelLongJob uuid=", "uuid=") == ["uuid=" + "1" * 32]
    assert asked == [(("state", "in", ["Queued", "Running"]),)]


def test_what_is_offered_can_do_nothing_to_a_terminal() -> None:
    def evil(resource: type[Resource], typed: str, where: Where) -> Named:
        del resource, typed, where
        return [("1" * 32, "red \x1b[31m\x1b]0;owned\a\nX"), ("2" * 32, "x" * 1000), ("3" * 32, "一" * 10)]

    completer = Completer(evil)
    completer.complete("DeleteZone uuid=", "uuid=")
    first, second, third = completer.names.values()
    assert first == r"$'red \x1b[31m\x1b]0;owned\x07\nX'"
    assert second == "x" * 59 + "…"
    assert third == "一" * 10


async def test_a_terminal_gets_a_prompt_completion_and_history(face: Face, tmp_path: Path) -> None:
    program = (
        "import sys\nfrom pathlib import Path\nfrom appliance.serve.shell import shell_command\n"
        f"sys.exit(shell_command(Path({os.fspath(face.socket)!r})))\n"
    )
    master, slave = pty.openpty()
    environment = {
        **os.environ,
        "XDG_STATE_HOME": os.fspath(tmp_path),
        "TERM": "dumb",
        "INPUTRC": "/dev/null",
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, stdin=slave, stdout=slave, stderr=slave, env=environment
    )
    os.close(slave)
    seen = b""

    async def until(text: bytes) -> None:
        nonlocal seen
        async with asyncio.timeout(30):
            while text not in seen:
                try:
                    seen += await asyncio.to_thread(os.read, master, 4096)
                except OSError:
                    break
        assert text in seen
        seen = seen.partition(text)[2]

    try:
        await until(b">>> ")
        os.write(master, b"CreateZ\tname=typed\n")
        await until(b'"success": true')
        await until(b">>> ")
        os.write(master, b"QueryZone uuid=\t\n")
        await until(b'"name": "typed"')
        await until(b">>> ")
        os.write(master, b"CreateZone name=typical\n")
        await until(b'"success": true')
        await until(b">>> ")
        os.write(master, b"QueryZone uuid=typ\t")
        await until(b"typed")
        await until(b"typical")
        await until(b">>> QueryZone uuid=typ")
        os.write(master, b"i\t\n")
        await until(b'"name": "typical"')
        await until(b">>> ")
        os.write(master, b"UpdateZone uuid=typi\tdescription=$'a\\nb'\n")
        await until(b'"success": true')
        await until(b">>> ")
        os.write(master, b"LogInByAccount accountName=x password=hush\n")
        await until(b"ID.1000")
        await until(b">>> ")
        os.write(master, b"\x04")
        async with asyncio.timeout(30):
            assert await process.wait() == 0
    finally:
        os.close(master)
        if process.returncode is None:
            process.kill()
            await process.wait()
    history = (tmp_path / "zstui" / "history").read_text()
    assert "CreateZone name=typed" in history
    assert "hush" not in history


@pytest.mark.parametrize(
    ("line", "kept"),
    [
        ("CreateZone name=one", True),
        ("QueryVmInstance state=Running fields=name,uuid", True),
        ("help", True),
        (f"CreateSystemTag resourceType=VmInstanceVO resourceUuid={'a' * 32} tag=hostname::web", True),
        ("LogInByAccount accountName=x password=hush", False),
        ("LogInByAccount accountName=x pass''word=hush", False),
        ("LogInByAccount accountName=x pasword=hush", False),
        ("LogOut sessionUuid=hush", False),
        (f"CreateSystemTag resourceType=VmInstanceVO resourceUuid={'a' * 32} tag=rootPassword::hush", False),
        ("CreateVmInstance name=a systemTags=userdata::'#cloud-config\npassword: hush'", False),
        ("AddImage name=a url=https://me:hush@h/a format=qcow2", False),
        ("CreateZone name='hush", False),
    ],
)
def test_no_line_with_a_secret_is_written_to_the_history(line: str, kept: bool) -> None:
    assert may_be_kept(line) is kept
