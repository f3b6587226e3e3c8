"""The contours of a structure set: read quickly, laid on images, the longest slice of a region. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import inf

import numpy as np
import numpy.typing as npt
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag

from db.geometry import PointPx
from db.measurement import ImageReference
from mining.drawings import Unusable
from mining.elements import MAX_NUMBER, integer_of, items_of, numbers_of, text_of
from mining.known_images import KnownImages
from mining.plane_stack import PlaneStack
from mining.region_slices import (
    PARALLEL,
    Effort,
    OnImage,
    Outlined,
    Region,
    longest_possible,
    longest_slice,
    plane_holding,
    to_px,
)
from mining.rings import longest_of_rings

Floats = npt.NDArray[np.float64]

CONTOUR_DATA = Tag(0x3006, 0x0050)

TEXTS = (None, "DS", "UN")
"""How Contour Data is encoded: an explicit VR has no room for 64 KiB of DS, so a long one is called UN (PS3.5 6.2)."""

CLOSED = {"CLOSED_PLANAR", "CLOSEDPLANAR_XOR"}
"""Contour Geometric Types (PS3.3 C.8.8.6.1) that bound an area."""

MAX_POINTS = 500_000
"""Of one region, and four times as many of one object; the largest one seen has 30,000."""

TOO_MANY_POINTS = Unusable("too_many_points", f"a region of over {MAX_POINTS} points is not read")

LONGEST_NUMBER = 64
"""Characters; a decimal string has 16 (PS3.5 6.2), and some writers do not keep to it."""

MAX_CONTOURS = 5_000
"""Of one region."""

MAX_REFERENCES = 2_000

PIXELS_A_POINT = 100
"""Going through one point of a contour takes as long as through so many pixels of a mask."""

ONE_SLICE_MM = 0.25
"""Contours that are no farther apart along their normal lie on one slice; one may be a hole in another."""


@dataclass(frozen=True, slots=True)
class Contour:
    """position: in the Contour Sequence, from 1. points_mm: (P, 3), P at least 1. images: that it names."""

    position: int
    kind: str
    points_mm: Floats
    images: tuple[ImageReference, ...]

    @property
    def normal(self) -> Floats | None:
        """Unit vector across its plane, with its largest part positive; None for a point or a line."""
        steps = self.points_mm - self.points_mm[0]
        across = np.cross(steps[:-1], steps[1:]).sum(axis=0)
        size = float(np.linalg.norm(across))
        if size <= 1e-9 * float(np.abs(steps).max(initial=0.0)) ** 2 or size == 0.0:
            return None
        unit: Floats = across / size * np.sign(across[np.abs(across).argmax()])
        return unit

    def on(self, on: OnImage) -> list[PointPx]:
        """Its points in pixels of an image."""
        return [] if on.plane is None else [PointPx(col, row) for col, row in to_px(on.plane, self.points_mm).tolist()]


class Contours:
    """The contours of all regions, and the images that they lie on."""

    def __init__(self, ds: Dataset, images: KnownImages) -> None:
        self._ds = ds
        self._images = images
        self._effort = Effort()
        self._left = 4 * MAX_POINTS
        """So many points are read yet."""

    def observation(self, roi_number: int | None) -> Dataset:
        """What is observed about a region (PS3.3 C.8.8.8); empty where nothing is."""
        return self._observations.get(roi_number, Dataset())

    def of_region(self, roi_number: int | None) -> list[Contour] | Unusable:
        """The contours of a region; a broken one makes the region unusable, for it may be the longest."""
        items = items_of(self._items.get(roi_number, Dataset()), "ContourSequence")
        if len(items) > MAX_CONTOURS:
            return Unusable("too_many_contours", f"a region of over {MAX_CONTOURS} contours is not read")
        found: list[Contour] = []
        room = min(MAX_POINTS, self._left)
        for position, item in enumerate(items, start=1):
            points = coordinates(item, room)
            if isinstance(points, Unusable):
                return points
            room -= len(points)
            self._left -= len(points)
            if len(points):
                kind = text_of(item, "ContourGeometricType").upper()
                found.append(Contour(position, kind, points, tuple(_references([item]))))
        return found

    def longest(self, contours: Sequence[Contour], frame_of_reference_uid: str) -> Region | Unusable:
        """A region of closed contours where it is longest."""
        slices = slices_of(contours)
        if not slices:
            return Unusable("too_few_points", "no contour of the region bounds an area")
        return longest_slice([ContourSlice(self, rings, frame_of_reference_uid) for rings in slices], self._effort)

    def place(self, contours: Sequence[Contour], frame_of_reference_uid: str) -> OnImage | Unusable:
        """The image that the contours of one slice lie on; one that they name before the others."""
        named = list(dict.fromkeys(image for contour in contours for image in contour.images))
        stacks = [self._stack(named)] if named else [self._referenced]
        if named and not len(stacks[0]):
            return Unusable("no_plane", "the image that the contour names has not arrived, or has no plane")
        stacks.append(self._images.in_frame_of_reference(frame_of_reference_uid))
        points = np.concatenate([contour.points_mm for contour in contours])
        normal = contours[0].normal
        held = plane_holding(points, self._usual_normal(stacks) if normal is None else normal, stacks, self._images)
        return held if isinstance(held, Unusable) else OnImage(held[0], held[1].spacing, held[1])

    def _usual_normal(self, stacks: Iterable[PlaneStack]) -> Floats | None:
        """What a point or a line lies in is not known, so it is taken for the first image's plane."""
        for frame in (stack.frames[0] for stack in stacks if len(stack)):
            known = self._images.find(frame)
            if known is not None and known.plane is not None:
                return np.array(known.plane.normal)
        return None

    def _stack(self, images: Sequence[ImageReference]) -> PlaneStack:
        found = [(at, self._images.find(at)) for at in images[:MAX_REFERENCES]]
        return PlaneStack([(at, known.plane) for at, known in found if known is not None and known.plane is not None])

    @cached_property
    def _items(self) -> dict[int | None, Dataset]:
        return _by_number(items_of(self._ds, "ROIContourSequence"))

    @cached_property
    def _observations(self) -> dict[int | None, Dataset]:
        return _by_number(items_of(self._ds, "RTROIObservationsSequence"))

    @cached_property
    def _referenced(self) -> PlaneStack:
        """The images that the whole object refers to (PS3.3 C.8.8.5)."""
        series = [
            series
            for frame in items_of(self._ds, "ReferencedFrameOfReferenceSequence")[:MAX_REFERENCES]
            for study in items_of(frame, "RTReferencedStudySequence")[:MAX_REFERENCES]
            for series in items_of(study, "RTReferencedSeriesSequence")[:MAX_REFERENCES]
        ]
        return self._stack(_references(series[:MAX_REFERENCES]))


