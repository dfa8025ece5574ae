"""User data: written, read back through the API, taken away; what it is, and who fetched it."""

from __future__ import annotations

import pytest
from textual.widgets import TextArea

from tests.zstui.conftest import LARGE, Cloud, screens
from zstui.screens.userdata import fetch_items, kind_of
from zstui.yaml_writing import YamlWriting


async def tags(cloud: Cloud, uuid: str) -> list[str]:
    return [tag["tag"] for tag in await cloud.session.query("SystemTag", resource_uuid=uuid)]


async def test_user_data_is_written_changed_and_taken_away(cloud: Cloud) -> None:
    uuid = await cloud.vm("web-1")
    async with screens(cloud.socket) as on:
        await on.sees("web-1")
        await on.press("e")
        await on.sees("user data of web-1", "no user data yet", "none  ·  0 of 65536 bytes")
        area = on.app.screen.query_one(TextArea)
        area.text = "#!/bin/sh\necho 你好\n"
        await on.sees("script  ·  22 of 65536 bytes  · changed")
        await on.press("ctrl+s")
        await on.sees("saved; the guest gets it")
        assert await tags(cloud, uuid) == ["userdata::#!/bin/sh\necho 你好\n"]
        area.text = "#cloud-config\n"
        await on.press("ctrl+s")
        await on.until(lambda: "changed" not in on.whole())
        await on.sees("cloud-config", "saved;")
        assert await tags(cloud, uuid) == ["userdata::#cloud-config\n"]
        await on.press("ctrl+r")
        await on.sees("is served", "#cloud-config", "public keys")
        await on.press("escape")
        area.text = ""
        await on.press("ctrl+s")
        await on.sees("saved;", "none  ·  0 of")
        await on.until(lambda: "changed" not in on.whole())
        assert await tags(cloud, uuid) == []
        area.text = "more"
        await on.press("escape")
        await on.sees("Throw away what you typed?")
        await on.press("y")
        await on.until(lambda: on.app.screen is on.browser)


async def test_what_is_too_long_is_refused_in_the_appliances_words(cloud: Cloud) -> None:
    uuid = await cloud.vm("web-1")
    async with screens(cloud.socket) as on:
        await on.sees("web-1")
        await on.press("e")
        await on.sees("no user data yet")
        on.app.screen.query_one(TextArea).text = ("x" * 63 + "\n") * 1024 + "x"
        await on.press("ctrl+s")
        await on.sees("Userdata has 65,537 B, 65,536 B at most.")
        assert await tags(cloud, uuid) == []


@pytest.mark.parametrize(
    ("text", "kind"),
    [("", "none"), ("#!/bin/sh", "script"), ("#cloud-config\n", "cloud-config"), ("# hello", "plain text"),
     ("hello: 1", "cloud-config"), (r"groups:\n  - ubuntu: [foo,bar]\nusers:\n  - default", "cloud-config"),
     (r"#!/bin/sh\necho", "script"), (" \n#Cloud-Config\n", "cloud-config"),
     ('Content-Type: multipart/mixed; boundary="x"', "MIME")],
)  # fmt: skip
def test_a_text_says_what_it_is(text: str, kind: str) -> None:
    assert kind_of(text).startswith(kind)


def test_fetches_say_when_what_and_who() -> None:
    items = fetch_items([{"createDate": "Jan 30, 2016 3:01:03 PM", "httpStatus": 404, "path": "/latest/\x1b",
                          "userAgent": "curl"}])  # fmt: skip
    assert items[1].text == "404 /latest/␛  curl"
    assert items[1].paint == "warn"


async def test_a_comment_has_a_colour_of_its_own(cloud: Cloud) -> None:
    uuid = await cloud.vm("web-1")
    await cloud.session.call("CreateSystemTag", resourceUuid=uuid, resourceType="VmInstanceVO",
                             tag="userdata::#cloud-config\n# said\nplain\n")  # fmt: skip
    async with screens(cloud.socket, LARGE) as on:
        await on.sees("vms 1/1")
        await on.press("e")
        await on.sees("# said")
        editor = on.app.screen.query_one(YamlWriting)
        [note] = [span.style for span in editor.get_line(1).spans]
        assert note.color != editor.rich_style.color
        assert note.color.triplet != editor.styles.color.rich_color.triplet
