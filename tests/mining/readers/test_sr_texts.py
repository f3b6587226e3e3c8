"""What a reader wrote in words stands in where no number states it."""

import warnings
from time import process_time

import pytest
from builders import (
    COMMENT,
    LENGTH,
    LONG_AXIS,
    SHORT_AXIS,
    CodeTriple,
    coded,
    container,
    group,
    image,
    measured_line,
    num,
    rectangle,
    scoord,
    sr,
    text,
    tid1500,
)
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag

from db.measurement import Measurement, WeakLabel
from mining.readers.sr import read_sr

IMAGE = "1.2.3.4"
LONG, SHORT = ((20.0, 10.0), (32.0, 26.0)), ((32.0, 16.0), (20.0, 19.5))
PROSE: CodeTriple = ("121073", "DCM", "Impression")


def prose(words: str, *below: Dataset, concept: CodeTriple = PROSE) -> Dataset:
    return text(concept, words, *below, relationship="CONTAINS")


def drawn(line: object, *below: Dataset) -> Dataset:
    return scoord("POLYLINE", line, image(IMAGE), *below, relationship="CONTAINS")  # type: ignore[arg-type]


def stated(ds: Dataset) -> list[tuple[float | None, float | None]]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a value that breaks its VR
        found = [one for one in read_sr(ds) if isinstance(one, Measurement)]
    return [(one.stated_long_axis_mm, one.stated_short_axis_mm) for one in found]


@pytest.mark.parametrize(
    "words", ["target lesion 2 – 23 x 14 mm", "TL1: 14 x 23 mm", "2,3 x 1,4 cm", "Läsion 3: 23,0 x 14,0 mm"]
)
def test_the_words_beside_two_lines_state_their_lengths(words: str) -> None:
    ds = sr(container(None, drawn(LONG), drawn(SHORT), prose(words)))
    assert stated(ds) == [(23.0, 14.0)]
    (found,) = (one for one in read_sr(ds) if isinstance(one, Measurement))
    assert found.comment == words


def test_the_words_above_a_drawing_are_its_comment_whatever_they_are() -> None:
    ds = sr(container(None, prose("unchanged", drawn(LONG))), container(None, prose("new", drawn(SHORT))))
    found = [one for one in read_sr(ds) if isinstance(one, Measurement)]
    assert [one.comment for one in found] == ["unchanged", "new"]


def test_a_number_goes_before_words_and_a_comment_too() -> None:
    ds = tid1500(group(measured_line(LONG_AXIS, LONG, IMAGE, 20.0), text(COMMENT, "stable"), prose("TL1 23 mm")))
    (found,) = (one for one in read_sr(ds) if isinstance(one, Measurement))
    assert (found.stated_long_axis_mm, found.comment) == (20.0, "stable")


def test_a_short_axis_in_words_needs_a_short_axis_that_is_drawn() -> None:
    assert stated(sr(container(None, drawn(LONG), prose("TL1 23 x 14 mm")))) == [(23.0, None)]


def test_a_text_for_each_axis_says_which_it_is() -> None:
    words = [prose("14,0 mm", concept=SHORT_AXIS), prose("23,4 mm", concept=LONG_AXIS)]
    assert stated(sr(container(None, drawn(LONG), drawn(SHORT), *words))) == [(23.4, 14.0)]


def test_texts_and_drawings_in_turn_belong_together() -> None:
    other = ((4.0, 40.0), (20.0, 40.0))
    ds = sr(prose("TL1 20 mm"), drawn(LONG), prose("Seen by the board."), prose("TL2 8 mm"), drawn(other))
    assert stated(ds) == [(20.0, None), (8.0, None)]


def test_fewer_texts_than_drawings_belong_to_none() -> None:
    other = ((4.0, 40.0), (20.0, 40.0))
    assert stated(sr(prose("TL1 20 mm"), drawn(LONG), drawn(other))) == [(None, None), (None, None)]


def test_prose_about_no_lesion_is_no_comment() -> None:
    ds = sr(container(None, drawn(LONG), prose("The patient was told."), prose("#ff7800")))
    (found,) = (one for one in read_sr(ds) if isinstance(one, Measurement))
    assert (found.comment, found.stated_long_axis_mm) == ("", None)


def test_the_words_beside_a_click_are_its_comment() -> None:
    click = scoord("POINT", [(4, 5)], image(IMAGE), relationship="CONTAINS")
    (place,) = (
        one for one in read_sr(sr(container(None, click, prose("TL1 23 x 14 mm")))) if isinstance(one, WeakLabel)
    )
    assert place.comment == "TL1 23 x 14 mm"


def test_a_label_counts_without_what_the_viewer_fills_in() -> None:
    label = text(("125309", "DCM", "Short label"), "TL2 {length}", relationship="HAS CONCEPT MOD")
    (found,) = (one for one in read_sr(tid1500(group(label, drawn(LONG)))) if isinstance(one, Measurement))
    assert found.comment == "TL2"


@pytest.mark.parametrize(("content", "length"), [(b"23,4", 23.4), (b"1.234,5 ", None), (b"2 3,4", None), (b",4", None)])
def test_a_decimal_comma_in_a_number_is_read(content: bytes, length: float | None) -> None:
    line = measured_line(LENGTH, LONG, IMAGE, 1.0)
    raw = RawDataElement(Tag("NumericValue"), "DS", len(content), content, 0, False, True)
    line.MeasuredValueSequence[0][Tag("NumericValue")] = raw
    assert stated(tid1500(group(line))) == [(length, None)]


@pytest.mark.parametrize(
    ("unit", "length"),
    [
        (("mm", "UCUM", "mm"), 2.0),
        (("cm", "UCUM", "cm"), 20.0),
        (("99U1", "99WS", "mm"), 2.0),
        (("", "", "millimeter"), 2.0),
        (("1", "UCUM", "mm"), None),
        (("mm2", "UCUM", "mm2"), None),
        (("99U2", "99WS", "px"), None),
    ],
)
def test_a_unit_counts_by_its_code_or_as_a_writers_own_by_its_name(unit: CodeTriple, length: float | None) -> None:
    line = measured_line(LENGTH, LONG, IMAGE, 2.0)
    line.MeasuredValueSequence[0].MeasurementUnitsCodeSequence = coded(unit)
    assert stated(tid1500(group(line))) == [(length, None)]


def test_width_and_height_state_the_longer_and_the_shorter_side() -> None:
    box = rectangle(IMAGE, (10.0, 8.0, 20.0, 28.0))
    sides = [
        num(("103355008", "SCT", "Width"), 5.0, "mm"),
        num(("121207", "DCM", "Height"), 16.0, "mm"),
    ]
    box.ContentSequence.extend(sides)
    assert stated(tid1500(box)) == [(16.0, 5.0)]


@pytest.mark.slow
def test_thousands_of_texts_beside_thousands_of_lines_are_read_in_seconds() -> None:
    lines = [((n % 50, n / 60), (n % 50 + 6.0, n / 60)) for n in range(4_900)]
    ds = sr(*(part for n, line in enumerate(lines) for part in (prose(f"TL{n} 5 mm"), drawn(line))))
    start = process_time()
    assert len(stated(ds)) == 4_900
    assert process_time() - start < 20
