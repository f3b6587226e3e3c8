"""Where a drawing must lie: on the pixels of the lesions, whatever draws it. Pure.

A half pixel in the wrong place is what no validator sees: (0.5, 0.5) is the centre of the first pixel in SCOORD and in
the PIXEL units of a presentation state (PS3.3 C.18.6.1, C.10.5).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from pydicom import Dataset

from db.detection import Mask
from db.geometry import PointMm, PointPx
from db.measurement import ImageReference
from dicom_node.report.source import plane_of
from dicom_node.viewer_rules.rule import Expected, Shape
from dicom_node.viewer_rules.tree import coordinates_of, groups_of, image_of, places_of, points_of
from dicom_node.viewer_rules.voxels import places_mm, places_of_segment

SAME_PLACE_PX = 0.05
SAME_CENTRE_PX = 0.5
SAME_PLANE_MM = 0.01


class Line(NamedTuple):
    """points: 0-based pixel centres."""

    image: ImageReference | None
    points: list[PointPx]


def lines_of(ds: Dataset) -> list[Line]:
    """What a report or a presentation state draws on images."""
    if "GraphicAnnotationSequence" in ds:
        return list(_of_presentation_state(ds))
    return [
        Line(image_of(region), [PointPx.from_scoord(x, y) for x, y in points_of(region)])
        for group in groups_of(ds)
        for region in coordinates_of(group)
    ]


def _of_presentation_state(ds: Dataset) -> Iterator[Line]:
    for annotation in ds.GraphicAnnotationSequence:
        images = [place for image in annotation.get("ReferencedImageSequence") or () for place in places_of(image)]
        for graphic in annotation.get("GraphicObjectSequence") or ():
            data = [float(value) for value in graphic.GraphicData]
            points = [PointPx.from_scoord(x, y) for x, y in zip(data[::2], data[1::2], strict=False)]
            yield from (Line(image, points) for image in images)


def out_of_place(ds: Dataset, expected: Expected) -> Iterator[str]:
    """Every point that is drawn is one of a lesion's, on its image."""
    places: dict[ImageReference | None, list[PointPx]] = {}
    for shape in expected.shapes:
        places.setdefault(shape.image, []).extend(point for line in shape.lines for point in line)
    for line in lines_of(ds):
        near = places.get(line.image, [])
        off = [point for point in line.points if not any(point.distance_px(one) <= SAME_PLACE_PX for one in near)]
        if off:
            yield f"{len(off)} points of a line lie more than {SAME_PLACE_PX} px from what was found"


def lesion_not_drawn(ds: Dataset, expected: Expected) -> Iterator[str]:
    drawn = lines_of(ds)
    for number, shape in enumerate(expected.shapes, start=1):
        on_it = [line.points for line in drawn if line.image == shape.image]
        if not any(_is_drawn(line, points) for line in shape.lines for points in on_it):
            yield f"lesion {number} is not drawn"


def _is_drawn(line: tuple[PointPx, ...], points: list[PointPx]) -> bool:
    return all(any(point.distance_px(one) <= SAME_PLACE_PX for one in points) for point in line)


# --- masks and contours -----------------------------------------------------------------------------------------


def mask_out_of_place(ds: Dataset, expected: Expected) -> Iterator[str]:
    """The voxels of each segment lie where those of its lesion lie."""
    by_uid = {shape.tracking_uid: shape for shape in expected.shapes if shape.mask is not None}
    for segment in ds.SegmentSequence:
        shape = by_uid.get(str(segment.get("TrackingUID", "")))
        if shape is None or shape.mask is None:
            yield f"segment {segment.SegmentNumber} is of no lesion"
            continue
        places = places_of_segment(ds, int(segment.SegmentNumber))
        if len(places) and _apart_px(places, _places_mm(shape.mask, expected), expected) > SAME_CENTRE_PX:
            yield f"segment {segment.SegmentNumber} lies beside its lesion"


def contour_out_of_place(ds: Dataset, expected: Expected) -> Iterator[str]:
    """Each contour lies in the plane of the image that it names, and goes around what was found there."""
    for roi in ds.ROIContourSequence:
        for contour in roi.get("ContourSequence") or ():
            named = [place for each in contour.get("ContourImageSequence") or () for place in places_of(each)]
            image = expected.slices.get(named[0]) if len(named) == 1 else None
            if image is None:
                yield f"a contour of region {roi.ReferencedROINumber} names none of the images"
                continue
            points = np.reshape([float(value) for value in contour.ContourData], (-1, 3))
            placed = [plane_of(image).to_px(PointMm(*point)) for point in points]
            if max(abs(away_mm) for _, away_mm in placed) > SAME_PLANE_MM:
                yield f"a contour of region {roi.ReferencedROINumber} lies outside the plane of its image"
            elif not _around_a_lesion([point for point, _ in placed], named[0], expected):
                yield f"a contour of region {roi.ReferencedROINumber} lies beside its lesion"


def _around_a_lesion(points: list[PointPx], image: ImageReference, expected: Expected) -> bool:
    """Whether the middle of its extent is that of a mask on the image, or of a box."""
    middle = _middle([(point.col, point.row) for point in points])
    return any(
        np.abs(middle - _middle(outline)).max() <= SAME_CENTRE_PX
        for shape in expected.shapes
        for outline in _outlines(shape, image, expected)
    )


def _outlines(shape: Shape, image: ImageReference, expected: Expected) -> Iterator[list[tuple[float, float]]]:
    if shape.image == image:
        yield [(point.col, point.row) for point in shape.lines[0]]
    if shape.mask is not None:
        for z, voxels in enumerate(shape.mask.voxels, start=shape.mask.z):
            if list(expected.slices)[z] == image and voxels.any():
                yield [(shape.mask.col + col, shape.mask.row + row) for row, col in np.argwhere(voxels).tolist()]


def _middle(points: Sequence[tuple[float, float]]) -> npt.NDArray[np.float64]:
    extent = np.array(points)
    return np.asarray((extent.min(axis=0) + extent.max(axis=0)) / 2)


def _apart_px(a: npt.NDArray[np.float64], b: npt.NDArray[np.float64], expected: Expected) -> float:
    """Distance of the centres, in the smaller side of a pixel."""
    side_mm = min(float(value) for value in next(iter(expected.slices.values())).PixelSpacing)
    return float(np.linalg.norm(a.mean(axis=0) - b.mean(axis=0))) / side_mm


def _places_mm(mask: Mask, expected: Expected) -> npt.NDArray[np.float64]:
    headers, places = list(expected.slices.values()), []
    for z, voxels in enumerate(mask.voxels, start=mask.z):
        rows, cols = np.nonzero(voxels)
        places.append(places_mm(plane_of(headers[z]), rows + mask.row, cols + mask.col))
    return np.concatenate(places)
