"""What a VM starts from: its ISO and its boot order."""

from __future__ import annotations

from appliance.api.errors import WrongVmState
from appliance.api.image import Image
from appliance.api.message import Message, arg
from appliance.api.vm import VmInstance

JAVA = "org.zstack.header.vm"


class AttachIsoToVmInstance(Message, java=JAVA, returns=VmInstance, role="operator",
                            raises=(WrongVmState,)):  # fmt: skip
    """Put an ISO into a VM's CD-ROM drive. A VM has one drive; what it boots from stays as it is."""

    vm_instance_uuid: str = arg("The VM.", ref=VmInstance)
    iso_uuid: str = arg("An image of media type ISO.", ref=Image)


class DetachIsoFromVmInstance(Message, java=JAVA, returns=VmInstance, role="operator",
                              raises=(WrongVmState,)):  # fmt: skip
    """Take the ISO out of a VM's CD-ROM drive; an empty drive is fine."""

    vm_instance_uuid: str = arg("The VM.", ref=VmInstance)


class GetVmBootOrder(Message, java=JAVA, sync=True, role="read-only"):
    """Say what a VM boots from at its next start."""

    uuid: str = arg("The VM.", ref=VmInstance)


class SetVmBootOrder(Message, java=JAVA, returns=VmInstance, role="operator"):
    """Say what a VM boots from, from its next start on."""

    uuid: str = arg("The VM.", ref=VmInstance)
    boot_order: list[str] = arg("HardDisk and CdRom, in any order; HardDisk alone when absent.", default=[])
