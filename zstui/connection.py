"""The connection to the appliance: made, followed, logged in, and made again when it ends."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from appliance.api.errors import AccessError, ApiError
from appliance.client import Session, Unreachable
from zstui.screens.login import Login

if TYPE_CHECKING:
    from zstui.app import Zstui

AGAIN_SECONDS = (0.3, 2.0)
"""First and longest pause before an appliance that does not answer is tried again."""


async def keep_connected(app: Zstui) -> None:
    """Connect, follow, and when that ends, connect again: for as long as the screen is open."""
    pause = AGAIN_SECONDS[0]
    while True:
        try:
            async with await Session.connect(
                app.target, session_uuid=app.session_uuid, tls=app.tls
            ) as session:
                session.read_only = app.read_only
                await _follow(app, session)
        except ApiError as error:
            app.mirror.set_stale(str(error))
        finally:
            app.session = None
        pause = AGAIN_SECONDS[0] if app.mirror.status == "live" else min(pause * 2, AGAIN_SECONDS[1])
        await asyncio.sleep(pause)


async def _follow(app: Zstui, session: Session) -> None:
    said = ""
    while True:
        app.session = session
        try:
            await app.mirror.follow(session)
            return
        except AccessError:
            said = await _log_in(app, session, said)


async def _log_in(app: Zstui, session: Session, said: str) -> str:
    """Ask who is there until the appliance is content; returns what it said last."""
    given = await app.push_screen_wait(Login(str(app.target), said))
    try:
        await session.log_in(*given)
    except Unreachable:
        raise
    except ApiError as error:
        return error.details
    app.session_uuid = session.session_uuid
    return ""
