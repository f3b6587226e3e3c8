"""What is only pointed at in a report becomes a place with all that is said of it, unless its lesion is drawn, too."""

import warnings
from time import process_time

import pytest
from builders import (
    COMMENT,
    FINDING,
    LENGTH,
    LONG_AXIS,
    LUNG,
    NODULE,
    SITE,
    bidirectional,
    code,
    container,
    group,
    image,
    item,
    measured_line,
    num,
    rectangle,
    scoord,
    scoord3d,
    sr,
    text,
    tid1500,
)
from pydicom.dataset import Dataset

from db.codes import Code
from db.geometry import Axis, PixelSpacing, Plane, PointMm, PointPx
from db.measurement import ImageReference, Measurement, Rejected, WeakLabel
from mining.known_images import NO_IMAGES, KnownImage, KnownImages, NoImages
from mining.plane_stack import PlaneStack
from mining.readers.sr import read_sr

IMAGE = "1.2.3.4"
LONG, SHORT = ((20.0, 10.0), (32.0, 26.0)), ((32.0, 16.0), (20.0, 19.5))


def read(ds: Dataset, images: KnownImages = NO_IMAGES) -> tuple[list[Measurement], list[WeakLabel], list[str]]:
    found = list(read_sr(ds, images))
    return (
        [one for one in found if isinstance(one, Measurement)],
        [one for one in found if isinstance(one, WeakLabel)],
        [one.reason_code for one in found if isinstance(one, Rejected)],
    )


def pointed(col: float, row: float, uid: str = IMAGE) -> Dataset:
    return scoord("POINT", [(col, row)], image(uid), relationship="CONTAINS")


def test_a_point_is_a_place_with_what_is_said_of_it() -> None:
    said = [code(FINDING, NODULE), code(SITE, LUNG, "HAS CONCEPT MOD"), text(COMMENT, "TL1")]
    _, (place,), rejected = read(tid1500(group(*said, pointed(4.0, 5.5), tracking_uid="1.9")))
    assert (place.point, place.image) == (PointPx(4.0, 5.5), ImageReference(IMAGE))
    assert place.finding is not None and place.finding.value == "27925004"
    assert place.site is not None and place.site.meaning == "Lung"
    assert (place.comment, place.tracking_uid, place.reader) == ("TL1", "1.9", "Reader^One")
    assert place.measured_at is not None and place.measured_at.isoformat() == "2026-03-02T09:30:00+00:00"
    assert (place.source.item, place.source.kind) == ("1.2.1.6", "SR")
    assert not rejected


def test_a_point_of_a_drawn_lesion_is_no_second_row() -> None:
    drawn, places, rejected = read(tid1500(group(measured_line(LONG_AXIS, LONG, IMAGE), pointed(26.0, 18.0))))
    assert (len(drawn), places, rejected) == (1, [], ["point_of_a_drawing"])


def test_a_point_on_another_image_than_its_lesion_is_drawn_on_is_a_place() -> None:
    drawn, (place,), _ = read(tid1500(group(measured_line(LONG_AXIS, LONG, IMAGE), pointed(26.0, 18.0, "1.2.3.5"))))
    assert (len(drawn), place.image.sop_instance_uid) == (1, "1.2.3.5")


def test_a_point_beside_the_drawings_of_others_is_its_own_finding() -> None:
    flat = sr(*rectangle(IMAGE, (10, 10, 20, 24)).ContentSequence, pointed(12.0, 22.0), pointed(40.0, 12.0))
    drawn, (place,), rejected = read(flat)
    assert (len(drawn), place.point, rejected) == (1, PointPx(40.0, 12.0), ["point_of_a_drawing"])


def test_a_point_repeated_below_each_number_is_one_place() -> None:
    numbers = [num(("1", "99X", name), 3.0, "1", pointed(4.0, 5.0)) for name in ("Mean", "Maximum")]
    _, places, rejected = read(tid1500(group(*numbers)))
    assert (len(places), rejected) == (1, [])


def test_several_points_of_one_item_are_one_place_in_their_middle() -> None:
    points = scoord("MULTIPOINT", [(2, 3), (4, 9), (12, 3)], image(IMAGE), relationship="CONTAINS")
    _, (place,), _ = read(tid1500(group(points)))
    assert place.point == PointPx(6.0, 5.0)


def test_two_points_with_a_length_are_a_line_and_without_one_a_place() -> None:
    """Reports made from AIM hold a line so (PS3.21 A.6)."""
    two = scoord("MULTIPOINT", LONG, image(IMAGE))
    (line,), _, _ = read(tid1500(group(num(LENGTH, 20.0, "mm", two))))
    assert (line.long_axis, line.stated_long_axis_mm) == (Axis(PointPx(*LONG[0]), PointPx(*LONG[1])), 20.0)
    drawn, (place,), _ = read(tid1500(group(num(("1", "99X", "Count"), 2.0, "1", two))))
    assert (drawn, place.point) == ([], PointPx(26.0, 18.0))


