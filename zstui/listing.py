"""The rows of a list, filtered and in order, kept so as rows change one by one. It draws nothing."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable, Mapping, Set

from zstui import words
from zstui.columns import Column, SortKey
from zstui.i18n import enumerated, language, tr
from zstui.matching import RAW, Term, narrows, terms, unknown_keys
from zstui.mirror import Batch, Mirror, Row
from zstui.nouns import Noun, empty_lines
from zstui.states import MOVING

FEW = 64
"""So many changed rows are put in place one by one, and of a long list one in `PART`; more are sorted anew."""

PART = 20


Key = tuple[SortKey, tuple[str, str, str]]
"""What a row is ordered by: its column, its name, the name of what it is on, its uuid."""

NAMED_ALIKE = {"SystemTag": "resourceUuid", "UserTag": "resourceUuid", "Quota": "identityUuid",
               "UsedIp": "l3NetworkUuid", "NetworkServiceL3NetworkRef": "l3NetworkUuid"}  # fmt: skip
"""Kinds of which many have one name, and the field that says what each is on."""


class Listing:
    """Rows of a noun by key; those that the filter lets through have places, from 0 on."""

    def __init__(self, noun: Noun, mirror: Mirror) -> None:
        self.noun = noun
        self.mirror = mirror
        self.filter = ""
        self.lifted = ""
        """A filter that hid the row that was gone to: it is off until something else is shown, or found."""
        title = noun.sort.removeprefix("-")
        self.sorted_by = next((each for each in noun.columns if each.title == title), noun.columns[0])
        self.downward = noun.sort.startswith("-")
        self.rows: dict[str, Row] = {}
        self.marks: set[str] = set()
        self._keys: dict[str, Key] = {}
        self._order: list[tuple[Key, str]] = []
        """All rows in order, whether the filter lets them through or not."""
        self._view: list[tuple[Key, str]] = []
        """Those it lets through: the same list as long as there is no filter."""
        self._found: set[str] | None = None
        """Their keys; None as long as there is no filter."""
        self._found_by: tuple[Term, ...] | None = ()
        """What they were found by; None when what rows show has changed since."""
        self._texts: dict[str, str] = {}

    def __len__(self) -> int:
        """How many rows the filter lets through."""
        return len(self._view)

    def __contains__(self, key: object) -> bool:
        return key in self._shown

    def are_few(self, count: int) -> bool:
        """Whether so many changed rows are put in place in less time than all are sorted anew."""
        return count <= max(FEW, len(self.rows) // PART)

    @property
    def _shown(self) -> Set[str]:
        return self._keys.keys() if self._found is None else self._found

    def key_at(self, place: int) -> str:
        """The key of the row at a place."""
        return self._view[len(self._view) - 1 - place if self.downward else place][1]

    def place_of(self, key: str) -> int:
        """The place of a row that the filter lets through."""
        place = bisect_left(self._view, (self._keys[key], key))
        return len(self._view) - 1 - place if self.downward else place

    def among(self, batch: Batch) -> dict[str, Row | None]:
        """Its rows among those that changed, or that are being moved, which shows how far that has come."""
        found = self.noun.among(batch)
        for job in batch.get("LongJob", {}).values():
            moved = None if job is None else self.rows.get(str(job.get("targetResourceUuid")))
            if moved is not None and moved.get("state") == MOVING:
                found.setdefault(moved.key, moved)
        return found

    def fill(self, rows: Iterable[Row]) -> None:
        """Take all rows anew."""
        self.rows = {row.key: row for row in rows}
        self.arrange()

    def arrange(self) -> None:
        """Filter and sort all rows anew, by what they show now."""
        self._texts.clear()
        self.sort()

    def sort(self) -> None:
        """Sort all rows anew."""
        self._keys = {key: self._key(row) for key, row in self.rows.items()}
        self._place()

    def _key(self, row: Row) -> Key:
        on = NAMED_ALIKE.get(row.kind)
        named = words.natural(self.mirror.name(row.data.get(on))) if on is not None else ""
        return self.sorted_by.sort_key(row, self.mirror), (words.natural(row.name), named, row.key)

    def _place(self) -> None:
        self._order = sorted((key, uuid) for uuid, key in self._keys.items())
        self.marks &= self.rows.keys()
        self.choose()

    def put_many(self, rows: Mapping[str, Row | None]) -> None:
        """Take many rows as they are now, None for gone, and put all in place at once."""
        for key, row in rows.items():
            self._texts.pop(key, None)
            if row is None:
                self.rows.pop(key, None)
                self._keys.pop(key, None)
            else:
                self.rows[key] = row
                self._keys[key] = self._key(row)
        self._place()

    def choose(self) -> None:
        """Let through what the filter lets through now; the order stays."""
        self._view, self._found, self._found_by = self._order, None, self._terms
        self._choose_among(self._found_by)

    def find(self, text: str) -> bool:
        """Let through what a filter lets through; whether that is other than before.

        Who types on asks for less each time: then only rows are looked at that were found until now.
        """
        self.filter, self.lifted = text, ""
        before, wanted, known = self._view, self._terms, self._found_by
        if known is None or len(wanted) < len(known) or not all(map(narrows, wanted, known)):
            self._view, self._found = self._order, None
        self._found_by = wanted
        self._choose_among(wanted)
        return self._view != before

    def _choose_among(self, wanted: tuple[Term, ...]) -> None:
        rows, texts, mirror = self.rows, self._texts, self.mirror
        for term in wanted:
            value, without = term.value, term.negated
            self._view = (
                [
                    each
                    for each in self._view
                    if (value in (texts.get(each[1]) or self.text(rows[each[1]]))) != without
                ]
                if term.column is None
                else [each for each in self._view if term.meets(rows[each[1]], "", mirror)]
            )
        if wanted:
            self._found = {key for _, key in self._view}

    def put(self, key: str, row: Row | None) -> bool:
        """Take one row as it is now, or None for gone; whether any place changed."""
        self._texts.pop(key, None)
        old = self._keys.get(key)
        if row is None:
            self.rows.pop(key, None)
            self.marks.discard(key)
        else:
            self.rows[key] = row
        new = self._key(row) if row is not None else None
        before = old if key in self._shown else None
        after = new if row is not None and (self._found is None or self._matches(row)) else None
        if old == new and before == after:
            return False
        if old is not None:
            _remove(self._order, old, key)
            del self._keys[key]
        if new is not None:
            insort(self._order, (new, key))
            self._keys[key] = new
        if self._found is not None:
            self._put_found(self._found, key, before, after)
        return before != after

    def _put_found(self, found: set[str], key: str, before: Key | None, after: Key | None) -> None:
        found.discard(key)
        if before is not None:
            _remove(self._view, before, key)
        if after is not None:
            insort(self._view, (after, key))
            found.add(key)

    def forget_texts(self) -> None:
        """What rows show of other rows may have changed."""
        self._texts.clear()
        self._found_by = None

    def chosen(self, cursor: str | None) -> list[Row]:
        """The marked rows, in order, those hidden by the filter last; without marks the one at the cursor."""
        if self.marks:
            shown = [self.rows[key] for _, key in self._view if key in self.marks]
            return shown + [self.rows[key] for key in sorted(self.marks - self._shown)]
        return [self.rows[cursor]] if cursor is not None and cursor in self._shown else []

    def mark_all(self) -> None:
        """Mark all rows shown; those that are marked lose it."""
        self.marks ^= self._shown

    def sample(self, count: int) -> list[Row]:
        """So many rows from all over the list."""
        step = max(1, len(self._view) // count)
        return [self.rows[self._view[place][1]] for place in range(0, len(self._view), step)]

    def instead(self) -> list[str]:
        """What is said where rows would be, when there are none."""
        if len(self):
            return []
        columns = self.noun.columns
        lines = empty_lines(self.noun, self.mirror, filtered=bool(self.rows))
        unknown = unknown_keys(self.filter, columns) if self.rows else []
        there = enumerated(tr(column.title.lower()) for column in columns)
        lines += [
            tr("There is no column {key}; there are: {columns}", key=key, columns=there) for key in unknown
        ]
        return lines

    def some(self, place: int, count: int) -> list[Row]:
        """The rows at so many places from one on; fewer at the end."""
        last = min(place + count, len(self._view))
        return [self.rows[self.key_at(each)] for each in range(place, last)]

    def text(self, row: Row) -> str:
        """All that a row shows, as one text to search in."""
        found = self._texts.get(row.key)
        if found is None:
            shown = (column.show(row, self.mirror)[0] for column in self.noun.columns)
            raw = (row.text(each) for each in RAW)
            found = self._texts[row.key] = " ".join((*shown, *raw, row.key)).casefold()
        return found

    def prepare(self, count: int) -> bool:
        """Make texts to search in for so many more rows; whether any row is still without."""
        missing = [row for key, row in self.rows.items() if key not in self._texts]
        for row in missing[:count]:
            self.text(row)
        return len(missing) > count

    @property
    def _terms(self) -> tuple[Term, ...]:
        return terms(self.filter, self.noun.columns, language())

    def _matches(self, row: Row) -> bool:
        return all(self._meets(row, term) for term in self._terms)

    def _meets(self, row: Row, term: Term) -> bool:
        whole = self._texts.get(row.key) or self.text(row)
        return term.meets(row, whole, self.mirror)


def sort_by(listing: Listing, column: Column, *, downward: bool) -> None:
    """Order a listing by a column."""
    same = column is listing.sorted_by
    listing.sorted_by, listing.downward = column, downward
    if not same:
        listing.sort()


def _remove(places: list[tuple[Key, str]], sort_key: Key, key: str) -> None:
    del places[bisect_left(places, (sort_key, key))]
