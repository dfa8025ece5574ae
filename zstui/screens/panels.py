"""What else a key opens on a row, beside its calls: planner, snapshots, volumes, boot order and their like."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from appliance.api.errors import ApiError
from appliance.api.resource import RESOURCES
from appliance.api.tag import can_be_tagged
from zstui.i18n import tr
from zstui.mirror import Mirror, Row
from zstui.moves import plan_of
from zstui.picks import row_note
from zstui.related import OWNERS
from zstui.screens.background import call
from zstui.screens.chooser import Choice, Chooser, narrowed
from zstui.screens.more import carry_out_once_sure
from zstui.screens.relations import to_owner, to_related, to_tags
from zstui.screens.watching import watch
from zstui.verbs import binned
from zstui.wrong import told

if TYPE_CHECKING:
    from zstui.screens.acting import Acting


class Panel(NamedTuple):
    """A key, a word for the hints, a line for the help, the kinds of row it works on, and what it does."""

    id: str
    key: str
    word: str
    title: str
    kinds: tuple[str, ...]
    """No kind stands for all."""
    open: Callable[[Acting, Row], None]
    fits: Callable[[Row, Mirror], bool] = lambda row, _: not binned(row)
    looks: bool = False
    """Whether it is of use to one who may change nothing."""
    closed: frozenset[str] = frozenset()
    """The states of a row in which there is nothing to open."""


def _move(screen: Acting, row: Row) -> None:
    """Plan the row's move to another host, and make it."""
    from zstui.screens.planner import Planner

    plan = plan_of(row, screen.mirror)
    if plan is None:
        return

    def planned(chosen: list[Any] | None) -> None:
        if chosen:
            call(
                screen,
                plan.message,
                tr("move {name}", name=row.name),
                **plan.subject,
                **{plan.target: chosen[0]},
            )
            screen.say(
                tr(
                    "{name} is asked to move to {host}; :mig shows how far it is",
                    name=row.name,
                    host=screen.mirror.name(chosen[0]),
                ),
                "busy",
            )

    screen.app.push_screen(Planner(row, plan, screen.mirror), planned)


def _snapshots(screen: Acting, row: Row) -> None:
    """The tree of a volume; of a VM with several, that of the one chosen."""
    from zstui.screens.snapshots import Snapshots, volumes_of

    volumes = volumes_of(row, screen.mirror)
    by_uuid = {volume.key: volume for volume in volumes}

    def chosen(values: list[Any] | None) -> None:
        if values:
            screen.app.push_screen(Snapshots(by_uuid[values[0]], screen.mirror))

    if len(volumes) <= 1:
        chosen([each.key for each in volumes])
        return

    def choices() -> list[Choice]:
        return [Choice(each.key, each.name, row_note(each, screen.mirror)) for each in volumes]

    screen.app.push_screen(
        Chooser(lambda: tr("Snapshots of which volume of {vm}?", vm=row.name), narrowed(choices)), chosen
    )


def _boot(screen: Acting, row: Row) -> None:
    """Boot order and ISO."""
    from zstui.screens.boot import Boot

    screen.app.push_screen(Boot(row, screen.mirror))


def _addresses(screen: Acting, row: Row) -> None:
    """The map of a network's addresses."""
    from zstui.screens.addresses import Addresses

    screen.app.push_screen(Addresses(row, screen.mirror))


def _services(screen: Acting, row: Row) -> None:
    """The services of a network."""
    from zstui.screens.services import Services

    screen.app.push_screen(Services(row, screen.mirror))


def _attach(screen: Acting, row: Row) -> None:
    """Give a data volume to a VM, or take it from the one that has it."""
    if row.get("vmInstanceUuid"):
        carry_out_once_sure(screen, "DetachDataVolumeFromVm", [row])
    else:
        screen.run_worker(_attach_to(screen, row))


