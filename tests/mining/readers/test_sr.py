"""Any report is read by concept: the layouts that writers use, and what is left over."""

import warnings
from time import process_time

import pytest
from builders import (
    AREA,
    COMMENT,
    DEVICE,
    FINDING,
    LENGTH,
    LONG_AXIS,
    LUNG,
    NODULE,
    SEG,
    SHORT_AXIS,
    SITE,
    bidirectional,
    code,
    container,
    graphic,
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

from db.geometry import Axis, PixelSpacing, Plane, PointMm, PointPx
from db.measurement import ImageReference, Measurement, Rejected
from mining.known_images import KnownImage, NoImages
from mining.plane_stack import PlaneStack
from mining.readers.sr import read_sr

IMAGE = "1.2.3.4"
LONG, SHORT = ((20.0, 10.0), (32.0, 26.0)), ((32.0, 16.0), (20.0, 19.5))


class Anisotropic(NoImages):
    """Every image is here, with rows 2 mm and columns 0.5 mm apart."""

    def find(self, image: ImageReference) -> KnownImage | None:
        return KnownImage(48, 64, PixelSpacing(2.0, 0.5))


def read(ds: Dataset) -> tuple[list[Measurement], list[tuple[str, str]]]:
    found = list(read_sr(ds))
    rejected = [(r.source_item, r.reason_code) for r in found if isinstance(r, Rejected)]
    return [m for m in found if isinstance(m, Measurement)], rejected


def line(points: tuple[tuple[float, float], tuple[float, float]]) -> Axis:
    return Axis(PointPx(*points[0]), PointPx(*points[1]))


CODES = [
    (LONG_AXIS, SHORT_AXIS),
    (("G-A185", "SRT", "Long Axis"), ("G-A186", "SRT", "Short Axis")),
    (("X1", "99VENDOR", "LONG AXIS"), ("X2", "99VENDOR", "short axis")),
]


@pytest.mark.parametrize("codes", CODES)
def test_both_axes_are_found_by_any_of_their_codes(codes: tuple[tuple[str, str, str], tuple[str, str, str]]) -> None:
    (found,), rejected = read(tid1500(bidirectional(IMAGE, LONG, SHORT, stated=(20.0, 12.5), codes=codes)))
    assert not rejected
    assert (found.long_axis, found.short_axis) == (line(LONG), line(SHORT))
    assert (found.stated_long_axis_mm, found.stated_short_axis_mm, found.derived) == (20.0, 12.5, False)
    assert found.image == ImageReference(IMAGE)


def test_the_longer_axis_in_the_patient_is_the_long_one_with_its_own_statement() -> None:
    across, down = ((10.0, 15.0), (30.0, 15.0)), ((20.0, 10.0), (20.0, 22.0))  # 10 mm and 24 mm
    ds = tid1500(bidirectional(IMAGE, across, down, stated=(10.0, 24.0)))
    (found,) = read_sr(ds, Anisotropic())
    assert isinstance(found, Measurement)
    assert (found.long_axis, found.stated_long_axis_mm) == (line(down), 24.0)
    assert (found.short_axis, found.stated_short_axis_mm) == (line(across), 10.0)


def test_what_is_said_of_a_lesion_comes_with_it() -> None:
    said = [code(FINDING, NODULE), code(SITE, LUNG, "HAS CONCEPT MOD"), text(COMMENT, "TL1")]
    (found,), _ = read(tid1500(bidirectional(IMAGE, LONG, SHORT, *said, tracking_uid="1.9"), reader="One^Reader"))
    assert found.finding is not None and found.finding.value == "27925004"
    assert found.site is not None and found.site.meaning == "Lung"
    assert (found.comment, found.tracking_uid, found.reader) == ("TL1", "1.9", "One^Reader")
    assert found.measured_at is not None and found.measured_at.isoformat() == "2026-03-02T09:30:00+00:00"


def test_what_is_said_of_one_lesion_is_not_said_of_the_next() -> None:
    first = bidirectional(IMAGE, LONG, SHORT, code(FINDING, NODULE), tracking_uid="1.9")
    second = measured_line(LENGTH, ((1.0, 2.0), (9.0, 2.0)), IMAGE, 4.0)
    found, _ = read(tid1500(first, group(second, tracking_uid="1.10", tracking_id="L2")))
    assert [m.tracking_uid for m in found] == ["1.9", "1.10"]
    assert [m.finding is None for m in found] == [False, True]


def test_what_a_finding_says_counts_for_the_measurements_in_containers_below_it() -> None:
    said = [code(FINDING, NODULE), code(SITE, LUNG, "HAS CONCEPT MOD")]
    drawn = container(None, container(None, measured_line(LONG_AXIS, LONG, IMAGE)))
    (found,), _ = read(sr(container(("121070", "DCM", "Findings"), *said, drawn)))
    assert (found.finding and found.finding.meaning, found.site and found.site.meaning) == ("Nodule", "Lung")


def test_the_lines_of_one_group_are_one_lesion_though_each_has_a_container_of_its_own() -> None:
    inner = [container(None, measured_line(c, line, IMAGE)) for c, line in ((LONG_AXIS, LONG), (SHORT_AXIS, SHORT))]
    (found,), rejected = read(tid1500(group(*inner, tracking_uid="1.9")))
    assert (found.short_axis, found.tracking_uid, rejected) == (line(SHORT), "1.9", [])


def test_the_root_is_no_group_of_one_lesion_where_it_holds_containers() -> None:
    def outlined(uid: str, size: float) -> Dataset:
        ring = [(10, 10), (10 + size, 12), (8 + size, 20), (12, 22), (10, 10)]
        return container(None, scoord("POLYLINE", ring, image(uid), relationship="CONTAINS"))

    found, rejected = read(sr(outlined("1.1", 9), outlined("1.2", 21), root=("125007", "DCM", "Measurement Group")))
    assert (len(found), rejected) == (2, [])


CATEGORY = ("276214006", "SCT", "Finding category")
ANATOMY = ("91723000", "SCT", "Anatomical structure")


@pytest.mark.parametrize(
    ("category", "finding", "is_lesion"),
    [
        (ANATOMY, ("15825003", "SCT", "Aorta"), False),
        (ANATOMY, ("59441001", "SCT", "Lymph node"), True),
        (("49755003", "SCT", "Morphologically Abnormal Structure"), NODULE, True),
        (("Q1", "99X", "Quality"), ("Q2", "99X", "Sharp"), True),
    ],
)
def test_what_a_group_calls_anatomy_is_no_lesion(
    category: tuple[str, str, str], finding: tuple[str, str, str], is_lesion: bool
) -> None:
    said = [code(CATEGORY, category), code(FINDING, finding)]
    drawn = group(
        *said, measured_line(LONG_AXIS, LONG, IMAGE, 20.0), num(AREA, 3.0, "mm2"), tracking_uid="1.9", tracking_id="M1"
    )
    found, rejected = read(tid1500(drawn))
    assert (len(found), [code for _, code in rejected]) == ((1, []) if is_lesion else (0, ["anatomy_not_lesion"]))


def test_a_tracking_identifier_that_names_a_lesion_goes_before_the_category() -> None:
    drawn = group(code(CATEGORY, ANATOMY), measured_line(LONG_AXIS, LONG, IMAGE), tracking_uid="1.9")
    assert len(read(tid1500(drawn))[0]) == 1, "it is called Lesion 1"


@pytest.mark.parametrize("root", ["125000", "125200", "122292", "113701"])
def test_a_report_on_hearts_vessels_fetuses_or_doses_measures_no_lesions(root: str) -> None:
    ds = sr(measured_line(LENGTH, LONG, IMAGE, 20.0), root=(root, "DCM", "Procedure Report"))
    assert read(ds) == ([], [("1", "not_about_lesions")])


def test_a_device_without_a_person_is_an_algorithm() -> None:
    (found,), _ = read(sr(text(DEVICE, "OtherNet"), container(None, bidirectional(IMAGE, LONG, SHORT))))
    assert found.by_algorithm == "OtherNet"


def test_a_length_alone_is_a_long_axis_without_a_short_one() -> None:
    (found,), _ = read(tid1500(group(measured_line(LENGTH, LONG, IMAGE, 2.0, "cm"), tracking_uid="1.9")))
    assert (found.short_axis, found.stated_long_axis_mm) == (None, 20.0)


@pytest.mark.parametrize(("value", "unit"), [(20.0, "1"), (None, "mm"), (300.0, "mm2"), ("abc", "mm")])
def test_what_is_no_length_is_not_stated(value: float | str | None, unit: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ds = sr(num(LENGTH, None if value == "abc" else value, unit, scoord("POLYLINE", LONG, image(IMAGE))))
        if value == "abc":
            ds.ContentSequence[0] = num(LENGTH, 1.0, unit, scoord("POLYLINE", LONG, image(IMAGE)))
            measured = ds.ContentSequence[0].MeasuredValueSequence[0]
            del measured.NumericValue
            measured.add_new(0x0040A30A, "LO", "abc")
    (found,), _ = read(ds)
    assert found.stated_long_axis_mm is None


def test_two_unnamed_lines_that_cross_are_one_lesion() -> None:
    flat = sr(*(measured_line(LENGTH, axis, IMAGE) for axis in (LONG, SHORT)), root=None)
    (found,), _ = read(flat)
    assert (found.long_axis, found.short_axis) == (line(LONG), line(SHORT))


def test_a_drawing_below_a_text_is_paired_with_the_number_in_a_sibling() -> None:
    drawn = container(
        None, text(COMMENT, "lesion", scoord("POLYLINE", LONG, image(IMAGE), relationship="HAS PROPERTIES"))
    )
    named = num(("121206", "DCM", "Distance"), 19.9, "mm", code(FINDING, LONG_AXIS, "HAS CONCEPT MOD"))
    (found,), rejected = read(sr(container(None, drawn, container(None, named))))
    assert found.stated_long_axis_mm == 19.9
    assert not rejected


def test_flat_drawings_and_numbers_are_paired_in_their_order() -> None:
    other = ((5.0, 5.0), (9.0, 5.0))
    items = [
        scoord("POLYLINE", LONG, image(IMAGE), relationship="CONTAINS"), num(LENGTH, 20.0, "mm"),
        scoord("POLYLINE", other, image(IMAGE), relationship="CONTAINS"), num(LENGTH, 4.0, "mm"),
    ]  # fmt: skip
    found, rejected = read(sr(*items))
    assert [m.stated_long_axis_mm for m in found] == [20.0, 4.0]
    assert not rejected


def test_a_number_that_names_its_drawing_by_reference_has_it() -> None:
    drawn = scoord("POLYLINE", LONG, image(IMAGE), relationship="CONTAINS")
    pointing = item("", None, relationship="INFERRED FROM", ReferencedContentItemIdentifier=[1, 1])
    (found,), _ = read(sr(drawn, num(LONG_AXIS, 20.0, "mm", pointing), num(LENGTH, 3.0, "mm")))
    assert found.stated_long_axis_mm == 20.0


def test_a_box_around_drawn_axes_is_no_second_lesion() -> None:
    ds = tid1500(
        rectangle(IMAGE, (18.0, 8.0, 34.0, 28.0), "1.9"), bidirectional(IMAGE, LONG, SHORT, tracking_uid="1.10")
    )
    (found,), rejected = read(ds)
    assert not found.derived
    assert [reason for _, reason in rejected] == ["axes_are_drawn"]


def test_a_box_alone_gives_derived_axes_and_its_own_extent() -> None:
    (found,), _ = read(tid1500(rectangle(IMAGE, (18.0, 8.0, 34.0, 28.0))))
    assert found.derived
    assert (found.long_axis.length_px, found.short_axis and found.short_axis.length_px) == (20.0, 16.0)
    assert (found.box.x1, found.box.y1, found.box.x2, found.box.y2) == (13.0, 3.0, 39.0, 33.0)


def test_half_axes_of_an_ellipse_are_kept_as_stated_and_measured_by_geometry() -> None:
    ellipse = scoord("ELLIPSE", [(10, 20), (30, 20), (20, 14), (20, 26)], image(IMAGE), relationship="CONTAINS")
    (found,), _ = read(
        tid1500(group(ellipse, num(LONG_AXIS, 10.0, "mm"), num(SHORT_AXIS, 6.0, "mm"), tracking_uid="1"))
    )
    assert (found.long_axis.length_px, found.stated_long_axis_mm, found.stated_short_axis_mm) == (20.0, 10.0, 6.0)
    assert found.derived


def test_a_contour_over_several_slices_is_measured_where_it_is_longest() -> None:
    def contour(uid: str, size: float) -> Dataset:
        ring = [(10, 10), (10 + size, 12), (8 + size, 20), (12, 22), (10, 10)]
        return scoord("POLYLINE", ring, image(uid), relationship="CONTAINS")

    (found,), rejected = read(tid1500(group(contour("1.1", 9), contour("1.2", 21), tracking_uid="1")))
    assert found.image == ImageReference("1.2")
    assert [reason for _, reason in rejected] == ["smaller_slice"]


@pytest.mark.parametrize(
    ("ds", "reason"),
    [
        (sr(num(LENGTH, 3.0, "mm", scoord("POLYLINE", [(4, 5), (4, 5)], image(IMAGE)))), "zero_length"),
        (sr(num(LENGTH, 3.0, "mm", scoord("POLYLINE", LONG))), "no_image_reference"),
        (sr(num(LENGTH, 3.0, "mm", scoord("SPIRAL", LONG, image(IMAGE)))), "unknown_graphic"),
        (sr(num(LENGTH, 3.0, "mm", scoord("POLYLINE", [(1, 1), (5, 9), (30, 2)], image(IMAGE)))), "open_polyline"),
        (sr(num(LENGTH, 3.0, "mm", scoord("POLYLINE", [(1, 1), (float("nan"), 9)], image(IMAGE)))), "bad_coordinates"),
        (sr(num(LENGTH, 3.0, "mm", scoord("POLYLINE", LONG, image(IMAGE, frames=[2, 3])))), "ambiguous_image"),
        (sr(num(("1", "99", "Angle"), 30.0, "deg", scoord("POLYLINE", LONG, image(IMAGE)))), "an_angle"),
        (sr(num(LENGTH, 3.0, "mm")), "no_coordinates"),
        (sr(num(AREA, 3.0, "mm2")), "not_a_length"),
        (sr(container(None, image(IMAGE, sop_class_uid=SEG))), "segment_not_here"),
        (sr(measured_line(SHORT_AXIS, SHORT, IMAGE, 3.0)), "short_axis_alone"),
        (sr(), "no_measurement"),
    ],
)
def test_all_else_is_rejected_with_a_reason(ds: Dataset, reason: str) -> None:
    found, rejected = read(ds)
    assert not found
    assert [code for _, code in rejected] == [reason]


@pytest.mark.slow
def test_a_report_of_five_thousand_lines_is_read_in_seconds() -> None:
    ds = tid1500(*(bidirectional(IMAGE, LONG, SHORT) for _ in range(2500)))
    start = process_time()
    assert len(list(read_sr(ds))) == 2500
    assert process_time() - start < 10


@pytest.mark.slow
def test_thousands_of_unnamed_lines_in_one_container_are_read_in_seconds() -> None:
    lines = [((0.0, float(n)), (9.0, float(n) + 0.5)) for n in range(3000)]
    start = process_time()
    assert len(read(sr(*(measured_line(LENGTH, one, IMAGE) for one in lines)))[0]) == 3000
    assert process_time() - start < 10


def test_a_graphic_of_a_presentation_state_is_no_content_item() -> None:
    ds = sr()
    ds.ContentSequence = [graphic("POLYLINE", LONG)]
    found, rejected = read(ds)
    assert not found and [code for _, code in rejected] == ["no_image_reference"]


class Counting(NoImages):
    """Thirty slices of one frame of reference, which count how often they are asked for."""

    def __init__(self) -> None:
        self.asked = 0
        spacing = PixelSpacing(2.0, 0.5)
        self._planes = [Plane(PointMm(-16.0, -48.0, 3.0 * n), (1, 0, 0), (0, 1, 0), spacing) for n in range(30)]
        self._stack = PlaneStack([(ImageReference(f"{IMAGE}.{n}"), plane) for n, plane in enumerate(self._planes)])

    def find(self, image: ImageReference) -> KnownImage | None:
        self.asked += 1
        plane = self._planes[int(image.sop_instance_uid.removeprefix(f"{IMAGE}."))]
        return KnownImage(48, 64, plane.spacing, plane)

    def in_frame_of_reference(self, frame_of_reference_uid: str) -> PlaneStack:
        return self._stack if frame_of_reference_uid == "1.7" else PlaneStack()


def test_drawings_in_millimetres_ask_for_their_own_slice_alone() -> None:
    """Each of many contours against each slice of a large study would be minutes of a harvest."""
    ends = [[(0.0, 4.0 + n / 10, 3.0 * (n % 30)), (9.0, 4.0, 3.0 * (n % 30))] for n in range(60)]
    drawn = [group(num(LONG_AXIS, 9.0, "mm", scoord3d("POLYLINE", line, frame_of_reference="1.7"))) for line in ends]
    images = Counting()
    found = [m for m in read_sr(tid1500(*drawn), images) if isinstance(m, Measurement)]
    assert [m.image.sop_instance_uid for m in found] == [f"{IMAGE}.{n % 30}" for n in range(60)]
    assert images.asked == 60


@pytest.mark.parametrize(
    "concept", [("33728-7", "LN", "Size.maximum dimension in Tumor"), ("D1", "99VENDOR", "Durchmesser")]
)
def test_a_number_right_above_a_line_states_its_length_whatever_it_is_called(concept: tuple[str, str, str]) -> None:
    (found,), _ = read(tid1500(group(measured_line(concept, LONG, IMAGE, 2.0, "cm"))))
    assert found.stated_long_axis_mm == 20.0


def test_a_perimeter_above_an_outline_states_no_axis() -> None:
    ring = ((10.0, 10.0), (20.0, 10.0), (20.0, 16.0), (10.0, 16.0), (10.0, 10.0))
    perimeter = num(("131191004", "SCT", "Perimeter"), 32.0, "mm", scoord("POLYLINE", ring, image(IMAGE)))
    (found,), _ = read(tid1500(group(perimeter)))
    assert (found.derived, found.stated_long_axis_mm) == (True, None)


KIDNEY = code(FINDING, ("64033007", "SCT", "Kidney"))


@pytest.mark.parametrize(
    ("said", "concept", "reason_code"),
    [
        (KIDNEY, LENGTH, "anatomy_not_lesion"),
        (code(FINDING, ("T-42000", "SRT", "Aorta")), LENGTH, "anatomy_not_lesion"),
        (text(FINDING, "Aortic root"), LENGTH, "not_a_measurement"),
        (text(("125309", "DCM", "Short label"), "Calibration"), LENGTH, "not_a_measurement"),
        (code(SITE, LUNG), ("11820-8", "LN", "Biparietal Diameter"), "not_a_measurement"),
        (code(SITE, LUNG), ("X1", "99VENDOR", "Aortic diameter"), "not_a_measurement"),
    ],
)
def test_the_size_of_an_organ_and_a_scale_are_no_lesions(
    said: Dataset, concept: tuple[str, str, str], reason_code: str
) -> None:
    found, rejected = read(tid1500(group(said, measured_line(concept, LONG, IMAGE, 20.0))))
    assert not found
    assert [code for _, code in rejected] == [reason_code]


@pytest.mark.parametrize(
    ("said", "tracking_id"),
    [
        (KIDNEY, "Lesion 1"),
        (text(FINDING, "Kidney"), ""),
        (code(SITE, ("64033007", "SCT", "Kidney")), ""),
        (text(COMMENT, "next to the aortic root, 23 mm"), ""),
    ],
)
def test_a_lesion_that_is_labelled_by_its_organ_stays(said: Dataset, tracking_id: str) -> None:
    lesion = group(said, measured_line(LENGTH, LONG, IMAGE, 20.0), tracking_uid="1.2.3", tracking_id=tracking_id)
    found, rejected = read(tid1500(lesion))
    assert (len(found), rejected) == (1, [])


@pytest.mark.parametrize("unit", ["deg", "degree", "degrees", "°", "rad"])
def test_an_angle_is_known_by_any_name_of_its_unit(unit: str) -> None:
    angle = num(("105-1", "99VENDOR", "Angle"), 12.0, unit, scoord("POLYLINE", (*LONG, SHORT[0]), image(IMAGE)))
    _, rejected = read(tid1500(group(angle)))
    assert [code for _, code in rejected] == ["an_angle"]
