"""User data and keys out of a VM's system tags, merged as ZStack's operators expect."""

from __future__ import annotations

import json
from collections.abc import Iterable


def public_keys(tags: Iterable[str]) -> list[str]:
    """The public keys of the `sshkey::` tags, in order, each once."""
    keys = (tag.removeprefix("sshkey::").strip() for tag in tags if tag.startswith("sshkey::"))
    return list(dict.fromkeys(key for key in keys if key))


def instance_id(vm_uuid: str, tags: Iterable[str]) -> str:
    """Who cloud-init takes the guest for: one that it does not know it applies user data and keys to anew."""
    start = "userdataRevision::"
    revision = next((tag.removeprefix(start) for tag in tags if tag.startswith(start)), None)
    return vm_uuid if revision is None else f"{vm_uuid}-{revision}"


def user_data(tags: Iterable[str]) -> str | None:
    """The text of the first `userdata::` tag.

    Without one, keys and a root password still reach the guest as ZStack sends them: a cloud-config that
    lets root log in. None when no tag asks for anything.
    """
    listed = list(tags)
    for tag in listed:
        if tag.startswith("userdata::"):
            return tag.removeprefix("userdata::")
    keys = public_keys(listed)
    password = next(
        (t.removeprefix("rootPassword::") for t in listed if t.startswith("rootPassword::")), None
    )
    if not keys and password is None:
        return None
    lines = ["#cloud-config"]
    if keys:
        lines += ["ssh_authorized_keys:", *(f"  - {json.dumps(key, ensure_ascii=False)}" for key in keys)]
    lines.append("disable_root: false")
    if password is not None:
        lines += ["chpasswd:", "  list: |", f"    root:{password}", "  expire: False"]
    return "\n".join(lines) + "\n"
