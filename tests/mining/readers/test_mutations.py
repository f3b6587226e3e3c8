"""Whatever a document holds, its reader ends soon, with rows or with reasons, and never with an error."""

import time
import warnings
from collections.abc import Callable
from copy import deepcopy
from functools import cache
from io import BytesIO
from pathlib import Path

import pytest
from dialects import DIALECTS
from held_images import HeldImages
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.tag import BaseTag

from db.measurement import Measurement, Rejected, WeakLabel
from mining.readers.by_class import SourceReader, reader_for, readers_of
from mining.reading import read_object

KINDS = sorted({dialect.kind for dialect in DIALECTS})
EXAMPLES = 500
"""Of each of the two ways of changing: a thousand for each reader."""

LONGEST_S = 2.0

VRS = ["AE", "CS", "DA", "DS", "DT", "FD", "FL", "IS", "LO", "OB", "PN", "SH", "SQ", "TM", "UC", "UI", "UN", "US", "UT"]
NUMBERS = [b"nan", b"-1e38\\7", b"1e400", b"", b"0\\0\\0\\0", b"99999999999999999999", b"3\\x", b"-5\\-5\\2\\2"]

Case = tuple[SourceReader, Dataset, HeldImages]


@cache
def cases(kind: str) -> list[Case]:
    """Every document of a kind, with its reader and the images it is about."""
    found = []
    for dialect in DIALECTS:
        if dialect.kind != kind:
            continue
        objects = list(dialect.objects())
        for ds in objects:
            reader = reader_for(str(ds.SOPClassUID), readers_of(dialect.settings))
            if reader is not None:
                found.append((reader, ds, HeldImages(objects)))
    return found


def everything(ds: Dataset) -> list[tuple[Dataset, int]]:
    """Every element of every item, as (its data set, its tag)."""
    waiting, found = [ds], []
    while waiting:
        part = waiting.pop()
        for element in part:
            found.append((part, int(element.tag)))
            if element.VR == "SQ":
                waiting.extend(element.value)
    return found


def raw(part: Dataset, tag: int, vr: str, content: bytes) -> None:
    """As a file would hold it: unread until it is asked for."""
    part._dict[BaseTag(tag)] = RawDataElement(BaseTag(tag), vr, len(content), content, 0, False, True)


def read(part: Dataset, tag: int) -> DataElement | None:
    """An element that no change before has made unreadable."""
    element = part.get_item(tag) if tag in part else None
    return element if isinstance(element, DataElement) else None


def untouched(part: Dataset, tag: int) -> DataElement | None:
    """An element as it was built; None for one that is gone or holds raw bytes by now."""
    element = part.get_item(tag)
    return element if isinstance(element, DataElement) else None


def remove(part: Dataset, tag: int, _content: bytes) -> None:
    part.pop(tag, None)


def repeat(part: Dataset, tag: int, content: bytes) -> None:
    """The items of a sequence, or the values of an element, many times over."""
    element = read(part, tag)
    if element is not None and isinstance(element.value, Sequence):
        items = list(element.value)[:50]
        element.value = Sequence([deepcopy(item) for item in items * (2 + len(content) % 7)])
    elif element is not None and element.VR in ("DS", "FL", "FD"):
        element.value = [1.5] * (len(content) * 400)


def nest(part: Dataset, tag: int, content: bytes) -> None:
    """A copy of an item inside itself, hundreds of levels deep."""
    element = read(part, tag)
    if element is None or not isinstance(element.value, Sequence) or not element.value:
        return
    for _ in range(40 * (1 + len(content))):
        item = Dataset()
        item.ValueType = "CONTAINER"
        item[tag] = part[tag]
        part.add_new(tag, "SQ", Sequence([item]))


Change = Callable[[Dataset, int, bytes], None]
CHANGES: list[Change] = [
    remove,
    repeat,
    nest,
    *(lambda part, tag, content, vr=vr: raw(part, tag, vr, content) for vr in VRS),
    *(lambda part, tag, _, number=number: raw(part, tag, "DS", number) for number in NUMBERS),
]
CHANGE = st.tuples(st.integers(0, 10_000), st.sampled_from(CHANGES), st.binary(max_size=24))

hostile = settings(
    max_examples=EXAMPLES, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_no_change_of_elements_makes_a_reader_raise_or_hang(kind: str) -> None:
    known = cases(kind)

    @hostile
    @given(st.integers(0, len(known) - 1), st.lists(CHANGE, min_size=1, max_size=6))
    def change_and_read(which: int, changes: list[tuple[int, Change, bytes]]) -> None:
        reader, original, images = known[which]
        ds = deepcopy(original)
        parts = everything(ds)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for place, change, content in changes:
                change(*parts[place % len(parts)], content)
            start = time.process_time()
            found = list(reader.read(ds, images))
            assert time.process_time() - start < LONGEST_S
        assert all(isinstance(one, Measurement | WeakLabel | Rejected) for one in found)
        assert len({one.source.item for one in found if not isinstance(one, Rejected)}) == len(
            [one for one in found if not isinstance(one, Rejected)]
        ), "two rows at one place would have one id"

    change_and_read()


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_no_change_of_bytes_reaches_the_last_resort(kind: str, tmp_path: Path) -> None:
    known = [(reader, encoded(ds), images) for reader, ds, images in cases(kind)]

    @hostile
    @given(
        st.integers(0, len(known) - 1),
        st.lists(
            st.tuples(st.floats(0, 1), st.integers(0, 3), st.binary(min_size=1, max_size=6)), min_size=1, max_size=8
        ),
    )
    def change_and_read(which: int, changes: list[tuple[float, int, bytes]]) -> None:
        reader, content, images = known[which]
        changed = bytearray(content)
        for where, how, some in changes:
            at = 132 + int(where * (len(changed) - 133))
            changed[at : at + (0, len(some), 4 * len(some), 0)[how]] = b"" if how == 2 else some
        path = tmp_path / "changed.dcm"
        path.write_bytes(changed)
        start = time.process_time()
        said = read_object("1.2.3", "1.2", reader, path, images, DIALECTS[0].settings)
        assert time.process_time() - start < LONGEST_S
        assert not {one.reason_code for one in said.rejected} & {"reader_failed", "nested_too_deep"}, said.rejected
        assert said.measurements or said.rejected

    change_and_read()


def encoded(ds: Dataset) -> bytes:
    file = BytesIO()
    ds.save_as(file, enforce_file_format=True)
    return file.getvalue()
