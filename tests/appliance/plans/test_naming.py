"""Names on hosts: within the kernel's limits, apart from each other, and nobody's words in paths."""

from __future__ import annotations

import re
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.nic import _DEVICE as TAP
from agent.nic import _MAC as MAC
from appliance.plans import naming

OWNER = "a" * 32

interfaces = st.from_regex(r"[A-Za-z0-9_.-]{1,15}", fullmatch=True)
vlans = st.none() | st.integers(0, 4095)


@given(interfaces, vlans)
def test_a_bridge_name_fits_the_kernel(interface: str, vlan: int | None) -> None:
    name = naming.bridge(interface, vlan)
    assert len(name) <= 15
    assert name.startswith("br_")
    assert vlan is None or name.endswith(f"_{vlan}")


def test_a_bridge_is_named_as_zstack_names_it() -> None:
    assert naming.bridge("eth1", None) == "br_eth1"
    assert naming.bridge("eth1", 100) == "br_eth1_100"


@given(st.integers(1, (1 << 32) - 1), st.integers(0, 99))
def test_taps_and_hardware_addresses_are_ones_that_the_agent_takes(internal_id: int, device_id: int) -> None:
    assert MAC.match(naming.mac(OWNER, internal_id, device_id))
    if internal_id < 10_000_000:
        assert TAP.match(naming.tap(internal_id, device_id))


@given(st.uuids(), st.sets(st.tuples(st.integers(1, (1 << 31) - 1), st.integers(0, 99)), max_size=20))
def test_hardware_addresses_of_one_store_differ_as_its_nics_do(
    owner: UUID, nics: set[tuple[int, int]]
) -> None:
    made = {naming.mac(owner.hex, *nic) for nic in nics}
    assert len(made) == len(nics)
    plain = {f"fa:{number.to_bytes(4, 'big').hex(':')}:{device:02x}" for number, device in nics}
    assert not made & plain, "stores hold addresses that were made of the number alone"


def test_two_stores_that_count_alike_make_different_hardware_addresses() -> None:
    one, other = ({naming.mac(owner, number, 0) for number in range(1, 1000)} for owner in (OWNER, "b" * 32))
    assert not one & other
    assert all(mac.startswith("fa:") for mac in one | other)
    assert naming.mac(OWNER, 7, 0) == naming.mac(OWNER, 7, 0)


@given(st.text(max_size=80), st.sampled_from([None, "10.0.0.7"]))
def test_every_vm_has_a_host_name(name: str, ip: str | None) -> None:
    label = naming.host_label(name, ip)
    assert re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", label), label


def test_a_plain_name_is_kept() -> None:
    assert naming.host_label("Web-1", "10.0.0.7") == "web-1"
    assert naming.host_label("名前", "10.0.0.7") == "vm-10-0-0-7"
    assert naming.host_label("!!", None) == "vm"


def test_files_are_named_by_uuids_alone() -> None:
    assert naming.root_volume("/ps/", "a", "u") == "/ps/rootVolumes/acct-a/vol-u/u.qcow2"
    assert naming.cached_image("/ps", "i", "iso") == "/ps/imagecache/iso/i/i.iso"
    assert naming.cached_image("/ps", "i", "raw") == "/ps/imagecache/template/i/i.raw"
    assert naming.stored_image("/bs", "a", "i", "qcow2").startswith("/bs/rootVolumeTemplates/")
    assert naming.stored_image("/bs", "a", "i", "qcow2").endswith("/i/i.qcow2")
    assert naming.stored_image("/bs", "a", "i", "qcow2", "DataVolumeTemplate").startswith(
        "/bs/dataVolumeTemplates/"
    )
    assert naming.stored_image("/bs", "a", "i", "iso", "ISO").startswith("/bs/iso/")


@pytest.mark.parametrize("name", ["a", "Web-1", "1", "a.b.example", "a.b.", "x" * 63, ".".join(["ab"] * 84)])
def test_a_domain_name_is_one(name: str) -> None:
    assert naming.is_domain_name(name)


@pytest.mark.parametrize(
    "name",
    ["", ".", "a..b", ".a", "-a", "a-", "a_b", "a b", "ä", "a\n", "a\nb", "x" * 64, ".".join(["abc"] * 64)],
)
def test_what_is_no_domain_name_is_told_apart(name: str) -> None:
    assert not naming.is_domain_name(name)


@pytest.mark.timeout(10)
def test_a_long_name_is_told_apart_at_once() -> None:
    """A pattern that tries every way to cut it would hold up the appliance for longer than anybody lives."""
    assert not naming.is_domain_name("a" * 60 + "!")
    assert not naming.is_domain_name("a" * 1_000_000 + "!")
