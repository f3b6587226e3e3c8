"""Rows of a CSV file about one study: what a cell may hold, and which row is which for ever."""

import csv
import time
from pathlib import Path

import pytest
from builders import SERIES, ct_series
from builders_foreign import FIRST, SECOND, bookmark_object
from held_images import HeldImages
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset

from db.codes import Code
from db.geometry import Axis, PointPx
from db.measurement import Found, ImageReference, Measurement, Rejected, WeakLabel
from mining.readers.bookmarks import MAX_ROWS, bookmark_reader
from mining.settings import BookmarkColumns

HEADER = "Image,Frame,Points,Item,Lesion,Reader,When,What,Long"
COLUMNS = BookmarkColumns(
    {
        "image": "image", "frame": "frame", "points": "points", "item": "item", "lesion": "lesion_id",
        "reader": "reader", "when": "measured_at", "what": "finding", "long": "stated_long_axis_mm",
    },
    origin="zero",
)  # fmt: skip


def read(ds: Dataset, columns: BookmarkColumns | None = COLUMNS) -> list[Found]:
    start = time.process_time()
    found = list(bookmark_reader(columns)(ds, HeldImages(ct_series())))
    assert time.process_time() - start < 2
    return found


def rows(*cells: str, columns: BookmarkColumns = COLUMNS) -> list[Found]:
    return read(bookmark_object(HEADER, *cells), columns)


def codes(found: list[Found]) -> list[tuple[str, str]]:
    return [(one.source_item, one.reason_code) for one in found if isinstance(one, Rejected)]


def test_a_row_says_who_measured_what_where() -> None:
    (one,) = rows(f'{FIRST},1,"20 10; 32 26",B7,L1,One,2026-03-01 10:15,27925004^SCT^Nodule,14.1')
    assert isinstance(one, Measurement)
    assert one.long_axis == Axis(PointPx(20.0, 10.0), PointPx(32.0, 26.0))
    assert (one.image, one.reader, one.finding) == (ImageReference(FIRST), "One", Code("27925004", "SCT", "Nodule"))
    assert (one.source.item, one.source.kind, one.tracking_id) == ("B7", "csv", "L1")
    assert one.stated_long_axis_mm == 14.1
    assert one.measured_at is not None and one.measured_at.isoformat() == "2026-03-01T10:15:00+00:00"


def test_the_same_lesion_of_a_study_is_the_same_in_every_export() -> None:
    first, second = (rows(f"{FIRST},,1 2 {n} 9,{item},L1,One,,,")[0] for n, item in ((5, "a"), (6, "b")))
    other = rows(f"{FIRST},,1 2 5 9,a,L2,One,,,")[0]
    assert isinstance(first, Measurement) and isinstance(second, Measurement) and isinstance(other, Measurement)
    assert first.tracking_uid == second.tracking_uid != ""
    assert other.tracking_uid not in ("", first.tracking_uid)


def test_a_row_without_an_item_has_its_place_by_what_it_says() -> None:
    one, two = f"{FIRST},,1 2 5 9,,,,,,", f"{SECOND},,1 2 5 9,,,,,,"
    places = [
        {o.image: o.source.item for o in rows(*order) if isinstance(o, Measurement)}
        for order in ((one, two), (two, one))
    ]
    assert places[0] == places[1]
    assert len(set(places[0].values())) == 2


def test_items_that_share_a_name_have_places_of_their_own() -> None:
    found = rows(f"{FIRST},,1 2 5 9,B,,,,,", f"{SECOND},,1 2 5 9,B,,,,,")
    assert [one.source.item for one in found if isinstance(one, Measurement)] == ["B", "B#2"]


@pytest.mark.parametrize(
    ("points", "kind"),
    [
        ("20 10 32 26", "line"),
        ("20 10 32 26 32 16 20 19.5", "axes"),
        ("10 20 20 14 30 20 20 26 15 25", "region"),
        ("10 10 30 10 30 26 10 26", "region"),
        ("5 6", "place"),
        ("", "image"),
    ],
)
def test_points_are_a_line_two_axes_an_outline_or_a_place(points: str, kind: str) -> None:
    (one,) = rows(f"{FIRST},,{points},,,,,,")
    if isinstance(one, WeakLabel):
        assert kind == ("image" if one.point is None else "place")
    else:
        assert isinstance(one, Measurement)
        assert kind == ("region" if one.derived else "axes" if one.short_axis else "line")


@pytest.mark.parametrize(
    ("row", "code"),
    [
        (f"{FIRST},,1 2 3,a,,,,,", "bad_coordinates"),
        (f"{FIRST},,one two,a,,,,,", "bad_coordinates"),
        (f"{FIRST},,1 2 1 2,a,,,,,", "zero_length"),
        (f"{FIRST},0,1 2 5 9,a,,,,,", "bad_frame_number"),
        (f"{FIRST},one,1 2 5 9,a,,,,,", "bad_frame_number"),
        (",,1 2 5 9,a,,,,,", "no_image_reference"),
        (f"{FIRST},,1 2 5 9,a,", "bad_row"),
        (f"{FIRST},,1 2 5 9,a,,,,Aortic root,", "not_a_measurement"),
        (f"{FIRST},,1 2 5 9,a,,,,Calibration,", "not_a_measurement"),
    ],
)
def test_a_row_that_cannot_be_used_says_why(row: str, code: str) -> None:
    good = f"{SECOND},,1 2 5 9,b,,,,,"
    found = rows(row, good)
    assert codes(found) == [("a", code)]
    assert sum(isinstance(one, Measurement) for one in found) == 1


