"""What is said of user data while it is typed: warnings by line, colours, the tag on one line."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual import events
from textual.widgets import TextArea

from appliance.hosts.simulator import SimulatedHost
from tests.e2e.release_notes import USERDATA
from tests.zstui.conftest import LARGE, SMALL, Cloud, screens
from tests.zstui.test_look import compare
from zstui.cloud_config import minified, warnings_of
from zstui.yaml_writing import painted

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


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("users:\n- name: bob\n  ssh_import_id: bob", [(3, "users.ssh_import_id should be a list")]),
        ("users:\n- name: bob\n  inactive: true", [(3, "users.inactive should be a text in quotes")]),
        (
            "users:\n- name: bob\n  primary-group: staff",
            [(3, "users.primary-group is an old name; write primary_group")],
        ),
        ("users:\n- default\n- name: bob\n  expiredate: 2012-09-01\n  uid: 1000\n  sudo: null", []),
        ("users:\n- name: bob\n  shel: /bin/sh", [(3, "users.shel is no key that is known here")]),
        ("write_files:\n- content: x", [(2, "write_files needs path")]),
        (
            "write_files:\n- path: /x\n  permissions: 0644",
            [(3, "write_files.permissions should be a text in quotes")],
        ),
        (
            "write_files:\n- path: /x\n  encoding: zip",
            [(3, "write_files.encoding should be gz, gzip, gz+base64, gzip+base64, gz+b64, gzip+b64, b64, base64 "
              "or text/plain")],
        ),
        ("ssh_pwauth: maybe", [(1, "ssh_pwauth should be true or false or unchanged")]),
        ("ssh_pwauth: unchanged\nmanage_etc_hosts: localhost", []),
        ("timezone: 5", [(1, "timezone should be a text in quotes")]),
        ("timezone:", [(1, "timezone should be a text")]),
        ("chpasswd:\n  expire: nope", [(2, "chpasswd.expire should be true or false")]),
        (
            "chpasswd:\n  users:\n  - name: a\n    type: plain",
            [(4, "chpasswd.users.type should be hash, text or RANDOM")],
        ),
        ("runcmd:\n- echo done: yes", [(2, "runcmd should be a text, null or a list")]),
        ("runcmd:\n- [sh, -c, 1]\n- true", [(3, "runcmd should be a text in quotes, null or a list")]),
        ("packages:\n- git\n- [vim, 1.0]", [(3, "packages should be a text in quotes")]),
        ("power_state:\n  delay: now", [(1, "power_state needs mode")]),
        ("power_state: {mode: sleep}", [(1, "power_state.mode should be poweroff, reboot or halt")]),
        ("growpart:\n  mode: off\n  devices: /", [(3, "growpart.devices should be a list")]),
        ("ntp:\n  servers: a", [(2, "ntp.servers should be a list")]),
        ("ca-certs:\n  remove-defaults: 1",
         [(1, "ca-certs is an old name; write ca_certs"),
          (2, "ca-certs.remove-defaults is an old name; write remove_defaults"),
          (2, "ca-certs.remove-defaults should be true or false")]),
        ("mounts:\n- /dev/sdb", [(2, "mounts should be a list")]),
        ("disk_setup:\n  /dev/sdb:\n    table_type: msdos\n    layout: [50, [50, 82]]",
         [(3, "disk_setup./dev/sdb.table_type should be mbr or gpt")]),
        ("fs_setup:\n- device: 5", [(2, "fs_setup.device should be a text in quotes")]),
        ("apt:\n  sources:\n    x: {keyid: 1}", [(3, "apt.sources.x.keyid should be a text in quotes")]),
        ("a: &a {owner: root}\nwrite_files:\n- <<: *a\n  path: /x", [(1, "a is no key that is known here")]),
    ],
)  # fmt: skip
def test_what_is_within_a_key_is_looked_at_as_well(text: str, expected: list[tuple[int, str]]) -> None:
    assert [(each.line - 1, each.text) for each in warnings_of(HEAD + text + "\n")] == expected


def test_the_faults_of_the_release_notes_example_are_found() -> None:
    assert [each.text for each in warnings_of(USERDATA.removeprefix("userdata::"))] == [
        "users.primary-group is an old name; write primary_group",
        "users.selinux-user is an old name; write selinux_user",
        "users.ssh-import-id is an old name; write ssh_import_id",
        "users.ssh-import-id should be a list",
        "users.lock-passwd is an old name; write lock_passwd",
        "users.ssh-import-id is an old name; write ssh_import_id",
        "users.ssh-import-id should be a list",
        "users.lock-passwd is an old name; write lock_passwd",
        "users.ssh-authorized-keys is an old name; write ssh_authorized_keys",
        "users.inactive should be a text in quotes",
    ]


def test_what_is_no_yaml_is_said_with_its_line() -> None:
    [warning] = warnings_of(f"{HEAD}packages:\n  - a\n b: c\n")
    assert warning.line == 4
    assert warning.text.startswith("this is no YAML: ")
    [deep] = warnings_of(HEAD + "[" * 5000)
    assert deep.text.startswith("this is no YAML")


def test_what_refers_to_itself_a_million_times_costs_nothing() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 9)]
    # Gone through one by one they would be 43 million, and the test would not end.
    assert len(warnings_of(HEAD + "\n".join(lines))) == 9


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
        assert on.app.screen.query_one(TextArea).size.height >= size[1] // 2
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


async def test_a_key_of_elsewhere_is_pasted(
    cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where ~/.ssh has none, too."""
    monkeypatch.setenv("HOME", str(tmp_path))
    uuid = await cloud.vm("web-1")
    key = f"ssh-ed25519 {'A' * 68} alice@laptop"
    async with screens(cloud.socket) as on:
        await on.sees("web-1")
        await on.press("e")
        await on.sees("no user data yet")
        await on.press("ctrl+k")
        await on.sees("paste a public key")
        on.app.post_message(events.Paste(key))
        await on.sees("…AAAAAAAAAAAA", "as it was pasted")
        await on.press("enter")
        await on.sees("the key is given")
        tags = [tag["tag"] for tag in await cloud.session.query("SystemTag", resource_uuid=uuid)]
        assert f"sshkey::{key}" in tags
