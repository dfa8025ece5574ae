"""Where the agent keeps things on a host: what must survive a reboot, and what must not."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Paths:
    """`state` outlives a reboot of the host (epoch, specs, fetches); `run` does not (sockets, pids)."""

    state: Path = Path("/var/lib/zstui-agent/state")
    run: Path = Path("/run/zstui-agent")

    @classmethod
    def from_environment(cls) -> Paths:
        """The usual folders, unless ZSTUI_AGENT_STATE or ZSTUI_AGENT_RUN name others (tests do)."""
        usual = cls()
        return cls(
            state=Path(os.environ.get("ZSTUI_AGENT_STATE", usual.state)),
            run=Path(os.environ.get("ZSTUI_AGENT_RUN", usual.run)),
        )

    @property
    def socket(self) -> Path:
        """Where the daemon takes links over from `agent attach`."""
        return self.run / "agent.sock"

    def make(self) -> None:
        """Create both folders, closed to everyone else."""
        for folder in (self.state, self.run):
            folder.mkdir(parents=True, exist_ok=True)
            folder.chmod(0o700)
