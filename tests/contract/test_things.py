"""What a host does with storage, volumes, images, networks and domains; each request absolute and repeatable."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from msgspec.structs import replace

from agent.protocol import (
    AdmitToConsole,
    AnyRequest,
    Capacity,
    ConfirmBridge,
    ConsoleSeen,
    DefineDomain,
    DestroyDomain,
    DiskSpec,
    DomainChanged,
    DomainSeen,
    DomainSpec,
    DropBridge,
    DropFile,
    DropNetwork,
    DropNic,
    DropStorage,
    EnsureBridge,
    EnsureNetwork,
    EnsureNic,
    EnsureStorage,
    EnsureVolume,
    Fetches,
    FetchImage,
    Figures,
    FlattenVolume,
    HostSeen,
    ImageFacts,
    NicSpec,
    ObserveConsole,
    ObserveHost,
    ObserveImage,
    ObserveVm,
    ProbeAccelerator,
    ProbedAccelerator,
    ReadFetches,
    ReadFigures,
    RebootDomain,
    ShutdownDomain,
    StartDomain,
    UndefineDomain,
    VmSeen,
    digest,
)
from tests.contract.peer import Peer
from tests.contract.rig import Outside, Rig, removed

SIZE = 1 << 20
VM = "c0ffee" + "0" * 25 + "1"
BRIDGE = EnsureBridge(l2_uuid="l2a", bridge="br_eth1", physical_interface="eth1")
NETWORK = EnsureNetwork(
    l3_uuid="13a", bridge="br_eth1", physical_interface="eth1", dhcp_ip="10.7.0.2",
    netmask="255.255.255.0", gateway="10.7.0.1", dns=["10.7.0.1"], userdata=True,
)  # fmt: skip
NIC = EnsureNic(
    nic_uuid="n1ca", vm_uuid=VM, l3_uuid="13a", device="vnic77.0", bridge="br_eth1",
    mac="fa:00:00:00:4d:00", ip="10.7.0.3", hostname="web", primary=True,
)  # fmt: skip
SECOND = replace(
    NIC, nic_uuid="n1cb", device="vnic77.1", mac="fa:00:00:00:4d:01", ip="10.7.0.4", primary=False
)


def volume(rig: Rig, **changes: object) -> EnsureVolume:
    made = EnsureVolume(volume_uuid="v", path=f"{rig.storage}/vol/v.qcow2", size_bytes=SIZE)
    return replace(made, **changes)


def domain(rig: Rig, **changes: object) -> DomainSpec:
    made = DomainSpec(
        vm_uuid=VM, name="a <b> & 'c'", internal_id=77, memory_bytes=32 << 20, cpu_num=1, cpu_shares=512,
        accelerator="tcg", boot=["hd"], console_listen="127.0.0.1",
        disks=[DiskSpec(volume_uuid="v", path=volume(rig).path, format="qcow2", device_id=0, cache="writeback")],
        nics=[NicSpec(nic_uuid=NIC.nic_uuid, device=NIC.device, mac=NIC.mac, bridge=NIC.bridge)],
    )  # fmt: skip
    return replace(made, **changes)


async def tell(peer: Peer, *requests: AnyRequest) -> None:
    for request in requests:
        assert (type(request).__name__, await peer.code(request)) == (type(request).__name__, "ok")


async def ready(rig: Rig) -> Peer:
    """A host with everything that a domain needs."""
    peer = await rig.peer()
    await tell(peer, volume(rig), BRIDGE, ConfirmBridge(bridge=BRIDGE.bridge), NETWORK, NIC)
    return peer


@pytest.fixture
async def built(rig: Rig) -> AsyncIterator[Peer]:
    """A host with everything that a domain needs, and nothing of it afterwards."""
    yield await ready(rig)
    await cleared(await rig.peer())


async def cleared(peer: Peer) -> None:
    await removed(peer, VM)
    await tell(
        peer,
        DropNic(nic_uuid=NIC.nic_uuid),
        DropNetwork(l3_uuid=NETWORK.l3_uuid),
        DropBridge(l2_uuid=BRIDGE.l2_uuid, bridge=BRIDGE.bridge),
    )


# --- storage, volumes, images -------------------------------------------------------------------------


async def test_a_storage_root_has_a_capacity_and_is_in_the_scan_until_dropped(rig: Rig) -> None:
    peer = await rig.peer()
    request = EnsureStorage(storage_uuid="5a", root=rig.storage)
    for _ in range(2):
        capacity = await peer.told(request, Capacity)
        assert 0 < capacity.available_bytes <= capacity.total_bytes
    assert "5a" in (await peer.told(ObserveHost(), HostSeen)).storage
    await tell(peer, DropStorage(storage_uuid="5a"), DropStorage(storage_uuid="5a"))
    assert "5a" not in (await peer.told(ObserveHost(), HostSeen)).storage


async def test_a_volume_is_made_once_and_seen_with_its_size(rig: Rig) -> None:
    peer = await rig.peer()
    await tell(peer, volume(rig), volume(rig))
    path = volume(rig).path
    seen = await peer.told(ObserveVm(vm_uuid=VM, volume_paths=[path, path + "x"]), VmSeen)
    assert seen.volumes == {path: SIZE}
    assert rig.files() == {path}
    await tell(peer, DropFile(path=path), DropFile(path=path))
    assert rig.files() == set()


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"size_bytes": SIZE * 2}, "volume.smaller"),
        ({"size_bytes": SIZE // 2}, "volume.larger"),
        ({"size_bytes": 0}, "volume.size"),
        ({"size_bytes": 513}, "volume.size"),
    ],
)
async def test_a_volume_never_changes_its_size(rig: Rig, changes: dict[str, object], code: str) -> None:
    peer = await rig.peer()
    await tell(peer, volume(rig))
    assert await peer.code(volume(rig, **changes)) == code
    seen = await peer.told(ObserveVm(vm_uuid=VM, volume_paths=[volume(rig).path]), VmSeen)
    assert seen.volumes == {volume(rig).path: SIZE}


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/etc/shadow", "path.outside"),
        ("{storage}/../escaped.qcow2", "path.bad"),
        ("relative.qcow2", "path.bad"),
        ("{storage}/a\nb.qcow2", "path.bad"),
        ("{storage}", "path.outside"),
    ],
)
async def test_no_file_is_made_seen_or_removed_outside_of_storage(rig: Rig, path: str, code: str) -> None:
    peer = await rig.peer()
    path = path.format(storage=rig.storage)
    for request in (
        volume(rig, path=path),
        volume(rig, backing=path),
        DropFile(path=path),
        ObserveVm(vm_uuid=VM, volume_paths=[path]),
        ObserveVm(vm_uuid=VM, cache_paths=[path]),
        ObserveImage(path=path, format="qcow2"),
        FetchImage(image_uuid="i", url="http://127.0.0.1:9/i", path=path, format="qcow2"),
        DefineDomain(spec=domain(rig, disks=[replace(domain(rig).disks[0], path=path)])),
    ):
        assert (type(request).__name__, await peer.code(request)) == (type(request).__name__, code)
    assert rig.files() == set()


async def test_a_volume_on_a_missing_image_is_refused_and_leaves_nothing(rig: Rig) -> None:
    peer = await rig.peer()
    assert await peer.code(volume(rig, backing=f"{rig.storage}/imagecache/i.qcow2")) == "file.missing"
    assert rig.files() == set()


async def test_an_image_is_fetched_once_seen_whole_and_built_upon(rig: Rig) -> None:
    peer = await rig.peer()
    rig.put(f"{rig.sources}/good.qcow2", "qcow2")
    cache = f"{rig.storage}/imagecache/i.qcow2"
    fetch = FetchImage(
        image_uuid="i", url=f"file://{rig.sources}/good.qcow2", path=cache, format="qcow2",
        allowed_folders=[rig.sources],
    )  # fmt: skip
    facts = [await peer.told(fetch, ImageFacts) for _ in range(2)]
    assert facts[0] == facts[1]
    assert facts[0].format == "qcow2"
    assert len(facts[0].md5) == 32
    assert await peer.told(ObserveImage(path=cache, format="qcow2"), ImageFacts) == facts[0]
    missing = f"{rig.storage}/imagecache/j.qcow2"
    seen = await peer.told(ObserveVm(vm_uuid=VM, cache_paths=[cache, missing]), VmSeen)
    assert seen.cached == [cache]
    await tell(peer, volume(rig, backing=cache, size_bytes=facts[0].size_bytes))
    assert rig.files() == {cache, volume(rig).path}


@pytest.mark.parametrize(
    ("kind", "url", "image_format", "code"),
    [
        ("garbage", "file://{sources}/i", "qcow2", "image.not_an_image"),
        ("backed", "file://{sources}/i", "qcow2", "image.backing_file"),
        ("qcow2", "file://{sources}/absent", "qcow2", "file.missing"),
        ("qcow2", "file://{sources}/i", "vmdk", "image.format"),
        ("qcow2", "ftp://localhost/i", "qcow2", "url.scheme"),
    ],
)
async def test_what_is_no_sound_image_is_refused_and_leaves_nothing(
    rig: Rig, kind: str, url: str, image_format: str, code: str
) -> None:
    peer = await rig.peer()
    rig.put(f"{rig.sources}/i", kind)  # type: ignore[arg-type]
    request = FetchImage(
        image_uuid="i", url=url.format(sources=rig.sources), path=f"{rig.storage}/bs/i.{image_format}",
        format=image_format, allowed_folders=[rig.sources],
    )  # fmt: skip
    assert await peer.code(request) == code
    assert rig.files() == set()


async def test_what_would_not_leave_the_reserve_free_is_refused_and_leaves_nothing(rig: Rig) -> None:
    peer = await rig.peer()
    rig.put(f"{rig.sources}/i", "qcow2")
    image = f"{rig.storage}/bs/i.qcow2"
    fetch = FetchImage(
        image_uuid="i", url=f"file://{rig.sources}/i", path=image, format="qcow2", allowed_folders=[rig.sources],
        reserved_bytes=1 << 60,
    )  # fmt: skip
    assert await peer.code(fetch) == "storage.full"
    assert rig.files() == set()
    await peer.told(replace(fetch, reserved_bytes=1), ImageFacts)
    flat = FlattenVolume(path=f"{rig.storage}/flat.qcow2", source=image, reserved_bytes=1 << 60)
    assert await peer.code(flat) == "storage.full"
    assert rig.files() == {image}
    await tell(peer, replace(flat, reserved_bytes=1))
    assert rig.files() == {image, flat.path}


@pytest.mark.parametrize("name", ["i", "absent", "absent/i"])
async def test_a_local_file_outside_of_the_folders_allowed_is_no_source_whether_it_is_there_or_not(
    rig: Rig, name: str
) -> None:
    peer = await rig.peer()
    rig.put(f"{rig.sources}/i", "qcow2")
    request = FetchImage(
        image_uuid="i", url=f"file://{rig.sources}/{name}", path=f"{rig.storage}/bs/i.qcow2", format="qcow2"
    )
    assert await peer.code(request) == "url.folder"
    assert rig.files() == set()


async def test_a_file_of_a_storage_is_a_source_only_where_that_is_asked_for(rig: Rig) -> None:
    """Volumes and images of every account are there."""
    peer = await rig.peer()
    rig.put(f"{rig.storage}/of-another.qcow2", "qcow2")
    request = FetchImage(
        image_uuid="i", url=f"file://{rig.storage}/of-another.qcow2", path=f"{rig.storage}/bs/i.qcow2",
        format="qcow2", allowed_folders=[rig.sources],
    )  # fmt: skip
    assert await peer.code(request) == "url.folder"
    assert rig.files() == {f"{rig.storage}/of-another.qcow2"}
    await peer.told(replace(request, from_storage=True), ImageFacts)


async def test_an_image_that_nobody_sent_is_missing(rig: Rig) -> None:
    peer = await rig.peer()
    assert await peer.code(ObserveImage(path=f"{rig.storage}/bs/i.qcow2", format="qcow2")) == "file.missing"


# --- bridges, networks, NICs --------------------------------------------------------------------------


async def test_the_network_half_is_seen_by_the_digests_of_what_was_asked(rig: Rig, built: Peer) -> None:
    peer = built
    await tell(peer, BRIDGE, NETWORK, NIC)
    for seen in (await peer.told(ObserveVm(vm_uuid=VM), VmSeen), await peer.told(ObserveHost(), HostSeen)):
        assert seen.bridges[BRIDGE.l2_uuid] == digest(BRIDGE)
        assert seen.networks[NETWORK.l3_uuid] == digest(NETWORK)
        assert seen.nics[NIC.nic_uuid] == digest(NIC)
    other = replace(NIC, hostname="other")
    await tell(peer, other)
    assert (await peer.told(ObserveVm(vm_uuid=VM), VmSeen)).nics[NIC.nic_uuid] == digest(other)
    for _ in range(2):
        await cleared(peer)
    seen = await peer.told(ObserveHost(), HostSeen)
    assert not {BRIDGE.l2_uuid, NETWORK.l3_uuid, NIC.nic_uuid} & {*seen.bridges, *seen.networks, *seen.nics}
    assert await peer.told(ReadFetches(after=0), Fetches) == Fetches(fetches=[])


# --- domains ------------------------------------------------------------------------------------------


async def test_a_domain_from_definition_to_its_end(rig: Rig, built: Peer) -> None:
    peer = built
    spec = domain(rig, console_guarded=True)
    unknown = (await peer.told(ObserveVm(vm_uuid=VM), VmSeen)).domain
    assert (unknown.defined, unknown.power, unknown.digest) == (False, "off", "")
    defined = await peer.told(DefineDomain(spec=spec), DomainSeen)
    assert (defined.defined, defined.power, defined.cause) == (True, "off", "none")
    assert defined.digest == digest(spec)
    on = await peer.told(StartDomain(vm_uuid=VM), DomainSeen)
    assert (on.power, on.cause, on.digest) == ("on", "booted", digest(spec))
    assert on.at > defined.at > unknown.at
    assert (await peer.told(StartDomain(vm_uuid=VM), DomainSeen)).power == "on"
    assert (await peer.told(DefineDomain(spec=spec), DomainSeen)).power == "on"
    console = await peer.told(ObserveConsole(vm_uuid=VM), ConsoleSeen)
    assert (console.protocol, console.password) == ("vnc", "")
    passwords = [
        (await peer.told(AdmitToConsole(vm_uuid=VM, valid_seconds=60), ConsoleSeen)).password
        for _ in range(2)
    ]
    assert len({*passwords, ""}) == 3
    assert await peer.code(UndefineDomain(vm_uuid=VM)) == "domain.running"
    off = await peer.told(DestroyDomain(vm_uuid=VM), DomainSeen)
    assert (off.defined, off.power, off.cause) == (True, "off", "destroyed")
    assert (await peer.told(DestroyDomain(vm_uuid=VM), DomainSeen)).power == "off"
    assert (await peer.told(ShutdownDomain(vm_uuid=VM), DomainSeen)).power == "off"
    for _ in range(2):
        assert not (await peer.told(UndefineDomain(vm_uuid=VM), DomainSeen)).defined
    assert (await peer.told(DestroyDomain(vm_uuid=VM), DomainSeen)).defined is False


async def test_what_needs_a_domain_is_refused_without_one(rig: Rig) -> None:
    peer = await rig.peer()
    requests = (
        StartDomain(vm_uuid=VM), ShutdownDomain(vm_uuid=VM), ObserveConsole(vm_uuid=VM),
        AdmitToConsole(vm_uuid=VM, valid_seconds=60),
        RebootDomain(vm_uuid=VM, boot_count=1),
    )  # fmt: skip
    for request in requests:
        assert await peer.code(request) == "domain.missing"


async def test_what_needs_a_running_domain_is_refused_while_it_is_off(rig: Rig, built: Peer) -> None:
    peer = built
    await tell(peer, DefineDomain(spec=domain(rig)))
    assert await peer.code(ObserveConsole(vm_uuid=VM)) == "domain.off"
    assert await peer.code(AdmitToConsole(vm_uuid=VM, valid_seconds=60)) == "domain.off"
    assert await peer.code(RebootDomain(vm_uuid=VM, boot_count=1)) == "domain.off"


async def test_another_definition_holds_at_once_or_from_the_next_start_on(rig: Rig, built: Peer) -> None:
    peer = built
    other, third = domain(rig, cpu_num=2), domain(rig, cpu_num=3)
    await tell(peer, DefineDomain(spec=domain(rig), boot_count=2), StartDomain(vm_uuid=VM))
    for _ in range(2):
        running = await peer.told(DefineDomain(spec=other, boot_count=9), DomainSeen)
        assert (running.digest, running.power, running.boot_count) == (digest(other), "on", 2)
    off = await peer.told(DestroyDomain(vm_uuid=VM), DomainSeen)
    assert (off.digest, off.boot_count) == (digest(other), 2)
    again = await peer.told(DefineDomain(spec=third), DomainSeen)
    assert (again.digest, again.power, again.cause) == (digest(third), "off", "destroyed")


def two_nics(rig: Rig) -> DomainSpec:
    second = NicSpec(nic_uuid=SECOND.nic_uuid, device=SECOND.device, mac=SECOND.mac, bridge=SECOND.bridge)
    return domain(rig, nics=[*domain(rig).nics, second])


async def plugged(peer: Peer) -> list[str] | None:
    return (await peer.told(ObserveVm(vm_uuid=VM), VmSeen)).plugged


async def test_a_nic_is_plugged_into_a_running_domain_once_it_is_guarded(rig: Rig, built: Peer) -> None:
    peer = built
    await tell(peer, DefineDomain(spec=domain(rig)))
    assert await plugged(peer) is None
    await tell(peer, StartDomain(vm_uuid=VM))
    assert await plugged(peer) == [NIC.device]
    more = DefineDomain(spec=two_nics(rig))
    assert await peer.code(more) == "nic.unguarded"
    seen = await peer.told(ObserveVm(vm_uuid=VM), VmSeen)
    assert (seen.plugged, seen.domain.digest) == ([NIC.device], digest(domain(rig)))
    await tell(peer, SECOND)
    for _ in range(2):
        assert (await peer.told(more, DomainSeen)).digest == digest(more.spec)
        assert await plugged(peer) == [NIC.device, SECOND.device]
    await tell(peer, DestroyDomain(vm_uuid=VM))
    assert await plugged(peer) is None
    await tell(peer, StartDomain(vm_uuid=VM))
    assert await plugged(peer) == [NIC.device, SECOND.device]
    await tell(peer, DestroyDomain(vm_uuid=VM), DropNic(nic_uuid=SECOND.nic_uuid))


async def test_a_nic_is_unplugged_from_a_running_domain(obliging: Rig) -> None:
    peer = await ready(obliging)
    await tell(peer, SECOND, DefineDomain(spec=two_nics(obliging)), StartDomain(vm_uuid=VM))
    for _ in range(2):
        seen = await peer.told(DefineDomain(spec=domain(obliging)), DomainSeen)
        assert (seen.digest, seen.power) == (digest(domain(obliging)), "on")
        assert await plugged(peer) == [NIC.device]
    await tell(peer, DropNic(nic_uuid=SECOND.nic_uuid))
    await cleared(peer)


async def test_a_guest_that_does_not_let_go_keeps_its_nic(outside: Outside) -> None:
    peer = await ready(outside)
    await tell(peer, SECOND, DefineDomain(spec=two_nics(outside)), StartDomain(vm_uuid=VM))
    outside.cling(VM)
    less = DefineDomain(spec=domain(outside), unplug_seconds=0.5)
    assert await peer.code(less) == "nic.in_use"
    seen = await peer.told(ObserveVm(vm_uuid=VM), VmSeen)
    assert (seen.plugged, seen.domain.digest) == ([NIC.device, SECOND.device], digest(two_nics(outside)))
    await tell(peer, DestroyDomain(vm_uuid=VM), less, StartDomain(vm_uuid=VM))
    assert await plugged(peer) == [NIC.device]
    await tell(peer, DestroyDomain(vm_uuid=VM), DropNic(nic_uuid=SECOND.nic_uuid))
    await cleared(peer)


async def test_a_domain_starts_only_with_its_nics_guarded(rig: Rig, built: Peer) -> None:
    peer = built
    await tell(peer, DefineDomain(spec=domain(rig)), DropNic(nic_uuid=NIC.nic_uuid))
    assert await peer.code(StartDomain(vm_uuid=VM)) == "nic.unguarded"
    assert (await peer.told(ObserveVm(vm_uuid=VM), VmSeen)).domain.power == "off"
    await tell(peer, NIC, StartDomain(vm_uuid=VM))


async def test_reboots_are_counted_and_not_repeated(rig: Rig, built: Peer) -> None:
    peer = built
    await tell(peer, DefineDomain(spec=domain(rig), boot_count=3), StartDomain(vm_uuid=VM))
    once = RebootDomain(vm_uuid=VM, boot_count=4, grace_seconds=0.2)
    for _ in range(2):
        seen = await peer.told(once, DomainSeen)
        assert (seen.power, seen.boot_count) == ("on", 4)
    await tell(peer, DestroyDomain(vm_uuid=VM))
    other = DefineDomain(spec=domain(rig, cpu_num=2), boot_count=1)
    assert (await peer.told(other, DomainSeen)).boot_count == 4


async def test_a_domain_is_in_the_scan_as_it_is(rig: Rig, built: Peer) -> None:
    peer = built
    await tell(peer, DefineDomain(spec=domain(rig)), StartDomain(vm_uuid=VM))
    scan = await peer.told(ObserveHost(), HostSeen)
    (seen,) = [each for each in scan.domains if each.vm_uuid == VM]
    assert (seen.defined, seen.power, seen.digest) == (True, "on", digest(domain(rig)))
    assert scan.at > 0
    await cleared(peer)
    assert VM not in {each.vm_uuid for each in (await peer.told(ObserveHost(), HostSeen)).domains}


async def test_figures_are_of_the_host_and_of_the_domains_that_are_on(rig: Rig, built: Peer) -> None:
    peer = built
    await tell(peer, DefineDomain(spec=domain(rig)))
    before = await peer.told(ReadFigures(), Figures)
    assert VM not in before.domains
    assert before.host.memory_bytes > 0
    await tell(peer, StartDomain(vm_uuid=VM))
    first = await peer.told(ReadFigures(), Figures)
    second = await peer.told(ReadFigures(), Figures)
    assert VM in second.domains
    assert second.at > first.at > before.at
    assert second.host.cpu_ns >= first.host.cpu_ns >= before.host.cpu_ns
    for name in ("cpu_ns", "disk_read_bytes", "disk_write_bytes", "network_in_bytes", "network_out_bytes"):
        assert getattr(second.domains[VM], name) >= getattr(first.domains[VM], name), name
    await tell(peer, DestroyDomain(vm_uuid=VM))
    assert VM not in (await peer.told(ReadFigures(), Figures)).domains


async def test_power_changes_are_told_with_their_cause_to_the_newest_link_only(rig: Rig, built: Peer) -> None:
    older = built
    peer = await rig.peer()
    await tell(peer, DefineDomain(spec=domain(rig)), StartDomain(vm_uuid=VM))
    on = await peer.changed(lambda seen: seen.vm_uuid == VM and seen.power == "on")
    assert on.cause == "booted"
    await tell(peer, DestroyDomain(vm_uuid=VM))
    off = await peer.changed(lambda seen: seen.vm_uuid == VM and seen.power == "off" and seen.at > on.at)
    assert off.cause in {"none", "destroyed"}
    off = await peer.changed(lambda seen: seen.power == "off" and seen.cause == "destroyed")
    assert off.digest == digest(domain(rig))
    await older.ended()
    assert not [notice for notice in older.notices if isinstance(notice.event, DomainChanged)]


async def test_what_others_do_to_a_domain_is_told_with_its_cause(outside: Outside) -> None:
    peer = await ready(outside)
    await tell(peer, DefineDomain(spec=domain(outside)), StartDomain(vm_uuid=VM))
    await outside.power(VM, "off")
    off = await peer.changed(lambda seen: seen.vm_uuid == VM and seen.cause == "destroyed")
    assert (off.power, off.defined) == ("off", True)
    await outside.power(VM, "on")
    on = await peer.changed(lambda seen: seen.vm_uuid == VM and seen.power == "on" and seen.at > off.at)
    assert on.cause == "booted"
    await cleared(peer)


async def test_a_forced_accelerator_is_taken_at_its_word(rig: Rig) -> None:
    peer = await rig.peer()
    for forced in ("kvm", "tcg"):
        found = await peer.told(ProbeAccelerator(forced=forced), ProbedAccelerator)  # type: ignore[arg-type]
        assert found.accelerator == forced
        assert found.reason
