"""The voxels of a segmentation, by segment and in the patient. Pure."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from pydicom import Dataset

from db.geometry import PixelSpacing, Plane, PointMm


def places_of_segment(ds: Dataset, number: int) -> npt.NDArray[np.float64]:
    """The centres of its voxels in mm, (N, 3); of what the file says itself, not of the images that it is made for."""
    frames = [_places(_plane(ds, index), voxels) for index, voxels in frames_of_segment(ds, number)]
    return np.concatenate(frames) if frames else np.empty((0, 3))


def frames_of_segment(ds: Dataset, number: int) -> Iterator[tuple[int, npt.NDArray[np.bool_]]]:
    """The frames that a segment has voxels in: (index from 0, (H, W))."""
    pixels = np.atleast_3d(ds.pixel_array).reshape(int(ds.NumberOfFrames), int(ds.Rows), int(ds.Columns))
    labels = ds.SegmentationType == "LABELMAP"
    for index, frame in enumerate(ds.PerFrameFunctionalGroupsSequence):
        if labels:
            voxels = pixels[index] == number
        elif int(frame.SegmentIdentificationSequence[0].ReferencedSegmentNumber) == number:
            voxels = pixels[index] != 0
        else:
            continue
        if voxels.any():
            yield index, voxels


def _plane(ds: Dataset, frame: int) -> Plane:
    shared, own = ds.SharedFunctionalGroupsSequence[0], ds.PerFrameFunctionalGroupsSequence[frame]
    x, y, z = (float(value) for value in own.PlanePositionSequence[0].ImagePositionPatient)
    orientation = (own if "PlaneOrientationSequence" in own else shared).PlaneOrientationSequence[0]
    rx, ry, rz, cx, cy, cz = (float(value) for value in orientation.ImageOrientationPatient)
    measures = (own if "PixelMeasuresSequence" in own else shared).PixelMeasuresSequence[0]
    row_mm, col_mm = (float(value) for value in measures.PixelSpacing)
    return Plane(PointMm(x, y, z), (rx, ry, rz), (cx, cy, cz), PixelSpacing(row_mm, col_mm))


def _places(plane: Plane, voxels: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    rows, cols = np.nonzero(voxels)
    return places_mm(plane, rows, cols)


def places_mm(plane: Plane, rows: npt.NDArray[np.int64], cols: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """The centres of pixels, (N, 3) mm."""
    origin = np.array([plane.origin.x, plane.origin.y, plane.origin.z])
    along_row, along_column = np.array(plane.along_row), np.array(plane.along_column)
    spacing = plane.spacing
    return np.asarray(
        origin + cols[:, None] * spacing.col_mm * along_row + rows[:, None] * spacing.row_mm * along_column
    )
