"""The plan of a VM: carried out step by step it ends where it should, from wherever it starts."""

from __future__ import annotations

from dataclasses import replace

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.protocol import Call as AgentCall
from agent.protocol import (
    DestroyDomain,
    DiskSpec,
    DomainSpec,
    EnsureBridge,
    EnsureNetwork,
    EnsureNic,
    EnsureVolume,
    NicSpec,
    ObserveVm,
    ShutdownDomain,
    VmSeen,
    digest,
)
from appliance.hosts.simulator import Domain, SimulatedHost
from appliance.plans.step import Ask, CopyImage, Wait
from appliance.plans.vm import VmIntent, plan

VM = "a" * 32
PATH, CACHE = "/ps/vol/v.qcow2", "/ps/imagecache/i.qcow2"
BRIDGE = EnsureBridge(l2_uuid="l2", bridge="br_eth1", physical_interface="eth1")
NETWORK = EnsureNetwork(
    l3_uuid="l3", bridge="br_eth1", physical_interface="eth1", dhcp_ip="10.0.0.2", netmask="255.255.255.0",
    gateway="10.0.0.1",
)  # fmt: skip
NIC = EnsureNic(
    nic_uuid="n", vm_uuid=VM, l3_uuid="l3", device="vnic1.0", bridge="br_eth1", mac="fa:00:00:00:01:00",
    ip="10.0.0.3", hostname="vm", primary=True,
)  # fmt: skip
SPEC = DomainSpec(
    vm_uuid=VM, name="vm", internal_id=1, memory_bytes=1 << 28, cpu_num=1, cpu_shares=512, accelerator="tcg",
    disks=[DiskSpec(volume_uuid="v", path=PATH, format="qcow2", device_id=0)],
    nics=[NicSpec(nic_uuid="n", device="vnic1.0", mac=NIC.mac, bridge="br_eth1")], boot=["hd"],
)  # fmt: skip
VOLUME = EnsureVolume(volume_uuid="v", path=PATH, size_bytes=1 << 20, backing=CACHE)
INTENT = VmIntent(
    vm_uuid=VM, intended="Running", spec=SPEC, volume=VOLUME, image_uuid="i", bridges=(BRIDGE,),
    networks=(NETWORK,), nics=(NIC,), nic_uuids=("n",), boot_count=0, stop_deadline=None,
)  # fmt: skip


def a_host(*, volume: bool, cached: bool, served: bool, domain: str) -> SimulatedHost:
    """A host with some of what a VM needs, left by whoever died in the middle."""
    host = SimulatedHost("h")
    host.things.roots["ps"] = "/ps"
    if volume:
        host.things.files[PATH] = VOLUME.size_bytes
    if cached:
        host.things.files[CACHE] = 1
    if served or domain == "on":
        host.things.bridges["l2"] = digest(BRIDGE)
        host.things.nics["n"] = ("an older digest" if not served else digest(NIC), VM)
    if domain != "none":
        power = "on" if domain == "on" else "off"
        host.domains[VM] = Domain(
            digest(SPEC) if domain != "stale" else "old", 0, {"vnic1.0": "n"}, power=power
        )
    return host


def look(host: SimulatedHost) -> VmSeen:
    return host._vm(ObserveVm(vm_uuid=VM, volume_paths=[PATH], cache_paths=[CACHE]))


def carried_out(host: SimulatedHost, intent: VmIntent) -> list[str]:
    """The verbs that it took until nothing was left to do, with the guest deaf to its power button."""
    verbs = []
    now = 0.0
    for _ in range(20):
        steps = plan(intent, look(host), now)
        if not steps:
            return verbs
        match steps[0]:
            case Ask(request=ShutdownDomain()):
                verbs.append("ShutdownDomain")
                now = intent.stop_deadline or now
            case Ask(request=request):
                verbs.append(type(request).__name__)
                host._carry_out(AgentCall(id=1, owner="o", epoch=1, request=request))
            case CopyImage(cache_path=path):
                verbs.append("CopyImage")
                host.things.files[path] = 1
            case Wait(until=until):
                assert until > now
                now = until
    raise AssertionError(f"the plan does not end: {verbs}")


