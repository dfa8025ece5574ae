"""The lab: real KVM hosts inside one machine, for trying the product and for its end-to-end tests."""

from appliance.lab.command import LabError
from appliance.lab.instance import LabHost
from appliance.lab.lab import Lab
from appliance.lab.package import PACKAGES

__all__ = ["PACKAGES", "Lab", "LabError", "LabHost"]
