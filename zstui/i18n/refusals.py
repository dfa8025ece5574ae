"""What the state of things does not allow, in the appliance's English words, in the order of the nouns."""

from __future__ import annotations

from zstui.i18n import mark

REFUSALS = (
    mark(
        "operation denied. The resource[uuid: {uuid}, type: {type}] doesn't belong to the account[uuid: "
        "{account}]"
    ),
    mark("unable to create an account. An account already called {name}; choose another name"),
    mark(
        "account[uuid: {uuid}] is a normal account, it cannot reset the password of another account[uuid: "
        "{other}]"
    ),
    mark("only the admin may change an account's role"),
    mark("{name}: deleted; {count} resources that it owned belong to the admin now"),
    mark("account[uuid: {uuid}] is a normal account, it cannot delete another account[uuid: {other}]"),
    mark("unable to delete an account. The account is an admin account"),
    mark("session[digest:{digest}] is another account's; only the admin may end it"),
    mark("field[known]: {cause}, as VerifyAudit says its head"),
    mark("backup storage {name}[uuid:{uuid}] is a {type}, not a SftpBackupStorage"),
    mark("url[{url}] of {machine} is a backup storage already"),
    mark("there is an L2 network on physicalInterface[{interface}] of the zone"),
    mark("L2 network {name} is attached to cluster {cluster} already"),
    mark("url[{url}] is a primary storage of the zone"),
    mark("primary storage {name} is attached to cluster {cluster} already"),
    mark("{what} [{type} uuid:{uuid}]"),
    mark("backup storage {name}[uuid:{uuid}] holds {held} of volumes; delete them first"),
    mark("the backup storage was deleted"),
    mark("VM[uuid:{uuid}] already has an ISO[uuid:{iso}] attached"),
    mark("invalid boot device[{device}] in boot order[{order}]"),
    mark("isoUuid[{uuid}] is a {type}; only an ISO fits into a CD-ROM drive"),
    mark("ISO {name}[uuid:{uuid}] is {state} and {status}"),
    mark(
        "primary storage {name}[uuid:{uuid}] is a {type}, not a LocalStorage: hosts have no disk of it; use "
        "GetPrimaryStorageCapacity"
    ),
    mark("local primary storage[uuid:{uuid}] doesn't have the host[uuid:{host}]"),
    mark("one of {fields} must be a nonempty list, or all must be true"),
    mark(
        "the console of VM[uuid:{uuid}] speaks {protocol}; set kvm.vm.consoleMode to vnc and start the VM again, "
        "or use GetVmConsoleAddress with a client for {same}"
    ),
    mark("VM {name}[uuid:{uuid}] is on no host"),
    mark("field[resourceUuid]: {type}[uuid:{uuid}] exists already; choose another"),
    mark("field[resourceUuid]: {uuid} is taken already; choose another"),
    mark("startTime {start} is after endTime {end}; give the earlier one as startTime"),
    mark("operation denied. Figures of {namespace} are for the admin; ask for ZStack/VM"),
    mark("labels must be one, {label}=UUID, for {namespace}; got {labels}"),
    mark("{namespace} has no labels; it is all hosts together"),
    mark("cluster {name}[uuid:{uuid}] is for {type}, not for {other} hosts"),
    mark("host {name}[uuid:{uuid}] is no KVM host; use UpdateHost"),
    mark(
        "host {name}[uuid:{uuid}] has part in {held} of VMs and volumes ({names}); wait for that, or cancel it"
    ),
    mark(
        "volumes of host {name}[uuid:{uuid}] are being read by {held} ({names}); wait for that, or cancel it"
    ),
    mark("host {name}[uuid:{uuid}] is being deleted"),
    mark("format[{format}] does not fit mediaType[ISO]; say iso"),
    mark("backup storage {name}[uuid:{uuid}] is {state} and {status}"),
    mark(
        "format[{format}] does not fit backup storage {name}[uuid:{uuid}], which is a {type}; images there are of "
        "format {formats}"
    ),
    mark("image[uuid:{uuid}] is simulated, and has no bytes"),
    mark("image {name} was checked as {format}; add it again to change that"),
    mark(
        "image {name}[uuid:{uuid}] is {status}; delete it from all of its backup storages, or wait until it is "
        "Ready"
    ),
    mark("the image[uuid:{uuid}, name:{name}] is not on the backup storage[uuid:{storage}]"),
    mark(
        "the image[uuid:{uuid}, name:{name}]'s status[{status}] is not Deleted on the backup "
        "storage[uuid:{storage}]"
    ),
    mark("the image[uuid:{uuid}, name:{name}] is not deleted on any backup storage"),
    mark("{job} cannot be cancelled: what it changes on the host may be so already"),
    mark("physicalInterface[{interface}] makes the bridge name of {name}[uuid:{uuid}]"),
    mark("the L2 network was detached"),
    mark("VM {name}[uuid:{uuid}] has a NIC on it; destroy it first"),
    mark("dnsDomain[{domain}] is not a domain name"),
    mark(
        "{fields}: L3 network {name} is {subnet} with gateway {gateway}, and the new range is {other} with "
        "gateway {other_gateway}; give a range of the same, or make another L3 network"
    ),
    mark("dns[{dns}] is on L3 network {name} already"),
    mark("L3 network {name}[uuid:{uuid}] has {count} NICs on it"),
    mark("ipRangeUuid and l3NetworkUuid cannot both be null; you must set either one."),
    mark(
        "zoneUuids, l3NetworkUuids, ipRangeUuids must have at least one be none-empty list, or all is set to true"
    ),
    mark("the volume[uuid:{uuid}] is already on the host[uuid:{host}]"),
    mark(
        "the dest host[uuid:{host}] doesn't belong to the local primary storage[uuid:{storage}] where the "
        "volume[uuid:{uuid}] is; attach the storage to the host's cluster, or choose another host"
    ),
    mark("host {name}[uuid:{uuid}] is {state} and {status}"),
    mark("host {name}[uuid:{uuid}] is {state}"),
    mark("the volume[uuid:{uuid}] is not on any local primary storage"),
    mark("the volume[uuid:{uuid}] is not Ready, but {status}"),
    mark(
        "the data volume[uuid:{uuid}, name:{name}] is still attached to the VM[uuid:{vm}]. Please detach it "
        "before migration"
    ),
    mark(
        "the volume[uuid:{uuid}] is the root volume of the VM[uuid:{vm}], which is {state} and not Stopped, "
        "please stop it before migration"
    ),
    mark(
        "the volume[uuid:{uuid}] is the root volume of the VM[uuid:{vm}], which has data volumes attached: "
        "{volumes}. They would stay behind; detach them, move each, and attach them again"
    ),
    mark("type[{type}] is no kind of VM that an offering can be for; say UserVm"),
    mark("instance offering[uuid:{uuid}] is {state}, can't create vm from it"),
    mark("{field}[{value}] is not one of {values}"),
    mark("name the accounts in accountUuids, or say toPublic=true"),
    mark("name the accounts in accountUuids, or say toPublic=true or all=true"),
    mark("invalid field[resourceUuids], resource[uuid:{uuid}] that can be shared not found"),
    mark(
        "imageUuid[{uuid}] is of format {format}, which runs on {type}, and {noun} {name}[uuid:{other}] is of "
        "hypervisorType {other_type}"
    ),
    mark(
        "VM {name}[uuid:{uuid}] has no host: its disk's host was deleted; destroy the VM, or make it again from "
        "its image or a backup"
    ),
    mark(
        "primary storage {name}[uuid:{uuid}] is under Maintenance, and volume {volume}[uuid:{volume_uuid}] is on "
        "it; enable the storage first"
    ),
    mark("VM {name}[uuid:{uuid}] has no host: its disk's host was deleted"),
    mark(
        "host {name}[uuid:{uuid}] of VM {vm} has no primary storage, and {bytes} are needed; expunge something "
        "there, attach another storage to its cluster, or lower the global config primaryStorage reservedCapacity"
    ),
    mark(
        "host {name}[uuid:{uuid}] of VM {vm} has no primary storage with more than {left} bytes left above the "
        "reserve, and {bytes} are needed; expunge something there, attach another storage to its cluster, or "
        "lower the global config primaryStorage reservedCapacity"
    ),
    mark("{things} are in different zones: {zones}"),
    mark("a policy may have {limit} statements, not {count}"),
    mark("{one}[uuid:{uuid}] and {other}[uuid:{other_uuid}] belong to different accounts"),
    mark("a statement must have effect field. Invalid statement[{statement}]"),
    mark("a statement's effect is Allow or Deny, not {effect}"),
    mark("a statement must have action field. Invalid statement[{statement}]"),
    mark("a statement must have a non-empty action field. Invalid statement[{statement}]"),
    mark("action[{action}] is no regular expression that a policy can have: {cause}"),
    mark(
        "cannot find Quota[name: {quota}] for the account[uuid: {uuid}]; there are {quotas}, and an admin has "
        "none"
    ),
    mark("value[{value}] must not be below 0"),
    mark(
        "L3 network {name}[uuid:{uuid}] has services of provider {provider}; use "
        "DetachNetworkServiceFromL3Network first"
    ),
    mark(
        "provider {name}[uuid:{uuid}] is not attached to L2 network[uuid:{network}]; use "
        "AttachNetworkServiceProviderToL2Network first"
    ),
    mark("L3 network {name} has the service {service} already"),
    mark("networkServices must name a provider and its services"),
    mark("networkServices names provider[uuid:{uuid}], which does not exist"),
    mark("provider {name} does not provide {service}; it provides {services}"),
    mark("Unable to find GlobalConfig[category: {category}, value: {name}]"),
    mark("{value} is not a valid value. Valid values are [{values}]"),
    mark("{value} is not a number"),
    mark("Global config[category: {category}, name: {name}] must be greater than {low}, but got {value}"),
    mark(
        "Global config[category: {category}, name: {name}] must be in range of [{low}, {high}], but got {value}"
    ),
    mark("availableCapacity[{available}] is more than totalCapacity[{total}]"),
    mark("snapshot[uuid:{uuid}] is {state} and {status}, can't revert"),
    mark("either volumeUuid or treeUuid must be set"),
    mark("volume[uuid:{uuid}] is {status}, and has no content yet; attach it to a VM first"),
    mark("primary storage {name}[uuid:{uuid}] is {state} and {status}"),
    mark(
        "primary storage[uuid:{uuid}] is not on host[uuid:{host}], which has the snapshot[uuid:{snapshot}]; leave "
        "primaryStorageUuid out, or name one that is"
    ),
    mark("the primary storage was detached"),
    mark("VM {name}[uuid:{uuid}] has a volume on it; destroy it first"),
    mark("volume {name}[uuid:{uuid}] is on it, on host {host}; delete and expunge it first"),
    mark("primary storage {name}[uuid:{uuid}] is used by {held} ({names}); stop them first"),
    mark("primary storage {name}[uuid:{uuid}]: {reason}"),
    mark("no host of primary storage {name}[uuid:{uuid}] is Connected, of {hosts}; reconnect one first"),
    mark("url[{url}] is not an absolute path of letters, digits, and . _ - @ + /"),
    mark("url[{url}] is a folder of the system; choose one for storage alone"),
    mark("{noun} and cluster {name}[uuid:{uuid}] are in different zones"),
    mark(
        "primary storage {name}[uuid:{uuid}] is a {type}, which is for clusters of hypervisorType {wanted_type}; "
        "cluster {cluster}[uuid:{cluster_uuid}] is for {other}"
    ),
    mark("path[{path}] is not absolute; the appliance has a folder of its own"),
    mark("path[{path}] exists already; choose another"),
    mark("path[{path}] is in a folder that does not exist"),
    mark("tag[uuid:{uuid}] is an inherent system tag, can not be changed"),
    mark("tag[uuid:{uuid}] is an inherent system tag, can not be removed"),
    mark("no resource type[{type}] found in tag system"),
    mark("no system tag matches {tag}"),
    mark("system tag {tag} is made by the appliance only"),
    mark("hostname[{name}] is another VM's on the L3 network[uuid:{uuid}]; choose another name"),
    mark("only one {tag} tag is allowed on a network, and there is one already: {found}[uuid:{uuid}]"),
    mark("only one {tag} tag is allowed, and there is one already: {found}[uuid:{uuid}]"),
    mark("system tag {tag} is for hosts of hypervisorType {type}; host {name}[uuid:{uuid}] is of {other}"),
    mark("userdata has {length} bytes, {limit} at most"),
    mark("userdataRevision[{value}] is not a number from 1 to 999999999"),
    mark("rootPassword may not hold line breaks or colons"),
    mark("accelerator[{value}] is not one of auto, kvm, tcg"),
    mark("there is no primary storage[uuid:{uuid}] to put volumes on"),
    mark("sshkey is not one public key in OpenSSH form, like ssh-ed25519 AAAA…"),
    mark("hostname[{name}] is not a host name: letters, digits, dashes, dots"),
    mark("staticIp names L3 network[uuid:{uuid}], which does not exist"),
    mark("volume[uuid:{uuid}] is not a root volume, it's {type}; use CreateDataVolumeTemplateFromVolume"),
    mark("volume snapshot[uuid:{uuid}] is not one of a root volume, it's of a {type} volume"),
    mark("volume snapshot[uuid:{uuid}] is {state} and {status}"),
    mark("volume[uuid:{uuid}] is not Ready, it's {status}"),
    mark("volume[uuid:{uuid}] is not Enabled, it's {state}"),
    mark(
        "no backup storage that is Enabled and Connected is attached to zone[uuid:{uuid}]; attach one, or name "
        "one in backupStorageUuids"
    ),
    mark("a token makes no tokens; log in, or ask over the appliance's socket"),
    mark("sessionRole[{role}] is more than the caller may do, which is {allowed}"),
    mark("a token revokes itself only; log in to revoke another"),
    mark(
        "{message} is not in the scope of the access token[uuid:{uuid}], which is {scope}; make a token for it "
        "with CreateAccessToken"
    ),
    mark("field[scope] has {count} items; at most {limit} can be"),
    mark(
        "field[scope] names {name}, which is no message and matches none; `zstui api` lists them; besides there "
        "are {others}"
    ),
    mark("unable to create a user. A user called {name} is already under the account[uuid:{uuid}]"),
    mark("field[uuid] must name the user: it is an account that asks"),
    mark("user[uuid:{uuid}] cannot reset the password of another user[uuid:{other}]"),
    mark("unable to create a group. A group called {name} is already under the account[uuid:{uuid}]"),
    mark(
        "state[{wanted_state}]: VM {name}[uuid:{uuid}] is {state}, as its host sees it; {call} changes that"
    ),
    mark("VM {name} has no NIC on defaultL3NetworkUuid[{uuid}]"),
    mark("VM {name}[uuid:{uuid}]: {reason}"),
    mark("image {name}[uuid:{uuid}] is {state} and {status}"),
    mark("imageUuid[{uuid}] is a {type}; a VM is made from a RootVolumeTemplate or an ISO"),
    mark(
        "rootDiskOfferingUuid cannot be null when image media type is ISO, as image[uuid:{uuid}] is: it says how "
        "large a root volume the system is installed on"
    ),
    mark("rootDiskOfferingUuid is for ISO images only; leave it out"),
    mark("only VMs of type UserVm can be created"),
    mark("l3NetworkUuids names a network twice; a VM has one NIC on each"),
    mark("defaultL3NetworkUuid[{uuid}] is not one of l3NetworkUuids"),
    mark("L3 network {name}[uuid:{uuid}] is {state}"),
    mark("dataDiskOfferingUuids names {count}, and the global config kvm dataVolume.maxNum allows {limit}"),
    mark("the L3 networks are not in zoneUuid[{uuid}]"),
    mark("zone[uuid:{uuid}] is Disabled"),
    mark("VM[uuid:{uuid}] is already on the host[uuid:{host}]"),
    mark("a NIC of VM[uuid:{uuid}] is being changed by another call; try again later"),
    mark("host {name}[uuid:{uuid}] {reason}"),
    mark("unable to attach a L3 network. {reason}"),
    mark("The L3 network[uuid:{uuid}] is already attached to the vm[uuid: {vm}]"),
    mark("The L3 network[uuid:{uuid}] is disabled"),
    mark("The L3 network[uuid:{uuid}] is a system network and the vm[uuid: {vm}] is a user vm"),
    mark(
        "The L3 network[uuid:{uuid}] is on the L2 network[uuid:{l2}], which the cluster of the vm[uuid: {vm}] has "
        "not"
    ),
    mark("instance offering[uuid:{uuid}] is {state}, can't change a vm to it"),
    mark("{name}: {address} is not free any more; another address is taken at the next start"),
    mark("{name}: data volume {volume} is not attached again: it was removed"),
    mark("{name}: data volume {volume} is not attached again: {reason}"),
    mark("volume[uuid:{uuid}] is a root volume; use ResizeRootVolume"),
    mark("volume[uuid:{uuid}] is a data volume; use ResizeDataVolume"),
    mark("volume[uuid:{uuid}] has {bytes} bytes, and can only become larger: size[{size}] is not"),
    mark("volume[uuid:{uuid}] is in status of deleted, cannot do the operation"),
    mark("volume[uuid:{uuid}] is being moved to another host; wait for that, or cancel its job"),
    mark("volume[uuid:{uuid}] {reason}; wait for that, or cancel its job"),
    mark("disk offering[uuid:{uuid}] is {state}, can't create data volume from it"),
    mark(
        "primary storage {name}[uuid:{uuid}] has {left} bytes left above the reserve on host[uuid:{host}], and "
        "{bytes} are needed; expunge something there, use another, or lower the global config primaryStorage "
        "reservedCapacity"
    ),
    mark(
        "primary storage {name}[uuid:{uuid}] has {left} bytes left above the reserve, and {bytes} are needed; "
        "expunge something there, use another, or lower the global config primaryStorage reservedCapacity"
    ),
    mark(
        "image[uuid:{uuid}] is not DataVolumeTemplate, it's {type}; UpdateImage changes what it may be used for"
    ),
    mark(
        "primary storage[uuid:{uuid}] is a LocalStorage: hostUuid must say which host the volume is made on"
    ),
    mark("the host[uuid:{uuid}] doesn't belong to the primary storage[uuid:{storage}]"),
    mark("no host of primary storage[uuid:{uuid}] is Connected"),
    mark("the volume[uuid:{uuid}, name:{name}] is Root Volume, can't attach it"),
    mark("it's not allowed to detach root volume[uuid:{uuid}]"),
    mark("data volume[uuid:{uuid}] is not attached to any vm, can't detach"),
    mark("volume[uuid:{uuid}] is not the root volume of any VM"),
    mark("volume[uuid:{uuid}] is not Data volume, it's {type}"),
    mark("snapshot[uuid:{uuid}] is {status}, and not Ready"),
    mark("snapshot[uuid:{uuid}] is on backup storage {name}[uuid:{storage}] already"),
    mark("snapshot[uuid:{uuid}] is not on the backup storage[uuid:{storage}]"),
    mark("backup {name}[uuid:{uuid}] is what {names} adds to; delete that first"),
    mark(
        "volume[uuid:{uuid}] is just being backed up, which may add to backup[uuid:{backup}]; wait for that"
    ),
    mark("backup[uuid:{uuid}] is just being restored; wait for that"),
    mark("the backup was deleted"),
    mark("no backup storage is Enabled and Connected; add one, or connect it"),
    mark("volume[uuid:{uuid}] is {status}, and has no content to back up"),
    mark(
        "VM {name}[uuid:{uuid}] of volume[uuid:{volume}] is on its way to another host; it can be backed up when "
        "it is Running or Stopped"
    ),
    mark(
        "VM {name}[uuid:{uuid}] of volume[uuid:{volume}] is {state}; it can be backed up when it is Running or "
        "Stopped"
    ),
    mark(
        "volume[uuid:{uuid}] cannot be backed up to {type} {name}[uuid:{storage}]: only one of the two is "
        "simulated"
    ),
    mark("volume[uuid:{uuid}] is Root volume, can't be deleted"),
    mark("volume[uuid:{uuid}] is already in status of deleted"),
    mark(
        "the volume[uuid:{uuid}] is not in status of deleted. This is operation is to recover a deleted data "
        "volume"
    ),
    mark("the volume[uuid:{uuid}] is being removed, and cannot be recovered any more"),
    mark("the volume[uuid:{uuid}] is not deleted yet, can't expunge it"),
    mark(
        "a backup on {type} {storage}[uuid:{storage_uuid}] cannot be restored on host {host}[uuid:{uuid}]: only "
        "one of the two is simulated"
    ),
    mark(
        "the volume[uuid:{uuid}] of backup[uuid:{backup}] is gone; CreateDataVolumeFromVolumeBackup makes a new "
        "one"
    ),
    mark("VM {name}[uuid:{uuid}] of volume[uuid:{volume}] is {state}; stop it first"),
    mark("backup {name}[uuid:{uuid}] is {status}, and not Ready"),
)
