"""Choosing a host: what is chosen can take the VM, and what is refused says why."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.api.errors import NoHostAvailable
from appliance.api.offering import DEFAULT, DESIGNATED, LAST_HOST, LEAST_VMS, STRATEGIES
from appliance.plans.placement import Demand, HostOption, choose_host, why_not

GOOD = HostOption(
    uuid="h1", name="one", state="Enabled", status="Connected", hypervisor_type="KVM", available_memory=100,
    available_cpu=100, available_disk=100, l2_uuids=frozenset({"a", "b"}), backup_storage_in_zone=True, vms=3,
)  # fmt: skip
DEMAND = Demand(memory=50, cpu=50, disk=50, l2_uuids=frozenset({"a"}))

small = st.integers(0, 4)
options = st.builds(
    replace,
    st.just(GOOD),
    uuid=st.text("abcdef", min_size=1, max_size=3),
    state=st.sampled_from(["Enabled", "Disabled", "Maintenance"]),
    status=st.sampled_from(["Connected", "Connecting", "Disconnected"]),
    available_memory=small,
    available_cpu=small,
    available_disk=st.integers(-1, 4),
    l2_uuids=st.frozensets(st.sampled_from("ab")),
    backup_storage_in_zone=st.booleans(),
    vms=small,
)
demands = st.builds(
    Demand,
    memory=small,
    cpu=small,
    disk=small,
    l2_uuids=st.frozensets(st.sampled_from("ab")),
    designated=st.none() | st.text("abcdef", min_size=1, max_size=1),
)


def fits(option: HostOption, demand: Demand) -> bool:
    return (
        (option.state, option.status) == ("Enabled", "Connected")
        and demand.l2_uuids <= option.l2_uuids
        and demand.designated in (None, option.uuid)
        and option.available_memory >= demand.memory
        and option.available_cpu >= demand.cpu
        and option.available_disk >= demand.disk
        and option.backup_storage_in_zone
    )


@given(st.lists(options, unique_by=lambda option: option.uuid, max_size=6), demands)
def test_the_host_with_the_fewest_vms_of_those_that_fit(found: list[HostOption], demand: Demand) -> None:
    fitting = [option for option in found if fits(option, demand)]
    if not fitting:
        with pytest.raises(NoHostAvailable) as refused:
            choose_host(found, demand)
        assert refused.value.details
        return
    chosen = choose_host(found, demand)
    (option,) = [each for each in fitting if each.uuid == chosen]
    assert option.vms == min(each.vms for each in fitting)
    assert choose_host(list(reversed(found)), demand) == chosen


ASKED = {
    "l3NetworkUuids": "n1,n2", "hostUuid": "h1", "imageUuid": "i", "instanceOfferingUuid": "o", "clusterUuid": "c",
}  # fmt: skip


@pytest.mark.parametrize(
    ("change", "field", "way_out"),
    [
        ({"l2_uuids": frozenset()}, "l3NetworkUuids[n1,n2]", "attach the L2 networks"),
        ({"uuid": "other"}, "hostUuid[h1]", "name a host of that zone"),
        ({"status": "Disconnected"}, "hostUuid[h1]", "reconnect it"),
        ({"hypervisor_type": "Simulator"}, "imageUuid[i]", "take an image"),
        ({"available_memory": 49}, "instanceOfferingUuid[o]", "smaller instance offering"),
        ({"available_cpu": 49}, "instanceOfferingUuid[o]", "smaller instance offering"),
        ({"backup_storage_in_zone": False}, "imageUuid[i]", "AttachBackupStorageToZone"),
        ({"available_disk": 49}, "imageUuid[i]", "attach a primary storage"),
    ],
)
def test_a_refusal_names_the_field_that_cannot_be_met_and_the_way_out(
    change: dict[str, object], field: str, way_out: str
) -> None:
    demand = replace(DEMAND, designated="h1", hypervisor="KVM", asked=ASKED)
    with pytest.raises(NoHostAvailable) as refused:
        choose_host([replace(GOOD, **change)], demand)  # type: ignore[arg-type]
    assert refused.value.details.startswith(f"{field}: no host ")
    assert way_out in refused.value.details.partition("; ruled out last: ")[0]
    with pytest.raises(NoHostAvailable, match=r"^uuid\[v\]: no host .* enough memory"):
        choose_host([replace(GOOD, available_memory=1)], replace(DEMAND, asked={"uuid": "v"}))
    with pytest.raises(NoHostAvailable, match=r"^clusterUuid\[c\]: there is no host"):
        choose_host([], replace(DEMAND, asked={"clusterUuid": "c", "imageUuid": "i"}))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"l2_uuids": frozenset()}, "carries the L2 networks"),
        ({"uuid": "other"}, "is the one designated"),
        ({"state": "Disabled"}, "is Enabled and Connected.*Disabled"),
        ({"status": "Disconnected"}, "is Enabled and Connected.*Disconnected"),
        ({"available_memory": 49}, "has enough memory.*49 bytes of memory left, and 50 are needed"),
        ({"available_cpu": 49}, "has enough CPU.*49 MHz of CPU left, and 50 are needed"),
        ({"backup_storage_in_zone": False}, "backup storage in its zone"),
        (
            {"available_disk": 49},
            "has room on its primary storage.*49 bytes of primary storage left above the reserve, and 50 are needed",
        ),
        ({"available_disk": -1}, "has room on its primary storage.*no primary storage"),
    ],
)
def test_why_a_host_fell_out_is_said(change: dict[str, object], words: str) -> None:
    demand = replace(DEMAND, designated="h1")
    assert choose_host([GOOD], demand) == "h1"
    with pytest.raises(NoHostAvailable) as refused:
        choose_host([replace(GOOD, **change)], demand)  # type: ignore[arg-type]
    assert re.search(words, refused.value.details)
    assert "one" in refused.value.details


def test_no_field_is_blamed_for_a_cluster_that_is_disabled() -> None:
    asked = {"l3NetworkUuids": "n", "imageUuid": "i", "instanceOfferingUuid": "o"}
    off = replace(GOOD, cluster_state="Disabled")
    with pytest.raises(NoHostAvailable, match=r"^no host is Enabled and Connected: .*enable its cluster"):
        choose_host([off], replace(DEMAND, asked=asked))
    with pytest.raises(NoHostAvailable, match=r"^clusterUuid\[c\]: no host is Enabled and Connected"):
        choose_host([off], replace(DEMAND, asked={**asked, "clusterUuid": "c"}))


def test_what_ruled_others_out_before_is_said() -> None:
    off = replace(GOOD, uuid="h2", name="two", state="Disabled")
    asked = {"l3NetworkUuids": "n"}
    elsewhere = replace(GOOD, l2_uuids=frozenset())
    with pytest.raises(NoHostAvailable) as refused:
        choose_host([elsewhere, off], replace(DEMAND, asked=asked))
    assert refused.value.details == (
        "no host is Enabled and Connected that also carries the L2 networks: enable or reconnect a host, enable its "
        "cluster, or add a host with AddKVMHost; ruled out last: two is Disabled"
    )
    without = replace(GOOD, uuid="h3", available_disk=-1)
    with pytest.raises(NoHostAvailable) as refused:
        choose_host([elsewhere, without, off], replace(DEMAND, storage_named=True, asked={}))
    assert refused.value.details.startswith(
        "no host is Enabled and Connected that also carries the L2 networks, has a primary storage that the instance "
        "offering's tags ask for: enable or reconnect a host"
    )
    with pytest.raises(NoHostAvailable) as refused:
        choose_host([off], replace(DEMAND, bound=True, asked={"uuid": "v"}))
    assert refused.value.details.startswith(
        "uuid[v]: no host is Enabled and Connected that also has the VM's volumes: enable or reconnect it; ruled out"
    )
    with pytest.raises(
        NoHostAvailable, match="that also has the VM's volumes: take a smaller instance offering, or"
    ):
        choose_host([GOOD], replace(DEMAND, bound=True, memory=101))


def test_no_host_at_all_says_what_to_do() -> None:
    with pytest.raises(NoHostAvailable, match="AddKVMHost"):
        choose_host([], DEMAND)


def test_each_strategy_prefers_another_host() -> None:
    few = replace(GOOD, uuid="few", vms=1, available_memory=60)
    roomy = replace(GOOD, uuid="roomy", vms=5, available_memory=90)
    last = replace(GOOD, uuid="last", vms=9, available_memory=70)
    wanted = {LEAST_VMS: "few", DEFAULT: "roomy", DESIGNATED: "roomy", LAST_HOST: "last"}
    assert set(wanted) == set(STRATEGIES)
    for strategy, uuid in wanted.items():
        demand = replace(DEMAND, strategy=strategy, last_host="last")
        assert choose_host([few, roomy, last], demand) == uuid
    gone = replace(DEMAND, strategy=LAST_HOST, last_host="last")
    assert choose_host([few, roomy, replace(last, status="Disconnected")], gone) == "few"
    assert choose_host([few, roomy], replace(gone, last_host=None)) == "few"


def test_a_host_of_another_hypervisor_or_in_a_disabled_cluster_is_not_chosen() -> None:
    simulated = replace(GOOD, uuid="s", name="sim", hypervisor_type="Simulator")
    assert choose_host([GOOD, simulated], replace(DEMAND, hypervisor="Simulator")) == "s"
    with pytest.raises(
        NoHostAvailable,
        match=r"no host has hypervisor KVM: take .*; ruled out last: sim is of hypervisor Simulator$",
    ):
        choose_host([simulated], replace(DEMAND, hypervisor="KVM"))
    with pytest.raises(
        NoHostAvailable, match=r"no host is Enabled and Connected: .*in a cluster that is Disabled"
    ):
        choose_host([replace(GOOD, cluster_state="Disabled")], DEMAND)


@pytest.mark.parametrize(
    ("demand", "words"),
    [
        ({"memory": 8 << 30}, "one has 0 MiB of memory left, and 8.0 GiB are needed"),
        ({"memory": 101}, "one has 100 bytes of memory left, and 101 are needed"),
        ({"cpu": 200}, "one has 100 MHz of CPU left, and 200 are needed"),
        ({"disk": 3 << 20}, "one has 0 MiB of primary storage left above the reserve, and 3 MiB are needed"),
        ({"l2_uuids": frozenset("c")}, "one is in a cluster without an L2 network that it is on"),
    ],
)
def test_what_is_left_is_told_apart_from_what_is_needed(demand: dict[str, Any], words: str) -> None:
    with pytest.raises(NoHostAvailable) as refused:
        choose_host([GOOD], replace(DEMAND, **demand))
    assert refused.value.details.endswith(f"; ruled out last: {words}")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"state": "Disabled"}, "is Disabled; enable it first"),
        ({"state": "Maintenance"}, "is Maintenance; enable it first"),
        ({"status": "Disconnected"}, "is Disconnected; reconnect it first"),
        ({"status": "Connecting"}, "is Connecting; wait until it is Connected"),
        (
            {"state": "Disabled", "status": "Disconnected"},
            "is Disabled and Disconnected; enable and reconnect it first",
        ),
        ({"cluster_state": "Disabled"}, "is in a cluster that is Disabled; enable that first"),
        (
            {"available_memory": 1},
            "has 1 bytes of memory left, and 50 are needed; stop VMs there, or move them",
        ),
        (
            {"available_disk": -1},
            "has no primary storage that its disks could be on; attach that to its cluster",
        ),
        (
            {"l2_uuids": frozenset()},
            "is in a cluster without an L2 network that it is on; attach that to its cluster",
        ),
        ({}, None),
    ],
)
def test_why_a_host_takes_no_vm_says_what_keeps_it_alone_and_the_way_out(
    change: dict[str, Any], said: str | None
) -> None:
    assert why_not(replace(GOOD, **change), DEMAND) == said
