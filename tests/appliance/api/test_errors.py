"""Errors have ZStack's codes and descriptions, carry their causes, and survive the wire."""

from __future__ import annotations

import pytest

from appliance.api.errors import (
    DETAILS_LIMIT,
    ERRORS,
    AddHostFailed,
    ApiError,
    HostUnreachable,
    InternalError,
    OperationFailed,
    WrongVmState,
)

ZSTACK = {
    "SYS.1000": "internal", "SYS.1001": "timeout", "SYS.1003": "not found", "SYS.1006": "operation",
    "SYS.1007": "invalid argument", "SYS.1008": "unknown message", "SYS.1010": "not ready",
    "SYS.1014": "unimplemented",
    "ID.1000": "auth", "ID.1001": "session", "ID.1002": "permission", "ID.1003": "quota",
    "VM.1000": "create", "VM.1001": "start", "VM.1002": "stop", "VM.1003": "reboot", "VM.1004": "destroy",
    "VM.1005": "attach volume", "VM.1006": "detach volume", "VM.1007": "attach network", "VM.1008": "migrate",
    "VM.1009": "mac", "VM.1010": "state",
    "HOST.1000": "add", "HOST.1001": "maintenance", "HOST.1002": "reconnect", "HOST.1003": "connection",
    "HOST_ALLOCATION.1000": "none left", "PS.1000": "", "PS.1001": "", "PS.1002": "", "BS.1000": "",
    "BS.1001": "", "BS.1002": "", "BS.1003": "", "IMG.1000": "", "L2.1000": "", "L3.1000": "IP",
    "VOLUME_SNAPSHOT.1000": "", "PORTAL.1000": "unrouted",
}  # fmt: skip
"""ZStack's codes of what is built or about to be, and what each is for."""

OURS = {
    "AGENT.1000": "a host's own words",
    "HOST.1004": "a machine is a host already: ZStack looks at its address only",
    "JOB.1000": "cancelled: ZStack 1.0 has no such thing",
}

MEANT = {
    "InternalError": "SYS.1000", "TimedOut": "SYS.1001", "ResourceNotFound": "SYS.1003",
    "OperationFailed": "SYS.1006", "InvalidArgument": "SYS.1007", "BadRequest": "SYS.1008",
    "NotReady": "SYS.1010", "NotBuilt": "SYS.1014", "WrongPassword": "ID.1000", "NoSession": "ID.1001",
    "NotAllowed": "ID.1002", "QuotaExceeded": "ID.1003", "CreateVmFailed": "VM.1000",
    "StartVmFailed": "VM.1001", "StopVmFailed": "VM.1002", "RebootVmFailed": "VM.1003",
    "DestroyVmFailed": "VM.1004", "AttachNetworkFailed": "VM.1007", "WrongVmState": "VM.1010",
    "AddHostFailed": "HOST.1000", "ReconnectFailed": "HOST.1002", "HostUnreachable": "HOST.1003",
    "NoHostAvailable": "HOST_ALLOCATION.1000", "NoAddressLeft": "L3.1000", "UnknownMessage": "PORTAL.1000",
}  # fmt: skip

DESCRIPTIONS = {
    "SYS.1000": "An internal error happened in system",
    "SYS.1003": "A resource can not be found",
    "SYS.1006": "An operation failed",
    "SYS.1007": "One or more API argument is invalid",
    "ID.1000": "Unable to authenticate a user",
    "ID.1001": "The session is invalid, either wrong session id or the session has been expired",
}
"""Those that are known word by word."""


def test_codes_are_zstacks_or_said_to_be_ours() -> None:
    assert set(ERRORS) - ZSTACK.keys() - OURS.keys() == set()
    assert {name: code for code, kind in ERRORS.items() if (name := kind.__name__) in MEANT} == MEANT


def test_descriptions_are_zstacks() -> None:
    assert {code: ERRORS[code].description for code in DESCRIPTIONS} == DESCRIPTIONS
    assert all(kind.description and kind.__doc__ for kind in ERRORS.values())


def kinds(kind: type[ApiError] = ApiError) -> list[type[ApiError]]:
    return [each for child in kind.__subclasses__() for each in (child, *kinds(child))]


def test_no_two_errors_share_a_code() -> None:
    own = [kind for kind in kinds() if "code" in vars(kind)]
    codes = [kind.code for kind in own]
    assert sorted(codes) == sorted(set(codes))
    assert all(400 <= kind.http_status < 600 for kind in own)
    faults = {kind.code for kind in own if kind.http_status == 500}
    assert faults <= {InternalError.code}


def test_a_wrapper_says_what_its_cause_says() -> None:
    wire = OperationFailed(cause=WrongVmState("it is Stopped")).to_wire()
    assert wire == {
        "code": "SYS.1006",
        "description": "An operation failed",
        "details": "it is Stopped",
        "cause": {
            "code": "VM.1010",
            "description": "The VM state is not correct",
            "details": "it is Stopped",
        },
    }


def test_a_chain_survives_the_wire() -> None:
    error = AddHostFailed("h", cause=HostUnreachable("no route", cause=OperationFailed("deep")))
    assert ApiError.from_wire(error.to_wire()).to_wire() == error.to_wire()
    assert "cause" not in OperationFailed("alone").to_wire()


@pytest.mark.parametrize("length", [DETAILS_LIMIT - 1, DETAILS_LIMIT, DETAILS_LIMIT + 1, 1 << 20])
def test_details_are_cut(length: int) -> None:
    assert len(OperationFailed("x" * length).to_wire()["details"]) == min(length, 4096)
