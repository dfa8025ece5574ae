"""A full screen that the appliance has started for a user elsewhere, in a browser or at the end of an SSH line."""

from __future__ import annotations

import fcntl
import os
import sys
import termios

from appliance.starting import SESSION


def begin() -> str | None:
    """The session that such a full screen acts with; None when its user sits here.

    Its terminal becomes this process's own, so that it is told of new sizes and ends with it; nothing
    that is started from here learns the session.
    """
    session = os.environ.pop(SESSION, None)
    if session is not None:
        fcntl.ioctl(sys.stdin, termios.TIOCSCTTY, 0)
    return session
