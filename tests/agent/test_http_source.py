"""What is said of a URL that nothing comes from."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from aiohttp import web

from agent import http_source
from agent.download import Sink
from agent.http_source import leads_inward, pull
from agent.refused import Refused


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_what_cannot_be_connected_to_is_named_with_the_reason(
    tmp_path: Path, scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_source, "leads_inward", lambda _: False)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(Refused) as why:
        await pull(f"{scheme}://127.0.0.1:{port}/i", Sink(tmp_path / "i.part", 1 << 30, 0), lambda *_: None)
    assert why.value.refusal.message == f"no connection to 127.0.0.1:{port}: Connection refused"


async def test_a_name_that_is_not_known_is_said_to_be(tmp_path: Path) -> None:
    with pytest.raises(Refused) as why:
        await pull("http://nowhere.invalid/i", Sink(tmp_path / "i.part", 1 << 30, 0), lambda *_: None)
    said = why.value.refusal.message
    assert said.startswith("no connection to nowhere.invalid:80: ")
    assert "ssl" not in said


@pytest.mark.parametrize(
    ("address", "inward"),
    [
        ("127.0.0.1", True), ("127.8.8.8", True), ("0.0.0.0", True), ("169.254.169.254", True), ("224.0.0.1", True),
        ("::1", True), ("::", True), ("fe80::1", True), ("fe80::1%lo", True),
        ("::ffff:127.0.0.1", True), ("::ffff:169.254.169.254", True), ("ff02::1", True),
        ("192.0.2.7", False), ("10.255.255.1", False), ("2001:db8::1", False), ("64:ff9b::c000:207", False),
    ],
)  # fmt: skip
def test_addresses_of_this_machine_alone_are_told_from_others(address: str, inward: bool) -> None:
    assert leads_inward(address) is inward


def test_every_address_that_this_machine_has_is_its_own() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.7", 9))
        except OSError:
            pytest.skip("this machine has no address")
        assert leads_inward(probe.getsockname()[0])


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]"])
async def test_no_image_comes_from_what_listens_on_the_machine_itself(
    tmp_path: Path, host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    # A redirect to the very same place would come over the same connection.
    away = "localhost" if host == "127.0.0.1" else host

    async def secret(request: web.BaseRequest) -> web.Response:
        asked.append(request.path)
        if request.path == "/away":
            raise web.HTTPFound(f"http://{away}:{port}/secret")
        return web.Response(body=b"of the machine")

    server = web.Server(secret)
    runner = web.ServerRunner(server)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    part = tmp_path / "i.part"
    try:
        with pytest.raises(Refused) as why:
            await pull(f"http://{host}:{port}/secret", Sink(part, 1 << 30, 0), lambda *_: None)
        assert why.value.refusal.code == "url.inward"
        assert asked == []
        assert not part.exists()
        # Nor by a redirect of a server that may be asked.
        seen = iter([False, True])
        monkeypatch.setattr(http_source, "leads_inward", lambda _: next(seen))
        with pytest.raises(Refused) as why:
            await pull(f"http://127.0.0.1:{port}/away", Sink(part, 1 << 30, 0), lambda *_: None)
        assert (why.value.refusal.code, asked) == ("url.inward", ["/away"])
    finally:
        await runner.cleanup()


async def test_no_password_of_an_address_is_repeated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_source, "leads_inward", lambda _: False)
    asked: list[str] = []

    async def nothing(request: web.BaseRequest) -> web.Response:
        asked.append(request.headers["Authorization"])
        return web.Response(status=404)

    runner = web.ServerRunner(web.Server(nothing))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    try:
        url = f"http://me:hush@127.0.0.1:{port}/i"
        with pytest.raises(Refused) as why:
            await pull(url, Sink(tmp_path / "i.part", 1 << 30, 0), lambda *_: None)
    finally:
        await runner.cleanup()
    assert "hush" not in why.value.refusal.message
    assert f"http://me:******@127.0.0.1:{port}/i" in why.value.refusal.message
    assert asked == ["Basic bWU6aHVzaA=="], "the server does get it"
