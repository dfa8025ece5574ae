"""A terminal's cells as a picture: Rich's SVG, put right for wide characters, drawn to PNG."""

from __future__ import annotations

import html
import io
import re
from itertools import groupby
from pathlib import Path

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

FONT_FOLDERS = (
    "/usr/share/fonts/truetype/firacode",
    "/usr/share/fonts/truetype/dejavu",
    "/usr/share/fonts/opentype/noto",
)
FAMILIES = "'Fira Code', 'DejaVu Sans Mono'"
WIDE_FAMILY = "Noto Sans Mono CJK SC"
"""Named for each wide character: left to itself, resvg takes any font that has it."""

TEXT = re.compile(
    r'<text class="([^"]*-r\d+)" x="([\d.]+)" y="([\d.]+)" textLength="([\d.]+)"([^>]*)>(.*?)</text>'
)
CELL = 12.2
"""Width of a cell in Rich's SVG, in its units."""

WIDE_SIZE = 22.0
"""Size of a wide character, which stands in the middle of its two cells; others have 20."""


def write_picture(svg: str, path: Path, *, zoom: float = 1.5) -> Path:
    """Write a screen to a PNG file, as an app (`export_screenshot`) or `drawn` has it in SVG.

    Needs the fonts of the Debian packages. Raises ImportError without resvg_py.
    """
    import resvg_py

    png = resvg_py.svg_to_bytes(
        svg_string=put_right(svg), font_dirs=[each for each in FONT_FOLDERS if Path(each).is_dir()], zoom=zoom
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(bytes(png))
    return path


def drawn(lines: str, columns: int, title: str) -> str:
    """What a terminal shows, in lines with its escape sequences for colours, as SVG."""
    console = Console(
        width=columns, file=io.StringIO(), force_terminal=True, color_system="truecolor", record=True,
        legacy_windows=False,
    )  # fmt: skip
    console.print(Text.from_ansi(lines), no_wrap=True, crop=True)
    return console.export_svg(title=title)


def put_right(svg: str) -> str:
    """Rich gives a text the length of its characters, which squeezes wide ones: give each its own place.

    The fonts named in the style are replaced by ones that are on the machine.
    """
    svg = re.sub(r"@font-face \{.*?\}", "", svg, flags=re.DOTALL)
    svg = re.sub(r"font-family: (Fira Code, monospace|arial)", f"font-family: {FAMILIES}", svg)
    svg = svg.replace("font-variant: east-asian;", "")
    return TEXT.sub(_placed, svg)


def _placed(found: re.Match[str]) -> str:
    kind, x, y, _, rest, body = found.groups()
    at, parts = float(x), []
    for cells, group in groupby(html.unescape(body).replace("\xa0", " "), cell_len):
        text = "".join(group)
        step, font, aside = cells * CELL, "", 0.0
        if cells == 2:
            font, aside = f' font-family="{WIDE_FAMILY}" font-size="{WIDE_SIZE:g}"', (step - WIDE_SIZE) / 2
        places = " ".join(f"{at + aside + place * step:.1f}" for place in range(len(text)))
        shown = html.escape(text).replace(" ", "\xa0")
        parts.append(f'<text class="{kind}" x="{places}" y="{y}"{font}{rest}>{shown}</text>')
        at += len(text) * step
    return "".join(parts)
