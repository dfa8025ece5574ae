"""The clock of simulated runs: what is to end a run ends it, in whoever's task or callback it comes up."""

from __future__ import annotations

from itertools import count
from typing import Any

import pytest

from appliance.hosts.simulated_agent import SimulatedAgent
from appliance.reconcile.host import HostWorker
from tests.simulation.network import FaultyWire
from tests.simulation.run import simulate
from tests.simulation.world import Options

SHORT = Options(calls=5)


class TimeIsUp(BaseException):
    """What a test is ended with from outside, such as by its time limit: raised in whatever runs just then."""


@pytest.mark.parametrize(
    ("whose", "name"),
    [
        (HostWorker, "_pass"),  # of the appliance's workers
        (SimulatedAgent, "_serve"),  # of a host
        (FaultyWire, "_take"),  # a callback of the network's
    ],
)
def test_what_ends_a_test_ends_its_run(monkeypatch: pytest.MonkeyPatch, whose: type[Any], name: str) -> None:
    whole = simulate(1, SHORT)
    usual, times = getattr(whose, name), count(1)

    def over(*arguments: Any) -> Any:
        if next(times) == 3:
            raise TimeIsUp
        return usual(*arguments)

    with monkeypatch.context() as patched:
        patched.setattr(whose, name, over)
        with pytest.raises(TimeIsUp):
            simulate(1, SHORT)
    assert simulate(1, SHORT) == whole, "the next run is not to notice"


def test_a_mistake_in_a_callback_ends_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    def mistaken(*_: Any) -> None:
        raise LookupError("nobody thought of that")

    monkeypatch.setattr(FaultyWire, "_take", mistaken)
    with pytest.raises(LookupError, match="nobody thought of that"):
        simulate(1, SHORT)
