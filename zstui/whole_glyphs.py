"""Puts widgets together on a screen so that what lies on top keeps its wide glyphs whole, when the terminal has time.

Textual cuts each line wherever any widget begins or ends, also below another one: a message in passing lost each
Chinese letter that stands over the edge of a pane, since half a glyph is drawn as a blank.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, cast

from rich.cells import cell_len
from textual import _compositor
from textual._compositor import ChopsUpdate
from textual.geometry import Region
from textual.strip import Strip

if TYPE_CHECKING:
    from rich.console import RenderableType
    from textual.screen import Screen

    from zstui.pace import Pace


class Compositor(_compositor.Compositor):
    """Textual's, which cuts lines only at edges that are seen, and paints no frame that the terminal could not take."""

    @property
    def cuts(self) -> list[list[int]]:
        """Where widgets begin and end on each line, but where another widget covers that."""
        if self._cuts is None:
            width, height = self.size
            cuts = [{0, width} for _ in range(height)]
            above: list[Region] = []
            for region, clip in self.visible_widgets.values():  # from front to back
                seen = region.intersection(clip)
                edges = (seen.x, seen.right)
                over = [each for each in above if any(each.x < edge < each.right for edge in edges)]
                for y in range(max(seen.y, 0), min(seen.bottom, height)):
                    cuts[y].update(edge for edge in edges if not _covered(edge, y, over))
                above.append(seen)
            self._cuts = [sorted(each) for each in cuts]
        return self._cuts

    def _render_chops(
        self, crop: Region, is_rendered_line: Callable[[int], bool]
    ) -> Sequence[Mapping[int, Strip]]:
        """Each line's pieces, from cut to cut: what is in front comes first."""
        cuts = self.cuts
        chops: list[dict[int, Strip | None]] = [dict.fromkeys(line[:-1]) for line in cuts]
        for region, clip, strips in self._get_renders(crop):
            seen = region.intersection(clip)
            for y, strip in zip(seen.line_range, strips, strict=False):
                if is_rendered_line(y):
                    _fill(chops[y], cuts[y], strip, seen)
        return cast("Sequence[Mapping[int, Strip]]", chops)

    def render_update(
        self, full: bool = False, screen_stack: list[Screen[Any]] | None = None, simplify: bool = False
    ) -> RenderableType | None:
        """What changed; nothing while the terminal has not got what was painted last."""
        pace: Pace | None = getattr(self.root and self.root.app, "pace", None)
        if not full and self._dirty_regions and pace is not None and pace.holds():
            return None
        return super().render_update(full, screen_stack, simplify)

    def render_partial_update(self) -> ChopsUpdate | None:
        """What changed; a change below something ends beside a glyph of that, not in it."""
        update = super().render_partial_update()
        if update is not None:
            update.spans = [(y, left, self._beside(update, y, right)) for y, left, right in update.spans]
        return update

    def _beside(self, update: ChopsUpdate, y: int, edge: int) -> int:
        """An edge on a line, or the next one where it would go through a glyph."""
        ends = update.chop_ends[y]
        for end, (begin, strip) in zip(ends, update.chops[y].items(), strict=True):
            if strip is not None and begin < edge < end:
                return edge + (cell_len(strip.crop(edge - begin - 1, edge - begin + 1).text[:1]) == 2)
        return edge


def _covered(edge: int, y: int, over: list[Region]) -> bool:
    return any(each.y <= y < each.bottom and each.x < edge < each.right for each in over)


def _fill(line: dict[int, Strip | None], cuts: list[int], strip: Strip, seen: Region) -> None:
    """Give a widget's line to the pieces between its ends that nothing in front of it has."""
    for begin, end in pairwise(cut for cut in cuts if seen.x <= cut <= seen.right):
        if line[begin] is None:
            line[begin] = strip.crop(begin - seen.x, end - seen.x)
