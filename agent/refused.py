"""The one error an agent answers with."""

from __future__ import annotations

from agent.protocol import Refusal


class Refused(Exception):
    """A request was not fulfilled: `code` for programs, `message` for people, `transient` if it may pass.
    `about` is the uuid of what stands in the way.

    Codes are dotted nouns: `storage.missing`, `image.backing_file`, `libvirt.error`, `epoch.stale`.
    """

    def __init__(self, code: str, message: str, *, transient: bool = False, about: str = "") -> None:
        super().__init__(message)
        self.refusal = Refusal(code=code, message=message, transient=transient, about=about)
