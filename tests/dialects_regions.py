"""Dialects of regions: segmentations, structure sets, and reports that refer to a segment."""

from collections.abc import Callable, Sequence

from builders import FINDING, NODULE, SERIES, Point, code, ct_series, group, num, tid1500
from builders_regions import (
    ANATOMY,
    LIVER,
    TISSUE,
    Frame,
    Roi,
    contour,
    on_slice,
    plus,
    referenced_segment,
    rtstruct,
    seg,
    segment,
)
from dialect import Dialect, Row
from pydicom.dataset import Dataset

CT = ct_series()
MIDDLE = f"{SERIES}.2"
ORIGINS = [image.ImagePositionPatient for image in CT]
BIG = plus(21, 9)
"""On slices of `builders.ct_series`: 21 columns of 0.5 mm and 9 rows of 0.8 mm, so 10.5 and 7.2 mm long."""
FOUND = Row(MIDDLE, 10.5, 7.2, derived=True)


def _mask(
    name: str,
    root: str,
    place: str,
    object_of: Callable[[], Dataset],
    rows: Sequence[Row] = (FOUND,),
    codes: str = "SCT",
    rejections: Sequence[str] = (),
    orientation: str = "oblique",
) -> Dialect:
    return Dialect(
        name=name,
        kind="SEG",
        root=root,
        place=place,
        codes=codes,
        units="pixels of the mask",
        orientation=orientation,
        objects=lambda: [*ct_series(), object_of()],
        rows=rows,
        rejections=rejections,
    )


def _three(middle: Frame) -> list[Frame]:
    """A lesion on three slices, the largest in the middle."""
    return [Frame(plus(11, 5), ORIGINS[0]), middle, Frame(plus(13, 5), ORIGINS[2])]


def _fine() -> Frame:
    """41 columns of 0.25 mm and 17 rows of 0.4 mm, on a grid that begins elsewhere."""
    return Frame(plus(41, 17, (40, 24), 60, 100), on_slice(CT[1], [(12.3, 5.1)])[0], [MIDDLE])


SEG_DIALECTS = [
    _mask(
        "SEG, binary, derived from its image",
        "Segmentation, BINARY",
        "frame > Derivation Image",
        lambda: seg([segment()], [Frame(BIG, ORIGINS[1], [MIDDLE])]),
    ),
    _mask(
        "SEG on three slices without a derivation",
        "Segmentation, BINARY",
        "frame > Plane Position, in the frame of reference",
        lambda: seg([segment()], _three(Frame(BIG, ORIGINS[1]))),
    ),
    _mask(
        "SEG on a finer grid than its image",
        "Segmentation, BINARY",
        "frame > Plane Position, through the patient",
        lambda: seg([segment()], [_fine()], spacing=(0.4, 0.25)),
        rows=[Row(MIDDLE, 10.25, 6.8, derived=True)],
    ),
    _mask(
        "Label map SEG of an organ and a lesion",
        "Label Map Segmentation",
        "label 7 of a frame",
        lambda: seg(
            [segment(2, "Liver", ANATOMY, LIVER), segment(7)],
            [Frame(BIG * 7 + 2 * (plus(5, 5, (50, 40)) > 0), ORIGINS[1], [MIDDLE], None)],
            kind="LABELMAP",
        ),
        rejections=["anatomy_not_lesion"],
    ),
    _mask(
        "SEG of probabilities",
        "Segmentation, FRACTIONAL",
        "at least half of Maximum Fractional Value",
        lambda: seg([segment()], [Frame(plus(31, 19) * 99 + BIG * 1, ORIGINS[1], [MIDDLE])], kind="FRACTIONAL"),
    ),
    _mask(
        "SEG of an algorithm",
        "Segmentation, BINARY",
        "frame > Derivation Image",
        lambda: seg(
            [segment(algorithm="AUTOMATIC", SegmentAlgorithmName="Lesion Finder")], [Frame(BIG, ORIGINS[1], [MIDDLE])]
        ),
        rows=[Row(MIDDLE, 10.5, 7.2, derived=True, truth=False)],
    ),
    _mask(
        "SEG whose label alone says lesion",
        "Segmentation, BINARY",
        "frame > Derivation Image",
        lambda: seg([segment(label="Tumor 1", category=None, kind=None)], [Frame(BIG, ORIGINS[1], [MIDDLE])]),
        codes="none",
    ),
    _mask(
        "SEG of a liver",
        "Segmentation, BINARY",
        "frame > Derivation Image",
        lambda: seg([segment(1, "Liver", ANATOMY, LIVER)], [Frame(BIG, ORIGINS[1], [MIDDLE])]),
        rows=[],
        rejections=["anatomy_not_lesion"],
    ),
]


