"""What outlives the appliance: time, chance, the hosts, the network to them, and a record of what happened."""

from __future__ import annotations

import asyncio
import contextvars
import hashlib
import tempfile
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any
from uuid import UUID

from appliance.store.connection import connect
from appliance.store.snapshot import Snapshot
from tests.simulation.clock import VirtualLoop

if TYPE_CHECKING:
    from tests.simulation.host import WatchedHost
    from tests.simulation.life import Life

TRACE_LINES = 400


@dataclass(frozen=True)
class Options:
    """What a run leaves out, to see that the checks notice; and how long it is."""

    calls: int = 100
    snaps: float = 0.04
    """How often the link breaks just when a change is under way."""
    fatal: float = 0.02
    """How often the appliance dies just then."""
    regrets: int = 10
    """How much weight callers give to creating a VM that they do not want any more."""
    disks: int = 0
    """How much weight they give to data volumes."""
    moves: int = 0
    """How much weight they give to moving VMs and volumes to other hosts."""
    check_epoch: bool = True
    """Hosts refuse epochs that are over."""
    raise_epoch_before_undo: bool = True
    """A lost request is fenced off before anything else is asked for its resource."""
    raise_epoch_at_start: bool = True
    """A new life of the appliance has an epoch of its own."""
    remember_operations: bool = True
    """Hosts answer a repeated operation with the old answer."""

    def __str__(self) -> str:
        left_out = [name for name, value in vars(self).items() if value is False]
        storm = f"calls={self.calls} snaps={self.snaps} fatal={self.fatal} regrets={self.regrets} disks={self.disks} "
        storm += f"moves={self.moves}"
        return storm + "".join(f" without {name}" for name in left_out)


@dataclass(frozen=True)
class Violation:
    """An invariant that did not hold."""

    name: str
    text: str

    def __str__(self) -> str:
        return f"{self.name}: {self.text}"


@dataclass
class Counts:
    """How much a run did."""

    calls: int = 0
    requests: int = 0
    kills: int = 0
    faults: int = 0
    answers: dict[str, int] = field(default_factory=dict)

    def answered(self, how: str) -> None:
        """Count an answer by how it ended."""
        self.answers[how] = self.answers.get(how, 0) + 1


@dataclass
class Disturbed:
    """What happened to a VM behind the appliance's back, with the loop's time of the last of it."""

    at: float = -1.0
    halted_at: float = -1.0


class World:
    """One simulated run's surroundings. Made from a seed; the same seed makes the same run."""

    def __init__(self, seed: int, options: Options, loop: VirtualLoop) -> None:
        self.seed = seed
        self.options = options
        self.loop = loop
        self.chance = Random(seed)
        self.context = contextvars.copy_context()
        self.counts = Counts()
        self.hosts: dict[str, WatchedHost] = {}
        self.life: Life | None = None
        self.calm = True
        """While the world is calm the network and the hosts do nothing unasked."""
        self.fatal = asyncio.Event()
        """Set to have the appliance killed now, and not some time."""
        self.violations: list[Violation] = []
        self.disturbed: dict[str, Disturbed] = {}
        self.born: dict[str, int] = {}
        """How often each file was made anew."""
        self.sent: dict[str, float] = {}
        """When each operation was first asked for."""
        self.trace_tail: deque[str] = deque(maxlen=TRACE_LINES)
        self._digest = hashlib.blake2b(digest_size=16)
        shared = Path("/dev/shm")  # in memory where there is such a place: a run writes a lot
        self._scratch = tempfile.TemporaryDirectory(dir=shared if shared.is_dir() else None)
        self.folder = Path(self._scratch.name) / "store"
        self._eye: Any = None

    def close(self) -> None:
        """Remove the store."""
        if self._eye is not None:
            self._eye.close()
        self._scratch.cleanup()

    @property
    def now(self) -> float:
        """The loop's time."""
        return self.loop.time()

    def tell(self, text: str) -> None:
        """Add a line to the run's trace."""
        line = f"{self.now:10.3f} {text}"
        self.trace_tail.append(line)
        self._digest.update(line.encode())

    @property
    def digest(self) -> str:
        """A name for everything that was told: equal for equal runs."""
        return self._digest.hexdigest()

    def violated(self, name: str, text: str) -> None:
        """An invariant does not hold."""
        self.tell(f"VIOLATION {name}: {text}")
        self.violations.append(Violation(name, text))

    def new_uuid(self) -> str:
        """A uuid made up by a caller."""
        return UUID(int=self.chance.getrandbits(128), version=4).hex

    def happens(self, probability: float) -> bool:
        """Whether something of this probability happens now."""
        return self.chance.random() < probability

    def later(self, seconds: float, callback: Callable[..., None], *args: Any) -> None:
        """Call back in a while, as the world: whoever asked for it may be killed meanwhile."""
        self.loop.call_later(seconds, callback, *args, context=self.context)

    def look(self) -> Snapshot:
        """The store as it is committed now, whether or not an appliance lives."""
        if self._eye is None:
            self._eye = connect(self.folder / "store.db", durable=False, reader=True)
        return Snapshot(self._eye, self.loop.wall())

    def disturbance(self, vm_uuid: str) -> Disturbed:
        """What was done to a VM by others."""
        return self.disturbed.setdefault(vm_uuid, Disturbed())
