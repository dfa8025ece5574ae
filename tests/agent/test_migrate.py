"""The limit of a move of a running domain, as QEMU keeps it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import libvirt
import libvirt_qemu
import pytest

from tests.agent.test_domain import Rig, host, rig

__all__ = ["host", "rig"]

pytestmark = pytest.mark.lab

MIB = 1 << 20


def told(domain: Any, command: str) -> Any:
    """What QEMU answers."""
    return json.loads(libvirt_qemu.qemuMonitorCommand(domain, json.dumps({"execute": command}), 0))["return"]


async def test_a_limit_is_kept_to_the_byte_and_can_change_while_disks_are_copied(
    rig: Rig, tmp_path: Path
) -> None:
    await rig.start()
    connection = libvirt.open(rig.host.uri)
    domain = connection.lookupByUUIDString(rig.vm)
    copy = f"<disk type='file'><source file='{tmp_path}/copy'/><driver type='raw'/></disk>"
    flags = libvirt.VIR_DOMAIN_BLOCK_COPY_TRANSIENT_JOB
    domain.blockCopy("vda", copy, {libvirt.VIR_DOMAIN_BLOCK_COPY_BANDWIDTH: MIB}, flags)
    try:
        for limit in (700_000, 2_000_000, 0):
            assert await rig.hypervisor.keep_limit(rig.vm, limit) == 1
            assert [job["speed"] for job in told(domain, "query-block-jobs")] == [limit]
            memory = told(domain, "query-migrate-parameters")["max-bandwidth"]
            assert memory == limit or (limit == 0 and memory > 1 << 62)
    finally:
        domain.blockJobAbort("vda", 0)
        connection.close()
    assert await rig.hypervisor.keep_limit(rig.vm, 700_000) == 0
    assert await rig.hypervisor.keep_limit("ab" * 16, 700_000) == 0
