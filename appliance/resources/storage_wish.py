"""Which primary storage an offering's tags ask for."""

from __future__ import annotations

from dataclasses import dataclass

from appliance.api.storage import PrimaryStorage
from appliance.api.tag import SystemTag, UserTag, pattern_of
from appliance.store.snapshot import Snapshot


@dataclass(frozen=True)
class StorageWish:
    """The storages that a new volume may be on (any when None), and those that it had better be on."""

    only: frozenset[str] | None = None
    rather: frozenset[str] = frozenset()

    def allows(self, storage_uuid: str) -> bool:
        """Whether a volume may be on a storage at all."""
        return self.only is None or storage_uuid in self.only


ANY = StorageWish()


def storage_wish(snapshot: Snapshot, offering_uuid: str) -> StorageWish:
    """What the tags `primaryStorage::allocator::…` of an instance offering come to, all of them together."""
    only: frozenset[str] | None = None
    rather: frozenset[str] = frozenset()
    for tag in snapshot.all(SystemTag, resource_uuid=offering_uuid):
        found = pattern_of(tag.resource_type, tag.tag)
        if found is None or not tag.tag.startswith("primaryStorage::allocator::"):
            continue
        _, holes = found
        named = holes.get("primaryStorageUuid")
        meant = frozenset([named]) if named else _marked(snapshot, holes["tag"])
        if named or tag.tag.endswith("::required"):
            only = meant if only is None else only & meant
        else:
            rather |= meant
    return StorageWish(only, rather)


def _marked(snapshot: Snapshot, user_tag: str) -> frozenset[str]:
    """The primary storages with a user tag."""
    found = snapshot.all(UserTag, tag=user_tag, resource_type=PrimaryStorage.vo)
    return frozenset(tag.resource_uuid for tag in found)
