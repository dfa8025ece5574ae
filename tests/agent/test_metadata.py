"""What guests are told: user data as typed and as served, and every path that exists."""

from __future__ import annotations

import pytest
import yaml

from agent.metadata import document
from agent.protocol import EnsureNic, Metadata, normalise


@pytest.mark.parametrize(
    ("typed", "served"),
    [
        ("#cloud-config\nhostname: a\n", "#cloud-config\nhostname: a\n"),
        ("#cloud-config\\nhostname: a", "#cloud-config\nhostname: a"),
        ("hostname: a\\nfqdn: a.b", "#cloud-config\nhostname: a\nfqdn: a.b"),
        ("hostname: a", "#cloud-config\nhostname: a"),
        ("runcmd:\n - printf 'a\\nb'", "#cloud-config\nruncmd:\n - printf 'a\\nb'"),
        ("#!/bin/sh\necho 'a\\nb'", "#!/bin/sh\necho 'a\\nb'"),
        ("#include\nhttp://x/", "#include\nhttp://x/"),
        ("## template: jinja\n#cloud-config\n", "## template: jinja\n#cloud-config\n"),
        ("Content-Type: multipart/mixed\n\nx", "Content-Type: multipart/mixed\n\nx"),
        ("MIME-Version: 1.0\nContent-Type: a", "MIME-Version: 1.0\nContent-Type: a"),
        ("content-type: text/x-shellscript\n\nx", "content-type: text/x-shellscript\n\nx"),
        ("H4sIAAAAAAAAA8tIzcnJBwCGphA2BQAAAA==", "H4sIAAAAAAAAA8tIzcnJBwCGphA2BQAAAA=="),
        ("I2Nsb3VkLWNvbmZpZwo=", "I2Nsb3VkLWNvbmZpZwo="),
        ("IyEvYmluL3NoCg==", "IyEvYmluL3NoCg=="),
        ("\ufeff#!/bin/sh\r\necho a\r\n", "#!/bin/sh\necho a\n"),
        ("\ufeffhostname: a\r\nfqdn: a.b", "#cloud-config\nhostname: a\nfqdn: a.b"),
        ("\x1f\x8b\r\n", "\x1f\x8b\r\n"),
        ("\n  #cloud-config\na: b\n", "\n  #cloud-config\na: b\n"),
        ("", ""),
    ],
)
def test_user_data_is_normalised(typed: str, served: str) -> None:
    assert normalise(typed) == served
    assert normalise(served) == served


def nic(**changes: object) -> EnsureNic:
    metadata = {
        "instance_id": "vm-1",
        "local_hostname": "web",
        "public_keys": [],
        "user_data": None,
    } | changes
    return EnsureNic(
        nic_uuid="n", vm_uuid="v", l3_uuid="l", device="vnic1.0", bridge="br", mac="52:54:00:AA:00:01",
        ip="10.0.0.5", hostname="web", primary=True, metadata=Metadata(**metadata),  # type: ignore[arg-type]
    )  # fmt: skip


def follow(tree: str, spec: EnsureNic) -> dict[str, str]:
    """Every leaf below a listing, read as cloud-init reads it."""
    found = {}
    listing = document(tree, spec)
    assert listing is not None, tree
    for name in listing.split("\n"):
        child = tree + name.split("=")[0]
        if "=" in name:
            found[f"{child}/openssh-key"] = document(f"{child}/openssh-key", spec) or ""
        elif name.endswith("/"):
            found |= follow(child, spec)
        else:
            body = document(child, spec)
            assert body is not None, f"{child} is listed and not served"
            found[child] = body
    return found


@pytest.mark.parametrize("version", ["latest", "2009-04-04", "2021-03-23", "1.0"])
def test_all_that_is_listed_is_served(version: str) -> None:
    root = f"/{version}/meta-data/"
    found = follow(root, nic(public_keys=["ssh-ed25519 A a\n", "ssh-ed25519 B b"]))
    assert found == {
        f"{root}hostname": "web",
        f"{root}instance-id": "vm-1",
        f"{root}local-hostname": "web",
        f"{root}local-ipv4": "10.0.0.5",
        f"{root}mac": "52:54:00:aa:00:01",
        f"{root}public-keys/0/openssh-key": "ssh-ed25519 A a",
        f"{root}public-keys/1/openssh-key": "ssh-ed25519 B b",
    }
    assert "public-keys" not in (document(root, nic()) or "")


def test_user_data_is_absent_or_there() -> None:
    assert document("/latest/user-data", nic()) is None
    assert document("/latest/user-data", nic(user_data="a: b")) == "#cloud-config\na: b"
    assert document("/nocloud/user-data", nic()) == ""


def test_nocloud() -> None:
    spec = nic(public_keys=["ssh-rsa 'x\": y"], local_hostname='web: - "a"', user_data="#!x")
    read = yaml.safe_load(document("/nocloud/meta-data", spec))
    assert read == {"instance-id": "vm-1", "local-hostname": 'web: - "a"', "public-keys": ["ssh-rsa 'x\": y"]}
    assert document("/nocloud/user-data", spec) == "#!x"
    assert document("/nocloud/vendor-data", spec) == ""
    assert document("/nocloud/network-config", spec) == ""


@pytest.mark.parametrize(
    "path",
    [
        "", "latest", "//latest/user-data", "/latest//user-data", "/latest/user-data/",
        "/latest/../user-data",
        "/%6catest/user-data", "/LATEST/user-data", "/latest/meta-data/instance-id/", "/latest/meta-data/x",
        "/latest/meta-data/public-keys/1/openssh-key", "/latest/meta-data/public-keys/-1/openssh-key",
        "/latest/meta-data/public-keys/00/openssh-key", "/latest/api/token", "/99/user-data", "/nocloud",
        "/nocloud/", "/openstack", "http://10.0.0.2/latest/user-data", "/2009-04-04\n/user-data", "*",
    ],
)  # fmt: skip
def test_nothing_else_is_served(path: str) -> None:
    assert document(path, nic(user_data="secret", public_keys=["k"])) is None


def test_a_nic_without_metadata_gets_nothing() -> None:
    bare = EnsureNic(
        nic_uuid="n", vm_uuid="v", l3_uuid="l", device="vnic1.0", bridge="br", mac="52:54:00:aa:00:01",
        ip="10.0.0.5", hostname="web", primary=True,
    )  # fmt: skip
    assert [document(path, bare) for path in ("/", "/latest/meta-data/", "/nocloud/meta-data")] == [None] * 3
