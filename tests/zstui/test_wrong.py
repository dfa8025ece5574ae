"""Errors as sentences below fields: in the user's language, without names that only programs have."""

from __future__ import annotations

import pytest

from appliance.api.errors import InvalidArgument
from appliance.api.message import MESSAGES
from appliance.api.parse import parse
from tests.zstui.test_figures import a_mirror, a_row
from zstui.i18n import LANGUAGES, begin
from zstui.i18n.server_texts import pattern
from zstui.wrong import SENTENCES, field_of, readable, told

U = "1234567890abcdef1234567890abcdef"


@pytest.mark.parametrize(
    ("details", "sentence"),
    [
        ("field[name] of message[org.x.Y] is mandatory, can not be null", "This is needed."),
        ("field[l3NetworkUuids] must be a nonempty list", "Choose at least one."),
        ("field[cpuNum] must be in range of [1, 1024]", "This must be from 1 to 1024."),
        (f"invalid field[imageUuid], resource[uuid:{U}, type:ImageVO] not found",
         "What was chosen is not there any more; choose another."),
        (f"l3NetworkUuids[{U}]: the IP ranges of L3 network lan[uuid:{U}] have 2 addresses, and none is free; "
         f"add a range, or delete VMs",
         "L3 network lan has 2 addresses, and none is free; add a range, or delete VMs."),
        (f"l3NetworkUuids[{U}]: the IP ranges of L3 network lan[uuid:{U}] have 1 address, and none is free; "
         f"add a range, or delete VMs",
         "L3 network lan has 1 address, and none is free; add a range, or delete VMs."),
        (f"hostUuid[{U}]: no host is Enabled and Connected: enable or reconnect a host, "
         "enable its cluster, or add a host with AddKVMHost; ruled out last: a has 1, and 2 are needed; b has 1, "
         "and 2 are needed",
         "No host is Enabled and Connected: enable or reconnect a host, enable its cluster, or add a host "
         "with AddKVMHost."),
        (f"uuid[{U}]: no host is Enabled and Connected that also carries the L2 networks, has the VM's volumes: enable "
         "or reconnect it; ruled out last: a is Disabled and Connected, in a cluster that is Enabled",
         "No host is Enabled and Connected that also carries the L2 networks, has the VM's volumes: enable or "
         "reconnect it."),
        ("startIp[10.0.0.2], endIp[10.0.0.9]: the range 10.0.0.2-10.0.0.9 overlaps with 10.0.0.1-10.0.0.4 "
         f"[ipRange uuid:{U}]; give addresses outside of that, or delete it first",
         "10.0.0.2-10.0.0.9 overlaps with the range 10.0.0.1-10.0.0.4; take addresses outside of that."),
        ("format[vmdk] does not fit mediaType[ISO]; say iso", "Format vmdk does not fit media type ISO; say iso."),
        (f"imageUuid[{U}] is a DataVolumeTemplate; a VM is made from a RootVolumeTemplate or an ISO",
         "Image alpha is a DataVolumeTemplate; a VM is made from a RootVolumeTemplate or an ISO."),
        (f"the volume[uuid:{U}, name:data] is Root Volume, can't attach it",
         "The volume data is Root Volume, can't attach it."),
        ("no system tag matches a hostUuid", "No system tag matches a hostUuid."),
        ("the host says commaDuL", "The host says commaDuL."),
    ],
)  # fmt: skip
def test_an_error_is_a_sentence(details: str, sentence: str) -> None:
    mirror = a_mirror(a_row("Image", U, name="alpha"))
    assert readable(details, mirror) == sentence


def test_limits_of_sizes_are_sizes() -> None:
    text = "field[memorySize] must be in range of [16777216, 1099511627776]"
    assert readable(text, a_mirror(), sizes=True) == "This must be from 16 MiB to 1 TiB."


