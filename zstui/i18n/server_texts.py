"""What the appliance says in English words, known by its patterns: why, steps, events, errors' details.

The wire stays as ZStack has it; only what is shown is translated. What is not known here is shown as it came.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import cache, lru_cache

from zstui import words
from zstui.i18n import enumerated, language, mark, tr, trn
from zstui.i18n.agents import AGENTS, SYSTEM
from zstui.i18n.bad_calls import BAD_CALLS
from zstui.i18n.causes import CAUSES
from zstui.i18n.progress import EVENTS, PACES, STEPS, WAITS
from zstui.i18n.refusals import REFUSALS
from zstui.i18n.troubles import TROUBLES
from zstui.i18n.yaml_texts import YAML_TEXTS

ERRORS = (
    mark("field[{field}] is mandatory, can not be null"),
    mark("field[{field}] of message[{message}] is mandatory, can not be null"),
    mark("valid value for field[{field}] are [{values}], but actual is {value}"),
    mark("valid value for field[{field}] of message[{message}] are [{values}], but actual is {value}"),
    mark("field[{field}] exceeds max length of string. expected was <= {limit}, actual was {length}"),
    mark(
        "field[{field}] of message[{message}] exceeds max length of string. "
        "expected was <= {limit}, actual was {length}"
    ),
    mark("field[{field}] must be a nonempty list"),
    mark("field[{field}] cannot be an empty string"),
    mark("field[{field}] must be in range of [{low}, {high}]"),
    mark("field[{field}] must be {wanted}, but actual is {value}"),
    mark("field[{field}] of message[{message}] must be {wanted}, but actual is {value}"),
    mark("{field}[{address}] is not an IPv4 address"),
    mark("netmask[{netmask}] is not a netmask"),
    mark("startIp[{start}] is after endIp[{end}]"),
    mark("networkCidr[{cidr}] is not a CIDR like 10.0.0.0/24"),
    mark("networkCidr[{cidr}] must be from /8 to /29"),
    mark("physicalInterface[{interface}] is not the name of a network interface"),
    mark("url[{url}] must begin with http://, https://, file:// or upload://"),
    mark("invalid field[{field}], resource[uuid:{uuid}, type:{type}] not found"),
    mark("invalid field[{field}], resource[uuids:[{uuids}], type:{type}] not found"),
    mark("there has been a host having managementIp[{address}]"),
    mark(
        "current vm instance state[{state}] doesn't allow to proceed message[{message}], "
        "allowed states are [{states}]"
    ),
    mark("VM {name}[uuid:{uuid}] is still being created"),
    mark("VM {name}[uuid:{uuid}]: it is being moved to another host; wait for that, or cancel its job"),
    mark("VM {name}[uuid:{uuid}]: another call is at work on it; wait for that, or cancel its job"),
    mark(
        "VM {name}[uuid:{uuid}]: an image is being made of a volume of it; wait until that was read, or cancel its job"
    ),
    mark(
        "another program has {file} locked for more than {seconds} s; end it (fuser {same} says which process it is), "
        "then try again"
    ),
    mark("there is no frozen agent in {folder}, which real machines need; {advice}, then try again"),
    mark("there is no host in the zone and cluster asked for; add one with AddKVMHost"),
    mark("the IP ranges of {network} have {held}, and none is free; add a range, or delete VMs"),
    mark("IP[{ip}] is not available on the L3 network[uuid:{uuid}], as system tag {tag} asks: {reason}"),
    mark("it is in none of its IP ranges; take a free address of {ranges}"),
    mark("it is the gateway of {range}; take another address of {ranges}"),
    mark("its DHCP server has it; take another address of {ranges}"),
    mark("VM {name}[uuid:{uuid}] has it; take another address of {ranges}, or delete that VM first"),
    mark("VMs have {held} of {range}; destroy them, or detach their NICs, first"),
    mark("L3 network {name}[uuid:{uuid}] has no IP range; add one first"),
    mark(
        "the range {start}-{end} overlaps with {first}-{last} [ipRange uuid:{uuid}]; "
        "give addresses outside of that, or delete it first"
    ),
    mark("field[{field}] holds the control character {character} in {value}; leave it out"),
    mark("field[{field}]: a password or key is hidden here: type it instead of {mask}"),
    mark("field[{field}] holds nothing but blanks: {value}; give it a name to be seen"),
    mark("field[name] holds {marks} in [{value}]; a name has no quotes, no < > &, no / or \\ and no .."),
    mark("host {name}[uuid:{uuid}] holds {held} ({vms}); destroy or migrate them first"),
    mark("host {name}[uuid:{uuid}] holds {held} ({volumes}); delete and expunge or migrate them first"),
    mark("zone {name}[uuid:{uuid}] holds {held}; delete them first"),
    mark(
        "backup storage {name}[uuid:{uuid}] holds {held}, {deleted} of them in the recycle bin; "
        "delete and expunge them first"
    ),
    mark("cluster {name}[uuid:{uuid}] holds {held}; delete them first"),
    mark("L2 network {name} has L3 networks; delete them first"),
    mark("L2 network {name} is attached to a cluster; detach it first"),
    mark("primary storage {name}[uuid:{uuid}] is attached to a cluster; detach it first"),
    mark("volume[uuid:{uuid}] is being changed by another call; try again when that has ended"),
    mark(
        "the volume[uuid:{uuid}] is not on any local primary storage: its file is made when it is first attached to "
        "a VM, on the host of that VM, so there is nothing to move"
    ),
    mark(
        "backup {name}[uuid:{uuid}] of volume[uuid:{volume}] is still on its way to its storage, and this one is to "
        "add to it; wait for that, or ask for mode full"
    ),
    mark("job[uuid:{uuid}] is {state}"),
    mark("{job} cannot be cancelled: it is past the point where that is safe"),
    mark("Session expired"),
    mark("wrong account name or password"),
    mark("wrong account, user name or password"),
    mark("too many wrong passwords for account[{account}]; try again in {seconds} seconds"),
    mark("too many wrong passwords from {address}; try again in {seconds} seconds"),
    mark("{message} was not done within its timeout of {milliseconds} ms; {reason}"),
    mark("the call names no session; log in with LogInByAccount"),
    mark("API[{message}] is admin only"),
    mark("{message} is not sent: this session only reads"),
    mark("quota exceeding. The account[uuid: {uuid}] exceeds a quota[name: {quota}, value: {value}]"),
    mark("the appliance is starting; try again in a moment"),
    mark("the appliance is not connected; it is tried again by itself"),
    mark("the connection broke"),
    mark(
        "{reason}; job[uuid:{uuid}] goes on in the next appliance, which any zstui command on its data folder starts; "
        "see how it ends with {call}"
    ),
    mark("no appliance answers on {target}: {reason}; see that it runs"),
    mark("no appliance runs on {target}: {reason}; start one"),
    mark("a fault in the appliance, reference {reference}; its log says more"),
    mark(
        "cannot listen on {address}: {cause}; only the socket in {folder} leads to this appliance: free that address "
        "and end process {pid}, which the next zstui starts again, or give that another one by --listen"
    ),
    mark(
        "cannot listen on {address}: {cause}; the full screen is not shown by SSH: free that address and end process "
        "{pid}, which the next zstui starts again, or give that another one by --ssh"
    ),
    mark("{address} does not answer"),
    mark("{address} does not answer within {seconds} s; does sshd run?"),
    mark(
        "{address} refuses the connection: nothing listens there; start sshd on it, or give the port that its sshd has"
    ),
    mark(
        "there is no route to {address}: see that the address is right and the machine is on and in a network that "
        "the appliance's machine reaches"
    ),
    mark("{address} is not a valid IPv4 address: that has four numbers from 0 to 255, with dots between"),
    mark(
        "{address} is no name that the appliance's machine can look up: check how it is written and the DNS, "
        "or give an IP address"
    ),
    mark(
        "the connection to {address} was lost: see that sshd answers there and no firewall ends it, then try again"
    ),
    mark("{address} cannot be reached: {reason}"),
    mark("{address} refuses the login of {user}: wrong user or password"),
    mark("{address} is not connected"),
    mark(
        "{machine} is the machine of host {name}[uuid:{uuid}], managementIp[{address}] sshPort[{port}]; "
        "use that one, give it this address with UpdateKVMHost, or delete it first"
    ),
    mark("not connected: {reason}"),
    mark("cancelled by its caller"),
    mark("the host was deleted"),
    mark("the image was deleted"),
    mark("the volume was deleted"),
    mark("another call on the VM took its place"),
    mark("given up after waiting: {reason}"),
    mark("no connected backup storage has image {name}[uuid:{uuid}]"),
    mark("{url} answered {status}; check the address"),
    mark("managementIp[{address}]: {reason}"),
    mark("hostname[{address}]: {reason}"),
    mark("url[{url}]: {reason}"),
    mark("backup storage {name} ({host}) fetches it: {reason}"),
    mark("no connection to {target}: {reason}"),
    mark("its file is awaited; send it: {command}"),
    mark("the rest of its file is awaited ({done} of {total} MiB came); go on: {command}"),
)
PLACING = (
    mark("no host {wanted} that also {also}: {advice}; ruled out last: {hosts}"),
    mark("no host {wanted}: {advice}; ruled out last: {hosts}"),
    mark("has the VM's volumes"),
    mark("has a primary storage that the instance offering's tags ask for"),
    mark("carries the L2 networks"),
    mark("is the one designated"),
    mark("is Enabled and Connected"),
    mark("has hypervisor {hypervisor}"),
    mark("has enough memory"),
    mark("has enough CPU"),
    mark("has the image's backup storage in its zone"),
    mark("has room on its primary storage"),
    mark("runs guests by kvm, without which QEMU has no host-passthrough"),
    mark("attach the L2 networks of these L3 networks to one cluster with hosts"),
    mark("name a host of that zone and cluster, or none"),
    mark("enable or reconnect a host, enable its cluster, or add a host with AddKVMHost"),
    mark("take an image for the hypervisor that is there"),
    mark("take a smaller instance offering, stop VMs, or add a host with AddKVMHost"),
    mark("attach the image's backup storage to the zone with AttachBackupStorageToZone"),
    mark("enable or reconnect it"),
    mark("take a smaller instance offering, or stop VMs on it"),
    mark("attach one of those to the cluster, or change the tags of the instance offering"),
    mark(
        "attach a primary storage to the cluster, expunge what is deleted there, or lower the global config "
        "primaryStorage reservedCapacity"
    ),
    mark("give the global config kvm vm.cpuMode another value"),
)
"""Why no host can take a VM, and what helps."""
COUNTED: dict[str, Callable[[int], str]] = {
    "VM": lambda number: trn("{number} VM", "{number} VMs", number),
    "host": lambda number: trn("{number} host", "{number} hosts", number),
    "address": lambda number: trn("{number} address", "{number} addresses", number),
    "image": lambda number: trn("{number} image", "{number} images", number),
    "data volume": lambda number: trn("{number} data volume", "{number} data volumes", number),
    "cluster": lambda number: trn("{number} cluster", "{number} clusters", number),
    "L2 network": lambda number: trn("{number} L2 network", "{number} L2 networks", number),
    "storage": lambda number: trn("{number} storage", "{number} storages", number),
}
"""How many of what, as `counted` says it: by what one of them is called."""
COUNT = re.compile(rf"([0-9]+) ({'|'.join(COUNTED)})(?:s|es)?")

TOLD_LAST = (
    mark("{name}: {before} → {after} ({reason})"),
    mark("{name}: {before} → {after}"),
    mark("{step} ({done} of {total} MiB)"),
    mark("{step} ({done} of {total} MiB, {pace})"),
    mark("{step}, once more, since it arrived with other content: {files}"),
    mark("{name}: {reason}"),
)
"""The widest patterns, which the others come before."""

FAILED = mark("{call}: {reason} [{code}]")
"""A job that failed, as events tell it: whatever its reason is, it comes before what looks like that."""

FRAMES = frozenset({FAILED, "{name}: {reason}", "{path}: {failure}; {advice}"})
"""What says nothing by itself."""

TEXTS = (
    FAILED,
    *CAUSES,
    *STEPS,
    *EVENTS,
    *WAITS,
    *ERRORS,
    *BAD_CALLS,
    *TROUBLES,
    *REFUSALS,
    *PLACING,
    *AGENTS,
    *SYSTEM,
    *PACES,
    *YAML_TEXTS,
    *TOLD_LAST,
)
"""Every pattern."""

NESTED = frozenset({
    "reason", "how", "before", "after", "state", "status", "cluster_state", "step", "wanted", "also", "advice", "held",
    "hosts", "what", "pace", "failure", "change", "type",
    "found",
})  # fmt: skip
"""Holes that hold words of the appliance's too."""

