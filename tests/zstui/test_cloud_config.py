"""What is said of user data while it is typed: warnings by line, colours, the tag on one line."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from appliance.hosts.simulator import SimulatedHost
from tests.zstui.conftest import LARGE, SMALL, Cloud, screens
from tests.zstui.test_look import compare
from zstui.cloud_config import minified, painted, warnings_of

HEAD = "#cloud-config\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("#!/bin/sh\nx: [", []),
        (f"{HEAD}packages: [git]\nruncmd:\n  - echo hi\nssh_pwauth: true\n", []),
        (f"{HEAD}packages: git\n", [(2, "packages should be a list")]),
        (f"{HEAD}hostname: [a]\n", [(2, "hostname should be a text")]),
        (f"{HEAD}package_update: maybe\n", [(2, "package_update should be true or false")]),
        (f"{HEAD}\nruncmds: []\n", [(3, "runcmds is no key that is known here")]),
        (f"{HEAD}locale: a\nlocale: b\n", [(3, "locale stands here twice; only the last one counts")]),
        (f"{HEAD}- a\n", [(2, "a cloud-config is keys with values, and this is none")]),
        ("packages:\n - git\n", []),
        (r"packages:\n - git\nruncmds: []", [(3, "runcmds is no key that is known here")]),
        (r"#cloud-config\npackages: git", [(2, "packages should be a list")]),
        ("packages:\n - git\nruncmds: []\n", [(3, "runcmds is no key that is known here")]),
        (
            "# mine\npackages:\n - git\n",
            [(1, "cloud-init ignores this: its first line must be #cloud-config")],
        ),
    ],
)
def test_warnings_name_line_and_what_was_expected(text: str, expected: list[tuple[int, str]]) -> None:
    assert [(each.line, each.text) for each in warnings_of(text)] == expected


def test_what_is_no_yaml_is_said_with_its_line() -> None:
    [warning] = warnings_of(f"{HEAD}packages:\n  - a\n b: c\n")
    assert warning.line == 4
    assert warning.text.startswith("this is no YAML: ")
    [deep] = warnings_of(HEAD + "[" * 5000)
    assert deep.text.startswith("this is no YAML")


def test_what_refers_to_itself_a_million_times_costs_nothing() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 9)]
    began = time.monotonic()
    assert len(warnings_of(HEAD + "\n".join(lines))) == 9
    assert time.monotonic() - began < 1.0


def test_lines_are_coloured_by_part() -> None:
    line = '  - name: "a: b"  # who'
    assert [(line[begin:end], name) for begin, end, name in painted(line)] == [
        ("name:", "key"), ("-", "mark"), ('"a: b"', "text"), ("# who", "note"),
    ]  # fmt: skip
    assert painted("#cloud-config") == [(0, 13, "note")]
    assert [name for *_, name in painted("lock-passwd: false")] == ["key", "value"]
    assert painted("plain words") == []


def test_the_tag_is_written_on_one_line() -> None:
    assert minified("groups:\n  - ubuntu\n") == "groups:\\n  - ubuntu\\n"


@pytest.mark.parametrize("size", [SMALL, LARGE])
async def test_the_editor_warns_and_saves_all_the_same(cloud: Cloud, size: tuple[int, int]) -> None:
    uuid = await cloud.vm("web-1", systemTags=["userdata::#cloud-config\npackages: git\n"])
    async with screens(cloud.socket, size) as on:
        await on.sees("web-1")
        await on.press("e")
        await on.sees("line 2", "packages should be a list")
        compare(f"userdata-{size[0]}x{size[1]}", on)
        if size == LARGE:
            await on.sees("userdata::#cloud-config\\npackages: git\\n")
        await on.write("x")
        await on.press("ctrl+s")
        await on.sees("saved")
        [tag] = [each for each in await cloud.session.query("SystemTag", resource_uuid=uuid)
                 if each["tag"].startswith("userdata::")]  # fmt: skip
        assert tag["tag"].startswith("userdata::x#cloud-config")


async def test_a_key_of_this_machine_is_given_and_taken_away(
    cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uuid = await cloud.vm("web-1")
    folder = tmp_path / ".ssh"
    folder.mkdir()
    (folder / "id_ed25519.pub").write_text("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIabcdefghijkl me@desk\n")
    (folder / "junk.pub").write_text("nothing")
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    async with screens(cloud.socket) as on:
        await on.sees("web-1")
        await on.press("e")
        await on.sees("no user data yet")
        await on.press("ctrl+k")
        await on.sees("SSH keys of web-1", "ssh-ed25519 …abcdefghijkl  me@desk", "id_ed25519.pub")
        assert "junk" not in on.whole()
        await on.press("enter")
        await on.sees("the key is given")
        preview = await cloud.session.call("PreviewUserdata", uuid=uuid)
        assert preview["publicKeys"] == ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIabcdefghijkl me@desk"]
        await on.press("ctrl+k")
        await on.sees("it has this one")
        await on.press("enter")
        await on.sees("the key is taken away")


async def test_user_data_is_applied_anew_at_the_next_boot(cloud: Cloud) -> None:
    uuid = await cloud.vm("web-1", systemTags=["userdata::#cloud-config\n"])
    host = cloud.host_of(uuid)
    before = served(host)
    async with screens(cloud.socket) as on:
        await on.sees("web-1")
        await on.press("e")
        await on.sees("#cloud-config")
        for revision in ("1", "2"):
            await on.press("ctrl+n")
            await on.sees("Apply user data at the next boot?", "for a new machine")
            await on.press("right", "enter")
            await on.sees("applied when the guest boots next")
            tags = await cloud.session.query("SystemTag", resource_uuid=uuid)
            assert f"userdataRevision::{revision}" in [tag["tag"] for tag in tags]
            await on.until(
                lambda before=before: served(host) != before, "the host tells the guest another thing"
            )
            before = served(host)


def served(host: SimulatedHost) -> set[str]:
    """What a host was told of its NICs, user data and who the guest is included, as digests."""
    return {digest for digest, _ in host.things.nics.values()}
