"""Structure sets: contours, points and lines in the patient, and what is no lesion."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from builders import OBLIQUE, SERIES, SPACING, Point, ct_series
from builders_regions import Roi, contour, on_slice, rtstruct
from held_images import HeldImages
from pydicom import dcmread
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items
from pydicom.tag import Tag

from db.codes import Code
from db.geometry import PixelSpacing, PointPx
from db.measurement import Found, ImageReference, Measurement, Rejected, WeakLabel
from mining.drawings import Unusable
from mining.readers.rt_contours import MAX_CONTOURS, coordinates
from mining.readers.rtstruct import read_rtstruct

CT = ct_series()
MIDDLE = f"{SERIES}.2"
MM = PixelSpacing(*SPACING)


def read(ds: Dataset, images: Sequence[Dataset] = CT) -> tuple[list[Found], list[tuple[str, str]]]:
    found = list(read_rtstruct(ds, HeldImages(images)))
    rejected = [(r.source_item, r.reason_code) for r in found if isinstance(r, Rejected)]
    return [one for one in found if not isinstance(one, Rejected)], rejected


def one(ds: Dataset, images: Sequence[Dataset] = CT) -> Measurement:
    (found,), rejected = read(ds, images)
    assert not rejected
    assert isinstance(found, Measurement)
    return found


def axes(measurement: Measurement) -> tuple[float, float | None]:
    short = measurement.short_axis
    return measurement.long_axis.length_mm(MM), None if short is None else short.length_mm(MM)


def kite(width: float, height: float, col: float = 32.0, row: float = 24.0) -> list[Point]:
    return [(col - width / 2, row), (col, row - height / 2), (col + width / 2, row), (col, row + height / 2)]


def on(slice_number: int, points: Sequence[Point], kind: str = "CLOSED_PLANAR", named: bool = True) -> Dataset:
    image = CT[slice_number - 1]
    return contour(on_slice(image, points), image.SOPInstanceUID if named else None, kind)


GTV = [on(1, kite(12, 5)), on(2, kite(20, 9)), on(3, kite(14, 5))]
"""Longest in the middle: 20 columns of 0.5 mm, 9 rows of 0.8 mm."""


def test_a_region_is_a_measurement_with_all_that_is_said_of_it() -> None:
    ds = rtstruct(Roi(GTV, "GTV left"))
    ds.StructureSetROISequence[0].ROIDescription = "primary"
    found = one(ds)
    assert axes(found) == pytest.approx((10.0, 7.2), abs=1e-3)
    assert (found.source.item, found.source.kind) == ("StructureSetROISequence[1]", "RTSTRUCT")
    assert found.image == ImageReference(MIDDLE)
    assert found.derived
    assert (found.finding, found.tracking_id) == (Code("", "", "GTV left"), "GTV left")
    assert (found.reader, found.by_algorithm, found.comment) == ("Reader^Four", "", "primary")
    assert found.measured_at is not None and found.measured_at.isoformat() == "2026-03-05T12:00:00+00:00"
    outline = found.outline
    assert outline is not None
    assert (outline.x1, outline.y1, outline.x2, outline.y2) == pytest.approx((22, 19.5, 42, 28.5), abs=1e-3)


def test_contours_without_an_image_go_by_the_frame_of_reference() -> None:
    contours = [on(n, kite(10 + n, 5), named=False) for n in (1, 2, 3)]
    assert one(rtstruct(Roi(contours))).image == ImageReference(f"{SERIES}.3")


def test_the_images_that_the_object_refers_to_go_before_others_in_the_same_place() -> None:
    other = ct_series(series_uid=f"{SERIES}.8")
    ds = rtstruct(Roi([on(2, kite(10, 5), named=False)]))
    series, study, frame = Dataset(), Dataset(), Dataset()
    series.ContourImageSequence = contour([(0, 0, 0)], f"{SERIES}.8.2").ContourImageSequence
    study.RTReferencedSeriesSequence = Items([series])
    frame.RTReferencedStudySequence = Items([study])
    ds.ReferencedFrameOfReferenceSequence = Items([frame])
    assert one(ds, [*CT, *other]).image == ImageReference(f"{SERIES}.8.2")


def test_a_hole_and_a_piece_beside_it_lie_on_one_slice() -> None:
    rings = [on(2, kite(20, 10)), on(2, kite(40, 20)), on(2, kite(18, 4, 50, 40))]
    (found, *_), rejected = read(rtstruct(Roi(rings)))
    assert isinstance(found, Measurement)
    assert axes(found) == pytest.approx((20.0, 8.0), abs=1e-2)
    assert rejected == []  # 9 mm are less than half of 20 mm: a splinter
    _, rejected = read(rtstruct(Roi([*rings, on(2, kite(24, 4, 50, 44))])))
    assert rejected == [("StructureSetROISequence[1]", "other_pieces")]


def test_holes_by_the_xor_type_and_without_an_image_are_the_same() -> None:
    rings = [on(2, kite(w, h), "CLOSEDPLANAR_XOR", named=False) for w, h in ((40, 20), (20, 10))]
    assert axes(one(rtstruct(Roi(rings)))) == pytest.approx((20.0, 8.0), abs=1e-2)


def test_a_contour_between_two_slices_lies_on_the_nearer_image() -> None:
    between = contour(on_slice(CT[1], kite(20, 9), off_mm=1.0))
    assert one(rtstruct(Roi([between]))).image == ImageReference(MIDDLE)


def test_a_point_is_a_weak_label() -> None:
    (found,), rejected = read(rtstruct(Roi([on(2, [(30.0, 20.0)], "POINT")], "Lesion", "")))
    assert not rejected
    assert isinstance(found, WeakLabel)
    assert found.point is not None and found.point.distance_px(PointPx(30.0, 20.0)) < 1e-3
    assert (found.image, found.source.item) == (ImageReference(MIDDLE), "StructureSetROISequence[1].ContourSequence[1]")
    assert found.reader == "Reader^Four"


def test_a_point_between_two_slices_is_placed_like_a_contour() -> None:
    between = contour(on_slice(CT[1], [(30.0, 20.0)], off_mm=1.0), kind="POINT")
    (found,), _ = read(rtstruct(Roi([between])))
    assert found.image == ImageReference(MIDDLE)  # type: ignore[union-attr]


def test_an_open_line_of_two_points_is_a_drawn_diameter() -> None:
    found = one(rtstruct(Roi([on(2, [(20.0, 10.0), (32.0, 26.0)], "OPEN_PLANAR")])))
    assert axes(found) == (pytest.approx(np.hypot(6.0, 12.8), abs=1e-3), None)
    assert not found.derived
    assert found.outline is None


def test_an_open_line_of_many_points_is_no_diameter() -> None:
    line = on(2, [(20, 10), (32, 26), (50, 11)], "OPEN_NONPLANAR")
    assert read(rtstruct(Roi([line]))) == ([], [("StructureSetROISequence[1].ContourSequence[1]", "open_polyline")])


@pytest.mark.parametrize(
    ("name", "interpreted", "reason"),
    [
        ("GTV", "GTV", None),
        ("Volume 7", "GTV", None),
        ("Lesion 2", "", None),
        ("PTV", "PTV", "treatment_margin"),
        ("Volume 7", "CTV", "treatment_margin"),
        ("CTV high", "", "treatment_margin"),
        ("PTV", "GTV", "treatment_margin"),
        ("Liver", "ORGAN", "anatomy_not_lesion"),
        ("BODY", "EXTERNAL", "anatomy_not_lesion"),
        ("Couch", "SUPPORT", "anatomy_not_lesion"),
        ("Iso", "ISOCENTER", "anatomy_not_lesion"),
        ("Lungs-GTV", "AVOIDANCE", "anatomy_not_lesion"),
        ("Lesion 2", "ORGAN", "unclear_region"),
        ("Lungs-GTV", "", "unclear_region"),
        ("ROI-1", "", "unclear_region"),
    ],
)
def test_the_interpreted_type_and_the_name_say_what_is_a_lesion(
    name: str, interpreted: str, reason: str | None
) -> None:
    found, rejected = read(rtstruct(Roi(GTV, name, interpreted)))
    assert rejected == ([] if reason is None else [("StructureSetROISequence[1]", reason)])
    assert len(found) == (1 if reason is None else 0)


def test_a_coded_region_needs_no_name() -> None:
    ds = rtstruct(Roi(GTV, "Volume 7", ""))
    nodule = Dataset()
    nodule.CodeValue, nodule.CodingSchemeDesignator, nodule.CodeMeaning = "27925004", "SCT", "Nodule"
    ds.RTROIObservationsSequence[0].RTROIIdentificationCodeSequence = Items([nodule])
    assert one(ds).finding == Code("27925004", "SCT", "Nodule")


def test_an_automatic_region_is_an_algorithms() -> None:
    assert one(rtstruct(Roi(GTV, generated="AUTOMATIC"))).by_algorithm == "unnamed algorithm"
    assert one(rtstruct(Roi(GTV, generated="SEMIAUTOMATIC"))).by_algorithm == ""


def test_the_reviewer_counts_where_nobody_interpreted() -> None:
    ds = rtstruct(Roi(GTV))
    ds.RTROIObservationsSequence = Items([])
    ds.StructureSetROISequence[0].ROIName = "GTV"
    ds.ReviewerName = "Reader^Five"
    assert one(ds).reader == "Reader^Five"


@pytest.mark.parametrize(
    ("contours", "images", "reason"),
    [
        (GTV, CT[2:], "no_plane"),  # the longest slice is not here, so a shorter one does not stand for it
        ([on(2, kite(20, 9), named=False)], [], "no_plane"),
        ([contour(on_slice(CT[2], kite(20, 9), 9.0))], CT, "off_plane"),
        ([], CT, "empty_region"),
        ([on(2, [(1, 1), (9, 9)])], CT, "too_few_points"),
        ([on(2, [(4, 4)] * 5)], CT, "too_few_points"),
        ([contour([(0.0, 0.0, float("nan"))] * 3)], CT, "bad_coordinates"),
        ([on(2, kite(20, 9))] * (MAX_CONTOURS + 1), CT, "too_many_contours"),
    ],
)
def test_contours_that_lie_on_no_image_are_rejected(
    contours: list[Dataset], images: list[Dataset], reason: str
) -> None:
    assert read(rtstruct(Roi(contours)), images) == ([], [("StructureSetROISequence[1]", reason)])


def test_a_contour_across_the_images_is_off_their_planes() -> None:
    along, upright = np.array(OBLIQUE[:3]), np.cross(OBLIQUE[:3], OBLIQUE[3:])
    middle = np.array(on_slice(CT[1], [(30.0, 20.0)])[0])
    ring = [middle + x * along + z * upright for x, z in ((-3, 0), (0, -0.4), (3, 0), (0, 0.4))]
    assert read(rtstruct(Roi([contour(ring)]))) == ([], [("StructureSetROISequence[1]", "off_plane")])


def test_regions_find_their_contours_by_number() -> None:
    ds = rtstruct(Roi([on(2, kite(20, 9))]), Roi([on(2, kite(30, 9))], "Lesion", ""))
    ds.ROIContourSequence = Items(reversed(ds.ROIContourSequence))
    found, _ = read(ds)
    assert [m.long_axis.length_mm(MM) for m in found if isinstance(m, Measurement)] == pytest.approx(
        [10.0, 15.0], abs=1e-3
    )


def test_an_object_without_regions_is_rejected() -> None:
    assert read(rtstruct()) == ([], [("StructureSetROISequence", "no_measurement")])


# --- Contour Data as it stands in a file ------------------------------------------------------------------------


def raw(content: bytes, vr: str | None = "DS") -> Dataset:
    ds = Dataset()
    tag = Tag(0x3006, 0x0050)
    ds[tag] = RawDataElement(tag, vr, len(content), content, 0, vr is None, True)
    return ds


@pytest.mark.parametrize("vr", ["DS", "UN", None])
def test_numbers_are_read_from_the_bytes(vr: str | None) -> None:
    found = coordinates(raw(b"1.5\\-2\\3e1\\ 4 \\5\\6 ", vr), room=2)
    assert not isinstance(found, Unusable)
    assert found.tolist() == [[1.5, -2.0, 30.0], [4.0, 5.0, 6.0]]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"1\\2", "bad_coordinates"),
        (b"1\\2\\x", "bad_coordinates"),
        (b"1\\2\\nan", "bad_coordinates"),
        (b"1\\2\\1e99", "bad_coordinates"),
        (b"1\\2\\" + b"3" * 1_000_000, "bad_coordinates"),
        (b"1\\2\\3\\1\\2\\3\\1\\2\\3", "too_many_points"),
    ],
)
def test_bytes_that_are_no_triples_are_rejected(content: bytes, reason: str) -> None:
    found = coordinates(raw(content), room=2)
    assert isinstance(found, Unusable)
    assert found.reason_code == reason


def test_no_contour_data_are_no_points() -> None:
    for ds in (Dataset(), raw(b"")):
        found = coordinates(ds, room=2)
        assert not isinstance(found, Unusable)
        assert found.shape == (0, 3)


@pytest.mark.filterwarnings("ignore:The value for the data element:UserWarning")
def test_a_contour_of_more_than_64_kib_comes_back_from_a_file(tmp_path: Path) -> None:
    """An explicit VR has no room for it, so it is written as UN."""
    turn = np.linspace(0, 2 * np.pi, 20_000, endpoint=False)
    ring = [(32 + 20 * np.cos(t), 24 + 10 * np.sin(t)) for t in turn]
    path = tmp_path / "rt.dcm"
    rtstruct(Roi([on(2, ring)])).save_as(path, enforce_file_format=True)
    found = one(dcmread(path))
    assert axes(found) == pytest.approx((20.0, 16.0), abs=1e-2)
    assert found.outline is not None
    assert (found.outline.x1, found.outline.y2) == pytest.approx((12.0, 34.0), abs=1e-3)
