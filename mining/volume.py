"""One CT series → a HU volume with its planes, or the few slices of it that are wanted. Shell: it reads files.

Slices are in the order of their position along the normal; nothing is resampled, and nothing is guessed: a series
that is no regular stack is refused with the instance that breaks it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError

from db.errors import ContentError, GeometryError
from db.geometry import PixelSpacing, Plane
from db.measurement import ImageReference
from mining.child import Progress
from mining.pixels import Hu, frame_hu
from mining.planes import frame_count, frame_planes

INTERVAL_TOLERANCE = 0.01
"""Largest deviation of one slice distance from the median, as a share of it."""
ROUNDING_MM = 0.02
"""Deviation that is never held against a series: positions are often written with two decimals."""
DIRECTION_TOLERANCE = 1e-3
"""Largest difference between two direction cosines of one series: a twentieth of a degree."""


@dataclass(frozen=True, slots=True)
class SliceHeader:
    """One frame of a series, not yet decoded: where its pixels are, and where it lies."""

    path: Path
    image: ImageReference
    plane: Plane
    rows: int
    columns: int
    series_instance_uid: str


@dataclass(frozen=True, slots=True, eq=False)
class Volume:
    """A regular stack of slices, sorted along the normal.

    voxels: (S, H, W) HU. planes and images: one a slice, in the same order. slice_interval_mm: median distance along
    the normal, > 0. With a tilted gantry the planes are shifted against each other: go through `planes`, never from
    one slice's pixel to the next slice's.
    """

    voxels: Hu
    planes: tuple[Plane, ...]
    images: tuple[ImageReference, ...]
    slice_interval_mm: float
    series_instance_uid: str

    @property
    def spacing(self) -> PixelSpacing:
        return self.planes[0].spacing

    def index_of(self, image: ImageReference) -> int:
        """The slice (0-based) that shows this image; ContentError if none does."""
        if image not in self.images:
            raise ContentError("the image is not in the series", sop_instance_uid=image.sop_instance_uid)
        return self.images.index(image)


def load_volume(paths: Sequence[Path], progress: Progress | None = None) -> Volume:
    """One CT series as a volume.

    paths: all instances of ONE series, in any order, single-frame or Enhanced multi-frame, in any transfer syntax; at
    least two slices. Memory: the volume and one instance.
    Raises ContentError (not DICOM, not one series, different sizes, no HU, not decodable) or GeometryError (no planes,
    different orientations or spacings, two slices at one position, a distance that is off by more than
    INTERVAL_TOLERANCE and ROUNDING_MM); `facts` name the instance.
    Source: PS3.3 C.7.6.2.1.1.
    """
    headers = sort_slices(read_headers(paths))
    interval_mm = slice_interval_mm(headers)
    return Volume(
        voxels=load_slices(headers, progress),
        planes=tuple(header.plane for header in headers),
        images=tuple(header.image for header in headers),
        slice_interval_mm=interval_mm,
        series_instance_uid=headers[0].series_instance_uid,
    )


def read_headers(paths: Sequence[Path]) -> tuple[SliceHeader, ...]:
    """The headers of the frames in the files, in the files' order, without their pixels."""
    return tuple(header for path in paths for header in _headers_of(path))


def sort_slices(headers: Sequence[SliceHeader]) -> tuple[SliceHeader, ...]:
    """The slices of one series by their position along the normal of the first.

    Raises ContentError for none, several series or sizes; GeometryError for several orientations or spacings, or two
    slices at one position. Pure.
    """
    if not headers:
        raise ContentError("a series without images")
    for header in headers[1:]:
        _check_alike(headers[0], header)
    ordered = sorted(headers, key=lambda header: _position_mm(headers[0], header))
    for lower, upper in pairwise(ordered):
        if _position_mm(ordered[0], upper) - _position_mm(ordered[0], lower) < ROUNDING_MM:
            raise GeometryError(
                "two slices lie at one position",
                sop_instance_uid=upper.image.sop_instance_uid,
                other_sop_instance_uid=lower.image.sop_instance_uid,
                frame_number=upper.image.frame_number,
            )
    return tuple(ordered)


