"""The nouns that the screens are about: which rows, which columns, which words, and how to get there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from appliance.api.message import MESSAGES
from appliance.api.resource import RESOURCES
from zstui import columns, further_columns, jobs, moves, recycle_bin
from zstui.columns import Column
from zstui.histories import ALL, MOVES, Part
from zstui.i18n import tr
from zstui.mirror import Batch, Mirror, Row
from zstui.references import kinds_declared


class Noun(NamedTuple):
    """One list. `uses` are the kinds whose names its cells show; `sort` a column, downward with a minus."""

    id: str
    title: str
    one: str
    kinds: tuple[str, ...]
    columns: tuple[Column, ...]
    uses: tuple[str, ...] = ()
    sort: str = ""
    aliases: tuple[str, ...] = ()
    empty: str = ""
    create: str = ""
    only: Callable[[Row], bool] | None = None
    """Which rows of its kinds it lists; all when None."""

    told: bool = False
    """Whether each row says for itself what kind of thing it is on."""

    part: Part = ALL
    """What of a history it lists."""

    total: Callable[[Iterable[Row]], str] | None = None
    """What all its rows come to, in words."""

    short: str = ""
    """What one types to come here, where that is not its id."""

    def holds(self, row: Row) -> bool:
        """Whether a row of its kinds stands in the list."""
        return self.part.holds(row) and (self.only is None or self.only(row))

    def is_cut(self, mirror: Mirror) -> bool:
        """Whether there are older rows than those that are held."""
        return any((kind, self.part) in mirror.histories.cut for kind in self.kinds)

    def rows(self, mirror: Mirror) -> Iterator[Row]:
        """The rows that the list has."""
        return (row for kind in self.kinds for row in mirror.all(kind) if self.holds(row))

    def among(self, batch: Batch) -> dict[str, Row | None]:
        """Its rows among those that changed; one that it holds no more is gone."""
        changed = (each for kind in self.kinds for each in batch.get(kind, {}).items())
        return {key: row if row is None or self.holds(row) else None for key, row in changed}

    @property
    def typed(self) -> str:
        """What is shown as the word to type."""
        return self.short or self.id

    @property
    def words(self) -> tuple[str, ...]:
        """What may be typed after `:` to come here, whatever is spoken: also its title, where that is one word."""
        title = self.title.casefold()
        return tuple(dict.fromkeys((self.id, *self.aliases, *([] if " " in title else [title]))))


MAIN = (
    Noun("vm", "VMs", "VM", ("VmInstance",), columns.VM, ("Host", "Image"), "NAME", ("vms",),
         "No VMs yet. Press n to create the first.", "CreateVmInstance"),
    Noun("host", "Hosts", "host", ("Host",), columns.HOST, ("Cluster", "VmInstance"), "NAME", ("hosts",),
         "No hosts yet. Press n to add a Linux machine by its address.", "AddKVMHost"),
    Noun("net", "Networks", "network", ("L3Network",), columns.NETWORK, ("L2Network", "VmInstance"), "NAME",
         ("l3", "networks", "subnet"), "No networks yet. Press n to create a subnet on an L2 network.",
         "CreateL3Network"),
    Noun("img", "Images", "image", ("Image",), columns.IMAGE, (), "NAME", ("image", "images"),
         "No images yet. Press n to bring one to a backup storage.", "AddImage"),
    Noun("store", "Storage", "storage", ("PrimaryStorage", "BackupStorage"), columns.STORAGE, (), "NAME",
         ("ps", "bs", "storage"), "No storage yet. Press n to add a folder for VM disks.",
         "AddLocalPrimaryStorage"),
    Noun("job", "Jobs", "job", ("LongJob",), jobs.COLUMNS, (), "-ASKED", ("jobs",),
         "Nothing was asked for yet."),
    Noun("ev", "Events", "event", ("Event",), columns.EVENT, (), "-WHEN", ("event", "events"),
         "Nothing has happened yet."),
)  # fmt: skip
"""Those that have a number key, in the order of the keys."""

OTHERS = (
    Noun("off", "Offerings", "offering", ("InstanceOffering",), further_columns.OFFERING, (), "NAME",
         ("offering", "size"), "No offerings yet. Press n to say what sizes VMs come in.",
         "CreateInstanceOffering"),
    Noun("vol", "Volumes", "volume", ("Volume",), further_columns.VOLUME,
         ("VmInstance", "Host", "PrimaryStorage"), "NAME",
         ("volume", "volumes", "disk", "disks"),
         "No volumes yet. Each VM brings its root volume; n makes a data volume.", "CreateDataVolume"),
    Noun("bin", "Recycle bin", "deleted", ("RecycleBinItem",), recycle_bin.COLUMNS,
         ("Host", "VmInstance", "Volume", "Image"), "EXPUNGED", ("recycle", "trash", "deleted"),
         "Nothing is in the recycle bin.", total=recycle_bin.reclaimable),
    Noun("mig", "Migrations", "migration", ("LongJob",), moves.COLUMNS, ("Host",), "-ASKED",
         ("migration", "migrations", "move", "moves"),
         "Nothing has moved yet. Press m on a VM or a volume to plan a move.", part=MOVES),
    Noun("globalconfig", "Global configs", "setting", ("GlobalConfig",), further_columns.CONFIG, (), "NAME",
         ("cfg", "config", "configs", "settings"), "No settings here.", short="cfg"),
    Noun("tag", "Tags", "tag", ("UserTag", "SystemTag"), further_columns.TAG, ("VmInstance", "Host"), "TAG", ("tags",),
         "No tags yet. Press T on any row to put one on it.", told=True),
    Noun("audit", "Audit", "audit entry", ("AuditEntry",), further_columns.AUDIT,
         kinds_declared("AuditEntry"), "-WHEN", ("auditentry",), "Nobody has changed anything yet.",
         only=lambda row: not row.get("onlyRead"), told=True),
    Noun("account", "Accounts", "account", ("Account",), columns.columns_of("Account"), (), "NAME",
         ("accounts", "tenant"), "No accounts here.", "CreateAccount"),
    Noun("l2", "L2 networks", "L2 network", ("L2Network",), columns.columns_of("L2Network"), ("Zone",),
         "NAME", (), "No L2 networks yet. Press n to create one.", "CreateL2NoVlanNetwork"),
    Noun("cluster", "Clusters", "cluster", ("Cluster",), columns.columns_of("Cluster"), ("Zone",), "NAME",
         (), "No clusters yet. Press n to create one.", "CreateCluster"),
    Noun("zone", "Zones", "zone", ("Zone",), columns.columns_of("Zone"), (), "NAME", (),
         "No zones yet. Press n to create one.", "CreateZone"),
)  # fmt: skip


LISTED = (
    ("Session", "Sessions", "session", ("session", "sessions")),
    ("LocalStorageResourceRef", "Files on local storage", "file on local storage", ("local",)),
    ("IpRange", "IP ranges", "IP range", ("range", "ranges")),
    ("UsedIp", "Used addresses", "used address", ("ip", "ips", "addresses")),
    ("DiskOffering", "Disk offerings", "disk offering", ("diskoff",)),
    ("VmNic", "NICs", "NIC", ("nic", "nics")),
    ("UserdataFetch", "User data fetches", "user data fetch", ("fetch", "fetches")),
    ("ManagementNode", "Management nodes", "management node", ("node", "nodes")),
    ("User", "Users", "user", ("user", "users")),
    ("UserGroup", "User groups", "user group", ("group", "groups")),
    ("Policy", "Policies", "policy", ("policy", "policies")),
    ("Quota", "Quotas", "quota", ("quota", "quotas")),
    (
        "NetworkServiceProvider",
        "Network service providers",
        "network service provider",
        ("provider", "providers"),
    ),
    ("NetworkServiceL3NetworkRef", "Network services", "network service", ("service", "services")),
    ("VolumeSnapshot", "Snapshots", "snapshot", ("snap", "snapshots")),
    ("VolumeSnapshotTree", "Snapshot trees", "snapshot tree", ("tree", "trees")),
    ("AccessToken", "Access tokens", "access token", ("token", "tokens")),
    ("VolumeBackup", "Backups", "backup", ("backup", "backups")),
)
"""Everything else that can be queried: title, word for one, what may be typed. The declaration says its columns."""


OWN_COLUMNS = {"UsedIp": further_columns.USED_ADDRESS, "Quota": further_columns.QUOTA,
               "UserdataFetch": further_columns.FETCH, "Session": further_columns.SESSION,
               "Policy": further_columns.POLICY, "AccessToken": further_columns.TOKEN}  # fmt: skip
NEWEST_FIRST = ("UserdataFetch", "Session")
USES = {"UsedIp": ("VmNic", "VmInstance"), "LocalStorageResourceRef": ("Volume", "VolumeSnapshot", "Image"),
        "Quota": ("Account",)}  # fmt: skip
"""Kinds that a list names, which its fields' names do not tell."""


