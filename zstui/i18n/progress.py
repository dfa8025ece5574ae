"""What is under way and what has happened, in the appliance's English words: steps, events, waits, paces."""

from __future__ import annotations

from zstui.i18n import mark

STEPS = (
    mark("connect"),
    mark("probe accelerator"),
    mark("make storage and bridges"),
    mark("wait"),
    mark("undo"),
    mark("wait for guest to power off"),
    mark("delete volume"),
    mark("delete root volume"),
    mark("create volume"),
    mark("create root volume"),
    mark("copy image to host"),
    mark("take back address"),
    mark("make bridge"),
    mark("make storage folder"),
    mark("define domain"),
    mark("start"),
    mark("reboot"),
    mark("delete snapshot"),
    mark("delete logs"),
    mark("offer address and user data"),
    mark("see where it is"),
    mark("prepare new host"),
    mark("copy to new host"),
    mark("move memory and disks"),
    mark("name the files"),
    mark("remove what was moved"),
    mark("stop its VMs"),
    mark("power off"),
    mark("copy ISO to host"),
    mark("change NICs"),
    mark("change volumes"),
    mark("change ISO"),
    mark("undefine domain"),
    mark("serve network"),
    mark("ask guest to power off"),
    mark("begin a new file"),
    mark("merge snapshots"),
    mark("copy snapshot"),
    mark("grow volume"),
    mark("copy to backup storage"),
    mark("reconnect asked for"),
    mark("fetch image"),
    mark("receive image"),
    mark("read volume"),
    mark("write backup"),
    mark("join backups"),
    mark("bring backup to host"),
    mark("its former host"),
)
"""Steps of jobs."""

EVENTS = (
    mark("{name}: connected; {how}"),
    mark("{name}: connected"),
    mark(
        "{name}: {machine} is believed to be what it says, by its SSH host key {key}, which nobody stated; compare it "
        "with what ssh-keygen -lf says of it there"
    ),
    mark("{name}: libvirt is back"),
    mark("{name}: its guest goes on"),
    mark("{name}: removed from its host"),
    mark("{name}: ready, {bytes} bytes"),
    mark("{name}: now on {host}"),
    mark("{name}: moved; what {host} has of it is removed when that can be done: {reason}"),
    mark("{name}: taken while the guest held its writes back"),
    mark(
        "host {target} had other content than host {source} in {files}, which was copied once more and is equal now; "
        "check the disk there"
    ),
    mark("{name}: domain {uuid} is not one of ours"),
    mark("{name}: in maintenance, though VMs may still run there ({vms}): {reason}"),
)
WAITS = (
    mark("its host, to be cancelled there: {reason}"),
    mark("an earlier call on {name}"),
    mark("its host, to be undone there: {reason}"),
    mark(
        "its guest to write less: its disks change about as fast as they are copied; "
        "stop what writes in the guest, or cancel the job and move the VM stopped"
    ),
    mark(
        "its guest to write less: its disks change about as fast as they are copied, which is "
        "{limit} bytes a second at most; raise localStorage migration.bytesPerSecond, "
        "stop what writes in the guest, or cancel the job and move the VM stopped"
    ),
    mark(
        "its guest to write less: its memory changes about as fast as it is copied; "
        "stop what writes in the guest, or cancel the job and move the VM stopped"
    ),
    mark(
        "its guest to write less: its memory changes about as fast as it is copied, which is "
        "{limit} bytes a second at most; raise localStorage migration.bytesPerSecond, "
        "stop what writes in the guest, or cancel the job and move the VM stopped"
    ),
)
"""What jobs wait for."""

PACES = (
    mark("{rate} MiB/s, {time} left"),
    mark("{rate} MiB/s"),
    mark("nothing arrived for {seconds} s"),
)
"""How fast a copy goes."""
