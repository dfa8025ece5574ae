"""A running app as a picture: Textual's SVG, put right for wide characters, drawn to PNG."""

from __future__ import annotations

import html
import re
from pathlib import Path
from typing import Any

from rich.cells import cell_len

FONT_FOLDERS = (
    "/usr/share/fonts/truetype/firacode",
    "/usr/share/fonts/truetype/dejavu",
    "/usr/share/fonts/opentype/noto",
)
FAMILIES = "'Fira Code', 'DejaVu Sans Mono', 'Noto Sans Mono CJK SC'"
TEXT = re.compile(
    r'<text class="([^"]*-r\d+)" x="([\d.]+)" y="([\d.]+)" textLength="([\d.]+)"([^>]*)>(.*?)</text>'
)
CELL = 12.2
"""Width of a cell in Rich's SVG, in its units."""


def write_picture(app: Any, path: Path, *, zoom: float = 1.5) -> Path:
    """Write what an app shows to a PNG file. Needs resvg and the fonts of the Debian packages.

    Raises ImportError without resvg_py.
    """
    import resvg_py

    svg = put_right(app.export_screenshot(simplify=True))
    png = resvg_py.svg_to_bytes(
        svg_string=svg, font_dirs=[each for each in FONT_FOLDERS if Path(each).is_dir()], zoom=zoom
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(bytes(png))
    return path


def put_right(svg: str) -> str:
    """Rich gives a text the length of its characters, which squeezes wide ones: give each its own place.

    The fonts named in the style are replaced by ones that are on the machine.
    """
    svg = re.sub(r"@font-face \{.*?\}", "", svg, flags=re.DOTALL)
    svg = re.sub(r"font-family: Fira Code, monospace", f"font-family: {FAMILIES}", svg)
    svg = svg.replace("font-variant: east-asian;", "").replace("Rich", "zstui")
    return TEXT.sub(_placed, svg)


def _placed(found: re.Match[str]) -> str:
    kind, x, y, _, rest, body = found.groups()
    text = html.unescape(body).replace("\xa0", " ")
    places, at = [], float(x)
    for each in text:
        places.append(f"{at:.1f}")
        at += cell_len(each) * CELL
    shown = html.escape(text).replace(" ", "\xa0")
    return f'<text class="{kind}" x="{" ".join(places)}" y="{y}"{rest}>{shown}</text>'
