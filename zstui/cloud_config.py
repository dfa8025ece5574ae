"""What can be said of user data while it is typed: warnings that never keep it from being saved.

What is right for which key is declared in `cloud_config_keys`; a key that is not among them may still be right for
a newer cloud-init.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import yaml

from appliance.api.userdata import served
from zstui.cloud_config_keys import KEYS
from zstui.i18n import enumerated, tr
from zstui.i18n.server_texts import said

HEAD = "#cloud-config"
OTHER_HEADS = ("#include", "#cloud-", "#part-handler", "#upstart-job")

YAML = "tag:yaml.org,2002:"
KIND_OF_TAG = {"str": "text", "timestamp": "text", "bool": "truth", "int": "whole", "null": "null"}
"""Kinds of scalars; a date is a text to cloud-init."""


@dataclass(frozen=True)
class Doubt:
    """Something that cloud-init may not take as it is meant: the line, from 1 on, and what."""

    line: int
    text: str


def warnings_of(text: str) -> list[Doubt]:
    """What looks wrong in what a guest is served as cloud-config, by lines of the text; nothing for other kinds."""
    body = served(text).lstrip("\ufeff")
    if not is_kind(body, HEAD):
        return _without_header(body)
    before = 0 if is_kind(text.lstrip("\ufeff"), HEAD) else 1
    return [Doubt(max(1, each.line - before), each.text) for each in _of_cloud_config(body)]


def is_kind(body: str, head: str) -> bool:
    """Whether cloud-init takes a text for what begins so: case and leading space are no difference to it."""
    return body.lstrip().lower().startswith(head.lower())


def _of_cloud_config(body: str) -> list[Doubt]:
    try:
        root = yaml.compose(body, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        text = tr("this is no YAML: {problem}", problem=said(error.problem or error.context or ""))
        return [Doubt(mark.line + 1 if mark is not None else 1, text)]
    except (yaml.YAMLError, RecursionError) as error:
        return [Doubt(1, tr("this is no YAML: {problem}", problem=str(error).split("\n")[0]))]
    if root is None:
        return []
    if not isinstance(root, yaml.MappingNode):
        return [Doubt(root.start_mark.line + 1, tr("a cloud-config is keys with values, and this is none"))]
    check = _Check()
    check.keys(root, KEYS, "", root)
    return sorted(check.found, key=lambda doubt: doubt.line)


def _without_header(body: str) -> list[Doubt]:
    """Text that looks like a cloud-config and is none, since it begins with another comment."""
    if re.match(r"#(?:[^!#]|$)", body.lstrip()) and not body.lstrip().startswith(OTHER_HEADS):
        keys = re.findall(r"^([A-Za-z_-]+):(?:\s|$)", body, re.MULTILINE)
        if KEYS.keys() & set(keys):
            return [Doubt(1, tr("cloud-init ignores this: its first line must be #cloud-config"))]
    return []


class _Check:
    """Goes through a cloud-config along its shape, and keeps what does not fit."""

    def __init__(self) -> None:
        self.found: list[Doubt] = []
        self._seen: set[tuple[int, int]] = set()
        """What was looked at already: an alias may stand for the same node any number of times."""

    def keys(self, node: yaml.MappingNode, shapes: dict[str, Any], path: str, named: yaml.Node) -> None:
        """Known keys once each, with what they take; what must be there and is not is missed where it is `named`."""
        spelled = {key.rstrip("!"): key for key in shapes}
        there: set[str] = set()
        merged = False
        for key, value in node.value:
            if key.tag == f"{YAML}merge":
                merged = True
                continue
            name = str(key.value)
            shown = f"{path}.{name}" if path else name
            if name in there:
                self._doubt(key, tr("{key} stands here twice; only the last one counts", key=shown))
            there.add(name)
            newer = name.replace("-", "_")
            if (known := spelled.get(name, "*")) in shapes:
                self.value(value, shapes[known], shown, key)
            elif newer in spelled:
                self._doubt(key, tr("{key} is an old name; write {newer}", key=shown, newer=newer))
                self.value(value, shapes[spelled[newer]], shown, key)
            else:
                self._doubt(key, tr("{key} is no key that is known here", key=shown))
        for name, key in spelled.items():
            if key.endswith("!") and name not in there and not merged:
                self._doubt(named, tr("{key} needs {missing}", key=path, missing=name))

    def value(self, node: yaml.Node, shape: Any, path: str, named: yaml.Node) -> None:
        """A value, and what is in it; what is wrong with itself stands where it is `named`."""
        if (id(node), id(shape)) in self._seen:
            return
        self._seen.add((id(node), id(shape)))
        choices = shape if isinstance(shape, tuple) else (shape,)
        fit = next((each for each in choices if _fits(node, each)), None)
        if fit is None:
            self._doubt(named, tr("{key} should be {kind}", key=path, kind=_expected(choices, node)))
        elif isinstance(node, yaml.SequenceNode) and isinstance(fit, list):
            for item in node.value:
                self.value(item, fit[0], path, item)
        elif isinstance(node, yaml.MappingNode) and isinstance(fit, dict):
            self.keys(node, fit, path, named)

    def _doubt(self, node: yaml.Node, text: str) -> None:
        self.found.append(Doubt(node.start_mark.line + 1, text))


def _fits(node: yaml.Node, shape: Any) -> bool:
    """Whether a node is of a shape, whatever is in it."""
    if isinstance(shape, list):
        return isinstance(node, yaml.SequenceNode)
    if isinstance(shape, dict):
        return isinstance(node, yaml.MappingNode)
    kinds = shape.split("|")
    if "any" in kinds:
        return True
    if not isinstance(node, yaml.ScalarNode):
        return False
    return _kind(node) in kinds or f"={node.value}" in kinds


def _kind(node: yaml.Node) -> str:
    name = str(node.tag).removeprefix(YAML)
    return KIND_OF_TAG.get(name, name)


def _expected(choices: tuple[Any, ...], node: yaml.Node) -> str:
    """What a value should be, in words."""
    kinds = {
        "truth": tr("true or false"),
        "whole": tr("a whole number"),
        "text": tr("a text in quotes") if _kind(node) in ("truth", "whole", "float") else tr("a text"),
    }
    said: list[str] = []
    for shape in choices:
        if isinstance(shape, str):
            said += [kinds.get(each) or each.removeprefix("=") for each in shape.split("|")]
        else:
            said.append(tr("a list") if isinstance(shape, list) else tr("keys with values"))
    *others, last = dict.fromkeys(said)
    return tr("{these} or {last}", these=enumerated(others), last=last) if others else last


def minified(text: str) -> str:
    """User data on one line, as it is written in a command: each line feed as two characters."""
    return text.replace("\n", "\\n")
