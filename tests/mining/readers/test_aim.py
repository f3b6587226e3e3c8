"""AIM annotations: who drew what where, which numbers belong to it, and what no document may do to the reader."""

import time

import pytest
from builders import ct_series
from builders_foreign import (
    COLLECTION,
    FIRST,
    SECOND,
    aim3,
    aim4,
    aim_object,
    annotation,
    calculation,
    markup,
    statement,
    valued,
)
from held_images import HeldImages
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset

from db.codes import Code
from db.geometry import Axis, PointPx
from db.measurement import ImageReference, Measurement, Rejected, WeakLabel
from mining.readers.aim import MAX_MARKUPS, read_aim
from mining.readers.aim_xml import MAX_DEPTH, MAX_ELEMENTS, Element, read_xml
from mining.readers.encapsulated import AIM_DOCUMENT, encapsulated

LONG, SHORT = ((20.0, 10.0), (32.0, 26.0)), ((32.0, 16.0), (20.0, 19.515625))
LINE = markup("TwoDimensionMultiPoint", LONG)


def wrapped(content: bytes) -> Dataset:
    """As an object of this node, whatever the content is."""
    ds = Dataset()
    ds.SOPInstanceUID = "1.2.3"
    ds.EncapsulatedDocument = content + b"\0" * (len(content) % 2)
    ds.EncapsulatedDocumentLength = len(content)
    return ds


def read(content: bytes) -> tuple[list[Measurement], list[WeakLabel], list[tuple[str, str]]]:
    start = time.process_time()
    found = list(read_aim(wrapped(content), HeldImages(ct_series())))
    assert time.process_time() - start < 2
    return (
        [one for one in found if isinstance(one, Measurement)],
        [one for one in found if isinstance(one, WeakLabel)],
        [(one.source_item, one.reason_code) for one in found if isinstance(one, Rejected)],
    )


def test_a_lesion_has_all_that_its_annotation_says() -> None:
    ((one,), _, rejected) = read(aim4(annotation(LINE, markup("TwoDimensionMultiPoint", SHORT))))
    assert not rejected
    assert one.image == ImageReference(FIRST)
    assert one.long_axis == Axis(PointPx(20.0, 10.0), PointPx(32.0, 26.0))
    assert one.short_axis == Axis(PointPx(32.0, 16.0), PointPx(20.0, 19.515625))
    assert one.finding == Code("RID3874", "RadLex", "nodule")
    assert one.site == Code("RID1301", "RadLex", "lung")
    assert (one.tracking_id, one.tracking_uid) == ("Lesion1", COLLECTION + ".1")
    assert (one.reader, one.comment, one.by_algorithm) == ("Reader^One", "CT / Thorax", "")
    assert one.measured_at is not None and one.measured_at.isoformat() == "2026-03-02T09:30:00+00:00"
    assert (one.source.item, one.source.kind) == ("ImageAnnotation[1].Markup[1]", "AIM")


def test_numbers_go_to_the_markups_that_they_name() -> None:
    content = aim4(
        annotation(
            markup("TwoDimensionMultiPoint", LONG, uid="1.1"),
            markup("TwoDimensionMultiPoint", [(2.0, 40.0), (9.0, 40.0)], uid="1.3"),
            calculations=[
                calculation("Length", 3.5, uid="7.3"),
                calculation("Length", 14.1, uid="7.1"),
                calculation("Mean", 55.0, "mm", uid="7.4"),
            ],
            statements=[statement("7.1", "1.1"), statement("7.3", "1.3")],
        )
    )
    found, _, _ = read(content)
    assert [(one.stated_long_axis_mm, one.stated_short_axis_mm) for one in found] == [(14.1, None), (3.5, None)]


def test_the_size_of_an_organ_is_no_lesion_unless_one_was_observed() -> None:
    named = annotation(LINE, name="Aortic root")
    ((one,), _, _) = read(aim4(named))
    assert one.tracking_id == "Aortic root"
    found, _, rejected = read(aim4(named.replace("RID3874", "RID480").replace("nodule", "calibre")))
    assert (found, rejected) == ([], [("ImageAnnotation[1].Markup[1]", "not_a_measurement")])