def slices_of(contours: Sequence[Contour]) -> list[list[Contour]]:
    """Closed contours by slice, across the normal of the widest one; those that bound no area are left out.

    One whose plane is tilted against it is a slice of its own.
    """
    areas = [(contour, normal) for contour in contours if (normal := contour.normal) is not None]
    if not areas:
        return []
    _, usual = max(areas, key=lambda area: float(np.ptp(area[0].points_mm, axis=0).max()))
    tilted = [[contour] for contour, normal in areas if abs(float(normal @ usual)) < PARALLEL]
    level = [contour for contour, normal in areas if abs(float(normal @ usual)) >= PARALLEL]
    placed = sorted(
        ((float((c.points_mm @ usual).mean()), c) for c in level), key=lambda one: (one[0], one[1].position)
    )
    slices: list[list[Contour]] = []
    last_mm = -inf
    for at_mm, contour in placed:
        if at_mm - last_mm > ONE_SLICE_MM:
            slices.append([])
        slices[-1].append(contour)
        last_mm = at_mm
    return slices + tilted


class ContourSlice:
    """The closed contours of one slice (`mining.region_slices.RegionSlice`)."""

    def __init__(self, contours: Contours, rings: Sequence[Contour], frame_of_reference_uid: str) -> None:
        self._contours = contours
        self._rings = rings
        self._frame_of_reference_uid = frame_of_reference_uid

    @cached_property
    def possible(self) -> float:
        points = np.concatenate([ring.points_mm for ring in self._rings])
        return longest_possible(_flat(points - points[0], self._rings[0].normal))

    @property
    def effort(self) -> int:
        return PIXELS_A_POINT * sum(len(ring.points_mm) for ring in self._rings)

    def place(self) -> OnImage | Unusable:
        return self._contours.place(self._rings, self._frame_of_reference_uid)

    def outline(self, on: OnImage) -> Outlined | Unusable:
        if on.plane is None:
            return Unusable("no_plane", "the image has no plane")
        plane = on.plane
        return longest_of_rings([to_px(plane, ring.points_mm) for ring in self._rings], on.spacing)


