"""What is said of a URL that nothing comes from."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from agent.download import Sink
from agent.http_source import pull
from agent.refused import Refused


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_what_cannot_be_connected_to_is_named_with_the_reason(tmp_path: Path, scheme: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(Refused) as why:
        await pull(f"{scheme}://127.0.0.1:{port}/i", Sink(tmp_path / "i.part", 1 << 30), lambda *_: None)
    assert why.value.refusal.message == f"no connection to 127.0.0.1:{port}: Connection refused"


async def test_a_name_that_is_not_known_is_said_to_be(tmp_path: Path) -> None:
    with pytest.raises(Refused) as why:
        await pull("http://nowhere.invalid/i", Sink(tmp_path / "i.part", 1 << 30), lambda *_: None)
    said = why.value.refusal.message
    assert said.startswith("no connection to nowhere.invalid:80: ")
    assert "ssl" not in said
