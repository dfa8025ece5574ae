"""What the API says against a value, as a sentence for the one who typed it: below its field, so without its name.

What is not known here by its pattern is said in the appliance's own words, without the names that only programs have.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import cache

from appliance.api.errors import ApiError
from appliance.api.message import MESSAGES
from appliance.api.resource import RESOURCES
from zstui import words
from zstui.cells import crop
from zstui.i18n import enumerated, labelled, mark, tr
from zstui.i18n.server_texts import listed, pattern, said
from zstui.mirror import Mirror

SENTENCES = (
    ("field[{field}] is mandatory, can not be null", mark("This is needed.")),
    ("field[{field}] cannot be an empty string", mark("This is needed.")),
    ("field[{field}] must be a nonempty list", mark("Choose at least one.")),
    ("valid value for field[{field}] are [{values}], but actual is {value}",
     mark("This must be one of {values}, and is {value}.")),
    ("field[{field}] exceeds max length of string. expected was <= {limit}, actual was {length}",
     mark("At most {limit} characters fit here; these are {length}.")),
    ("field[{field}] must be in range of [{low}, {high}]", mark("This must be from {low} to {high}.")),
    ("field[{field}] must be in bytes, for example {example}, but actual is {value}",
     mark("This must be in bytes, for example {example}, and is {value}.")),
    ("field[{field}] must be {wanted}, but actual is {value}", mark("This must be {wanted}, and is {value}.")),
    ("field[{field}] holds the control character {character} {where}; leave it out",
     mark("The character {character} cannot be part of this; leave it out.")),
    ("field[{field}] holds nothing but blanks: {value}; give it a name to be seen",
     mark("A name needs something that can be seen.")),
    ("field[name] holds {marks} in [{value}]; a name has no quotes, no < > &, no / or \\ and no ..",
     mark("A name has no quotes, no < > &, no / or \\ and no .. in it; here is {marks}.")),
    ("{field}[{address}] is not an IPv4 address", mark("{address} is not an IPv4 address.")),
    ("netmask[{netmask}] is not a netmask", mark("{netmask} is not a netmask.")),
    ("startIp[{start}] is after endIp[{end}]", mark("The first address, {start}, is after the last, {end}.")),
    ("networkCidr[{cidr}] is not a CIDR like 10.0.0.0/24", mark("{cidr} is not a network like 10.0.0.0/24.")),
    ("networkCidr[{cidr}] must be from /8 to /29", mark("{cidr} has not from /8 to /29.")),
    ("physicalInterface[{interface}] is not the name of a network interface",
     mark("{interface} is not the name of a network interface.")),
    ("url[{url}] must begin with http://, https://, file:// or upload://",
     mark("An address begins with http://, https://, file:// or upload://.")),
    ("invalid field[{field}], resource[{uuids}, type:{type}] not found",
     mark("What was chosen is not there any more; choose another.")),
    ("there has been a host having managementIp[{address}]", mark("{address} is another host's already.")),
    ("hostname[{name}] is not a host name: letters, digits, dashes, dots",
     mark("{name} is not a host name: letters, digits, dashes and dots make one.")),
    ("{named}: the IP ranges of {network} have {held}, and none is free; add a range, or delete VMs",
     mark("{network} has {held}, and none is free; add a range, or delete VMs.")),
    ("{named}: L3 network {name}[uuid:{uuid}] has no IP range; add one first",
     mark("{name} has no IP range; add one first.")),
    ("{named}: the range {start}-{end} overlaps with {first}-{last} [ipRange uuid:{uuid}]; "
     "give addresses outside of that, or delete it first",
     mark("{start}-{end} overlaps with the range {first}-{last}; take addresses outside of that.")),
    ("{named}: there is no host in the zone and cluster asked for; add one with AddKVMHost",
     mark("There is no host there; add one first.")),
    ("{named}: no host {wanted} that also {also}: {advice}; ruled out last: {hosts}",
     mark("No host {wanted} that also {also}: {advice}.")),
    ("no system tag matches {tag}", mark("No system tag matches {tag}.")),
    ("{named}: no host {wanted}: {advice}; ruled out last: {hosts}", mark("No host {wanted}: {advice}.")),
)  # fmt: skip
"""What the API says, and how it is said here. A pattern is made of the one when it is first looked for."""

SPOKEN = frozenset({"wanted", "advice", "held"})
"""Holes that hold words of the appliance's."""

