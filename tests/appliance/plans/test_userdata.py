"""Who a guest is told that it is."""

from __future__ import annotations

from appliance.plans.userdata import instance_id


def test_another_revision_makes_another_guest() -> None:
    assert instance_id("u", ["sshkey::x"]) == "u"
    assert instance_id("u", ["userdata::userdataRevision::9", "userdataRevision::3"]) == "u-3"