def slice_interval_mm(headers: Sequence[SliceHeader]) -> float:
    """The median distance of neighbouring slices of a sorted series.

    Raises ContentError for fewer than two slices, GeometryError where a distance deviates. Pure.
    """
    if len(headers) < 2:
        raise ContentError("a volume needs two slices", slices=len(headers))
    positions = np.array([_position_mm(headers[0], header) for header in headers])
    distances = np.diff(positions)
    median = float(np.median(distances))
    allowed = max(INTERVAL_TOLERANCE * median, ROUNDING_MM)
    worst = int(np.argmax(np.abs(distances - median)))
    if abs(distances[worst] - median) > allowed:
        raise GeometryError(
            "the slice distance is not regular",
            sop_instance_uid=headers[worst + 1].image.sop_instance_uid,
            distance_mm=round(float(distances[worst]), 3),
            median_mm=round(median, 3),
            slices=len(headers),
        )
    return median


def neighbours(headers: Sequence[SliceHeader], image: ImageReference, reach: int) -> tuple[SliceHeader, ...]:
    """The slice of an image and up to `reach` on each side of it, from a sorted series; fewer at its ends. Pure."""
    for index, header in enumerate(headers):
        if header.image == image:
            return tuple(headers[max(index - reach, 0) : index + reach + 1])
    raise ContentError("the image is not in the series", sop_instance_uid=image.sop_instance_uid)


def load_slices(headers: Sequence[SliceHeader], progress: Progress | None = None) -> Hu:
    """The pixels of some slices of one size, in their order: (S, H, W) HU; S may be 0, and then H and W are too."""
    if not headers:
        return np.zeros((0, 0, 0), np.int16)
    voxels = np.empty((len(headers), headers[0].rows, headers[0].columns), np.int16)
    done = 0
    for path, frames in groupby(headers, key=lambda header: header.path):  # one parse for a run of one file's frames
        ds = _read(path)
        for header in frames:
            voxels[done] = frame_hu(ds, header.image.frame_number - 1)
            done += 1
            if progress is not None and (done % 50 == 0 or done == len(headers)):
                progress("load", done, len(headers))
    return voxels


def load_image(path: Path, frame_number: int = 1) -> Hu:
    """One image alone, (H, W) HU, whether it has a plane or not. frame_number counts from 1."""
    ds = _read(path)
    if not 1 <= frame_number <= frame_count(ds):
        raise ContentError("there is no such frame", frame_number=frame_number, frames=frame_count(ds))
    return frame_hu(ds, frame_number - 1)


def _headers_of(path: Path) -> list[SliceHeader]:
    ds = _read(path, stop_before_pixels=True)
    if "Rows" not in ds or "Columns" not in ds:
        raise ContentError("an object without pixels is no slice", sop_instance_uid=ds.get("SOPInstanceUID", ""))
    return [
        SliceHeader(
            path=path,
            image=ImageReference(str(ds.get("SOPInstanceUID", "")), frame + 1),
            plane=plane,
            rows=int(ds.Rows),
            columns=int(ds.Columns),
            series_instance_uid=str(ds.get("SeriesInstanceUID", "")),
        )
        for frame, plane in enumerate(frame_planes(ds))
    ]


def _read(path: Path, stop_before_pixels: bool = False) -> Dataset:
    try:
        return pydicom.dcmread(path, stop_before_pixels=stop_before_pixels)
    except InvalidDicomError as error:
        raise ContentError("not a DICOM Part 10 file", file=path.name) from error


def _position_mm(first: SliceHeader, header: SliceHeader) -> float:
    """Signed distance of a slice from the first, along the first's normal."""
    return first.plane.to_px(header.plane.origin)[1]


def _check_alike(first: SliceHeader, header: SliceHeader) -> None:
    uid = header.image.sop_instance_uid
    if header.series_instance_uid != first.series_instance_uid:
        raise ContentError("the images are of several series", sop_instance_uid=uid)
    if (header.rows, header.columns) != (first.rows, first.columns):
        raise ContentError(
            "the images have several sizes",
            sop_instance_uid=uid,
            size=f"{header.rows}x{header.columns}",
            first=f"{first.rows}x{first.columns}",
        )
    cosines = (*header.plane.along_row, *header.plane.along_column)
    expected = (*first.plane.along_row, *first.plane.along_column)
    if max(abs(a - b) for a, b in zip(cosines, expected, strict=True)) > DIRECTION_TOLERANCE:
        raise GeometryError("the images have several orientations", sop_instance_uid=uid)
    if not np.allclose(_spacing(header), _spacing(first), rtol=1e-3):
        raise GeometryError("the images have several pixel spacings", sop_instance_uid=uid)


def _spacing(header: SliceHeader) -> tuple[float, float]:
    return header.plane.spacing.row_mm, header.plane.spacing.col_mm
