"""What a guest is told about itself: the EC2, CloudStack and NoCloud documents, made from one `Metadata`."""

from __future__ import annotations

import json
import re

from agent.protocol import EnsureNic, Metadata, normalise

VERSIONS = ("2009-04-04", "2016-09-02", "2018-09-24", "2021-03-23", "latest")
"""The versions listed; the tree is the same under any date."""

_VERSION = re.compile(r"\A(?:latest|1\.0|\d{4}-\d{2}-\d{2})\Z")


def document(path: str, nic: EnsureNic) -> str | None:
    """The body at an exact path for one NIC, or None where nothing is served."""
    metadata = nic.metadata
    if metadata is None or not path.startswith("/"):
        return None
    if path == "/":
        return "\n".join(VERSIONS)
    parts = path.split("/")[1:]
    if parts[0] == "nocloud":
        return _nocloud(parts[1:], metadata)
    if not _VERSION.match(parts[0]):
        return None
    return _ec2(parts[1:], nic, metadata)


def _ec2(parts: list[str], nic: EnsureNic, metadata: Metadata) -> str | None:
    if parts in ([], [""]):
        return "meta-data/" + ("\nuser-data" if metadata.user_data is not None else "")
    if parts == ["user-data"]:
        return None if metadata.user_data is None else normalise(metadata.user_data)
    if parts[0] != "meta-data":
        return None
    leaves = {
        "hostname": metadata.local_hostname,
        "instance-id": metadata.instance_id,
        "local-hostname": metadata.local_hostname,
        "local-ipv4": nic.ip,
        "mac": nic.mac.lower(),
    }
    if parts[1:] in ([], [""]):
        # Only what is served: one listed name that is not there costs a guest all of its metadata.
        return "\n".join([*leaves, *(["public-keys/"] if metadata.public_keys else [])])
    if parts[1] == "public-keys":
        return _keys(parts[2:], metadata.public_keys)
    return leaves.get(parts[1]) if len(parts) == 2 else None


def _keys(parts: list[str], keys: list[str]) -> str | None:
    if not keys:
        return None
    if parts in ([], [""]):
        return "\n".join(f"{number}=key{number or ''}" for number in range(len(keys)))
    known = {str(number): key for number, key in enumerate(keys)}
    if parts[0] not in known:
        return None
    if parts[1:] in ([], [""]):
        return "openssh-key"
    return known[parts[0]].strip() if parts[1:] == ["openssh-key"] else None


def _nocloud(parts: list[str], metadata: Metadata) -> str | None:
    if parts == ["meta-data"]:
        # JSON strings and lists are YAML too, and quote whatever is in them.
        lines = {
            "instance-id": metadata.instance_id,
            "local-hostname": metadata.local_hostname,
            "public-keys": metadata.public_keys,
        }
        return "".join(f"{name}: {json.dumps(value)}\n" for name, value in lines.items())
    if parts == ["user-data"]:
        return "" if metadata.user_data is None else normalise(metadata.user_data)
    return "" if parts in (["vendor-data"], ["network-config"]) else None
