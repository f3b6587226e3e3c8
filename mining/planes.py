"""Where each frame of an image lies in the patient, from its header. Pure."""

from __future__ import annotations

from pydicom.dataset import Dataset

from db.errors import GeometryError
from db.geometry import PixelSpacing, Plane, PointMm
from mining.elements import items_of


def frame_count(ds: Dataset) -> int:
    """Number of Frames (PS3.3 C.7.6.6); 1 where it is absent."""
    return max(int(ds.get("NumberOfFrames", 1) or 1), 1)


def functional_group(ds: Dataset, frame: int, keyword: str) -> Dataset | None:
    """The item of a functional group macro for one frame (0-based): its own, else the shared one (PS3.3 C.7.6.16)."""
    per_frame = items_of(ds, "PerFrameFunctionalGroupsSequence")
    shared = items_of(ds, "SharedFunctionalGroupsSequence")
    for group in (*per_frame[frame : frame + 1], *shared[:1]):
        items = items_of(group, keyword)
        if items:
            return items[0]
    return None


def frame_planes(ds: Dataset) -> tuple[Plane, ...]:
    """The plane of every frame, in stored order: of a single-frame image or an Enhanced multi-frame one.

    Raises GeometryError where position, orientation or spacing is missing or no plane can be made of them.
    Source: PS3.3 C.7.6.2 (Image Plane), C.7.6.16.2.1, .3 and .4 (the macros of Enhanced images).
    """
    if "PerFrameFunctionalGroupsSequence" not in ds and "SharedFunctionalGroupsSequence" not in ds:
        if frame_count(ds) > 1:
            raise GeometryError("a multi-frame image without functional groups has no planes", uid=_uid(ds))
        return (_plane(ds, ds, ds, ds),)
    return tuple(
        _plane(
            ds,
            functional_group(ds, frame, "PlanePositionSequence"),
            functional_group(ds, frame, "PlaneOrientationSequence"),
            functional_group(ds, frame, "PixelMeasuresSequence"),
        )
        for frame in range(frame_count(ds))
    )


def _plane(ds: Dataset, position: Dataset | None, orientation: Dataset | None, measures: Dataset | None) -> Plane:
    x, y, z = _numbers(ds, position, "ImagePositionPatient", 3)
    cosines = _numbers(ds, orientation, "ImageOrientationPatient", 6)
    row_mm, col_mm = _numbers(ds, measures, "PixelSpacing", 2)
    return Plane(
        origin=PointMm(x, y, z),
        along_row=(cosines[0], cosines[1], cosines[2]),
        along_column=(cosines[3], cosines[4], cosines[5]),
        spacing=PixelSpacing(row_mm, col_mm),
    )


def _numbers(ds: Dataset, holder: Dataset | None, keyword: str, count: int) -> tuple[float, ...]:
    values = holder.get(keyword) if holder is not None else None
    try:
        numbers = tuple(float(value) for value in values or ())
    except (TypeError, ValueError) as error:
        raise GeometryError(f"{keyword} is not made of numbers", sop_instance_uid=_uid(ds)) from error
    if len(numbers) != count:
        raise GeometryError(f"{keyword} is missing or incomplete", sop_instance_uid=_uid(ds), values=len(numbers))
    return numbers


def _uid(ds: Dataset) -> str:
    return str(ds.get("SOPInstanceUID", ""))