def test_two_lengths_without_a_name_are_those_of_the_two_lines() -> None:
    lengths = [calculation("Length", 0.66, "cm"), calculation("Length", 1.41, "cm")]
    ((one,), _, _) = read(aim4(annotation(LINE, markup("TwoDimensionMultiPoint", SHORT), calculations=lengths)))
    assert (one.stated_long_axis_mm, one.stated_short_axis_mm) == (pytest.approx(14.1), pytest.approx(6.6))


def test_a_length_without_a_unit_of_length_is_not_stated() -> None:
    ((one,), _, _) = read(aim4(annotation(LINE, calculations=[calculation("Length", 40.0, "pixels")])))
    assert one.stated_long_axis_mm is None


def test_points_are_taken_in_the_order_of_their_index() -> None:
    content = aim4(annotation(markup("TwoDimensionMultiPoint", [*LONG, *SHORT])))
    first, second = valued("coordinateIndex", 1).encode(), valued("coordinateIndex", 2).encode()
    mixed = content.replace(first, b"<held/>").replace(second, first).replace(b"<held/>", second)
    ((one,), _, _) = read(mixed)
    assert one.long_axis != Axis(PointPx(20.0, 10.0), PointPx(32.0, 26.0))
    assert set(one.points) == {PointPx(*point) for point in (*LONG, *SHORT)}


def test_a_person_who_is_named_drew_it_whatever_computed_its_length() -> None:
    algorithm = '<algorithm><name value="Nodule finder"/></algorithm>'
    ((one,), _, _) = read(aim4(annotation(LINE + algorithm)))
    assert (one.reader, one.by_algorithm) == ("Reader^One", "")
    ((one,), _, _) = read(aim4(annotation(LINE + algorithm), user=""))
    assert (one.reader, one.by_algorithm) == ("", "Nodule finder")


def test_aim_3_says_the_same_in_attributes() -> None:
    ((one,), _, _) = read(aim3("MultiPoint", LONG, 1.41, image=SECOND))
    assert (one.image, one.reader, one.tracking_id, one.comment) == (
        ImageReference(SECOND),
        "Reader^Two",
        "Target 1",
        "old",
    )
    assert one.stated_long_axis_mm == pytest.approx(14.1)
    assert one.measured_at is not None and one.measured_at.isoformat() == "2026-03-02T09:30:00+00:00"


@pytest.mark.parametrize(
    ("annotations", "rejected"),
    [
        ((annotation(),), [("ImageAnnotation[1]", "no_measurement")]),
        ((annotation("<SegmentationEntity/>"),), [("ImageAnnotation[1]", "segmentation_elsewhere")]),
        (
            (annotation(LINE.replace('includeFlag value="true"', 'includeFlag value="false"')),),
            [("ImageAnnotation[1].Markup[1]", "excluded_shape")],
        ),
        (
            (annotation(markup("TwoDimensionMultiPoint", LONG, image="")),),
            [("ImageAnnotation[1].Markup[1]", "no_image_reference")],
        ),
        (
            (annotation(markup("TwoDimensionPolyline", [])),),
            [("ImageAnnotation[1].Markup[1]", "bad_coordinates")],
        ),
        (
            (annotation(LINE.replace('x value="20.5"', 'x value="NaN"')),),
            [("ImageAnnotation[1].Markup[1]", "bad_coordinates")],
        ),
        (
            (annotation(markup("TwoDimensionMultiPoint", [(1, 1), (2, 2), (5, 9)])),),
            [("ImageAnnotation[1].Markup[1]", "unknown_graphic")],
        ),
        (
            (annotation(markup("ThreeDimensionPolyline", [(0, 0, 9000), (0, 9, 9000)])),),
            [("ImageAnnotation[1].Markup[1]", "off_plane")],
        ),
        ((), [("1", "not_aim")]),
    ],
)
def test_what_gives_no_row_gives_its_reason(annotations: tuple[str, ...], rejected: list[tuple[str, str]]) -> None:
    assert read(aim4(*annotations)) == ([], [], rejected)