def _contours(
    name: str,
    place: str,
    object_of: Callable[[], Dataset],
    rows: Sequence[Row],
    rejections: Sequence[str] = (),
    codes: str = "interpreted type",
) -> Dialect:
    return Dialect(
        name=name,
        kind="RTSTRUCT",
        root="RT Structure Set",
        place=place,
        codes=codes,
        units="mm in the patient",
        orientation="oblique",
        objects=lambda: [*ct_series(), object_of()],
        rows=rows,
        rejections=rejections,
    )


def _kite(width: float, height: float) -> list[Point]:
    """Around (32, 24); its diagonals are its axes."""
    return [(32 - width / 2, 24), (32, 24 - height / 2), (32 + width / 2, 24), (32, 24 + height / 2)]


def _gtv(named: bool, off_mm: float = 0.0) -> list[Dataset]:
    """Three kites; the middle one is 20 columns of 0.5 mm and 9 rows of 0.8 mm wide: 10 and 7.2 mm."""
    kites = [_kite(12, 5), _kite(20, 9), _kite(14, 5)]
    return [
        contour(on_slice(image, kite, off_mm), image.SOPInstanceUID if named else None)
        for image, kite in zip(CT, kites, strict=True)
    ]


def _ring_with_hole() -> list[Dataset]:
    """A rectangle of 24 by 10 pixels, 12 by 8 mm, with a hole that leaves 2 mm of every row beyond the middle."""
    outer = [(20.0, 19.0), (44.0, 19.0), (44.0, 29.0), (20.0, 29.0)]
    hole = [(21.0, 20.25), (43.0, 20.25), (43.0, 27.75), (21.0, 27.75)]
    return [contour(on_slice(CT[1], ring), MIDDLE) for ring in (outer, hole)]


MEASURED = Row(MIDDLE, 10.0, 7.2, derived=True)

RTSTRUCT_DIALECTS = [
    _contours(
        "RTSTRUCT, GTV on named images",
        "Contour Image Sequence",
        lambda: rtstruct(Roi(_gtv(named=True), "Volume 1")),
        [MEASURED],
    ),
    _contours(
        "RTSTRUCT without images, named lesion",
        "the frame of reference",
        lambda: rtstruct(Roi(_gtv(named=False), "Lesion 2", interpreted="")),
        [MEASURED],
        codes="ROI name",
    ),
    _contours(
        "RTSTRUCT on slices between the images",
        "the nearer of two images",
        lambda: rtstruct(Roi(_gtv(named=False, off_mm=0.8)[:2])),
        [MEASURED],
    ),
    _contours(
        "RTSTRUCT of an organ and a planning volume",
        "Contour Image Sequence",
        lambda: rtstruct(Roi(_gtv(named=True), "Liver", "ORGAN"), Roi(_gtv(named=True), "PTV 1", "PTV")),
        [],
        ["anatomy_not_lesion", "treatment_margin"],
    ),
    _contours(
        "RTSTRUCT, a point",
        "POINT",
        lambda: rtstruct(Roi([contour(on_slice(CT[1], [(30.0, 20.0)]), MIDDLE, "POINT")], "Lesion", "")),
        [Row(MIDDLE, truth=False)],
        codes="ROI name",
    ),
    _contours(
        "RTSTRUCT, a line of two points",
        "OPEN_PLANAR",
        lambda: rtstruct(Roi([contour(on_slice(CT[1], [(20.0, 10.0), (32.0, 26.0)]), MIDDLE, "OPEN_PLANAR")])),
        [Row(MIDDLE, 14.14)],
    ),
    _contours(
        "RTSTRUCT of an algorithm",
        "Contour Image Sequence",
        lambda: rtstruct(Roi(_gtv(named=True), "GTV", "GTV", "AUTOMATIC")),
        [Row(MIDDLE, 10.0, 7.2, derived=True, truth=False)],
    ),
]


def _contours(
    name: str,
    place: str,
    object_of: Callable[[], Dataset],
    rows: Sequence[Row],
    rejections: Sequence[str] = (),
    codes: str = "interpreted type",
) -> Dialect:
    return Dialect(
        name=name,
        kind="RTSTRUCT",
        root="RT Structure Set",
        place=place,
        codes=codes,
        units="mm in the patient",
        orientation="oblique",
        objects=lambda: [*ct_series(), object_of()],
        rows=rows,
        rejections=rejections,
    )


def _kite(width: float, height: float) -> list[Point]:
    """Around (32, 24); its diagonals are its axes."""
    return [(32 - width / 2, 24), (32, 24 - height / 2), (32 + width / 2, 24), (32, 24 + height / 2)]


def _gtv(named: bool, off_mm: float = 0.0) -> list[Dataset]:
    """Three kites; the middle one is 20 columns of 0.5 mm and 9 rows of 0.8 mm wide: 10 and 7.2 mm."""
    kites = [_kite(12, 5), _kite(20, 9), _kite(14, 5)]
    return [
        contour(on_slice(image, kite, off_mm), image.SOPInstanceUID if named else None)
        for image, kite in zip(CT, kites, strict=True)
    ]