TOLD_CELLS = 400
"""How much is said in passing."""

MESSAGE = re.compile(r"( of)? message\[[^\]]*\]")
NAMED = re.compile(r"\[uuid: ?[0-9a-f]{32}(?:, name:([^\]]*))?\]")
LEAD = re.compile(r"^(?:\w+\[[^\]]*\](?:, )?)+: |^field\[\w+\]:? ")
UUIDS = re.compile(r"\b(\w+)\[([0-9a-f]{32}(?:,[0-9a-f]{32})*)\]")
VALUE = re.compile(r"\b([a-z]\w*)\[([^\]]*)\]")
HEAD = re.compile(r"(?:\w+\[[^\]]*\](?:, )?)+: ")
NAMES = re.compile(r"\bfield\[(?P<field>\w+)\]|\b(?P<name>\w+)(?P<value>\[(?! ?uuid\b))?")
WIRE = re.compile(r"\b[a-z]+[0-9]?(?:[A-Z][a-z0-9]*)+\b")


def readable(details: str, mirror: Mirror, *, sizes: bool = False, alone: bool = False) -> str:
    """A sentence that says what is wrong; `sizes` writes the limits of a number as sizes.

    One that stands `alone`, below no field, begins with the name of its field.
    """
    text = MESSAGE.sub("", details)
    for known, sentence in SENTENCES:
        found = pattern(known).fullmatch(text)
        if found is not None:
            holes = {hole: _hole(hole, value, sizes=sizes) for hole, value in found.groupdict().items()}
            if alone and "field" in holes:
                return _whole(labelled(tr(words.label(found["field"])), tr(sentence, **holes)))
            return tr(sentence, **holes)
    return _whole(_plain(said(text) if said(text) != text else LEAD.sub("", text), mirror))


def told(error: ApiError, mirror: Mirror) -> str:
    """An error as a sentence, and in brackets the code that programs and manuals know it by."""
    return f"{crop(readable(error.details, mirror, alone=True), TOLD_CELLS)} [{error.code}]"


def reason(text: str, mirror: Mirror) -> str:
    """Why something is not to be had, to stand beside the name of it: short, and without uuids."""
    return _plain(said(text), mirror)


def field_of(details: str, fields: Collection[str]) -> str | None:
    """Which of these fields an error is about: the first that it names, behind what it only says to be about."""
    head = HEAD.match(details)
    for text in (details[head.end() :], details) if head is not None else (details,):
        for found in NAMES.finditer(text):
            name = found["field"] or found["name"]
            # A name of small letters is a word, too, and a resource may be called so.
            sure = found["field"] or found["value"] or not name.islower() or name == "password"
            if sure and name in fields:
                return name
    return None


def _hole(hole: str, value: str, *, sizes: bool) -> str:
    if hole == "also":
        return listed(value)
    if hole in SPOKEN:
        return said(value)
    if sizes and hole in ("low", "high") and value.isdecimal():
        return words.long_size(int(value))
    return NAMED.sub("", value)


def _plain(text: str, mirror: Mirror) -> str:
    """A text without uuids, and with names of fields as their labels are."""
    text = NAMED.sub(lambda found: f" {found[1]}" if found[1] else "", text)
    text = UUIDS.sub(lambda found: f"{found[1]} {enumerated(map(mirror.name, found[2].split(',')))}", text)
    text = VALUE.sub(r"\1 \2", text)
    return WIRE.sub(lambda found: tr(words.label(found[0])) if found[0] in _wires() else found[0], text)


@cache
def _wires() -> frozenset[str]:
    """All names of fields on the wire: what else looks like one is somebody's own word."""
    asked = (each.wire for message in MESSAGES.values() for each in message.parameters.values())
    held = (each.wire for resource in RESOURCES.values() for each in resource.columns.values())
    return frozenset((*asked, *held))


def _whole(text: str) -> str:
    """With a capital at its begin and a stop at its end."""
    text = text.strip()
    stop = "" if text.endswith((".", "。", "!", "?")) else "。" if text and ord(text[-1]) > 0x2E7F else "."
    return f"{text[:1].upper()}{text[1:]}{stop}"