AGENTS_CODE = re.compile(r"(.+)( \[[a-z]+\.[a-z]+\])", re.DOTALL)
"""What an agent refuses with: why, and the code of that."""

HOLE = re.compile(r"\{(\w+)\}")
FILLED = {
    "code": r"[A-Z0-9_]+\.[0-9]+",
    "rate": r"[0-9.]+",
    "time": r"[0-9]+:[0-9]{2}",
    "code_number": r"-?[0-9]+",
}
"""What holes hold that can be told from other words."""

BYTES = re.compile(r"(?<!\^)\{(\w+)\}(?: of \{(\w+)\})? bytes")
ALSO_BYTES = frozenset({"bytes", "left", "limit", "needed", "reserved", "size", "total"})
"""Holes that hold bytes, too, in a text that says so of another."""


@cache
def pattern(template: str) -> re.Pattern[str]:
    """What a text of this template looks like. What one begins with is no sentence about another thing: no `x: y`."""
    parts = HOLE.split(template)
    first = r"(?:(?!: ).)+?" if not parts[0] else ".+?"
    written = (
        re.escape(part)
        if place % 2 == 0
        else f"(?P<{part}>{FILLED.get(part, first if place == 1 else '.+?')})"
        for place, part in enumerate(parts)
    )
    return re.compile("".join(written), re.DOTALL)


