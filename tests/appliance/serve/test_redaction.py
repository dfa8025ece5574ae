"""Secrets stay with whom they were given: no log, audit entry, job, event or error repeats one."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest

import appliance.resources.every  # noqa: F401 - declares every message
from appliance.api.errors import InvalidArgument
from appliance.api.grammar import read_words
from appliance.api.message import MESSAGES, Message, Parameter
from appliance.api.parse import parse, unparse
from appliance.api.quoting import split
from appliance.api.redaction import STARS, hidden, holds_mask
from appliance.api.resource import RESOURCES
from tests.simulated_cloud import Cloud

CANARY = "c4nary-S3cret"
DATA = frozenset({"SystemTag"})
"""What a guest is to be served, secrets included, is kept where it is asked for, and nowhere else."""

WITH_SECRETS = sorted(
    name for name, kind in MESSAGES.items() if any(each.secret for each in kind.parameters.values())
)


def plausible(parameter: Parameter) -> Any:
    if parameter.secret:
        return CANARY
    if parameter.choices:
        return parameter.choices[0]
    if parameter.kind is int:
        return parameter.minimum or 1
    if parameter.kind is bool:
        return True
    if parameter.kind is str:
        return "a" * 32
    return {} if parameter.kind == dict[str, Any] else []


def filled(kind: type[Message]) -> dict[str, Any]:
    return {each.wire: plausible(each) for each in kind.parameters.values() if each.required or each.secret}


USER_DATA = f"""#cloud-config
password: {CANARY}
ssh_pwauth: true
chpasswd:
  list: |
    root:{CANARY}
    - admin:{CANARY}
  expire: false
users:
  - name: web
    plain_text_passwd: "{CANARY}"
    hashed_passwd: {CANARY}
  - {{name: two, passwd: {CANARY}, lock_passwd: false}}
write_files:
  - content: |
      -----BEGIN OPENSSH PRIVATE KEY-----
      {CANARY}
      -----END OPENSSH PRIVATE KEY-----
runcmd:
  - echo "root:{CANARY}" | chpasswd
  - curl https://me:{CANARY}@example.com/
