"""YAML that is typed, in colours."""

from __future__ import annotations

import re

from rich.style import Style
from rich.text import Text

from zstui.writing import Writing

COLOURED = 2000
"""Characters of a line up to which it is coloured."""

Paint = tuple[int, int, str]
"""From, to, and a name: key, text, value, mark or note."""

KEY = re.compile(
    r"""^\s*(?:-\s+)*((?:"[^"]*"|'[^']*'|[^\s#'"\[\]{},&*!|>%@`-][^#:]*?|[\w.-]+)\s*:)(?=\s|$)"""
)
TOKEN = re.compile(
    r"""(?P<note>(?:(?<=\s)|^)\#.*$)|(?P<text>"(?:[^"\\]|\\.)*"|'(?:[^']|'')*')"""
    r"""|(?P<mark>(?:(?<=\s)|^)(?:-(?=\s|$)|[|>][+-]?\d?(?=\s*$)|[&*][\w-]+))"""
    r"""|(?P<value>(?<![\w.-])(?:true|false|yes|no|on|off|null|~|-?\d+(?:\.\d+)?)(?![\w.:-]))"""
)


def painted(line: str) -> list[Paint]:
    """The parts of a line of YAML that have a colour of their own."""
    if line.startswith("#"):
        return [(0, len(line), "note")]
    key = KEY.match(line)
    found = [(key.start(1), key.end(1), "key")] if key is not None else []
    begin = key.end(1) if key is not None else 0
    tokens = (each for each in TOKEN.finditer(line) if each.start() >= begin or each.lastgroup == "mark")
    return found + [(each.start(), each.end(), str(each.lastgroup)) for each in tokens]


class YamlWriting(Writing):
    """Several lines of YAML to type into, in colours."""

    COMPONENT_CLASSES = {f"yaml--{name}" for name in ("key", "text", "value", "mark", "note")}
    DEFAULT_CSS = """
    YamlWriting {
        & > .yaml--key { color: $secondary; }
        & > .yaml--text { color: $success; }
        & > .yaml--value { color: $warning; }
        & > .yaml--mark { color: $accent; }
        & > .yaml--note { color: $foreground 50%; }
    }
    """

    def get_line(self, line_index: int) -> Text:
        """A line with its parts coloured, unless it is so long that nobody reads it."""
        line = super().get_line(line_index)
        if len(line) <= COLOURED:
            for begin, end, name in painted(line.plain):
                line.stylize(self._colour(name), begin, end)
        return line

    def _colour(self, name: str) -> Style:
        """A part's colour, as one on the ground: of half a colour Textual's own way makes the whole one."""
        colour = self.get_component_styles(f"yaml--{name}").color
        return Style(color=self.background_colors[1].blend(colour, colour.a, alpha=1.0).rich_color)
