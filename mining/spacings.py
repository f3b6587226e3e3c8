"""How far apart an image's pixels are in the patient, for every modality. Pure.

Where an image has a plane its Pixel Spacing is that of the plane. A projection (CR, DX, MG, XA) shows a patient larger
than life, so its millimetres are nominal: those of a lesion at the distance that the header assumes.
"""

from __future__ import annotations

from collections.abc import Iterator

from pydicom.dataset import Dataset

from db.geometry import PixelSpacing
from mining.elements import UNREADABLE, integer_of, items_of, number_of, numbers_of
from mining.planes import frame_count, functional_group

MOST_MAGNIFIED = 10.0
"""Estimated Radiographic Magnification Factor is the source's distance from the detector over that from the patient:
at least 1, and about 2 in a magnification view."""

SAME_SHARE = 1e-3
"""Two spacings that differ by less are the same, written with other digits."""

CENTIMETRES = 3
"""Physical Units of a region of an ultrasound image (PS3.3 C.8.5.5.1.15)."""
TWO_DIMENSIONAL = 1
"""Its Region Spatial Format (C.8.5.5.1.1): no trace over time, and no spectrum."""

MAX_REGIONS = 100


def spacing_of(ds: Dataset) -> PixelSpacing | None:
    """Of an image without a usable plane; None where the header says none, or one for each frame that differ.

    Pixel Spacing first (PS3.3 10.7.1.1), however it was calibrated. A projection that has none, or just repeats the
    detector's there, has the detector's (Imager Pixel Spacing), over the magnification where it is estimated. An
    ultrasound image has that of its regions of tissue, if they agree. Nominal Scanned Pixel Spacing is not used: a
    film may hold images of any scale.
    """
    pixel = _of_frames(ds, "PixelMeasuresSequence", "PixelSpacing")
    imager = _of_frames(ds, "FramePixelDataPropertiesSequence", "ImagerPixelSpacing")
    if pixel is None and _varies(ds):
        return None
    if imager is not None and (pixel is None or _same(pixel, imager)):
        return _in_patient(ds, imager)
    return pixel if pixel is not None else _of_regions(ds)


def _of_frames(ds: Dataset, group: str, keyword: str) -> PixelSpacing | None:
    """What all frames have in common, else what the image has."""
    found = {_pair(holder, keyword) for holder in _holders(ds, group)}
    return found.pop() if len(found) == 1 else _pair(ds, keyword) if not found else None


def _varies(ds: Dataset) -> bool:
    return len({_pair(holder, "PixelSpacing") for holder in _holders(ds, "PixelMeasuresSequence")}) > 1


def _holders(ds: Dataset, group: str) -> Iterator[Dataset]:
    """The items of a functional group: of each frame, or none where the object has no such groups."""
    try:
        frames = min(frame_count(ds), len(items_of(ds, "PerFrameFunctionalGroupsSequence")) or 1)
        for frame in range(frames):
            holder = functional_group(ds, frame, group)
            if holder is not None:
                yield holder
    except UNREADABLE:
        return


def _pair(holder: Dataset, keyword: str) -> PixelSpacing | None:
    match numbers_of(holder, keyword):
        case (row_mm, col_mm) if row_mm > 0 and col_mm > 0:
            return PixelSpacing(row_mm, col_mm)
        case _:
            return None


def _same(one: PixelSpacing, other: PixelSpacing) -> bool:
    return (
        abs(one.row_mm - other.row_mm) <= SAME_SHARE * other.row_mm
        and abs(one.col_mm - other.col_mm) <= SAME_SHARE * other.col_mm
    )


def _in_patient(ds: Dataset, imager: PixelSpacing) -> PixelSpacing:
    factor = number_of(ds, "EstimatedRadiographicMagnificationFactor") or 1.0
    if not 1.0 <= factor <= MOST_MAGNIFIED:
        return imager
    return PixelSpacing(imager.row_mm / factor, imager.col_mm / factor)


def _of_regions(ds: Dataset) -> PixelSpacing | None:
    """PS3.3 C.8.5.5: of the two-dimensional regions in cm, if they have one scale."""
    scales = []
    for region in items_of(ds, "SequenceOfUltrasoundRegions")[:MAX_REGIONS]:
        units = {integer_of(region, f"PhysicalUnits{axis}Direction") for axis in "XY"}
        if integer_of(region, "RegionSpatialFormat") != TWO_DIMENSIONAL or units != {CENTIMETRES}:
            continue
        across, down = (abs(number_of(region, f"PhysicalDelta{axis}") or 0.0) for axis in "XY")
        if across > 0 and down > 0:
            scales.append(PixelSpacing(down * 10.0, across * 10.0))
    return scales[0] if scales and all(_same(scale, scales[0]) for scale in scales) else None