def _listed(kind: str, title: str, one: str, aliases: tuple[str, ...]) -> Noun:
    columns_ = OWN_COLUMNS.get(kind) or columns.columns_of(kind)
    sort = "NAME" if columns_[0].title == "NAME" else "-AGE" if kind in NEWEST_FIRST else ""
    makes = next((each for each in (f"Create{kind}", f"Add{kind}") if each in MESSAGES), "")
    empty = "None yet. Press n to make one." if makes else "None here."
    return Noun(
        kind.lower(), title, one, (kind,), columns_, (*kinds_declared(kind), *USES.get(kind, ())), sort, aliases, empty,
        makes, short=aliases[0],
    )  # fmt: skip


NOUNS: dict[str, Noun] = {noun.id: noun for noun in (*MAIN, *OTHERS, *(_listed(*each) for each in LISTED))}

WATCHED = ("VmInstance", "Host", "L3Network", "Image", "LongJob", "Event", "PrimaryStorage", "BackupStorage",
           "InstanceOffering", "L2Network", "Cluster", "Zone", "GlobalConfig", "RecycleBinItem",
           "NetworkServiceProvider", "Account")  # fmt: skip
"""Kinds that the mirror keeps; lists of others are read when they are opened, and again when they change."""


NEEDS = {
    "cluster": ("zone",),
    "host": ("zone", "cluster"),
    "store": ("zone",),
    "l2": ("zone",),
    "net": ("zone", "l2"),
    "img": ("zone", "store"),
    "vm": ("zone", "cluster", "host", "store", "l2", "net", "img", "off"),
}
"""What must be there before the first row of a list can be made, in the order in which to make it."""


