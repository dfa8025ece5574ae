"""What a host says of itself, from the texts that its kernel and its distribution have."""

from __future__ import annotations

import pytest

from agent.facts import host_facts, hvm_flag, memory_bytes, os_release


@pytest.mark.parametrize(
    ("cpuinfo", "flag"),
    [
        ("processor\t: 0\nflags\t\t: fpu vme vmx smx\n", "vmx"),
        ("flags\t\t: fpu svm\nflags\t\t: fpu svm\n", "svm"),
        ("flags\t\t: fpu vmx_like\nvmx flags\t: vnmi\n", ""),
        ("Features\t: fp asimd\n", ""),
        ("", ""),
    ],
)
def test_the_flag_of_hardware_virtualization_is_a_whole_word(cpuinfo: str, flag: str) -> None:
    assert hvm_flag(cpuinfo) == flag


def test_memory_and_release_are_read_from_their_files() -> None:
    assert memory_bytes("MemTotal:       16 kB\nMemFree: 1 kB\n") == 16384
    assert os_release('ID=debian\nVERSION_ID="12"\n# x=y\n') == {"ID": "debian", "VERSION_ID": "12"}


def test_facts_hold_the_versions_that_were_found() -> None:
    facts = host_facts("9.0.0", "7.2.22", "7.2.21", None)
    assert (facts.libvirt_version, facts.qemu_version, facts.qemu_img_version) == (
        "9.0.0",
        "7.2.22",
        "7.2.21",
    )
    assert facts.distribution
