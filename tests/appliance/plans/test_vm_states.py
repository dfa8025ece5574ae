"""Who wins between what is intended and what was seen, over all of both."""

from __future__ import annotations

import itertools
from typing import get_args

from agent.protocol import Cause
from appliance.api.vm import STATES
from appliance.api.vm_states import ALLOWED
from appliance.plans.vm_states import CAUSES, Intended, Power, Sight, intend_after, state_of

INTENDED = get_args(Intended)
POWERS = get_args(Power)
CAUSED = get_args(Cause)


def test_every_cause_has_its_words() -> None:
    assert set(CAUSES) == set(CAUSED)
    told = [words for words in CAUSES.values() if words]
    assert len(told) == len(set(told))


def test_every_state_that_allows_a_message_is_one() -> None:
    assert {state for states in ALLOWED.values() for state in states} <= set(STATES)


ZSTACK = {
    "Running": {
        "StopVmInstance", "RebootVmInstance", "DestroyVmInstance", "MigrateVm", "AttachDataVolumeToVm",
        "DetachDataVolumeFromVm", "AttachL3NetworkToVm", "DetachL3NetworkFromVm", "AttachIsoToVmInstance",
        "DetachIsoFromVmInstance", "ChangeInstanceOffering", "GetVmConsoleAddress",
    },
    "Stopped": {
        "StopVmInstance", "StartVmInstance", "DestroyVmInstance", "AttachDataVolumeToVm", "DetachDataVolumeFromVm",
        "AttachL3NetworkToVm", "DetachL3NetworkFromVm", "AttachIsoToVmInstance", "DetachIsoFromVmInstance",
        "ChangeInstanceOffering", "CreateRootVolumeTemplateFromRootVolume",
    },
    "Unknown": {"DestroyVmInstance", "StopVmInstance"},
    **{state: {"DestroyVmInstance"} for state in ("Starting", "Stopping", "Migrating", "Rebooting")},
    "Destroyed": {"RecoverVmInstance", "ExpungeVmInstance"},
}  # fmt: skip
"""What ZStack 1.0 allows in which state."""

MORE = {("DestroyVmInstance", state) for state in ("Created", "Destroying", "Error")}
"""Where we allow more: what went wrong can be removed."""


def test_states_allow_what_zstack_allows() -> None:
    theirs = {(message, state) for state, messages in ZSTACK.items() for message in messages}
    known = {message for message, _ in theirs}
    ours = {(message, state) for message, states in ALLOWED.items() for state in states if message in known}
    assert {pair for pair in theirs if pair[0] in ALLOWED} - ours == set()
    assert ours - theirs == MORE


def test_only_a_change_that_nobody_here_asked_for_changes_the_intent() -> None:
    for intended, before, power, cause in itertools.product(INTENDED, POWERS, ("on", "off"), CAUSED):
        after = intend_after(intended, before, Sight(power, cause))
        turned = {("Running", "on", "off"): "Stopped", ("Stopped", "off", "on"): "Running"}
        assert after == turned.get((intended, before, power), intended)
        # A second sight of the same power changes nothing more.
        assert intend_after(after, power, Sight(power, cause)) == after


def test_every_state_is_one_of_zstacks_and_says_nothing_false() -> None:
    for intended, power, *flags in itertools.product(INTENDED, POWERS, *[(True, False)] * 4):
        names = ("host_connected", "rebooting", "settled", "expunging")
        told = dict(zip(names, flags, strict=True))
        state = state_of(intended, power, **told)
        case = (intended, power, told, state)
        assert state in STATES, case
        if state in {"Running", "Rebooting"}:
            assert (intended, power, told["host_connected"]) == ("Running", "on", True), case
        assert state != "Destroyed" or told["settled"], case
        assert state != "Stopped" or power != "on", case
        if power == "on" and not told["host_connected"] and intended in {"Running", "Stopped"}:
            assert state == "Unknown", case
