"""Why a VM is in its state, in the appliance's words."""

from __future__ import annotations

from zstui.i18n import mark

CAUSES = (
    mark("started on the host"),
    mark("shut down inside the guest"),
    mark("powered off on the host"),
    mark("crashed"),
    mark("failed on the host"),
    mark("moved to another host"),
    mark(
        "its guest stands still: its host's storage is full, or fails; make room there, then resume it on "
        "its host (virsh resume), reboot or stop it"
    ),
    mark("its guest stands still: it is suspended; resume it on its host (virsh resume), reboot or stop it"),
    mark(
        "a move of it as it runs broke off before, and QEMU without KVM would lose some of its guest's memory in the "
        "next one; stop and start the VM, then move it, or stop it and move its volumes with "
        "LocalStorageMigrateVolume"
    ),
    mark("it is simulated"),
    mark("guests run by {accelerator}"),
)
