"""How slowly and how badly a simulated host answers: seconds and chances of failure, by verb, as text says."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from random import SystemRandom
from typing import get_args

from agent.protocol import (
    AdmitToConsole,
    AnyRequest,
    CopyFiles,
    Hello,
    LimitLane,
    MigrateDomain,
    ObserveConsole,
    ObserveHost,
    ObserveImage,
    ObserveVm,
    OpenSerial,
    Ping,
    ProbeAccelerator,
    ReadFetches,
    ReadFigures,
    ReadSerialHistory,
)

OBSERVING = (
    Ping, Hello, ObserveHost, ObserveVm, ObserveImage, ObserveConsole, ReadFetches, ReadFigures,
    ProbeAccelerator, CopyFiles, LimitLane, MigrateDomain, OpenSerial, AdmitToConsole,
    ReadSerialHistory,
)  # fmt: skip
"""Requests that need no generation or record; only one of them, `ObserveVm`, waits for a lock."""

VERBS = frozenset(kind.__name__ for kind in get_args(AnyRequest) if kind is not Ping) | {"Copy"}
"""What can be slow or fail: requests of the agent protocol, and the copy of an image to a host.

A ping is none of them: whatever is heard of a host shows that it lives.
"""

CHANGING = VERBS - {kind.__name__ for kind in OBSERVING}
"""What a number without a verb is for."""

_BY_LOWER = {verb.lower(): verb for verb in VERBS}

LONGEST_SECONDS = 3600.0

_chance = SystemRandom().random


@dataclass
class Delays:
    """Seconds a request takes, by verb; the rest take `usual`."""

    usual: float = 0.0
    by_verb: dict[str, float] = field(default_factory=dict)

    def of(self, verb: str) -> float:
        """Seconds that one verb takes."""
        return self.by_verb.get(verb, self.usual)


@dataclass
class Faults:
    """The chance, from 0 to 1, that a request fails, by verb. `chance` gives a number from 0 to below 1."""

    by_verb: dict[str, float] = field(default_factory=dict)
    chance: Callable[[], float] = _chance

    def strikes(self, verb: str) -> bool:
        """Whether this request is one that fails."""
        rate = self.by_verb.get(verb, 0.0)
        return rate > 0 and self.chance() < rate


def parse_delay(text: str) -> dict[str, float]:
    """Seconds by verb; raises `ValueError` saying what is wrong with the text."""
    return _by_verb(text, LONGEST_SECONDS)


def parse_fault_rate(text: str) -> dict[str, float]:
    """Chance of failure by verb; raises `ValueError` saying what is wrong with the text."""
    return _by_verb(text, 1.0)


def _by_verb(text: str, most: float) -> dict[str, float]:
    """`0.1`, or `StartDomain=2 copy=1`, as a number for each verb in any case; a later word has its way."""
    found: dict[str, float] = {}
    for word in re.split(r"[\s,]+", text.strip()):
        given, equals, number = word.rpartition("=")
        verb = _BY_LOWER.get(given.lower())
        if equals and verb is None:
            raise ValueError(f"{given} is no request to a host; those are {', '.join(sorted(VERBS))}")
        if not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", number) or float(number) > most:
            raise ValueError(f"{word or text!r} is not a number from 0 to {most:g}, nor VERB=number")
        found |= dict.fromkeys([verb] if verb is not None else CHANGING, float(number))
    return found
