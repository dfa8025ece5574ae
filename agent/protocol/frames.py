"""The lines on the wire: calls, answers, progress and notices, and their JSON."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Protocol, TypeVar

import msgspec

from agent.protocol.events import AnyEvent
from agent.protocol.requests import AnyRequest
from agent.protocol.values import Copying, Struct

READY_LINE = b"zstui-agent ready\n"
"""What the agent prints before its first frame: everything before it is noise from a login shell."""

DEAD_LINK_SECONDS = 10.0
"""An agent closes a link on which it has heard nothing for so long: the other end is gone or cut off."""


class Call(Struct, tag="call", tag_field="frame", frozen=True):
    """A request with its proof of being wanted. `id` numbers calls on one link, `op` lasts over links.

    `resource` and `generation` are empty for requests about the host itself or that change nothing.
    """

    id: int
    owner: str
    epoch: int
    request: AnyRequest
    op: str = ""
    resource: str = ""
    generation: int = 0


class Refusal(Struct, frozen=True):
    """Why a request was not fulfilled.

    `transient` says that trying again may help; a permanent refusal will be the same next time. `about` is
    the uuid of what stands in the way, where the appliance can do something about that.
    """

    code: str
    message: str
    transient: bool = False
    about: str = ""


class Answer(Struct, tag="answer", tag_field="frame", frozen=True):
    """The outcome of a call: `result` is the request's reply as JSON, or `error` says why not."""

    id: int
    result: msgspec.Raw = msgspec.Raw(b"")
    error: Refusal | None = None


class Progress(Struct, tag="progress", tag_field="frame", frozen=True):
    """How far a call has come, in bytes where it moves bytes; `guest` says what of them is what, where it moves one.

    `anew` are the paths of files that arrived with other content, and are sent once more.
    """

    id: int
    done: int
    total: int
    guest: Copying | None = None
    anew: list[str] = []


class ProgressTo(Protocol):
    """Hears how far a call has come: what `Progress` says."""

    def __call__(
        self, done: int, total: int, guest: Copying | None = None, anew: Sequence[str] = ()
    ) -> None: ...


class Notice(Struct, tag="notice", tag_field="frame", frozen=True):
    """An event on the wire."""

    event: AnyEvent


Outgoing = Answer | Progress | Notice
"""What an agent sends."""


class _Kind(msgspec.Struct):
    frame: str


_kind_decoder = msgspec.json.Decoder(_Kind)
_encoder = msgspec.json.Encoder()
_call_decoder = msgspec.json.Decoder(Call)
_outgoing_decoder: msgspec.json.Decoder[Outgoing] = msgspec.json.Decoder(Outgoing)

MAX_FRAME_BYTES = 8 << 20
"""A longer line is not ours: the link is closed."""

S = TypeVar("S", bound=Struct)


def encode(frame: Struct) -> bytes:
    """A frame as one line."""
    return _encoder.encode(frame) + b"\n"


def raw(value: Struct) -> msgspec.Raw:
    """A reply as the JSON that an `Answer` carries."""
    return msgspec.Raw(_encoder.encode(value))


def decode_call(line: bytes) -> Call:
    """A line from the appliance. Raises `msgspec.DecodeError` (a `ValueError`) for anything else."""
    try:
        return _call_decoder.decode(line)
    except (RecursionError, UnicodeDecodeError) as bad:
        raise _undecodable(bad) from bad


def decode_outgoing(line: bytes) -> Outgoing:
    """A line from an agent. Raises `msgspec.DecodeError` (a `ValueError`) for anything else."""
    try:
        return _outgoing_decoder.decode(line)
    except (RecursionError, UnicodeDecodeError) as bad:
        raise _undecodable(bad) from bad


def is_unasked(line: bytes) -> bool:
    """Whether a line is what agents say unasked, also where its kind is one of a later version and cannot be read."""
    try:
        return _kind_decoder.decode(line).frame == "notice"
    except (RecursionError, ValueError):
        return False


def decode_reply(raw_reply: msgspec.Raw, kind: type[S]) -> S:
    """The reply inside an `Answer`. Raises `msgspec.DecodeError` when it is not of the expected kind."""
    try:
        return msgspec.json.decode(raw_reply, type=kind)
    except (RecursionError, UnicodeDecodeError) as bad:
        raise _undecodable(bad) from bad


def _undecodable(bad: Exception) -> msgspec.DecodeError:
    """What msgspec raises of its own kinds is not all that it raises."""
    return msgspec.DecodeError(f"the frame is no JSON of ours: {bad}")


def digest(spec: Struct) -> str:
    """A short name of a spec's content: equal specs have equal digests, on both ends."""
    return hashlib.blake2b(_encoder.encode(spec), digest_size=12).hexdigest()
