"""Whose eyes a query looks with: which rows an account can see, as SQL."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from appliance.api.errors import NotAllowed
from appliance.api.message import MESSAGES, QueryMessage
from appliance.api.ownership import ACCOUNTS_OWN, OWNED, PART_OF
from appliance.api.permission import action_of
from appliance.api.resource import RESOURCES, Resource
from appliance.store.comparison import Sql
from appliance.store.table import quoted

MANY = 5_000
"""From so many resources of an account on, rows are looked at one by one, in the order of the page."""

TAGS = ("SystemTag", "UserTag")


@dataclass(frozen=True)
class Viewer:
    """An account that looks. An admin sees everything, unless `identity.admin.showAllResource` is false."""

    account_uuid: str
    is_admin: bool = False


Look = Callable[[str, list[Any]], list[tuple[Any, ...]]]


class Sight:
    """What a viewer can see. With `look`, how much that is decides how it is found."""

    def __init__(self, viewer: Viewer, look: Look | None = None) -> None:
        self._viewer = viewer
        sql = "SELECT 1 FROM account_resource_ref WHERE account_uuid = ? LIMIT ?"
        self._many = look is not None and len(look(sql, [viewer.account_uuid, MANY])) == MANY

    def test(self, kind: type[Resource], table: str) -> Sql | None:
        """The test that a row of `table` (a name or an alias of the kind's) can be seen; None when all can.

        `NotAllowed` for a kind that only the admin may ask about.
        """
        if not self._viewer.is_admin:
            _refuse_admins(kind)
        key = f"{quoted(table)}.{quoted(kind.primary)}"
        if kind.name_ in OWNED:
            return self._owned(key)
        if kind.name_ in TAGS:
            # What is shared may have a password in its system tags.
            return self._owned(f"{quoted(table)}.{quoted('resource_uuid')}", shared=kind.name_ == "UserTag")
        if kind.name_ in PART_OF:
            column, parent = PART_OF[kind.name_]
            return self._part(f"{quoted(table)}.{quoted(column)}", RESOURCES.get(parent))
        column = ACCOUNTS_OWN.get(kind.name_, "")
        if not column or self._viewer.is_admin:
            return None
        return f"{quoted(table)}.{quoted(column)} = ?", [self._viewer.account_uuid]

    def _owned(self, key: str, *, shared: bool = True) -> Sql:
        account = self._viewer.account_uuid
        ref = "account_resource_ref"
        if self._viewer.is_admin:
            return f"{key} NOT IN (SELECT resource_uuid FROM {ref} WHERE account_uuid <> ?)", [account]
        mine = f"SELECT resource_uuid FROM {ref} WHERE account_uuid = ?"
        if self._many:
            mine = f"SELECT 1 FROM {ref} AS r WHERE r.resource_uuid = {key} AND r.account_uuid = ?"
        own = f"EXISTS ({mine})" if self._many else f"{key} IN ({mine})"
        if not shared:
            return own, [account]
        others = "SELECT resource_uuid FROM shared_resource WHERE receiver_account_uuid = ? OR to_public = 1"
        if not self._many:
            return f"{key} IN ({mine} UNION ALL {others})", [account, account]
        return f"({own} OR {key} IN ({others}))", [account, account]

    def _part(self, column: str, parent: type[Resource] | None) -> Sql | None:
        if parent is None:
            return "0", []
        if parent.name_ in OWNED:
            return self._owned(column)
        found = self.test(parent, parent.table)
        if found is None:
            return None
        test, parameters = found
        return (
            f"{column} IN (SELECT {quoted(parent.primary)} FROM {quoted(parent.table)} WHERE {test})",
            parameters,
        )


def _refuse_admins(kind: type[Resource]) -> None:
    """Conditions on what only the admin may ask about would tell others of it, by what they find."""
    asked = [m for m in MESSAGES.values() if issubclass(m, QueryMessage) and m.resource is kind]
    if asked and kind.name_ != "Account" and all(action_of(message) is None for message in asked):
        raise NotAllowed(f"only the admin may ask about {kind.vo}; leave out conditions on it")