WHOLE = {text: text for text in TEXTS if not HOLE.search(text)}


@cache
def patterns() -> list[tuple[str, str]]:
    """The texts with holes, and the longest piece of each; those that say most come first."""
    apart = (FAILED, *TOLD_LAST)
    rest = sorted((text for text in TEXTS if text not in apart), key=lambda text: -len(HOLE.sub("", text)))
    found = (text for text in (FAILED, *rest, *TOLD_LAST) if HOLE.search(text))
    return [(text, max(HOLE.split(text)[::2], key=len)) for text in found]


def known(text: str) -> Iterator[tuple[str, dict[str, str]]]:
    """The patterns that a text has, and what is in their holes then; those that say most come first."""
    if text in WHOLE:
        yield text, {}
        return
    for template, piece in patterns():
        found = pattern(template).fullmatch(text) if piece in text else None
        if found is not None:
            yield template, found.groupdict()


def said(text: str) -> str:
    """A text of the appliance's in the user's language, its bytes in larger units; one not known, as it came."""
    return _said(language(), text) if language() != "en" or " bytes" in text else text


def listed(text: str) -> str:
    """Each of several texts of the appliance's, which commas part, in the user's language."""
    return enumerated(map(said, text.split(", ")))


@lru_cache(maxsize=4000)
def _said(name: str, text: str) -> str:
    """The text in a language, which is the one that is spoken: it is named so that each is kept apart."""
    if refused := AGENTS_CODE.fullmatch(text):
        return f"{_said(name, refused[1])}{refused[2]}"
    if counted := COUNT.fullmatch(text):
        return COUNTED[counted[2]](int(counted[1]))
    found, left = None, len(text)
    for template, holes in known(text):
        told = {hole: _nested(hole, value, name) for hole, value in holes.items()}
        as_it_was = sum(len(told[hole]) for hole in NESTED & told.keys() if told[hole] == holes[hole])
        if template not in FRAMES:
            found = template, holes, told
            break
        if told != holes and as_it_was < left:  # of what says nothing itself the one of which most is known
            found, left = (template, holes, told), as_it_was
    if found is None:
        return text  # a sentence that nobody knows keeps the punctuation of its language
    template, holes, told = found
    sizes = _sizes(template, holes)
    if sizes and name == "en":
        return BYTES.sub(lambda bytes_: bytes_[0].removesuffix(" bytes"), template).format(**told | sizes)
    return tr(template, **told | sizes)


def _sizes(template: str, holes: dict[str, str]) -> dict[str, str]:
    """What holds bytes in a text, in units; those that would look the same though they differ stay as they are."""
    named = {hole for found in BYTES.findall(template) for hole in found if hole}
    named |= ALSO_BYTES & holes.keys() if named else set()
    counts = {hole: int(holes[hole]) for hole in named if holes[hole].isdecimal()}
    shown = {hole: words.long_size(count) for hole, count in counts.items()}
    if len(set(shown.values())) < len(set(counts.values())):
        return {hole: f"{count:,} B" for hole, count in counts.items()}
    return shown


def _nested(hole: str, value: str, name: str) -> str:
    if hole not in NESTED:
        return value
    if hole == "also":
        return listed(value)
    if hole == "hosts":
        return tr("; ").join(map(_ruled_out, value.split("; ")))
    return tr(value) if value.isalpha() else _said(name, value)


def _ruled_out(text: str) -> str:
    """A host's name and why it does not do: where the one ends and the other begins is seen by what is known."""
    parts = text.split(" ")
    for place in range(1, len(parts)):
        reason = " ".join(parts[place:])
        if (told := said(reason)) != reason:
            return f"{' '.join(parts[:place])} {told}"
    return text