def _flat(points_mm: Floats, normal: Floats | None) -> Floats:
    """Points (P, 3) in two upright directions across a normal: (P, 2), lengths as they are."""
    across = np.array([1.0, 0.0, 0.0]) if normal is None else normal
    _, _, directions = np.linalg.svd(across[None, :])
    flat: Floats = points_mm @ directions[1:].T
    return flat


def coordinates(item: Dataset, room: int) -> Floats | Unusable:
    """Contour Data as (P, 3), in mm; room: how many points at most.

    A plan has hundreds of thousands of numbers, so the text is taken as it stands in the file where that is possible.
    """
    element = item.get_item(CONTOUR_DATA) if CONTOUR_DATA in item else None
    if isinstance(element, RawDataElement) and isinstance(element.value, bytes) and element.VR in TEXTS:
        texts = element.value.rstrip(b"\0 ").split(b"\\", 3 * room)
        if len(texts) > 3 * room:
            return TOO_MANY_POINTS
        if max(map(len, texts)) > LONGEST_NUMBER:
            return Unusable("bad_coordinates", "the coordinates of a contour are not numbers")
        try:
            values = np.array(texts, dtype="S").astype(np.float64) if texts != [b""] else np.zeros(0)
        except ValueError:
            return Unusable("bad_coordinates", "the coordinates of a contour are not numbers")
    else:
        numbers = numbers_of(item, "ContourData")
        if numbers is None:
            return Unusable("bad_coordinates", "the coordinates of a contour are not finite numbers")
        values = np.array(numbers, dtype=np.float64)
    if len(values) > 3 * room:
        return TOO_MANY_POINTS
    if len(values) % 3 or not (np.abs(values) <= MAX_NUMBER).all():  # neither NaN nor infinity
        return Unusable("bad_coordinates", "the coordinates of a contour are not triples of finite numbers")
    return values.reshape(-1, 3)


def _by_number(items: Iterable[Dataset]) -> dict[int | None, Dataset]:
    """By the number of the region that they refer to; the first one of each."""
    found: dict[int | None, Dataset] = {}
    for item in items:
        number = integer_of(item, "ReferencedROINumber")
        if number is not None:
            found.setdefault(number, item)
    return found


def _references(holders: Iterable[Dataset]) -> list[ImageReference]:
    """The image frames of their Contour Image Sequences, each once."""
    found: dict[ImageReference, None] = {}
    for holder in holders:
        for item in items_of(holder, "ContourImageSequence")[:MAX_REFERENCES]:
            uid = text_of(item, "ReferencedSOPInstanceUID")
            frames = numbers_of(item, "ReferencedFrameNumber") or (1.0,)
            if uid:
                found.update(dict.fromkeys(ImageReference(uid, max(int(f), 1)) for f in frames[:MAX_REFERENCES]))
    return list(found)
