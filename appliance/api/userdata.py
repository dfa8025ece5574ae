"""What of user data reaches a guest, for whoever looks at it beforehand: by the agent's own function."""

from __future__ import annotations

from agent.protocol import normalise


def served(text: str) -> str:
    """A text of user data as its guest gets it: line ends that were written out made real, a missing head put first."""
    return normalise(text)