hosts = st.builds(
    a_host, volume=st.booleans(), cached=st.booleans(), served=st.booleans(),
    domain=st.sampled_from(["none", "off", "stale", "on"]),
)  # fmt: skip


@settings(max_examples=60)
@given(hosts)
def test_a_running_vm_is_reached_from_anywhere(host: SimulatedHost) -> None:
    verbs = carried_out(host, INTENT)
    seen = look(host)
    assert seen.domain.power == "on"
    assert seen.volumes == {PATH: VOLUME.size_bytes}
    assert (seen.bridges, seen.networks, seen.nics) == (
        {"l2": digest(BRIDGE)}, {"l3": digest(NETWORK)}, {"n": digest(NIC)}
    )  # fmt: skip
    assert len(verbs) == len(set(verbs))
    if "StartDomain" in verbs:
        for before in {"EnsureNic", "EnsureVolume", "DefineDomain"} & set(verbs):
            assert verbs.index(before) < verbs.index("StartDomain")
    assert carried_out(host, INTENT) == []


@settings(max_examples=60)
@given(hosts, st.sampled_from([None, 60.0]))
def test_a_stopped_vm_is_off_and_keeps_what_it_has(host: SimulatedHost, deadline: float | None) -> None:
    was_on = look(host).domain.power == "on"
    files = dict(host.things.files)
    verbs = carried_out(host, replace(INTENT, intended="Stopped", spec=None, stop_deadline=deadline))
    assert look(host).domain.power == "off"
    assert host.things.files == files
    polite = ["ShutdownDomain"] if deadline else []
    assert verbs == ([*polite, "DestroyDomain"] if was_on else [])


def test_a_guest_that_stands_still_is_powered_off_at_once() -> None:
    seen = look(a_host(volume=True, cached=True, served=True, domain="on"))
    still = msgspec.structs.replace(seen, domain=msgspec.structs.replace(seen.domain, power="paused"))
    intent = replace(INTENT, intended="Stopped", spec=None, stop_deadline=60.0)
    assert [type(step.request) for step in plan(intent, seen, 0.0)[:1]] == [ShutdownDomain]
    assert [type(step.request) for step in plan(intent, still, 0.0)] == [DestroyDomain]


@settings(max_examples=60)
@given(hosts, st.booleans())
def test_a_gone_vm_leaves_nothing_of_its_own(host: SimulatedHost, keep: bool) -> None:
    files = {path for path in host.things.files if keep or path != PATH}
    carried_out(host, replace(INTENT, intended="Destroyed" if keep else "Absent", spec=None))
    assert VM not in host.domains
    assert host.things.nics == {}
    assert set(host.things.files) == files


def test_a_running_vm_with_another_spec_is_left_alone_until_it_is_off() -> None:
    host = a_host(volume=True, cached=True, served=True, domain="on")
    carried_out(host, INTENT)
    bigger = replace(INTENT, spec=msgspec.structs.replace(SPEC, cpu_num=4))
    assert carried_out(host, bigger) == []
    host.power_off(VM, "destroyed", tell=False)
    assert carried_out(host, bigger) == ["DefineDomain", "StartDomain"]


def test_a_reboot_is_asked_for_once() -> None:
    host = a_host(volume=True, cached=True, served=True, domain="on")
    carried_out(host, INTENT)
    assert carried_out(host, replace(INTENT, boot_count=1)) == ["RebootDomain"]
    assert look(host).domain.boot_count == 1


def test_new_user_data_needs_only_its_nic() -> None:
    host = a_host(volume=True, cached=True, served=True, domain="on")
    carried_out(host, INTENT)
    other = replace(INTENT, nics=(msgspec.structs.replace(NIC, hostname="other"),))
    assert carried_out(host, other) == ["EnsureNic"]