async def _attach_to(screen: Acting, row: Row) -> None:
    try:
        reply = await screen.app.calls.session.call("GetDataVolumeAttachableVm", volumeUuid=row.key)
    except ApiError as error:
        screen.app.tell(told(error, screen.app.mirror), wrong=True)
        return
    rows = [Row("VmInstance", str(each["uuid"]), each) for each in reply.get("inventories", [])]
    if not rows:
        screen.app.tell(
            tr("no VM could have {volume}: none is on a host that its storage serves", volume=row.name),
            wrong=True,
        )
        return
    ordered = sorted(rows, key=lambda vm: vm.by_name)

    def choices() -> list[Choice]:
        return [Choice(vm.key, vm.name, row_note(vm, screen.mirror)) for vm in ordered]

    def chosen(values: list[Any] | None) -> None:
        if values:
            call(screen, "AttachDataVolumeToVm", tr("attach {name}", name=row.name),
                 volumeUuid=row.key, vmInstanceUuid=values[0])  # fmt: skip

    screen.app.push_screen(
        Chooser(lambda: tr("Give {volume} to which VM?", volume=row.name), narrowed(choices)), chosen
    )


def _resize(screen: Acting, row: Row) -> None:
    """The form of a larger size."""
    message = "ResizeRootVolume" if row.get("type") == "Root" else "ResizeDataVolume"
    screen.open_form(message, given={"uuid": row.key})


def _is_data(row: Row, _: Mirror) -> bool:
    return row.get("type") == "Data" and not binned(row)


OFF = frozenset({"Stopped"})
"""States in which a VM has no console, and is not about to have one."""

PANELS = (
    Panel(
        "serial",
        "c",
        "serial",
        "Open the serial console",
        ("VmInstance",),
        lambda screen, row: watch(screen, row, "serial"),
        closed=OFF,
    ),
    Panel(
        "vnc",
        "V",
        "screen",
        "Show the screen by VNC",
        ("VmInstance",),
        lambda screen, row: watch(screen, row, "vnc"),
        closed=OFF,
    ),
    Panel("move", "m", "move", "Move to another host", ("VmInstance", "Volume"), _move),
    Panel("snapshots", "v", "snapshots", "Show snapshots", ("VmInstance", "Volume"), _snapshots, looks=True),
    Panel("boot", "b", "boot", "Change boot order and ISO", ("VmInstance",), _boot),
    Panel(
        "addresses",
        "i",
        "addresses",
        "Show addresses, and who has them",
        ("L3Network",),
        _addresses,
        looks=True,
    ),
    Panel("services", "w", "services", "Choose network services by provider", ("L3Network",), _services),
    Panel("attach", "a", "attach", "Attach to a VM, detach", ("Volume",), _attach, _is_data),
    Panel("resize", "z", "resize", "Make larger", ("Volume",), _resize),
    Panel(
        "owner",
        "J",
        "owner",
        "Go to what it belongs to",
        (),
        to_owner,
        lambda row, _: row.kind in OWNERS,
        looks=True,
    ),
    Panel(
        "related",
        "R",
        "related",
        "Go to anything it has to do with",
        (),
        to_related,
        lambda row, _: True,
        looks=True,
    ),
    Panel(
        "tags",
        "T",
        "tags",
        "Add, change, take off tags",
        (),
        to_tags,
        lambda row, _: can_be_tagged(RESOURCES[row.kind]),
    ),
)


def _token(screen: Acting, row: Row) -> None:
    from zstui.screens.token import show_token

    show_token(screen, row)


AFTER: dict[str, Callable[[Acting, Row], None]] = {"CreateL3Network": _services, "CreateAccessToken": _token}
"""What is to be chosen next of something that a form has made."""


def panels_of(row: Row, mirror: Mirror) -> list[Panel]:
    """What keys open on a row."""
    return [panel for panel in PANELS if row.kind in (panel.kinds or (row.kind,)) and panel.fits(row, mirror)]