def _with_hole() -> list[Dataset]:
    """A kite of 40 columns and 20 rows, 20 and 16 mm, around a hole of 20 columns and 10 rows.

    The longest chord inside it, upright to its long axis, stands at the hole's ends: half of 16 mm.
    """
    return [contour(on_slice(CT[1], ring), MIDDLE) for ring in (_kite(40, 20), _kite(20, 10))]


MEASURED = Row(MIDDLE, 10.0, 7.2, derived=True)

RTSTRUCT_DIALECTS = [
    _contours(
        "RTSTRUCT, GTV on named images",
        "Contour Image Sequence",
        lambda: rtstruct(Roi(_gtv(named=True), "Volume 1")),
        [MEASURED],
    ),
    _contours(
        "RTSTRUCT without images, named lesion",
        "the frame of reference",
        lambda: rtstruct(Roi(_gtv(named=False), "Lesion 2", interpreted="")),
        [MEASURED],
        codes="ROI name",
    ),
    _contours(
        "RTSTRUCT on slices between the images",
        "the nearer of two images",
        lambda: rtstruct(Roi(_gtv(named=False, off_mm=0.8)[:2])),
        [MEASURED],
    ),
    _contours(
        "RTSTRUCT with a hole",
        "two contours on one slice",
        lambda: rtstruct(Roi(_with_hole())),
        [Row(MIDDLE, 20.0, 8.0, derived=True)],
    ),
    _contours(
        "RTSTRUCT of an organ and a planning volume",
        "Contour Image Sequence",
        lambda: rtstruct(Roi(_gtv(named=True), "Liver", "ORGAN"), Roi(_gtv(named=True), "PTV 1", "PTV")),
        [],
        ["anatomy_not_lesion", "treatment_margin"],
    ),
    _contours(
        "RTSTRUCT, a point",
        "POINT",
        lambda: rtstruct(Roi([contour(on_slice(CT[1], [(30.0, 20.0)]), MIDDLE, "POINT")], "Lesion", "")),
        [Row(MIDDLE, truth=False)],
        codes="ROI name",
    ),
    _contours(
        "RTSTRUCT, a line of two points",
        "OPEN_PLANAR",
        lambda: rtstruct(Roi([contour(on_slice(CT[1], [(20.0, 10.0), (32.0, 26.0)]), MIDDLE, "OPEN_PLANAR")])),
        [Row(MIDDLE, 14.14)],
    ),
    _contours(
        "RTSTRUCT of an algorithm",
        "Contour Image Sequence",
        lambda: rtstruct(Roi(_gtv(named=True), "GTV", "GTV", "AUTOMATIC")),
        [Row(MIDDLE, 10.0, 7.2, derived=True, truth=False)],
    ),
]

SEGMENTATION = f"{SERIES}.77"


def _measured(
    *children: Dataset, segments: Sequence[Dataset] = (), arrived: bool = True
) -> Callable[[], list[Dataset]]:
    """A report whose one group names a segment of a segmentation that says nothing certain about it."""

    def objects() -> list[Dataset]:
        report = tid1500(group(*children, tracking_uid="1.9"))
        given = segments or [segment(2, "Segment 2", TISSUE, TISSUE)]
        mask = seg(given, [Frame(BIG, ORIGINS[1], [MIDDLE], 2)], sop_instance_uid=SEGMENTATION)
        return [*ct_series(), report, *([mask] if arrived else [])]

    return objects


def _report(name: str, objects: Callable[[], list[Dataset]], rows: Sequence[Row], rejections: Sequence[str]) -> Dialect:
    return Dialect(
        name=name,
        kind="SR",
        root="126000 DCM Imaging Measurement Report",
        place="IMAGE > Referenced Segment, in a SEG",
        codes="SCT",
        units="pixels of the mask",
        orientation="oblique",
        objects=objects,
        rows=rows,
        rejections=rejections,
    )


VOLUME = num(("118565006", "SCT", "Volume"), 0.3, "cm3")

SEGMENT_REPORTS = [
    _report(
        "TID 1411, a segment instead of a drawing",
        _measured(code(FINDING, NODULE), referenced_segment(SEGMENTATION, 2), VOLUME),
        [FOUND],
        ["unclear_segment"],
    ),
    _report(
        "TID 1411, a segment of an organ",
        _measured(code(FINDING, LIVER), referenced_segment(SEGMENTATION, 2), VOLUME),
        [],
        ["anatomy_not_lesion", "unclear_segment"],
    ),
    _report(
        "TID 1411, a segment that has not arrived",
        _measured(code(FINDING, NODULE), referenced_segment(SEGMENTATION, 2), VOLUME, arrived=False),
        [],
        ["segment_not_here"],
    ),
]

REGION_DIALECTS = [*SEG_DIALECTS, *RTSTRUCT_DIALECTS, *SEGMENT_REPORTS]
