"""Every error a caller can see, as a tree.

ApiError
├── InvalidArgument      SYS.1007   the call's own words are wrong
├── ResourceNotFound     SYS.1003   a uuid names nothing
├── OperationFailed      SYS.1006   the state of things does not allow it
│   └── WrongVmState     VM.1010
├── InternalError        SYS.1000   our fault
│   └── WrongQuery       SYS.1000   not our fault, but ZStack's code for it
├── TimedOut             SYS.1001
├── NotReady             SYS.1010
├── NotBuilt             SYS.1014   a name of ZStack's that does nothing here yet
├── UnknownMessage       PORTAL.1000
├── BadRequest           SYS.1008   the body is not a call at all
├── AccessError
│   ├── WrongPassword    ID.1000
│   ├── NoSession        ID.1001
│   ├── NotAllowed       ID.1002
│   └── QuotaExceeded    ID.1003
├── NoHostAvailable      HOST_ALLOCATION.1000
├── NoAddressLeft        L3.1000
├── HostError
│   ├── AddHostFailed    HOST.1000
│   ├── MaintenanceFailed HOST.1001
│   ├── ReconnectFailed  HOST.1002
│   └── HostUnreachable  HOST.1003
├── VmError
│   ├── CreateVmFailed   VM.1000
│   ├── StartVmFailed    VM.1001
│   ├── StopVmFailed     VM.1002
│   ├── RebootVmFailed   VM.1003
│   ├── DestroyVmFailed  VM.1004
│   ├── AttachVolumeFailed   VM.1005
│   ├── DetachVolumeFailed   VM.1006
│   └── AttachNetworkFailed  VM.1007
├── StorageError
│   ├── PrimaryStorageFailed  PS.1000
│   ├── BackupStorageFailed   BS.1000
│   └── ImageFailed           IMG.1000
├── NetworkFailed        L2.1000
├── AgentRefused         AGENT.1000  a host said no; `details` are its words
└── Cancelled            JOB.1000
"""

from __future__ import annotations

from typing import Any, ClassVar, Self

DETAILS_LIMIT = 4096
"""ZStack cuts details there; its clients' columns are no longer."""


class ApiError(Exception):
    """An error with a code for programs, a description of its kind, and details of this case.

    `cause` is the error below it; a wrapper without details of its own shows its cause's.
    """

    code: ClassVar[str] = "SYS.1000"
    description: ClassVar[str] = "An internal error happened in system"
    http_status: ClassVar[int] = 500
    """What it is on REST: 424 where something that the call needs failed, a host or a server elsewhere."""

    passing: tuple[str, str] | None = None
    """Kind and uuid of what an earlier call is at, where that is all that speaks against this one."""

    accepted: bool = False
    """Whether the call had been accepted as a job: what it says was found out later."""

    def __init__(self, details: str = "", *, cause: ApiError | None = None) -> None:
        self.details: str = (details or (cause.details if cause else self.description))[:DETAILS_LIMIT]
        self.cause = cause
        super().__init__(self.details)

    def passes(self, kind: str, uuid: str) -> Self:
        """The same, of what an earlier call is at and will be free again: `passing`."""
        self.passing = (kind, uuid)
        return self

    def to_wire(self) -> dict[str, Any]:
        """ZStack's error object, the chain of causes included."""
        wire: dict[str, Any] = {"code": self.code, "description": self.description, "details": self.details}
        if self.cause is not None:
            wire["cause"] = self.cause.to_wire()
        return wire

    @staticmethod
    def from_wire(wire: dict[str, Any]) -> ApiError:
        """The error that `to_wire` described; an unknown code becomes a plain `ApiError` with that code."""
        kind = ERRORS.get(str(wire.get("code")), ApiError)
        cause = wire.get("cause")
        error = kind(
            str(wire.get("details", "")), cause=ApiError.from_wire(cause) if isinstance(cause, dict) else None
        )
        if kind is ApiError:
            error.code = str(wire.get("code", ApiError.code))  # type: ignore[misc]  # this one's own code
        return error


class InvalidArgument(ApiError):
    """A parameter is missing, of the wrong kind, or out of range."""

    code = "SYS.1007"
    description = "One or more API argument is invalid"
    http_status = 400


class ResourceNotFound(ApiError):
    """A uuid in the call names no resource of the expected type."""

    code = "SYS.1003"
    description = "A resource can not be found"
    http_status = 404


class OperationFailed(ApiError):
    """The call is well formed, but things are not in a state that allows it."""

    code = "SYS.1006"
    description = "An operation failed"
    http_status = 409


class WrongVmState(OperationFailed):
    """The VM's state does not allow the message."""

    code = "VM.1010"
    description = "The VM state is not correct"


class InternalError(ApiError):
    """Something in the appliance broke; the log has the trace."""

    code = "SYS.1000"


class WrongQuery(InternalError):
    """A query names a field that is not there. ZStack fails on it, with a code as of its own fault."""

    http_status = 400


class TimedOut(ApiError):
    """The deadline of a job passed."""

    code = "SYS.1001"
    description = "An operation timeout"
    http_status = 504


class NotReady(ApiError):
    """The appliance is starting."""

    code = "SYS.1010"
    description = "Management node is not ready"
    http_status = 503


