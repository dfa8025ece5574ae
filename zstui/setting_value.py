"""What a form asks for as the value of a setting: one of what it may be, where its declaration says that."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from appliance.api.message import Parameter
from appliance.api.setting import SETTINGS, UpdateGlobalConfig
from zstui.i18n import tr


def of_setting(parameter: Parameter, given: Mapping[str, Any]) -> Parameter:
    """The parameter that a form asks for, with what the setting which is given allows; any other as it is."""
    if parameter is not UpdateGlobalConfig.parameters.get("value"):
        return parameter
    named = (given.get("category"), given.get("name"))
    setting = next((each for each in SETTINGS if (each.category, each.name) == named), None)
    if setting is None:
        return parameter
    choices = setting.choices or (("true", "false") if setting.truth else ())
    told = tr(setting.help)
    if setting.number:
        told += " " + tr("A whole number from {low} to {high}.", low=setting.minimum, high=setting.maximum)
    return replace(parameter, choices=choices, help=told, required=True)
