"""The user's own keys: what is right of the file counts, and all that is wrong is said, in the user's language."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.zstui.conftest import LARGE, SMALL, Cloud, screens
from zstui.i18n import begin
from zstui.moved_keys import read_keymap
from zstui.screens.help import help_items

USUAL = {"create": "n", "delete": "D,delete", "order": "o", "verb.S": "S", "verb.r": "r", "log": "L"}


@pytest.fixture
def keymap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's file of keys, yet to be written."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    file = tmp_path / "config" / "zstui" / "keymap.toml"
    file.parent.mkdir(parents=True)
    return file


def write(file: Path, text: str) -> None:
    file.write_text(text)


def read(file: Path, text: str) -> tuple[dict[str, str], list[str]]:
    write(file, text)
    return read_keymap(file, USUAL)


@pytest.mark.parametrize(
    ("name", "line", "expected"),
    [("en", '"order" = = 5', "line 2: this is no TOML (Invalid value)"),
     ("zh_CN", '"order" = = 5', "第 2 行：这不是 TOML（Invalid value）"),
     ("zh_TW", '"order" = = 5', "第 2 行：這不是 TOML（Invalid value）"),
     ("en", '"order" =', "line 2: this is no TOML (Invalid value)"),
     ("en", '"order" = "', "line 2: this is no TOML (Unterminated string)")],
)  # fmt: skip
def test_where_the_file_is_no_toml_is_said(keymap: Path, name: str, line: str, expected: str) -> None:
    begin(name)
    moved, [wrong] = read(keymap, f"[keys]\n{line}")
    assert moved == {}
    assert wrong.split(" (")[0] == expected.split(" (")[0]
    assert "at line" not in wrong


def test_a_value_that_is_no_text_is_told_from_an_action_that_is_not_there(keymap: Path) -> None:
    moved, wrong = read(keymap, '[keys]\norder = 5\nnone = "n"\nlog = "f8"\ncreate = ""\n"verb.r" = "f9,"\n')
    assert moved == {"log": "f8"}
    such = 'its keys are to be a text, such as "f8" or "plus,n"'
    assert wrong == [f"order: {such}", "none: there is no such action", f"create: {such}", f"verb.r: {such}"]


def test_a_key_that_no_keyboard_sends_is_named(keymap: Path) -> None:
    moved, wrong = read(keymap, '[keys]\ncreate = "kontrol+k"\nlog = "f8,nokey"\norder = "ctrl+"\n')
    assert moved == {}
    assert wrong == [
        "create: there is no key kontrol+k", "log: there is no key nokey", "order: there is no key ctrl+"
    ]  # fmt: skip
    right = "exclamation_mark,pageup,ctrl+shift+f12,alt+x,plus,slash,!,中,space,ctrl+right_square_bracket"
    assert read(keymap, f'[keys]\nlog = "{right}"\n') == ({"log": right}, [])


def test_a_file_that_cannot_be_read_or_has_its_keys_elsewhere_says_so(keymap: Path) -> None:
    assert read(keymap, 'create = "f8"\n') == ({}, ["not below [keys]: create"])
    assert read(keymap, 'keys = "f8"\n') == ({}, ["not below [keys]: keys"])
    keymap.write_bytes(b"[keys]\n# \xff\n")
    assert read_keymap(keymap, USUAL) == ({}, ["it is not written in UTF-8"])
    keymap.unlink()
    assert read_keymap(keymap, USUAL) == ({}, [])
    keymap.mkdir()
    assert read_keymap(keymap, USUAL) == ({}, ["it cannot be read: Is a directory"])


def test_no_key_has_two_actions(keymap: Path) -> None:
    assert read(keymap, '[keys]\ndelete = "n"\n') == (
        {},
        ["delete: n is the key of create; this stays on D Del"],
    )
    # Two that change places are no clash, and neither is a key that was left by what had it.
    for text in ('create = "o"\norder = "n"\n', 'create = "f8"\ndelete = "n"\n'):
        moved, wrong = read(keymap, f"[keys]\n{text}")
        assert (len(moved), wrong) == (2, [])
    # Of two that are put on one key the later stays where it is, by whichever name the key is called.
    moved, wrong = read(keymap, '[keys]\nlog = "+"\nverb.S = "f8, plus"\n')
    assert moved == {"log": "+"}
    assert wrong == ["verb.S: + is the key of log; this stays on S"]
    # One that stays has its own key again, which another may not have then.
    moved, wrong = read(keymap, '[keys]\ncreate = "o"\ndelete = "n"\nlog = "f8"\n')
    assert moved == {"log": "f8"}
    assert wrong == [
        "create: o is the key of order; this stays on n",
        "delete: n is the key of create; this stays on D Del",
    ]


async def test_all_that_is_wrong_is_said_at_once_and_stands_in_the_help(cloud: Cloud, keymap: Path) -> None:
    write(keymap, '[keys]\n"order" = 5\n"delete" = "n"\nnonsense = "f9"\n"log" = "f8"\n')
    await cloud.vm("web-1")
    async with screens(cloud.socket, LARGE, connected=False) as on:
        lines = (
            "order: its keys are to be a text",
            "delete: n is the key of create",
            "nonsense: there is no",
        )
        await on.sees("keymap.toml", *lines)
        help_text = "\n".join(item.text for item in help_items(on.browser))
        assert all(line in help_text for line in lines)
        await on.press("n")
        await on.sees("Create VM")


async def test_of_many_wrong_lines_some_are_said_and_where_the_others_are(cloud: Cloud, keymap: Path) -> None:
    write(keymap, "[keys]\n" + "".join(f"none-{number} = 'n'\n" for number in range(9)))
    async with screens(cloud.socket, SMALL, connected=False) as on:
        await on.sees("none-0: there is no such action", "none-3", "… and 5 more, which ? shows")
