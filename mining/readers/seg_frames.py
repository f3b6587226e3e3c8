"""The frames of a segmentation: to which segment each belongs, where it lies, and on which image. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import cached_property

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset

from db.errors import GeometryError
from db.geometry import Axis, BoxPx, PixelSpacing, Plane, PointMm, PointPx
from db.measurement import ImageReference
from mining.drawings import Shape, Unusable
from mining.elements import integer_of, items_of, numbers_of, text_of
from mining.known_images import KnownImages
from mining.masks import longest_piece, outer_edges
from mining.plane_stack import PlaneStack
from mining.readers.seg_pixels import FrameExtent, SegmentPixels
from mining.recist import ordered
from mining.region_slices import OnImage, Outlined, longest_possible, plane_holding, to_mm, to_px

Floats = npt.NDArray[np.float64]

MAX_SOURCES = 2_000
"""Images that one frame or the whole object may be derived from."""


class SegmentFrames:
    """Frames by their functional groups (PS3.3 C.7.6.16); numbers count from 0 here."""

    def __init__(self, ds: Dataset, images: KnownImages) -> None:
        self._ds = ds
        self._images = images
        self._per_frame = items_of(ds, "PerFrameFunctionalGroupsSequence")
        self._shared = items_of(ds, "SharedFunctionalGroupsSequence")[:1]

    def of_segments(self, count: int, only: int | None) -> Mapping[int, Sequence[int]]:
        """Segment number → its frames, of the first `count` ones. only: the number of frames that name none."""
        frames: dict[int, list[int]] = defaultdict(list)
        for frame in range(count):
            group = self._group(frame, "SegmentIdentificationSequence")
            number = integer_of(group, "ReferencedSegmentNumber")
            number = only if number is None else number
            if number is not None:
                frames[number].append(frame)
        return frames

    def spacing(self, frame: int) -> PixelSpacing | None:
        match numbers_of(self._group(frame, "PixelMeasuresSequence"), "PixelSpacing"):
            case (row_mm, col_mm) if row_mm > 0 and col_mm > 0:
                return PixelSpacing(row_mm, col_mm)
        return None

    def plane(self, frame: int) -> Plane | None:
        """Where a frame lies in the patient; None where it does not say it."""
        position = numbers_of(self._group(frame, "PlanePositionSequence"), "ImagePositionPatient")
        cosines = numbers_of(self._group(frame, "PlaneOrientationSequence"), "ImageOrientationPatient")
        spacing = self.spacing(frame)
        if spacing is None or not position or not cosines or len(position) != 3 or len(cosines) != 6:
            return None
        a, b, c, d, e, f = cosines
        try:
            return Plane(PointMm(*position), (a, b, c), (d, e, f), spacing)
        except GeometryError:
            return None

    def place(self, frame: int, corners: Floats, size: tuple[int, int]) -> OnImage | Unusable:
        """The image that a frame lies on.

        It is the one image that the frame is derived from, of several the one in the same plane; else an image that
        the object refers to, or any of its frame of reference. corners: of what is drawn on it, (N, 2) col and row;
        size: rows and columns of the mask.
        """
        sources = self._sources(frame)
        known = {source: image for source in sources if (image := self._images.find(source)) is not None}
        if sources and not known:
            return Unusable("no_plane", "the image that the mask is derived from has not arrived")
        plane = self.plane(frame)
        if len(sources) == 1 and (plane is None or known[sources[0]].plane is None):
            image = known[sources[0]]
            if (image.rows, image.columns) == size:
                return OnImage(sources[0], image.spacing)
            return Unusable("other_grid", "mask and image have other sizes, and nothing says how one lies on the other")
        if plane is None:
            code = "ambiguous_image" if sources else "no_image_reference"
            return Unusable(code, f"the mask has no plane in the patient and is derived from {len(sources)} images")
        planes = [(source, image.plane) for source, image in known.items() if image.plane is not None]
        stacks = [PlaneStack(planes) if sources else self._referenced]
        stacks.append(self._images.in_frame_of_reference(text_of(self._ds, "FrameOfReferenceUID")))
        held = plane_holding(to_mm(plane, corners), np.array(plane.normal), stacks, self._images)
        if not isinstance(held, Unusable):
            return OnImage(held[0], held[1].spacing, held[1])
        if len(known) < len(sources):
            return Unusable("no_plane", "not all images that the mask is derived from have arrived")
        return held

    def _group(self, frame: int, keyword: str) -> Dataset:
        """The functional group of a frame, else the shared one; else the object itself, as for a single frame."""
        for group in (*self._per_frame[frame : frame + 1], *self._shared):
            for item in items_of(group, keyword)[:1]:
                return item
        return self._ds

    def _sources(self, frame: int) -> list[ImageReference]:
        """The images that a frame is derived from (PS3.3 C.7.6.16.2.6), each once."""
        found: dict[ImageReference, None] = {}
        for groups in (self._per_frame[frame : frame + 1], self._shared):
            for group in groups:
                for derivation in items_of(group, "DerivationImageSequence"):
                    found.update(_references(items_of(derivation, "SourceImageSequence")[:MAX_SOURCES]))
            if found:
                break
        if not found and not self._per_frame:
            found = _references(items_of(self._ds, "SourceImageSequence")[:MAX_SOURCES])
        return list(found)[:MAX_SOURCES]

    @cached_property
    def _referenced(self) -> PlaneStack:
        """The planes of the images that the whole object refers to (PS3.3 C.12.2, Common Instance Reference)."""
        named: dict[ImageReference, None] = {}
        for series in items_of(self._ds, "ReferencedSeriesSequence")[:MAX_SOURCES]:
            named.update(_references(items_of(series, "ReferencedInstanceSequence")[:MAX_SOURCES]))
        found = [(source, self._images.find(source)) for source in list(named)[:MAX_SOURCES]]
        return PlaneStack([(at, image.plane) for at, image in found if image is not None and image.plane is not None])


def _references(items: Sequence[Dataset]) -> dict[ImageReference, None]:
    found: dict[ImageReference, None] = {}
    for item in items:
        uid = text_of(item, "ReferencedSOPInstanceUID")
        if uid:
            frames = numbers_of(item, "ReferencedFrameNumber") or (1.0,)
            found.update(dict.fromkeys(ImageReference(uid, max(int(frame), 1)) for frame in frames[:MAX_SOURCES]))
    return found


class MaskSlice:
    """One frame of a segment: a slice of a region (`mining.region_slices.RegionSlice`)."""

    def __init__(self, frames: SegmentFrames, pixels: SegmentPixels, extent: FrameExtent, number: int) -> None:
        self._frames = frames
        self._pixels = pixels
        self._extent = extent
        self._number = number
        self._spacing = frames.spacing(extent.frame)

    @cached_property
    def possible(self) -> float:
        unit = self._spacing or PixelSpacing(1.0, 1.0)
        return longest_possible(outer_edges(self._pixels.mask(self._extent, self._number)) * (unit.col_mm, unit.row_mm))

    @property
    def effort(self) -> int:
        rows, columns = self._extent.rows, self._extent.columns
        return (rows.stop - rows.start) * (columns.stop - columns.start)

    def place(self) -> OnImage | Unusable:
        rows, cols = self._extent.rows, self._extent.columns
        corners = [(col, row) for col in (cols.start, cols.stop - 1) for row in (rows.start, rows.stop - 1)]
        size = (self._pixels.rows, self._pixels.columns)
        return self._frames.place(self._extent.frame, np.array(corners, dtype=np.float64), size)

    def outline(self, on: OnImage) -> Outlined | Unusable:
        """Its longest connected piece, with the axes between the edges of its pixels."""
        piece = longest_piece(self._pixels.mask(self._extent, self._number), self._spacing or on.spacing)
        plane = self._frames.plane(self._extent.frame)
        if piece is None:
            return Unusable("noisy_segment", "the segment falls into more pieces than a lesion has; smooth it")
        axes = [piece.long_axis] if piece.short_axis is None else [piece.long_axis, piece.short_axis]
        ends = np.array([(point.col, point.row) for axis in axes for point in axis.points])
        points = np.concatenate([ends, piece.edges])
        points += (self._extent.columns.start, self._extent.rows.start)
        if on.plane is not None and plane is not None:
            points = to_px(on.plane, to_mm(plane, points))
        placed = [PointPx(col, row) for col, row in points[: len(ends)].tolist()]
        first = Axis(placed[0], placed[1])
        second = Axis(placed[2], placed[3]) if len(placed) > 2 else None
        pair = (first, None) if second is None else ordered(first, second, on.spacing)
        (x1, y1), (x2, y2) = points.min(axis=0).tolist(), points.max(axis=0).tolist()
        return Outlined(Shape(pair[0], pair[1], BoxPx(x1, y1, x2, y2)), piece.others)
