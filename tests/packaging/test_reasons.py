"""What the installer's script says of why it does not go on, and the ways out that it names: each can be walked."""

from __future__ import annotations

import pytest

from .place import FAILED, REFUSED, Place

ERROR = "ImportError: /opt/_rust.abi3.so: file too short"
DYING = f"""Traceback (most recent call last):
  File "zstui/__main__.py", line 3, in <module>
{ERROR}
[PYI-837:ERROR] Failed to execute script '__main__' due to unhandled exception!
"""
UNIT_SAYS = """zstui.service: Main process exited, code=exited, status=1/FAILURE
zstui.service: Failed with result 'exit-code'.
zstui.service: Scheduled restart job, restart counter is at 4.
Started zstui.service - zstui, a private cloud.
"""


@pytest.mark.parametrize("quiet", [(), ("-q",)])
@pytest.mark.parametrize("systemd", [False, True])
def test_a_version_that_dies_at_its_start_is_named_by_its_own_error(
    place: Place, systemd: bool, quiet: tuple[str, ...]
) -> None:
    if systemd:
        place.systemd()
        (place.folder / "journal").write_text(DYING + UNIT_SAYS)
        place.tool("journalctl", f"#!/bin/sh\ncat {place.folder}/journal\n")
    place.install()
    (place.folder / "words").write_text(DYING)
    new = place.make("1.1")
    code, said = place.script(new, "-r", str(place.root), "-u", *(("-t", "2") if systemd else ()), *quiet)
    reason = f"its last words: {ERROR}; {place.log} has all of them"
    assert (code, f"; {reason}\n" in said) == (FAILED, True), said
    assert f"it failed: zstui {'did not answer' if systemd else 'ended 4 times'}" in said
    log = place.log.read_text()
    assert (DYING in log, f"{reason}\n" in log) == (True, True), log


def test_of_one_that_says_nothing_it_is_said_how_it_ended(place: Place) -> None:
    place.install()
    # Of an earlier start.
    (place.data / "appliance.log").write_text(DYING)
    code, said = place.run("-t", "2")
    assert (code, "the appliance ended with 7; " in said, ERROR in said) == (FAILED, True, False), said


def test_a_loader_that_cannot_load_is_quoted(place: Place) -> None:
    """It says why by itself, then."""
    why = "[PYI-9:ERROR] Failed to load Python shared library 'libpython3.11.so.1.0'"
    (place.folder / "words").write_text(why + "\n")
    code, said = place.run()
    assert (code, f"its last words: {why}; " in said) == (FAILED, True), said


def test_a_program_that_fails_when_it_is_asked_is_named_by_its_own_error(place: Place) -> None:
    (place.folder / "wrong").write_text(DYING)
    for check in ((), ("--check",)):
        code, said = place.run("-z", *check)
        assert (code, f"fails: {ERROR}\n" in said) == (REFUSED, True), said
