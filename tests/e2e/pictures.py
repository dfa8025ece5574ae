"""Pictures of screens for the documents: drawn by every test that shows one, kept when that is asked for.

With `ZSTUI_SCREENSHOTS=write` they go to `screenshots/`; without, only what is on the screens is judged.
"""

from __future__ import annotations

import io
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from PIL import Image

from appliance.lab import LabHost
from tests.e2e.stage import Stage
from zstui.picture import write_picture

WRITE = os.environ.get("ZSTUI_SCREENSHOTS") == "write"
FOLDER = Path(__file__).parents[2] / "screenshots"
MOST_BYTES = 200_000
COLOURS = 256


@asynccontextmanager
async def plainly_named(cloud: Stage) -> AsyncIterator[None]:
    """The cloud's hosts are called `node-1` and `node-2` meanwhile, not as the lab has them."""
    try:
        for uuid, host in cloud.hosts.items():
            await cloud.session.call("UpdateHost", uuid=uuid, name=plain_name(host))
        yield
    finally:
        for uuid, host in cloud.hosts.items():
            await cloud.session.call("UpdateHost", uuid=uuid, name=host.name)


def plain_name(host: LabHost) -> str:
    """What a host is called in pictures."""
    return f"node-{host.number}"


def keep(svg: str, name: str, folder: Path) -> None:
    """Draw a screen to a picture of a name, in a folder of the test's own and, when asked for, in the documents'."""
    path = write_picture(svg, folder / f"{name}.png")
    small = _small(path)
    assert len(small) < MOST_BYTES, f"{name}.png has {len(small)} bytes"
    if WRITE:
        FOLDER.mkdir(exist_ok=True)
        (FOLDER / path.name).write_bytes(small)


def _small(path: Path) -> bytes:
    """A picture with few colours: text on one ground loses nothing by it."""
    packed = io.BytesIO()
    with Image.open(path) as image:
        image.convert("RGB").quantize(COLOURS).save(packed, "png", optimize=True)
    return packed.getvalue()
