"""The file that opens a console: what stands in it, and that it never goes over another."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.zstui.conftest import Cloud, screens
from zstui.screens.console import browser_link
from zstui.viewer_file import viewer_text, write_viewer_file

REPLY = {"hostIp": "10.0.0.1", "port": 5900, "protocol": "spice"}


def test_a_title_cannot_become_a_setting() -> None:
    text = viewer_text(REPLY, "web\ndelete-this-file=1", "")
    assert text.splitlines() == [
        "[virt-viewer]", "type=spice", "host=10.0.0.1", "port=5900", "title=web delete-this-file=1",
        "delete-this-file=0",
    ]  # fmt: skip
    assert "password=abc" in viewer_text(REPLY, "web", "abc").splitlines()


def test_another_file_is_never_written_over(tmp_path: Path) -> None:
    (tmp_path / "web-1.vv").write_text("mine")
    path = write_viewer_file("theirs", "web/1", tmp_path)
    assert (path.name, path.read_text(), path.stat().st_mode & 0o777) == ("web-1-2.vv", "theirs", 0o600)
    assert write_viewer_file("theirs", "web/1", tmp_path) == path
    assert (tmp_path / "web-1.vv").read_text() == "mine"
    assert write_viewer_file("x", "../..", tmp_path).parent == tmp_path


async def test_the_console_panel_writes_and_copies_it(
    cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vm = await cloud.vm("web-1")
    domain = cloud.host_of(vm).domains[vm]
    monkeypatch.chdir(tmp_path)
    async with screens(cloud.socket) as on:
        await on.sees("◉ Running")
        await on.press("C")
        await on.sees("5900")
        await on.press("f")
        await on.until(lambda: on.app.clipboard.startswith("[virt-viewer]"))
        await on.press("C")
        await on.sees("5900")
        await on.press("v")
        await on.until((tmp_path / "web-1.vv").exists)
        written = (tmp_path / "web-1.vv").read_text()
        assert "port=5900" in written
        assert f"\npassword={domain.console_password}\n" in written
        assert domain.console_password not in on.app.clipboard, "each has its own"
        await on.press("C")
        await on.sees("5900", "good once")
        await on.press("p")
        await on.until(lambda: domain.console_password in on.whole())


def test_the_address_for_a_browser_keeps_its_token_in_the_browser() -> None:
    access = {"scheme": "https", "hostname": "fe80::1", "port": 8080, "token": "a-b_c"}
    assert browser_link(access, "数据 #1") == (
        "https://[fe80::1]:8080/console#token=a-b_c&name=%E6%95%B0%E6%8D%AE+%231"
    )
    assert browser_link({"token": "a"}, "x") == ""


async def test_an_appliance_without_an_address_has_none_for_browsers(cloud: Cloud) -> None:
    await cloud.vm("web-1")
    async with screens(cloud.socket) as on:
        await on.sees("◉ Running")
        await on.press("C")
        await on.sees("5900", "b browser", "Esc back")
        await on.press("b")
        await on.sees("listens on no address")


async def test_who_is_elsewhere_gets_no_file_here(
    cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await cloud.vm("web-1")
    monkeypatch.chdir(tmp_path)
    async with screens(cloud.socket) as on:
        on.app.is_guest = True
        await on.sees("◉ Running")
        await on.press("C")
        await on.sees("5900")
        await on.press("v")
        await on.sees("where the appliance is")
    assert not (tmp_path / "web-1.vv").exists()