@pytest.mark.parametrize("kind", ["POLYLINE", "POINT"])
def test_an_arrow_is_the_place_of_its_head_with_its_text(kind: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the code is longer than a code value may be
        typed = code(FINDING, ("CORNERSTONEFREETEXT", "CORNERSTONEJS", "new nodule"))
    arrow = scoord(kind, LONG if kind == "POLYLINE" else LONG[:1], image(IMAGE))
    marked = group(typed, num(("1", "99X", "Text"), None, "1", arrow), tracking_uid="1.9",
                   tracking_id="Cornerstone3DTools@^0.1.0:ArrowAnnotate")  # fmt: skip
    drawn, (place,), rejected = read(tid1500(marked))
    assert (drawn, rejected, place.point) == ([], [], PointPx(*LONG[0]))
    assert place.finding == Code("", "", "new nodule")


def test_a_line_of_a_lesion_that_is_called_a_narrowing_is_no_arrow() -> None:
    ds = tid1500(group(measured_line(LENGTH, LONG, IMAGE), tracking_uid="1.9", tracking_id="Narrowing 1"))
    drawn, places, _ = read(ds)
    assert (len(drawn), places) == (1, [])


def test_what_places_a_label_or_a_plane_is_no_place_of_a_finding() -> None:
    label = text(("125309", "DCM", "Short label"), "{length}", item(
        "SCOORD", ("122438", "DCM", "Reference Points"), image(IMAGE), relationship="HAS PROPERTIES",
        GraphicType="POINT", GraphicData=[7.0, 20.0]), relationship="HAS CONCEPT MOD")  # fmt: skip
    drawn, places, rejected = read(tid1500(group(label, measured_line(LENGTH, LONG, IMAGE))))
    assert (len(drawn), places, rejected) == (1, [], ["point_of_a_drawing"])
    assert drawn[0].comment == ""


def test_a_drawing_on_a_computed_plane_is_not_laid_on_the_image_it_names() -> None:
    plane = item(
        "SCOORD3D", ("128773", "DCM", "Reference Geometry"), relationship="HAS PROPERTIES", GraphicType="MULTIPOINT",
        GraphicData=[52.0, -73.0, 108.0, -1.0, 0.0, 0.0, 0.0, 0.0, -1.0], ReferencedFrameOfReferenceUID="1.7",
    )  # fmt: skip
    drawn, places, rejected = read(sr(scoord("POLYLINE", LONG, image(IMAGE), plane, relationship="CONTAINS")))
    assert (drawn, places, rejected) == ([], [], ["reformatted_plane", "point_of_a_drawing"])


class OneSlice(NoImages):
    """A coronal slice, 3 mm between columns and 2 mm between rows."""

    plane = Plane(PointMm(-60.0, 12.0, 90.0), (1.0, 0.0, 0.0), (0.0, 0.0, -1.0), PixelSpacing(2.0, 3.0))

    def find(self, image: ImageReference) -> KnownImage | None:
        return KnownImage(48, 64, self.plane.spacing, self.plane)

    def in_frame_of_reference(self, frame_of_reference_uid: str) -> PlaneStack:
        return PlaneStack([(ImageReference(IMAGE), self.plane)] if frame_of_reference_uid == "1.7" else [])


def test_a_point_in_millimetres_lies_on_its_slice() -> None:
    ds = tid1500(group(scoord3d("POINT", [(-30.0, 12.2, 70.0)], frame_of_reference="1.7")))
    _, (place,), _ = read(ds, OneSlice())
    assert (place.point, place.image) == (PointPx(10.0, 10.0), ImageReference(IMAGE))
    assert read(ds)[2] == ["no_plane"]


def test_an_ellipsoid_is_no_drawing_on_one_image() -> None:
    axes = [(0.0, 12.0, 70.0), (9.0, 12.0, 70.0), (4.0, 12.0, 66.0), (4.0, 12.0, 74.0), (4.0, 8.0, 70.0), (4, 16, 70)]
    _, _, rejected = read(tid1500(group(scoord3d("ELLIPSOID", axes, frame_of_reference="1.7"))), OneSlice())
    assert rejected == ["a_solid"]


def test_places_that_lie_outside_all_lesions_of_their_container_keep_what_stands_above_to_themselves() -> None:
    first, second = (container(None, text(COMMENT, name), pointed(col, 5.0)) for name, col in (("A", 4.0), ("B", 9.0)))
    _, places, _ = read(sr(first, second))
    assert [place.comment for place in places] == ["A", "B"]


@pytest.mark.slow
def test_a_report_of_twenty_thousand_points_ends_at_its_limit_in_seconds() -> None:
    ds = tid1500(bidirectional(IMAGE, LONG, SHORT), *(group(pointed(n % 60, n % 40)) for n in range(20_000)))
    start = process_time()
    drawn, places, rejected = read(ds)
    assert (len(drawn), len(places), rejected) == (1, 4_998, ["too_many_drawings"])
    assert process_time() - start < 10


@pytest.mark.slow
def test_thousands_of_points_beside_thousands_of_regions_are_read_in_seconds() -> None:
    regions = [rectangle(IMAGE, (n % 50, n % 30, n % 50 + 5, n % 30 + 8)).ContentSequence[0] for n in range(2_400)]
    start = process_time()
    read(sr(*regions, *(pointed(n / 50, n % 40) for n in range(2_400))))
    assert process_time() - start < 10
