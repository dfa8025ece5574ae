"""A question that may start no appliance starts none."""

from __future__ import annotations

from pathlib import Path

import pytest

from appliance.config import Config
from appliance.starting import ONLY_ASK, NotStarted, ensure_running


async def test_the_installers_questions_start_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(ONLY_ASK, "1")
    with pytest.raises(NotStarted, match="to start none"):
        await ensure_running(Config(tmp_path / "data"))
    assert not (tmp_path / "data").exists()