def test_drawings_in_space_wait_for_their_images() -> None:
    content = aim4(annotation(markup("ThreeDimensionPolyline", [(0, 0, 0), (0, 9, 0)])))
    (one,) = read_aim(wrapped(content))
    assert isinstance(one, Rejected) and one.reason_code == "no_plane"


def test_very_many_markups_are_not_read_on() -> None:
    _, _, rejected = read(aim4(annotation(*["<MarkupEntity/>"] * (MAX_MARKUPS + 1))))
    assert rejected == [("ImageAnnotation[1]", "too_many_drawings")]


# --- XML of strangers -------------------------------------------------------------------------------------------

LAUGHS = (
    b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "ha">'
    + b"".join(b'<!ENTITY b%d "&b%d;&b%d;">' % (n + 1, n, n) for n in range(40))
    + b"]><a>&b40;</a>"
)


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (LAUGHS, "document_type"),
        (b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>', "document_type"),
        (b'<!DOCTYPE a [<!ENTITY % x SYSTEM "http://127.0.0.1/x"> %x;]><a/>', "document_type"),
        (b"<a>" * (MAX_DEPTH + 1), "nested_too_deep"),
        (b"<a>" + b"<b/>" * MAX_ELEMENTS + b"</a>", "too_large"),
        (b"<a>&undeclared;</a>", "bad_xml"),
        (b'<?xml version="1.0" encoding="no-such"?><a/>', "bad_xml"),
        (b'<?xml version="1.0" encoding="utf-7"?><a/>', "bad_xml"),
        (b"<a", "bad_xml"),
        (b"", "no_document"),
        (b"\xff\xfe\x00", "bad_xml"),
    ],
)
def test_a_hostile_document_is_refused(content: bytes, code: str) -> None:
    assert read(content) == ([], [], [("1", code)])


@pytest.mark.parametrize("encoding", ["utf-16", "iso-8859-1"])
def test_the_encoding_is_the_one_that_the_document_names(encoding: str) -> None:
    text = aim4(annotation(LINE)).decode().replace("Reader^One", "Jürg").replace("UTF-8", encoding.upper())
    ((one,), _, _) = read(text.encode(encoding))
    assert one.reader == "Jürg"


def test_a_reason_never_quotes_the_document() -> None:
    content = aim4(annotation(LINE)).replace(b"</MarkupEntity>", b"</Nobody-Known>")
    for one in read_aim(wrapped(content)):
        assert isinstance(one, Rejected) and "Nobody" not in one.reason


def test_the_padding_of_an_object_is_no_part_of_the_document() -> None:
    for content in (b"<a/>", b"<abc/>", "<a/>".encode("utf-16-le"), b"<ab/>"):
        assert encapsulated(wrapped(content)) == content
    assert isinstance(read_xml(b"<ab/>"), Element)


def test_an_object_of_this_node_is_read_by_its_class() -> None:
    assert aim_object(aim4(annotation(LINE))).SOPClassUID == AIM_DOCUMENT


CONTENT = aim4(
    annotation(LINE, markup("TwoDimensionMultiPoint", SHORT), calculations=[calculation("Length", 14.1)]),
    annotation(markup("TwoDimensionPolyline", [(10.0, 20.0), (20.0, 14.0), (30.0, 20.0), (20.0, 26.0)])),
    annotation(markup("ThreeDimensionPoint", [(-10.0, 20.0, 100.0)])),
)
PIECES = st.one_of(
    st.binary(max_size=6),
    st.sampled_from(
        [b"1e400", b"-1", b"nan", b"</MarkupEntity>", b"&lt;", b"<user>", b'"', b"0", b"99999999999", b"\xff"]
    ),
)


@pytest.mark.slow
@settings(max_examples=1_000, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.tuples(st.floats(0, 1), st.integers(0, 40), PIECES), min_size=1, max_size=8))
def test_no_change_of_the_text_makes_the_reader_raise_or_hang(changes: list[tuple[float, int, bytes]]) -> None:
    changed = bytearray(CONTENT)
    for where, length, piece in changes:
        at = int(where * len(changed))
        changed[at : at + length] = piece
    found, places, rejected = read(bytes(changed))
    assert found or places or rejected
