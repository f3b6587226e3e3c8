"""Dialects of regions: segmentations, structure sets, and reports that refer to a segment."""

from collections.abc import Callable, Sequence

from builders import SERIES, ct_series
from builders_regions import (
    ANATOMY,
    LIVER,
    Frame,
    on_slice,
    plus,
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

REGION_DIALECTS = [*SEG_DIALECTS]
