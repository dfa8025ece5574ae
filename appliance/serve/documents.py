"""The reference pages in docs/, made from the declarations: `python -m appliance.serve.documents`.

A test holds what is committed against what would be made.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterable
from pathlib import Path

from appliance.api.errors import ApiError
from appliance.api.message import BASE, MESSAGES, Message, Parameter, QueryMessage
from appliance.api.resource import RESOURCES, Resource
from appliance.api.rest import RestRoute, rest_routes
from appliance.api.setting import SETTINGS, Setting
from appliance.api.tag import PATTERNS
from appliance.hosts.simulated_conduct import CHANGING, VERBS
from appliance.serve.reference import GENERAL, kind_name, own_errors, parameter_notes

DOCS = Path(__file__).resolve().parents[2] / "docs"


def pages() -> dict[str, str]:
    """Every page, by its path below docs/."""
    nouns: dict[str, list[type[Message]]] = {}
    for kind in MESSAGES.values():
        nouns.setdefault(kind.__module__.rpartition(".")[2], []).append(kind)
    routes: dict[str, list[RestRoute]] = {}
    for route in rest_routes():
        routes.setdefault(route.kind.__name__, []).append(route)
    found = {f"api/{noun}.md": _noun_page(noun, kinds, routes) for noun, kinds in nouns.items()}
    found["README.md"] = _index(nouns)
    found["resources.md"] = _resources_page()
    found["errors.md"] = _errors_page()
    found["settings.md"] = _settings_page()
    found["tags.md"] = _tags_page()
    return found


def write(folder: Path) -> None:
    """Make the pages, and remove those that are none any more."""
    made = pages()
    for old in folder.rglob("*.md"):
        if old.relative_to(folder).as_posix() not in made:
            old.unlink()
    for name, text in made.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def _index(nouns: dict[str, list[type[Message]]]) -> str:
    lines = ["# Reference", "", "Made from the declarations by `make docs`.", ""]
    for noun, kinds in sorted(nouns.items()):
        lines.append(f"- [{noun}](api/{noun}.md): {', '.join(kind.__name__ for kind in kinds)}")
    lines += [
        "", "Also: [resources and what can be asked of them](resources.md), [errors](errors.md),",
        "[global configs](settings.md), [system tags](tags.md). The same as OpenAPI 3.1 is at `/openapi.json`.",
        "", "Every message takes, besides what its page lists:", "",
        *_table(("parameter", "what", ""), map(_parameter_row, BASE.values())),
    ]  # fmt: skip
    return _page(lines)


def _noun_page(noun: str, kinds: list[type[Message]], routes: dict[str, list[RestRoute]]) -> str:
    module = inspect.getdoc(sys.modules[kinds[0].__module__]) or noun
    lines = [f"# {noun}", "", module, ""]
    for kind in kinds:
        lines += [f"## {kind.__name__}", "", inspect.cleandoc(kind.__doc__ or ""), ""]
        lines += [f"- {each}" for each in _facts(kind, routes[kind.__name__])]
        if issubclass(kind, QueryMessage):
            name = kind.resource.__name__
            lines += ["", f"Conditions, fields and joins: [{name}](../resources.md#{name.lower()})"]
        own = [each for each in kind.own_parameters() if not _is_of_all_queries(kind, each.name)]
        if own:
            lines += ["", *_table(("parameter", "what", ""), map(_parameter_row, own))]
        lines.append("")
    return _page(lines)


def _is_of_all_queries(kind: type[Message], name: str) -> bool:
    return issubclass(kind, QueryMessage) and name in QueryMessage.parameters


def _facts(kind: type[Message], routes: list[RestRoute]) -> Iterable[str]:
    who = "anyone, without session" if kind.role == "anyone" else kind.role
    yield f"who may: {who}"
    returned = "" if kind.returns is None else f" with {kind.returns.__name__}"
    yield f"answered {'at once' if kind.sync else 'by a job'}{returned}"
    yield f"message: `{kind.java}`"
    yield from (f"REST: `{route.method} {route.path}`" for route in routes)
    if own := own_errors(kind):
        yield "errors of its own: " + ", ".join(f"{each.code} {each.__name__}" for each in own)


def _parameter_row(parameter: Parameter) -> tuple[str, str, str]:
    return f"`{parameter.wire}`", parameter.help, "; ".join(parameter_notes(parameter))


def _resources_page() -> str:
    lines = ["# Resources", "", "What an inventory holds, and what queries may name after a dot.", ""]
    for name, kind in sorted(RESOURCES.items()):
        public = [column for column in kind.columns.values() if not column.private]
        if not public:
            continue
        rows = ((f"`{each.wire}`", each.help, kind_name(each.kind)) for each in public)
        lines += [
            f"## {name}",
            "",
            inspect.cleandoc(kind.__doc__ or ""),
            "",
            *_table(("field", "what", ""), rows),
        ]
        lines += [*_joined(kind), ""]
    return _page(lines)


def _joined(kind: type[Resource]) -> list[str]:
    joins = [f"`{each.wire}`" for each in kind.joins if not each.hidden]
    joins += [f"`{name}`" for name, _ in kind.aliases]
    embeds = [f"`{each.wire}`" for each in kind.embeds]
    found = []
    if embeds:
        found += ["", f"With the lists {', '.join(embeds)}."]
    if joins:
        found += ["", f"Conditions may go on to {', '.join(sorted(set(joins)))}."]
    return found


def _errors_page() -> str:
    kinds = sorted(filter(_is_told, set(_all_errors())), key=lambda kind: (kind.code, kind.__name__))
    rows = (
        (f"`{kind.code}`", kind.__name__, inspect.getdoc(kind) or "", str(kind.http_status)) for kind in kinds
    )
    general = ", ".join(f"`{each.code}`" for each in GENERAL)
    lines = ["# Errors", "", "The code is for programs, the details say what to do.", ""]
    lines += [
        f"Any call may be answered with {general}; the pages of the API name only what there is besides.",
        "",
    ]
    return _page([*lines, *_table(("code", "name", "when", "HTTP, on REST"), rows)])


def _is_told(kind: type[ApiError]) -> bool:
    """Whether a caller can be told an error: what has no code, own or taken over, only has others below it."""
    above = kind.__mro__[: kind.__mro__.index(ApiError)]
    return any("code" in vars(each) for each in above)


def _all_errors(kind: type[ApiError] = ApiError) -> Iterable[type[ApiError]]:
    for child in kind.__subclasses__():
        if child.__module__ == ApiError.__module__:
            yield child
            yield from _all_errors(child)


def _settings_page() -> str:
    rows = (
        (f"`{each.category}`", f"`{each.name}`", f"`{each.default}`", each.help, _values(each))
        for each in SETTINGS
    )
    lines = ["# Global configs", "", "Changed with UpdateGlobalConfig, from then on and without restart.", ""]
    verbs = ["", "## Verbs of simulated hosts", "",
             "`simulator.delay` and `simulator.faultRate`, and a simulated host's tags, may name, in any case:", "",
             ", ".join(f"`{verb}`" for verb in sorted(VERBS)) + ".", "",
             "A number without a verb is for those that change something: "
             + ", ".join(f"`{verb}`" for verb in sorted(CHANGING)) + "."]  # fmt: skip
    return _page([*lines, *_table(("category", "name", "default", "what", "one of"), rows), *verbs])


def _values(setting: Setting) -> str:
    if setting.truth:
        return "true; any other text is false"
    return f"{setting.minimum} to {setting.maximum}" if setting.number else ", ".join(setting.choices)


def _tags_page() -> str:
    rows = (
        (each.vo, f"`{each.pattern}`", each.help, "the appliance's own" if each.inherent else "")
        for each in PATTERNS
    )
    lines = ["# System tags", "", "What stands in `{…}` is yours. A tag that matches none is refused.", ""]
    return _page([*lines, *_table(("on", "tag", "what", ""), rows)])


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> list[str]:
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    return [*lines, *(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in rows)]


def _page(lines: list[str]) -> str:
    return "\n".join(lines).rstrip() + "\n"


if __name__ == "__main__":
    write(DOCS)
