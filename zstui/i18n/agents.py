"""Why an agent on a host refuses what it is asked for, in its English words: `Refused`, and what is told in them."""

from __future__ import annotations

from zstui.i18n import mark

AGENTS = (
    mark("no guest agent answers"),
    mark("its guest agent does not answer: {reason}"),
    mark("its guest agent did not hold the writes back: {reason}"),
    mark("{name} is no name of a backup"),
    mark("VM {uuid} runs without some of these volumes"),
    mark("{path} cannot be read: {reason}"),
    mark("{path} is not what was written there; use another backup"),
    mark("{port} has no address yet"),
    mark("{bridge} exists on the host and is not a bridge"),
    mark("the host has no interface {interface}; it has {known}"),
    mark("{interface} is not a network interface a bridge can use"),
    mark("{interface} already belongs to {bridge}; free it or choose another interface"),
    mark("{interface} cannot name a link: at most 15 letters, digits, _ . -"),
    mark("the host's kernel did not make VLAN {vlan} of {interface}: {reason}"),
    mark(
        "L2 network {uuid} is bridge {bridge} over {interface} here; drop it before making it something else"
    ),
    mark("bridge {bridge} is not there, or was undone because no confirmation came in time; make it again"),
    mark("{interface} could not be put into {bridge}, everything is as before: {reason}"),
    mark("bridge {bridge} still carries guests ({guests}); stop them first"),
    mark("the domain has no console"),
    mark("libvirt does not know VM {uuid}; define it first"),
    mark("VM {uuid} has no console while it is off; start it"),
    mark("qemu-img convert of {path}: {reason}"),
    mark("qemu-img is not installed on the host; install it"),
    mark("the DHCP server of {network} ended at its start; its log is {folder}/log"),
    mark("the DHCP server of {network} did not start: {reason}"),
    mark("{value} is not 32 hexadecimal digits"),
    mark("{nic} of VM {uuid} has no guard; ensure its NIC before its start"),
    mark("{nic} of VM {uuid} has no guard; ensure its NIC before it is plugged"),
    mark("VM {uuid} is off; start it instead"),
    mark("VM {uuid} runs; power it off first"),
    mark("libvirt knows VM {uuid}; undefine it first"),
    mark("{name} is not a name that an interface can have"),
    mark(
        "the guest of VM {uuid} did not let go of {device} within {seconds} s{last}; try again once it has "
        "booted, or stop it"
    ),
    mark("{url} names a host; a local file is file:///path"),
    mark("{path} is not a regular file"),
    mark("{path} is below none of the folders allowed: {folders}"),
    mark("{format} is none of the formats {formats}"),
    mark("{url} is neither file:// nor http(s)://"),
    mark("the image is larger than the {limit} bytes allowed"),
    mark("{path} is being made already"),
    mark("{path} is not wanted any more"),
    mark("the guard on the guests' taps could not be set: {reason}; no guest is started without it"),
    mark("{url} redirects more than {limit} times"),
    mark("{url} is not an address that can be fetched"),
    mark(
        "{url} leads to {address}, which is no other machine; serve the image from another one, or upload "
        "it (upload://NAME)"
    ),
    mark("{url} ended after {done} of {total} bytes"),
    mark("it did not answer in time"),
    mark("libvirt did not answer about {what} within {seconds} s; look at libvirtd and at the guest's QEMU"),
    mark("the backup of VM {uuid} failed: {reason}"),
    mark(
        "the new host has not the CPU that its guest sees: {reason}; set the global config kvm vm.cpuMode "
        "to none and start the VM anew before it moves, or stop it and move its volumes with "
        "LocalStorageMigrateVolume"
    ),
    mark(
        "its guest stands still, since a disk of its host has no room for what it writes, or fails: "
        "{reason}; stop the VM, move its volumes with LocalStorageMigrateVolume, which needs no room "
        "there, and start it"
    ),
    mark("{path} builds on another file ({backing}); flatten it with qemu-img convert"),
    mark("{path} builds on another file; flatten it with qemu-img convert"),
    mark("{path} builds on {backing} as {format}; a format that is stated is {formats}"),
    mark("{path} is not a self-contained {format} image"),
    mark(
        "{path} ({size} bytes) is damaged or cut off: qemu-img check finds {count} errors; compare its "
        "length and checksum with the original's and send it again, or repair the original with qemu-img "
        "check -r all"
    ),
    mark("{path} is not there as a regular file"),
    mark("{path} is empty"),
    mark("{path} is declared {format} and is qcow2; declare it so"),
    mark("{path} is declared iso and has no ISO 9660 volume"),
    mark("{path} is declared qcow2 and is not"),
    mark("{path} is qcow2 version {version}; versions 2 and 3 are accepted"),
    mark("{path} is encrypted; decrypt it with qemu-img convert"),
    mark("{path} has clusters of 2^{bits} bytes"),
    mark("{path} has tables where none can be"),
    mark("{path} is {size} bytes large; at most {limit} are accepted"),
    mark("{path} keeps its data in another file; convert it with qemu-img"),
    mark("{path} is marked corrupt; repair it with qemu-img check -r all"),
    mark("{path} needs qcow2 features {features} that are not known here"),
    mark("{path} has a header that cannot be"),
    mark("{path} names another file for its data; convert it with qemu-img"),
    mark("{path} names a backing file in a way that cannot be"),
    mark("process {pid} does not end; it waits for a disk"),
    mark("{address} cannot be reached from this host: {reason}"),
    mark("{user} is no user of this host"),
    mark("{key} from {address} is no key of a lane"),
    mark("this host has no key of lane {uuid}; offer it again"),
    mark("{value} is not a uuid"),
    mark("{path} has not come"),
    mark("the way to {address} broke: {reason}"),
    mark("the other end is gone"),
    mark("lane {uuid} carries other files"),
    mark("{path} came and builds on {found}, not on {wanted}"),
    mark("{file} arrived with other content twice; check the target's disk"),
    mark("the target has another file as {path}; move it away"),
    mark("on the target: {reason}"),
    mark("{address} cannot be listened at: {reason}"),
    mark("lane {uuid} does not lead to {target}"),
    mark("no lane {uuid} is open on this host"),
    mark("lane {uuid} is used already; wait for that"),
    mark("record of file {number}, which is not to be written"),
    mark("this machine is host {found} of the same appliance, not {uuid}"),
    mark("the host cannot write what it must remember: {reason}; free space under its state folder"),
    mark(
        "this host is held by appliance {found}, not by {owner}; remove it there, or delete {path} on the "
        "host to take it over"
    ),
    mark("a call without an owner cannot hold a host; name the appliance"),
    mark("epoch {epoch} is over: this host has seen epoch {seen}; reconnect"),
    mark("generation {generation} of {name} is over: this host has seen {seen}; plan again"),
    mark("{failure}; define it first"),
    mark("libvirt on this host is not reachable: {reason}; start libvirtd"),
    mark("QEMU does not do {command}: {reason}"),
    mark("VM {uuid} is still on its way"),
    mark("VM {uuid} does not run on this host"),
    mark("VM {uuid} is on its way already"),
    mark("the gateway {gateway} is not in {subnet}; give one that guests can reach directly"),
    mark("{address} is the gateway and cannot be the DHCP server's address too; choose another"),
    mark("network {uuid}: {reason}"),
    mark("NIC {uuid}: {reason}"),
    mark("there is no bridge {bridge} on this host; attach the L2 network first"),
    mark("NIC {uuid}: {tap} is not a tap name like vnic1.0"),
    mark("NIC {uuid}: {mac} is not a unicast MAC address"),
    mark("network {network} of NIC {uuid} is not served on this host; ensure it first"),
    mark("network {uuid} is not up yet"),
    mark("{program} is not installed on the host; install it and reconnect"),
    mark("{program} did not end within {seconds} s"),
    mark("{limit} serial consoles of this host are open already; close some"),
    mark("no domain {uuid} is on this host"),
    mark("VM {uuid} was started without a serial log; stop and start it"),
    mark("the guest has taken no input for {seconds} s"),
    mark("the serial console was lost: {reason}"),
    mark("somebody else types into this console, as `virsh console` does; it is free when they leave"),
    mark("the first request of a link must be Hello"),
    mark(
        "the appliance speaks protocol {wanted_protocol} and this agent {protocol}; install the agent that "
        "came with the appliance"
    ),
    mark("{path} is there and builds on {found}, not on {wanted_backing}"),
    mark("{path} arrived with MD5 {seen} instead of {md5}; send it again"),
    mark("the stream has {count} bytes at {place}, which a file of {size} bytes has not; send it again"),
    mark("the stream ended too early; send it again"),
    mark("the stream ended {left} of {total} bytes too early; send it again"),
    mark("{path} is not a plain absolute path"),
    mark("{path} is a symbolic link; name the real path"),
    mark("{path} is not a folder"),
    mark(
        "{path} takes {bytes} bytes; {left} are free, of which {reserved} are kept in reserve; make room "
        "on this storage, or change the global config reservedCapacity"
    ),
    mark("{path} belongs to the system; name a folder for storage alone"),
    mark("{path} holds the agent's own files; name another folder"),
    mark("{path} is a storage root, not a file below one"),
    mark("{path} is below no storage root of this host; add its storage first"),
    mark("{path} is a folder; only files are removed"),
    mark("only {bytes} bytes of {path} have arrived; go on from there"),
    mark("{path} is being received already; wait for it"),
    mark("bridge {bridge} could not be removed"),
    mark(
        "nothing was changed: what gives the addresses back when the host is cut off could not be started; "
        "see turnback.log in the agent's state folder on the host"
    ),
    mark("{path} is declared vmdk and is no disk in one file; make one of it with qemu-img convert"),
    mark("{path} is VMDK version {version}; versions 1 to 3 are accepted"),
    mark("{path} does not describe itself"),
    mark("{path} keeps its data in other files; make one of them with qemu-img convert"),
    mark("{size} bytes is not a whole number of sectors"),
    mark("{path} is there with {size} bytes, more than {limit}; a volume never shrinks"),
    mark("{path} is there with {size} bytes, fewer than {limit}; resize it"),
    mark("{path} itself builds on {backing}; flatten it"),
    mark("{size} bytes are too few for a copy of {path}, which has {total}"),
    mark("{path} is not a file; remove it on the host"),
    mark("{path}: {failure}; {advice}"),
    mark("free space on this storage"),
    mark("mount this storage for writing"),
    mark("check that its storage is mounted"),
    mark("stop what uses it, or wait"),
    mark("check the disk"),
    mark("look at the host"),
)

SYSTEM = (
    mark("No space left on device"),
    mark("Disk quota exceeded"),
    mark("Read-only file system"),
    mark("No such file or directory"),
    mark("Text file busy"),
    mark("Device or resource busy"),
    mark("Input/output error"),
    mark("Permission denied"),
    mark("Connection refused"),
    mark("Connection reset by peer"),
    mark("Connection timed out"),
    mark("No route to host"),
    mark("Network is unreachable"),
)
"""What a host's kernel says of files and connections, as the C library words it."""