hostname: kept
"""


def test_the_walk_has_what_to_walk() -> None:
    assert {"LogInByAccount", "LogOut", "CreateAccount", "AddKVMHost", "AddSftpBackupStorage"} <= {
        *WITH_SECRETS
    }


@pytest.mark.parametrize("text", [USER_DATA, USER_DATA.replace("\n", "\\n"), USER_DATA.replace("\n", "\r\n")])
def test_user_data_is_repeated_without_its_passwords(text: str) -> None:
    shown = hidden(f"userdata::{text}")
    assert CANARY not in shown
    for kept in ("hostname: kept", "ssh_pwauth: true", "name: web", "expire: false", "lock_passwd: false"):
        assert kept in shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("rootPassword::x", f"rootPassword::{STARS}"),
        ("https://me:x@h/a", f"https://me:{STARS}@h/a"),
        ("https://h:80/a@b", "https://h:80/a@b"),
        ("userdata::cGFzc3dvcmQ6IHgK", f"userdata::{STARS}"),
        ("hostname::password", "hostname::password"),
        ("userdata::users:\n- lock-passwd: false", "userdata::users:\n- lock-passwd: false"),
        (
            "userdata::users: [{lock-passwd: false, passwd: x}]",
            f"userdata::users: [{{lock-passwd: false, passwd: {STARS}}}]",
        ),
        ("userdata::#!/bin/sh\necho a:b", "userdata::#!/bin/sh\necho a:b"),
        ([{"value": "rootPassword::x"}, 1], [{"value": f"rootPassword::{STARS}"}, 1]),
    ],
)
def test_what_is_starred(value: Any, shown: Any) -> None:
    assert hidden(value) == shown


ZONE = {"resourceType": "ZoneVO", "resourceUuid": "a" * 32}


@pytest.mark.parametrize(
    ("line", "field"),
    [
        ("CreateUser name=a password=******", "password"),
        ("LogInByAccount accountName=admin password=******", "password"),
        ("AddKVMHost name=a clusterUuid=b managementIp=192.0.2.1 username=root password=******", "password"),
        (
            f"CreateSystemTag resourceType=VmInstanceVO resourceUuid={'a' * 32} tag=rootPassword::******",
            "tag",
        ),
        ('CreateVmInstance name=a systemTags=userdata::"users:\n- passwd: ******"', "systemTags"),
        ("CreateVmInstance name=a systemTags=userdata::******", "systemTags"),
        ("AddImage name=a url=https://me:******@h/a format=qcow2", "url"),
    ],
)
def test_the_stars_of_a_line_that_is_said_again_become_no_secret(line: str, field: str) -> None:
    command = read_words(split(line))
    given = {each.wire: plausible(each) for each in command.kind.parameters.values() if each.required}
    with pytest.raises(InvalidArgument) as refused:
        parse(command.kind, given | command.fields)
    assert (
        refused.value.details
        == f"field[{field}]: a password or key is hidden here: type it instead of {STARS}"
    )


@pytest.mark.parametrize(
    "tag", ["userdata::#!/bin/sh\n# ************\n", "rootPassword::*****", "hostname::******"]
)
def test_stars_that_hide_nothing_are_text(tag: str) -> None:
    parse(MESSAGES["CreateSystemTag"], {**ZONE, "tag": tag})


@pytest.mark.parametrize("text", [USER_DATA, "rootPassword::x", "https://me:x@h/a"])
def test_what_was_starred_is_known(text: str) -> None:
    tag = f"userdata::{text}" if text is USER_DATA else text
    assert holds_mask([hidden(tag)])
    assert not holds_mask(tag)


async def told(cloud: Cloud, caplog: pytest.LogCaptureFixture) -> str:
    """All that the appliance says and remembers, but what guests are to be served."""
    await cloud.dispatch.audit.close()
    rows = await cloud.database.read(
        lambda snapshot: {
            kind.name_: snapshot.all(kind) for kind in RESOURCES.values() if kind.name_ not in DATA
        }
    )
    assert rows["AuditEntry"]
    return f"{caplog.text}{rows}"


@pytest.mark.parametrize("name", WITH_SECRETS)
async def test_no_secret_parameter_is_repeated(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    caplog.set_level(logging.DEBUG)
    cloud, kind = Cloud(tmp_path), MESSAGES[name]
    await cloud.start()
    heard = cloud.database.feed.subscribe()
    try:
        answers = [await cloud.answer(name, **filled(kind))]
        for secret in (each for each in kind.parameters.values() if each.secret):
            answers.append(await cloud.answer(name, **filled(kind) | {secret.wire: [CANARY]}))
            answers.append(await cloud.answer(name, **{secret.wire: CANARY}))
        assert CANARY not in str(answers)
        assert CANARY not in await told(cloud, caplog)
        assert "AuditEntry" not in str(heard)
    finally:
        heard.close()
        await cloud.stop()


async def test_passwords_in_tags_are_repeated_nowhere(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    cloud = Cloud(tmp_path)
    await cloud.start()
    try:
        tags = [f"rootPassword::{CANARY}", f"userdata::{USER_DATA}"]
        for name in sorted(name for name, kind in MESSAGES.items() if "system_tags" in kind.parameters):
            await cloud.answer(name, **filled(MESSAGES[name]), systemTags=tags)
        for tag in tags:
            await cloud.answer("CreateSystemTag", resourceType="VmInstanceVO", resourceUuid="a" * 32, tag=tag)
        zone = await cloud.make("zone", "CreateZone")
        await cloud.answer("CreateSystemTag", resourceType="ZoneVO", resourceUuid=zone, tag=tags[0])
        await cloud.answer("QuerySystemTag", conditions=[{"name": "tag", "op": "=", "value": tags[0]}])
        assert CANARY not in await told(cloud, caplog)
    finally:
        await cloud.stop()


def test_a_message_can_be_repeated_without_its_secrets() -> None:
    kind = MESSAGES["CreateAccount"]
    message = kind(name="a", password=CANARY)  # type: ignore[call-arg]
    assert unparse(message, secrets=False)["password"] == STARS


@pytest.mark.parametrize(
    "line", ["a:" * 32_000, "token" * 13_000, "x" * 65_000, "passwd: 'a', " * 5_000, " " * 65_000]
)
def test_a_long_line_is_hidden_whole_or_not_at_all(line: str) -> None:
    """Each of these kept a call waiting for 20 s and more."""
    text = f"userdata::{line}\npassword: {CANARY}\n"
    assert hidden(text) in (text.replace(CANARY, STARS), f"userdata::{STARS}\npassword: {STARS}\n")


def test_a_long_line_gives_no_secret_away() -> None:
    users = ", ".join(f"{{name: user{number}, passwd: {CANARY}}}" for number in range(50))
    piped = f"#!/bin/sh\n{'true; ' * 200} echo root:{CANARY} | chpasswd"
    for text in (
        f"#cloud-config\nusers: [{users}]",
        piped,
        f"#cloud-config\nchpasswd:\n  list: {CANARY * 60}",
    ):
        assert CANARY not in hidden(f"userdata::{text}")
