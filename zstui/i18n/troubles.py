"""What goes wrong on the way to hosts and on them, and why they do not do, in the appliance's English words."""

from __future__ import annotations

from zstui.i18n import mark

TROUBLES = (
    mark("the copy did not begin: {reason}"),
    mark("the copy ended at {done} of {total} bytes: {reason}"),
    mark("the copy broke at {done} of {total} bytes: {reason}"),
    mark("the agent on {address} could not be started: {reason}"),
    mark("no agent runs on {address}"),
    mark(
        "{listener} on {address} cannot be reached through SSH: {reason}; its sshd must allow TCP forwarding"
    ),
    mark("the agent stays on {address}: {reason}"),
    mark("{path} on {address} arrived damaged; upload it again"),
    mark("{path} on {address}: {reason}"),
    mark("on {address}: {reason}"),
    mark("the agent could not be carried to {address}: {reason}"),
    mark("no transfer with {address}: {reason}"),
    mark("nothing can be copied from {source} ({kind}) to {target} ({other})"),
    mark("the copy to {address} failed, as the simulator was told it should"),
    mark("{request} failed, as the simulator was told it should"),
    mark("storage.full: {reason}"),
    mark("file.gap: only {bytes} bytes have arrived"),
    mark("file.short: the stream ended at {done} of {total} bytes"),
    mark("{path} on {address} is simulated, and has no bytes to give"),
    mark(
        "the SSH host key of {machine} has changed: it is now {key} and was {was}; nothing was sent to it. If that "
        "is known to be right, as after a new installation, accept it ({call} hostKeyFingerprint={same})"
    ),
    mark("hostKeyFingerprint: {machine} offers {key}, not {wanted}; nothing was sent to it"),
    mark("{address} has never been added: its host key is not known"),
    mark("{address} offers no SSH host key"),
    mark("the key could not be {change} {login}: {reason}"),
    mark("installed for"),
    mark("removed from"),
    mark("{path} on {address} cannot be read: {cause}; remove it if no appliance holds the machine"),
    mark("{login} needs a password for sudo; allow it without one (NOPASSWD) or add the host as root"),
    mark("the console does not answer within {seconds} s; try again"),
    mark("the console speaks {greeting}, not {wanted_greeting}; is it QEMU's?"),
    mark("the console refuses its password; somebody else was given one meanwhile, try again"),
    mark("the console offers security {kinds}; 1 and 2 are known"),
    mark("the console ended the connection before it began; is the VM on?"),
    mark(
        "{field}, {other}: the range {start}-{end} holds the subnet's own or broadcast address; leave those of "
        "{subnet} out"
    ),
    mark("{field}[{address}] is not in the subnet {subnet} of startIp and netmask"),
    mark("VM {name}[uuid:{uuid}] of another host runs on this machine"),
    mark("{name}: forgotten with what is on it: {left}"),
    mark("image[uuid:{uuid}] is gone, and the host has no copy of it"),
    mark("backup storage {name}[uuid:{uuid}] is still connecting"),
    mark(
        "image {name}[uuid:{uuid}] is not Ready on backup storage[uuid:{storage}], or what has it is not "
        "Connected"
    ),
    mark("image {name}[uuid:{uuid}] is not Ready, or what has it is not Connected"),
    mark("there is no image[uuid:{uuid}]"),
    mark("no image[uuid:{uuid}] waits for an upload"),
    mark("bytes can be sent to one backup storage only; add the image to one"),
    mark("an upload needs a Content-Length"),
    mark("there is no job[uuid:{uuid}]"),
    mark("host {address} did not offer a lane"),
    mark("host {name}[uuid:{uuid}]: VM {vm}[uuid:{vm_uuid}] cannot be stopped now: {reason}"),
    mark("the host was made {state} meanwhile"),
    mark("after {seconds} s these VMs have not stopped: {vms}"),
    mark("{name}: {files} equal on both hosts, {bytes} bytes sent last, in {seconds} s"),
    mark("VM {name}[uuid:{uuid}] was started by somebody else meanwhile"),
    mark("{name}: libvirt is gone: {reason}"),
    mark("{name}: taken without the guest holding its writes back, since {reason}"),
    mark("the host of volume[uuid:{uuid}] was deleted"),
    mark(
        "{file} of VM {name} is not on host {host}[{address}]; mount the storage that holds it, then start the VM"
    ),
    mark("what has left the new host before is being removed there"),
    mark("VM {name}[uuid:{uuid}] is not to run"),
    mark("{file} is not on host {host}; mount the storage that holds it"),
    mark("{file} is not on host {host}; mount the storage that holds it, then try again"),
    mark("the files on host {host} are no chain: {files}"),
    mark("the VM was deleted, and the volume with it"),
    mark(
        "another call on the VM took its place; the snapshot goes once the volume is in use again, or with it"
    ),
    mark("a machine of this backup was deleted"),
    mark("host {host} did not say what it has backed up"),
    mark("a host of this move was deleted"),
    mark("volume {name}[uuid:{uuid}] is gone"),
    mark("nothing arrived for {seconds} s: {reason}"),
    mark("a machine of this restore was deleted"),
    mark("silent for {seconds} s"),
    mark("the appliance is stopping"),
    mark("the first call failed"),
    mark("is in a cluster that is {cluster_state}"),
    mark("is in a cluster that is {cluster_state}; enable that first"),
    mark("is {state} and {status}"),
    mark("is {state} and {status}; enable and reconnect it first"),
    mark("is {state} and {status}; wait until it is Connected"),
    mark("is {state}"),
    mark("is {state}; enable it first"),
    mark("is {state}; reconnect it first"),
    mark("is {state}; wait until it is Connected"),
    mark("has {left} bytes of memory left, and {needed} are needed"),
    mark("has {left} bytes of memory left, and {needed} are needed; stop VMs there, or move them"),
    mark("has {left} of memory left, and {needed} are needed"),
    mark("has {left} of memory left, and {needed} are needed; stop VMs there, or move them"),
    mark("has {left} MHz of CPU left, and {needed} are needed"),
    mark("has {left} MHz of CPU left, and {needed} are needed; stop VMs there, or move them"),
    mark("has {left} bytes of primary storage left above the reserve, and {needed} are needed"),
    mark(
        "has {left} bytes of primary storage left above the reserve, and {needed} are needed; make room there"
    ),
    mark("has {left} of primary storage left above the reserve, and {needed} are needed"),
    mark("has {left} of primary storage left above the reserve, and {needed} are needed; make room there"),
    mark("has {left} of local storage left, and {needed} are needed; make room there"),
    mark("has no primary storage that its disks could be on"),
    mark("has no primary storage that its disks could be on; attach that to its cluster"),
    mark("is another"),
    mark("is in a cluster without an L2 network that it is on"),
    mark("is in a cluster without an L2 network that it is on; attach that to its cluster"),
    mark("has none of those primary storages"),
    mark("is in a zone without a backup storage that has the image"),
    mark("runs guests by {accelerator}"),
    mark("is of hypervisor {type}"),
    mark("is not one that {wanted}"),
    mark("has no part of primary storage {name}; attach that to its cluster"),
    mark(
        "runs its guests with {accelerator}, and VM[uuid:{uuid}] runs with {other} on host {host}; stop the VM, "
        "then move its volumes with LocalStorageMigrateVolume"
    ),
    mark(
        "has {cpu}, and VM[uuid:{uuid}] sees the CPU of host {host}, {other}, since the global config kvm "
        "vm.cpuMode is {mode}; set vm.cpuMode to none or host-model and start the VM anew before it moves"
    ),
    mark(
        "{request} was answered in a way that this version cannot read: {reason}; reconnect the host, which gives it "
        "the agent that came with this version"
    ),
    mark("it is given up, and what it did is undone"),
    mark("it had not begun, and is not carried out"),
    mark("it is given up; a guest that has been asked to power off may do so all the same"),
    mark("it is given up; a guest that has been asked to restart may do so all the same"),
    mark("it is given up, and the host is enabled; VMs that have stopped stay stopped"),
    mark("VM {name}[uuid:{uuid}] went off before it was restarted, and is Stopped; start it"),
    mark("is being read, as something is made of it"),
    mark("is being backed up, or restored from a backup"),
    mark("its host is {state}; reconnect that first"),
    mark("it is still being created; wait for that"),
    mark("its guest powered it off meanwhile"),
    mark("its guest was powered off meanwhile"),
    mark("it was ended"),
    mark("it was removed"),
    mark("it has no IP range"),
    mark("there is no connection"),
    mark("exit status {code_number}"),
    mark("{device} is not there"),
    mark("there is no kernel beside the agent to try KVM with; force kvm if you know it works"),
    mark("qemu-system-x86_64 is not installed"),
    mark("a guest under KVM did not boot within {seconds} s: {reason}"),
    mark("the guest said nothing"),
    mark("the volume has been on another file since its last backup"),
    mark("{path} does not note what was written since its last backup"),
    mark("{path} was not closed properly, and may not have noted all that was written"),
    mark(
        "{address} could not be reached for {seconds} s when bridge {bridge} had taken the addresses of "
        "{interface} over, and has given them back; let its switch pass what the bridge sends, or use "
        "another interface"
    ),
    mark(
        "{address} was lost while it made bridge {bridge} over {interface}, and could not be reached for "
        "{seconds} s since; where the bridge took addresses over, the host gives them back by itself; see "
        "that it runs and is reached, then try again"
    ),
    mark("{files} build on each other"),
    mark("{file} builds on {backing}, which is no file of this volume"),
    mark("data volume[uuid:{uuid}] is in status of deleted, can't attach; recover it first"),
    mark("data volume[uuid:{uuid}] has been attached to vm[uuid:{vm}], can't attach again"),
    mark("data volume[uuid:{uuid}] is {state}, can't attach; enable it first"),
    mark("data volume[uuid:{uuid}] is {status}, can't attach before it is Ready"),
    mark(
        "data volume[uuid:{uuid}] is on primary storage[uuid:{storage}], which is under Maintenance; "
        "enable that first"
    ),
    mark(
        "vm[uuid:{uuid}] has {count} data volumes, and the global config kvm dataVolume.maxNum allows "
        "{limit}; detach one first"
    ),
    mark(
        "vm[uuid:{uuid}] runs with platform[{platform}], whose IDE disks can only be changed while it is "
        "off; stop it first"
    ),
    mark(
        "can't attach data volume[uuid:{uuid}] to vm[uuid:{vm}]: they are on different hosts; the root "
        "volume[uuid:{root}] is on the host[uuid:{host}], the data volume is on the host[uuid:{other}]; "
        "move it there with LocalStorageMigrateVolume"
    ),
    mark(
        "data volume[uuid:{uuid}] is on primary storage[uuid:{storage}], which is not attached to the "
        "cluster[uuid:{cluster}] of vm[uuid:{vm}]"
    ),
)