def empty_lines(noun: Noun, mirror: Mirror, *, filtered: bool) -> list[str]:
    """What a list says in place of rows."""
    if filtered:
        return [tr("No row holds that. Esc shows all.")]
    return nothing_yet(noun, mirror) if mirror.has_read(noun.kinds) else [tr("Reading …")]


def nothing_yet(noun: Noun, mirror: Mirror) -> list[str]:
    """What an empty list says: how to make the first row, or what must be made before it."""
    missing = [
        NOUNS[each]
        for each in NEEDS.get(noun.id, ())
        if not any(mirror.rows.get(kind) for kind in NOUNS[each].kinds)
    ]
    if not missing:
        return [tr(noun.empty)]
    title = tr(noun.title)
    first = tr("No {title} yet. Make first what it needs: type the word to go there, n makes one.",
               title=title if title[:2].isupper() else title.lower())  # fmt: skip
    steps = [f"{f':{each.typed}':10}{tr(each.title)}" for each in missing]
    return [first, "", *steps]


def create_message(noun: Noun, mirror: Mirror) -> str:
    """What makes one more of a list: of hosts, one that the clusters that are there can take."""
    kinds = {str(row.get("hypervisorType")) for row in mirror.rows.get("Cluster", {}).values()}
    return "AddSimulatorHost" if noun.id == "host" and kinds == {"Simulator"} else noun.create


def noun_of(kind: str) -> Noun | None:
    """The list that shows a kind of resource."""
    return next((noun for noun in NOUNS.values() if kind in noun.kinds), None)


assert all(kind in RESOURCES for kind in WATCHED)  # nosec B101  # a law of the declarations
