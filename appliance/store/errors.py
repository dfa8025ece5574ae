"""What can be wrong with the store, each in words that say what to do next."""

from __future__ import annotations

from appliance.api.errors import InternalError, OperationFailed


class StoreError(InternalError):
    """Something about the store itself."""


class StoreBusy(StoreError):
    """Another appliance holds the store. Its pid is in the details."""


class StoreTooNew(StoreError):
    """The store was written by a newer version than this one."""


class StoreDamaged(StoreError):
    """The store is not what was written to it. Details say where, and what to restore from."""


class StoreClosed(StoreError):
    """The store is closed or closing."""


class StoreBroken(StoreError):
    """The disk refused a write or read. Nothing of the change is kept, and none of it was acknowledged."""


class SqliteTooOld(StoreError):
    """The SQLite library has a bug that loses commits."""


class StoreCannotWrite(OperationFailed):
    """The store takes no change now, and kept nothing of this one. It says nothing of what the change was about."""


class StoreFull(StoreCannotWrite):
    """The disk of the store has no room. Reads go on; writes work again once there is room."""


class StoreLocked(StoreCannotWrite):
    """Another program has the store's file locked. It works again once that lets go."""


class AlreadyThere(OperationFailed):
    """A value that must be unique is taken."""
