"""Private elements, by a table that the site writes → measurements, and a reason for all other marks. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import isfinite

import numpy as np
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue

from db.measurement import ImageReference, Measurement, Rejected, WeakLabel
from mining.drawings import Unusable
from mining.elements import MAX_TEXT, integer_of, text_of
from mining.known_images import NO_IMAGES, KnownImages
from mining.private_paths import Path, items_at, path_from, value_at, written
from mining.readers.site_marks import Mark, Marks, found_as, joined
from mining.settings import NUMERIC, PrivateTable

MAX_MARKS = 5_000
"""Of one object."""

MAX_VALUES = 100_000

VR_TYPES = {"FD": "<f8", "FL": "<f4", "SL": "<i4", "UL": "<u4", "SS": "<i2", "US": "<u2"}
"""Binary VRs that a site can name behind a meaning, for private elements that came as UN."""

Reader = Callable[[Dataset, KnownImages], Iterator[Measurement | WeakLabel | Rejected]]


@dataclass(frozen=True, slots=True)
class _Entry:
    path: Path
    meaning: str
    vr: str


@dataclass(frozen=True, slots=True)
class _Item:
    """One mark's place; `chain` is the object and the items that lead to the mark, from the outside."""

    name: str
    chain: tuple[Dataset, ...]


def private_reader(table: PrivateTable) -> Reader:
    """The reader of one table. Raises ValueError for a path that is none."""
    entries = [_entry(path, meaning) for path, meaning in table.tags.items()]
    holder = next((entry.path for entry in entries if entry.meaning == "item"), ())

    def read_private(ds: Dataset, images: KnownImages = NO_IMAGES) -> Iterator[Measurement | WeakLabel | Rejected]:
        uid = text_of(ds, "SOPInstanceUID")
        drawn = Marks(images, table.origin, itself=_itself(ds, uid))
        marks: list[Mark] = []
        rejected: list[Rejected] = []
        for number, item in enumerate(_items(ds, holder), start=1):
            if number > MAX_MARKS:
                rejected.append(Rejected(uid, item.name, "too_many_drawings", f"over {MAX_MARKS} marks are not read"))
                break
            found = _read(item, holder, entries, drawn)
            if isinstance(found, Unusable):
                rejected.append(Rejected(uid, item.name, found.reason_code, found.reason))
            elif found is not None:
                marks.append(found)
        yield from (found_as(mark, uid, "private") for mark in joined(marks))
        yield from rejected
        if not marks and not rejected:
            reason = "none of the elements of the site's table is in the object"
            yield Rejected(uid, "private", "no_measurement", reason)

    return read_private


def _itself(ds: Dataset, uid: str) -> ImageReference | None:
    """The object, if it is an image."""
    is_image = (integer_of(ds, "Rows") or 0) > 0 and (integer_of(ds, "Columns") or 0) > 0
    return ImageReference(uid) if is_image else None


def _read(item: _Item, holder: Path, entries: Sequence[_Entry], drawn: Marks) -> Mark | Unusable | None:
    """None for an item without any of the elements."""
    values = _values(item, holder, entries)
    if isinstance(values, Unusable):
        return values
    if not values:
        return None
    name = f"{item.name} {values.pop('item')}" if "item" in values else item.name
    return drawn.mark(name[:256], {**values, "study": text_of(item.chain[0], "StudyInstanceUID")})


def _entry(path: str, meaning: str) -> _Entry:
    name, _, vr = meaning.partition(":")
    return _Entry(path_from(path), name, vr)


def _items(ds: Dataset, holder: Path) -> Iterator[_Item]:
    """Every item of the sequence that holds the marks, in document order; the object itself where there is none."""
    if not holder or not _holds_items(ds, holder):
        yield _Item("private", (ds,))
        return
    waiting = [_Item(written(holder), (ds,))]
    while waiting:
        item = waiting.pop()
        depth = len(item.chain) - 1
        if depth == len(holder):
            yield item
            continue
        below = items_at(item.chain[-1], holder[depth])[: 2 * MAX_MARKS]
        waiting.extend(_Item(f"{item.name}[{n}]", (*item.chain, below[n - 1])) for n in range(len(below), 0, -1))


def _holds_items(ds: Dataset, holder: Path) -> bool:
    """Whether the path leads to a sequence, and not to an element that names the object's only mark."""
    for step in holder:
        items = items_at(ds, step)
        if not items:
            return False
        ds = items[0]
    return True


def _values(item: _Item, holder: Path, entries: Sequence[_Entry]) -> dict[str, str] | Unusable:
    """Meaning → text of one mark: each path from the innermost item that it shares with the marks' sequence."""
    values: dict[str, str] = {}
    for entry in entries:
        if entry.meaning == "item" and len(item.chain) > 1:
            continue
        shared = 0
        while shared < len(item.chain) - 1 and shared < len(entry.path) - 1 and entry.path[shared] == holder[shared]:
            shared += 1
        text = _text(value_at(item.chain[shared], entry.path[shared:]), entry)
        if isinstance(text, Unusable):
            return text
        if text:
            values[entry.meaning] = text
    return values


def _text(value: object, entry: _Entry) -> str | Unusable:
    """A value as text, several with a backslash between."""
    if value is None:
        return ""
    if isinstance(value, bytes):
        return _of_bytes(value, entry)
    if isinstance(value, MultiValue | list | tuple):
        return "\\".join(str(part).strip() for part in value[:MAX_VALUES])
    if isinstance(value, Dataset) or hasattr(value, "is_undefined_length"):
        return ""
    cut = None if entry.meaning in NUMERIC else MAX_TEXT
    return str(value).replace("\x00", "").encode("utf-8", "replace").decode("utf-8").strip()[:cut]


def _of_bytes(value: bytes, entry: _Entry) -> str | Unusable:
    """Of unknown VR: text if it can be nothing else, or numbers of the VR that the site names."""
    kind = VR_TYPES.get(entry.vr)
    if kind is not None:
        size = np.dtype(kind).itemsize
        if len(value) % size or len(value) > size * MAX_VALUES:
            return Unusable("bad_coordinates", f"an element of {len(value)} bytes holds no {entry.vr} values")
        numbers = np.frombuffer(value, dtype=kind).tolist()
        if not all(isfinite(number) for number in numbers):
            return Unusable("bad_coordinates", f"an element holds {entry.vr} values that are no numbers")
        return "\\".join(map(repr, numbers))
    text = value.decode("latin-1").strip(" \0")
    if text.isprintable() and (text.isascii() or entry.meaning not in NUMERIC):
        return text
    allowed, example = ", ".join(VR_TYPES), f"{entry.meaning}:FD"
    reason = f"an element came without its VR; name one of {allowed} behind its meaning in the table, as {example}"
    return Unusable("unknown_vr", reason)