class NotBuilt(ApiError):
    """A message of ZStack 1.0 that this version does not carry out yet."""

    code = "SYS.1014"
    description = "The message is not available yet"
    http_status = 501


class UnknownMessage(ApiError):
    """No message has this name."""

    code = "PORTAL.1000"
    description = "No service for the message"
    http_status = 404


class BadRequest(ApiError):
    """The body cannot be read as a call."""

    code = "SYS.1008"
    description = "Unknown message"
    http_status = 400


class AccessError(ApiError):
    """The caller is not known or not allowed."""

    http_status = 401


class WrongPassword(AccessError):
    """Name and password do not match."""

    code = "ID.1000"
    description = "Unable to authenticate a user"


class NoSession(AccessError):
    """The session is unknown or expired."""

    code = "ID.1001"
    description = "The session is invalid, either wrong session id or the session has been expired"


class NotAllowed(AccessError):
    """The session's role, account or policies do not allow the call."""

    code = "ID.1002"
    description = "The operation is not permitted"
    http_status = 403


class QuotaExceeded(AccessError):
    """The account has as much as it may have."""

    code = "ID.1003"
    description = "Quota exceeding"
    http_status = 403


class NoHostAvailable(ApiError):
    """No host can take the VM; details say what each filter left."""

    code = "HOST_ALLOCATION.1000"
    description = "No host can be allocated"
    http_status = 409


class NoAddressLeft(ApiError):
    """The IP ranges of the L3 network are used up, or the wanted address is taken."""

    code = "L3.1000"
    description = "Unable to allocate an IP address"
    http_status = 409


class HostError(ApiError):
    """Something about a host."""

    http_status = 424


class AddHostFailed(HostError):
    """The host could not be added; nothing of it is kept."""

    code = "HOST.1000"
    description = "Unable to add a host"


class MaintenanceFailed(HostError):
    """The host could not be put into maintenance; it is enabled as before."""

    code = "HOST.1001"
    description = "Unable to put the host into maintenance"


class ReconnectFailed(HostError):
    """The host could not be connected again."""

    code = "HOST.1002"
    description = "Unable to reconnect the host"


class HostUnreachable(HostError):
    """The host does not answer, or is not who it was."""

    code = "HOST.1003"
    description = "Unable to connect to the host"


class MachineIsHost(HostError):
    """The machine is a host already, under another address; nothing was left on it."""

    code = "HOST.1004"
    description = "The machine is another host"


class VmError(ApiError):
    """Something about a VM went wrong on its host."""

    http_status = 424


class CreateVmFailed(VmError):
    """The VM could not be created; nothing of it is kept."""

    code = "VM.1000"
    description = "Unable to create the VM"


class StartVmFailed(VmError):
    """The VM could not be started."""

    code = "VM.1001"
    description = "Unable to start the VM"


class StopVmFailed(VmError):
    """The VM could not be stopped."""

    code = "VM.1002"
    description = "Unable to stop the VM"


class RebootVmFailed(VmError):
    """The VM could not be rebooted."""

    code = "VM.1003"
    description = "Unable to reboot the VM"


class DestroyVmFailed(VmError):
    """The VM could not be destroyed yet."""

    code = "VM.1004"
    description = "Unable to destroy the VM"


class AttachVolumeFailed(VmError):
    """The VM could not be given a volume; that is as it was before."""

    code = "VM.1005"
    description = "Unable to attach a volume to the VM"


class DetachVolumeFailed(VmError):
    """The VM keeps its volume."""

    code = "VM.1006"
    description = "Unable to detach a volume from the VM"


class AttachNetworkFailed(VmError):
    """The VM could not be given a NIC; nothing of it is kept."""

    code = "VM.1007"
    description = "Unable to attach a network to the VM"


class StorageError(ApiError):
    """Something about storage."""

    http_status = 424


class PrimaryStorageFailed(StorageError):
    """A primary storage cannot be used as asked."""

    code = "PS.1000"
    description = "An operation on a primary storage failed"


class BackupStorageFailed(StorageError):
    """A backup storage cannot be used as asked."""

    code = "BS.1000"
    description = "An operation on a backup storage failed"


class ImageFailed(StorageError):
    """An image could not be had, or is not what it should be."""

    code = "IMG.1000"
    description = "An operation on an image failed"


class NetworkFailed(ApiError):
    """A network could not be made on a host."""

    code = "L2.1000"
    description = "An operation on a network failed"
    http_status = 424


class AgentRefused(ApiError):
    """A host refused a request; details are its words."""

    code = "AGENT.1000"
    description = "The host refused"
    http_status = 424


class Cancelled(ApiError):
    """The job was cancelled before it was done."""

    code = "JOB.1000"
    description = "The job was cancelled"
    http_status = 409


def ended_by(error: ApiError, failure: type[ApiError] = OperationFailed) -> ApiError:
    """What a call ends with: an error that says that it was ended by itself, else the failure that it caused."""
    return error if isinstance(error, (Cancelled, TimedOut)) else failure(cause=error)


def _tree(kind: type[ApiError]) -> dict[str, type[ApiError]]:
    below = {code: found for child in kind.__subclasses__() for code, found in _tree(child).items()}
    return {kind.code: kind} | below


ERRORS: dict[str, type[ApiError]] = _tree(ApiError) | {"SYS.1000": InternalError}
"""Every error by its code."""
