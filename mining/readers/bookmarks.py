"""The rows of a CSV file that are about one study → measurements, and a reason for every other row. Pure.

The object holds the rows as they stood in the file, behind `sep=…` and the line of names; what the columns mean is
said by the site, and may be said anew at any time.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from io import StringIO

from pydicom.dataset import Dataset

from db.measurement import Measurement, Rejected, WeakLabel
from mining.drawings import Unusable
from mining.elements import MAX_TEXT, text_of
from mining.known_images import NO_IMAGES, KnownImages
from mining.readers.encapsulated import encapsulated
from mining.readers.site_marks import Mark, Marks, found_as, joined
from mining.settings import NUMERIC, BookmarkColumns

MAX_ROWS = 5_000
"""Of one object."""

Reader = Callable[[Dataset, KnownImages], Iterator[Measurement | WeakLabel | Rejected]]


def bookmark_reader(columns: BookmarkColumns | None) -> Reader:
    """The reader for a site's columns; without them every object is rejected with what to do."""

    def read_bookmarks(ds: Dataset, images: KnownImages = NO_IMAGES) -> Iterator[Measurement | WeakLabel | Rejected]:
        uid = text_of(ds, "SOPInstanceUID")
        content = encapsulated(ds)
        if columns is None or content is None:
            why = _NO_COLUMNS if columns is None else _NO_DOCUMENT
            yield Rejected(uid, "1", why.reason_code, why.reason)
            return
        study = text_of(ds, "StudyInstanceUID")
        table = Marks(images, columns.origin, columns.decimal_comma)
        marks: list[Mark] = []
        rejected: list[Rejected] = []
        for item, values in _rows(content.decode("utf-8", "replace"), columns):
            found = values if isinstance(values, Unusable) else table.mark(item, {**values, "study": study})
            if isinstance(found, Unusable):
                rejected.append(Rejected(uid, item, found.reason_code, found.reason))
            else:
                marks.append(found)
        for mark in joined(marks):
            yield found_as(mark, uid, "csv")
        yield from rejected
        if not marks and not rejected:
            yield Rejected(uid, "1", "no_measurement", "there is no row in the object")

    return read_bookmarks


_NO_COLUMNS = Unusable(
    "no_columns", "nobody says what its columns mean; name them under [harvest.bookmarks] in node.toml"
)
_NO_DOCUMENT = Unusable("no_document", "there is no document in the object, or one too large")


def separator_in(line: str) -> str:
    """What separates the cells, of a first line as Excel writes it (`sep=;`); empty for any other line."""
    separator = line.rstrip("\r\n")[4:]
    return separator if line.startswith("sep=") and len(separator) == 1 and separator != '"' else ""


def meanings_of(names: Sequence[str], columns: BookmarkColumns) -> dict[int, str]:
    """Position of a column → its meaning; names are compared without case and spaces around them."""
    wanted = {_folded(name): meaning for name, meaning in columns.columns.items()}
    found: dict[int, str] = {}
    for position, name in enumerate(names):
        meaning = wanted.get(_folded(name))
        if meaning is not None and meaning not in found.values():
            found[position] = meaning
    return found


def _folded(name: str) -> str:
    return " ".join(name.replace("\ufeff", "").casefold().split())


def _rows(text: str, columns: BookmarkColumns) -> Iterator[tuple[str, Mapping[str, str] | Unusable]]:
    """Each row's place for ever, and its cells by meaning.

    The place is what the site calls its item, else it is made of the cells, so that a row that moves within an export
    stays itself.
    """
    first, _, rest = text.partition("\n")
    stated = separator_in(first)
    reader = csv.reader(StringIO(rest if stated else text, newline=""), delimiter=stated or columns.delimiter)
    names: list[str] = []
    meanings: dict[int, str] = {}
    seen: dict[str, int] = {}
    for number in range(MAX_ROWS + 2):
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error:
            yield f"row {number}", Unusable("bad_row", "its cells cannot be told from each other")
            continue
        if not names:
            names, meanings = cells, meanings_of(cells, columns)
            continue
        if any(cell.strip() for cell in cells):
            yield _row(cells, names, meanings, seen)
    yield f"row {MAX_ROWS + 1}", Unusable("too_many_drawings", f"over {MAX_ROWS} rows of one object are not read")


def _row(
    cells: Sequence[str], names: Sequence[str], meanings: Mapping[int, str], seen: dict[str, int]
) -> tuple[str, Mapping[str, str] | Unusable]:
    digest = hashlib.sha256("\x1f".join(cells).encode("utf-8", "replace")).hexdigest()[:16]
    values = {
        meaning: text
        for position, meaning in meanings.items()
        if position < len(cells) and (text := _cell(cells[position], meaning))
    }
    item = values.get("item", digest)[:200]
    seen[item] = seen.get(item, 0) + 1
    again = seen[item] > 1
    place = f"{item}#{seen[item]}" if again else item
    if len(cells) != len(names):
        reason = f"it has {len(cells)} cells, and the file names {len(names)} columns"
        return place, Unusable("bad_row", reason)
    if again and item == digest:
        return place, Unusable("repeated_row", "the same row stands in the export once more")
    return place, values


def _cell(text: str, meaning: str) -> str:
    cut = None if meaning in NUMERIC else MAX_TEXT
    return text.replace("\x00", "").strip()[:cut]