def test_without_columns_every_object_waits_for_them() -> None:
    (one,) = read(bookmark_object(HEADER, f"{FIRST},,1 2 5 9,a,,,,,"), None)
    assert isinstance(one, Rejected) and one.reason_code == "no_columns"
    assert "[harvest.bookmarks]" in one.reason


def test_an_image_by_its_number_in_a_series_waits_for_it() -> None:
    columns = BookmarkColumns({"s": "series", "n": "instance_number", "p": "points"})
    found = read(bookmark_object("s,n,p", f"{SERIES},2,1 2 5 9", f"{SERIES},7,1 2 5 9"), columns)
    assert [one.image for one in found if isinstance(one, Measurement)] == [ImageReference(SECOND)]
    assert [code for _, code in codes(found)] == ["image_not_here"]


def test_lines_of_one_lesion_are_its_axes_and_those_of_two_are_not() -> None:
    long, short = "20 10 32 26", "21 17 33 13.5"
    pair = rows(f"{FIRST},,{long},a,L1,,,,14.1", f"{FIRST},,{short},b,L1,,,,6.3")
    (one,) = pair
    assert isinstance(one, Measurement)
    assert (one.source.item, one.stated_long_axis_mm, one.stated_short_axis_mm) == ("a", 14.1, 6.3)
    apart = rows(f"{FIRST},,{long},a,L1,,,,", f"{FIRST},,{short},b,L2,,,,")
    assert len(apart) == 2
    unnamed = rows(f"{FIRST},,{long},a,,One,,,", f"{FIRST},,{short},b,,One,,,")
    assert len(unnamed) == 1
    two_readers = rows(f"{FIRST},,{long},a,,One,,,", f"{FIRST},,{short},b,,Two,,,")
    assert len(two_readers) == 2


def test_very_many_rows_of_one_object_are_not_read_on() -> None:
    found = rows(*[f"{FIRST},,1 2 5 {n % 40},i{n},L{n},,,," for n in range(MAX_ROWS + 1)])
    assert codes(found) == [(f"row {MAX_ROWS + 1}", "too_many_drawings")]


def test_the_rows_of_deeplesion_read_as_bookmarks_have_its_boxes_and_diameters() -> None:
    path = Path(__file__).parents[4] / "shared" / "data" / "deeplesion_sample" / "DL_info_sample200.csv"
    if not path.is_file():
        pytest.skip("the shared test objects are not here")
    header, *lines = path.read_text().splitlines()
    columns = BookmarkColumns(
        {"File_name": "image", "Measurement_coordinates": "long_axis", "Series_ID": "series"}, origin="one"
    )
    found = read(bookmark_object(header, *lines), columns)
    with path.open(newline="") as file:
        truths = list(csv.DictReader(file))
    assert len(found) == len(truths) >= 200
    for one, truth in zip(found, truths, strict=True):
        assert isinstance(one, Measurement) and one.short_axis is not None
        assert one.image.sop_instance_uid == truth["File_name"]
        lengths = [one.long_axis.length_px, one.short_axis.length_px]
        assert lengths == pytest.approx(numbers(truth["Lesion_diameters_Pixel_"]), abs=0.01)
        box = [one.box.x1, one.box.y1, one.box.x2, one.box.y2]
        assert box == pytest.approx([edge - 1 for edge in numbers(truth["Bounding_boxes"])], abs=0.01)


def numbers(cell: str) -> list[float]:
    return [float(number) for number in cell.split(",")]


PIECES = st.one_of(
    st.text(max_size=5),
    st.sampled_from(['"', ",", "\n", "\r", "\0", "1e400", "nan", ";", "9" * 30, "sep=|\n"]),
)


@pytest.mark.slow
@settings(max_examples=1_000, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.tuples(st.floats(0, 1), st.integers(0, 30), PIECES), min_size=1, max_size=8))
def test_no_change_of_the_text_makes_the_reader_raise_or_hang(changes: list[tuple[float, int, str]]) -> None:
    text = f'sep=,\n{HEADER}\n{FIRST},1,"20 10; 32 26",B7,L1,One,2026-03-01 10:15,Nodule,"14,1"\n{SECOND},,5 6,,,,,,\n'
    for where, length, piece in changes:
        at = int(where * len(text))
        text = text[:at] + piece + text[at + length :]
    ds = bookmark_object(HEADER)
    ds.EncapsulatedDocument = text.encode("utf-8", "replace")
    ds.EncapsulatedDocumentLength = len(ds.EncapsulatedDocument)
    found = read(ds)
    assert found
    assert all(isinstance(one, Measurement | WeakLabel | Rejected) for one in found)