@pytest.mark.parametrize(
    ("details", "said"),
    [
        (f"invalid field[instanceOfferingUuid], resource[uuid:{U}, type:InstanceOfferingVO] not found",
         "Offering: What was chosen is not there any more; choose another. [SYS.1007]"),
        ("field[name] of message[org.x.Y] is mandatory, can not be null", "Name: This is needed. [SYS.1007]"),
        (f"the volume[uuid:{U}, name:data] is Root Volume, can't attach it",
         "The volume data is Root Volume, can't attach it. [SYS.1007]"),
    ],
)  # fmt: skip
def test_an_error_below_no_field_names_its_field_and_its_code(details: str, said: str) -> None:
    assert told(InvalidArgument(details), a_mirror()) == said


def test_the_code_of_a_long_error_is_kept() -> None:
    text = told(InvalidArgument("the host says: " + "x" * 3000), a_mirror())
    assert len(text) < 420
    assert text.endswith("… [SYS.1007]")


HOST = ("name", "managementIp", "sshPort", "username", "password", "hostKeyFingerprint", "clusterUuid")
VM = ("name", "instanceOfferingUuid", "imageUuid", "hostUuid", "l3NetworkUuids", "hostname", "size", "format")


@pytest.mark.parametrize(
    ("details", "fields", "named"),
    [
        ("there has been a host having managementIp[10.0.0.1]", HOST, "managementIp"),
        ("managementIp[10.0.0.1]: 10.0.0.1:22 refuses the login of root: wrong user or password", HOST, "password"),
        ("managementIp[10.0.0.1]: 10.0.0.1:22 does not answer within 10 s; does sshd run?", HOST, "managementIp"),
        ("managementIp[a]: hostKeyFingerprint: a:22 offers SHA256:b, not c; nothing was sent to it", HOST,
         "hostKeyFingerprint"),
        (f"cluster name[uuid:{U}] is for Simulator, not for KVM hosts", HOST, None),
        (f"L3 network size[uuid: {U}] has no IP range; add one first", VM, None),
        (f"primary storage[uuid:{U}] is a LocalStorage: hostUuid must say which host", VM, "hostUuid"),
        (f"imageUuid[{U}] is of format raw, and hostUuid[{U}] cannot run it", VM, "imageUuid"),
        (f"l3NetworkUuids[{U}]: the IP ranges of L3 network lan[uuid:{U}] have 1 address, and none is free", VM,
         "l3NetworkUuids"),
        ("field[name] of message[org.x.Y] is mandatory, can not be null", VM, "name"),
        ("the host is away", VM, None),
    ],
)  # fmt: skip
def test_the_field_that_an_error_names(details: str, fields: tuple[str, ...], named: str | None) -> None:
    assert field_of(details, fields) == named


def test_a_size_with_a_unit_is_told_in_bytes() -> None:
    details = (
        "field[memorySize] of message[x.Y] must be in bytes, for example 966367641600, but actual is 900G"
    )
    assert readable(details, a_mirror()) == "This must be in bytes, for example 966367641600, and is 900G."


@pytest.mark.parametrize("language", sorted(set(LANGUAGES) - {"en"}))
def test_sentences_are_in_the_users_language(language: str) -> None:
    begin("en")
    english = readable("field[cpuNum] must be a whole number, but actual is x", a_mirror())
    begin(language)
    said = readable("field[cpuNum] must be a whole number, but actual is x", a_mirror())
    assert said != english
    assert "whole" not in said
    assert "x" in said
    assert said.endswith("。")


def test_each_sentence_of_the_parser_is_one_that_it_says() -> None:
    """What the parser refuses in forms is known here: by its words as they are today."""
    good = {"name": "o", "cpuNum": 1, "cpuSpeed": 1, "memorySize": 1 << 28}
    offering = MESSAGES["CreateInstanceOffering"]
    for wrong in ({"name": None}, {"name": ""}, {"name": " "}, {"name": "a\tb"}, {"name": "a/b"}, {"name": "x" * 300},
                  {"cpuNum": 0}, {"cpuNum": "x"}):  # fmt: skip
        with pytest.raises(InvalidArgument) as refused:
            parse(offering, {**good, **wrong})
        text = refused.value.details.replace(f" of message[{offering.java}]", "")
        assert any(pattern(known).fullmatch(text) for known, _ in SENTENCES), text
