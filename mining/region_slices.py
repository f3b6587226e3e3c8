"""Which image a slice of a region lies on, and which slice of a region is the one to measure. Pure.

A region (a mask, contours) is a stack of slices, and RECIST measures a lesion where it is longest. The image is the one
whose plane holds the slice within 0.5 mm. Regions are also drawn on finer or shifted stacks than the images: a slice
between two images that lie on both sides of it belongs to the nearer one, if that is near enough; a slice beyond the
last image does not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import cos, pi
from typing import Protocol

import numpy as np
import numpy.typing as npt

from db.geometry import PixelSpacing, Plane
from db.measurement import ImageReference
from mining.drawings import Shape, Unusable
from mining.known_images import KnownImages
from mining.plane_stack import Held, PlaneStack
from mining.recist import length

Floats = npt.NDArray[np.float64]

PARALLEL = 0.9962
"""Cosine of 5 degrees: a slice that is tilted more is not the image's slice, however small the region is."""

NEAREST_MM = 2.5
"""How far the nearer of two images may lie from a slice between them: half of DeepLesion's usual 5 mm interval."""

OTHER_SIDE_MM = 5
"""How far the other one may lie."""

MOST_TRIED = 100
"""Slices of one region whose axes are computed; an upper bound rules out nearly all others first."""

MOST_EFFORT = 5_000_000
"""Pixels of one object that are gone through, about a second; only noise, or a thousand lesions, have so many."""

BOUND_EFFORT = 300
"""What the upper bound of one slice costs."""

DIRECTIONS = 64

SHARP = 1 / cos(pi / (2 * DIRECTIONS))
"""How much an upper bound is above the truth at most: 0.03 %. A slice that could be longer by less is not tried."""


@dataclass(slots=True)
class Effort:
    """What may yet be spent on one object; shared by all its regions."""

    left: int = MOST_EFFORT


@dataclass(frozen=True, slots=True)
class OnImage:
    """The image that a slice lies on; plane is None where the slice has the image's own grid."""

    image: ImageReference
    spacing: PixelSpacing | None
    plane: Plane | None = None


@dataclass(frozen=True, slots=True)
class Outlined:
    """The shape of a slice in its image's pixels; others: how many more pieces of a like extent the slice has."""

    shape: Shape
    others: int = 0


class RegionSlice(Protocol):
    """A slice of a region."""

    @property
    def possible(self) -> float:
        """No axis of the slice is longer."""
        ...

    @property
    def effort(self) -> int:
        """How many pixels, or what takes as long, are gone through to measure it."""
        ...

    def place(self) -> OnImage | Unusable:
        """The image that it lies on."""
        ...

    def outline(self, on: OnImage) -> Outlined | Unusable:
        """Its shape on that image."""
        ...


@dataclass(frozen=True, slots=True)
class Region:
    """A region where it is longest."""

    on: OnImage
    outlined: Outlined


def longest_slice(slices: Sequence[RegionSlice], effort: Effort) -> Region | Unusable:
    """The slice with the longest axis among those that lie on an image; else why the longest one gives nothing.

    An image that has not arrived ends the search: it may hold the longest slice.
    """
    best: Region | None = None
    failure: Unusable | None = None
    longest = 0.0
    if effort.left <= 0:
        return Unusable("too_much_work", "the object's other regions took too long; send it in parts")
    effort.left -= BOUND_EFFORT * len(slices)
    for each in sorted(slices, key=lambda one: -one.possible)[:MOST_TRIED]:
        if each.possible <= longest * SHARP or (best is not None and effort.left <= 0):
            break
        effort.left -= each.effort
        found = _region(each)
        if isinstance(found, Unusable):
            if found.reason_code == "no_plane":
                return found
            failure = failure or found
            continue
        length_here = length(found.outlined.shape.long_axis, found.on.spacing)
        if length_here > longest:
            best, longest = found, length_here
    return best or failure or Unusable("empty_region", "the region has no extent on any slice")


def _region(each: RegionSlice) -> Region | Unusable:
    on = each.place()
    if isinstance(on, Unusable):
        return on
    outlined = each.outline(on)
    return outlined if isinstance(outlined, Unusable) else Region(on, outlined)


def plane_holding(
    points_mm: Floats, normal: Floats | None, stacks: Sequence[PlaneStack], images: KnownImages
) -> tuple[ImageReference, Plane] | Unusable:
    """The image plane that a slice with these points (P, 3) lies on; the first stack that holds it counts.

    normal: of the slice, (3,); None where it has none (a point, a line), and then only the points decide.
    """
    for stack in stacks:
        for held in (stack.holding(points_mm), _between(points_mm, normal, stack, images)):
            plane = None if held is None else _plane(held, images)
            if held is not None and plane is not None and _parallel(plane, normal):
                return held.frame, plane
    planes = sum(len(stack) for stack in stacks)
    if not planes:
        return Unusable("no_plane", "no image of its frame of reference has arrived, so millimetres cannot be placed")
    return Unusable("off_plane", f"its slice lies on none of the {planes} known image planes, and between no two")


def longest_possible(points: Floats) -> float:
    """No two of these points (P, 2) lie farther apart; at most SHARP above the truth, without comparing pairs.

    The two farthest points span nearly all of their distance in one of the directions.
    """
    angles = np.arange(DIRECTIONS) * pi / DIRECTIONS
    spans = np.ptp(points @ np.array([np.cos(angles), np.sin(angles)]), axis=0)
    return float(spans.max()) * SHARP


def to_mm(plane: Plane, points: Floats) -> Floats:
    """Points (P, 2) of a plane's grid, col and row, in the patient: (P, 3)."""
    scale = np.array([plane.spacing.col_mm, plane.spacing.row_mm])
    origin = np.array([plane.origin.x, plane.origin.y, plane.origin.z])
    mm: Floats = origin + (points * scale) @ np.array([plane.along_row, plane.along_column])
    return mm


def to_px(plane: Plane, points_mm: Floats) -> Floats:
    """The feet of points (P, 3) on a plane, as col and row: (P, 2)."""
    scale = np.array([plane.spacing.col_mm, plane.spacing.row_mm])
    origin = np.array([plane.origin.x, plane.origin.y, plane.origin.z])
    px: Floats = (points_mm - origin) @ np.array([plane.along_row, plane.along_column]).T / scale
    return px


def _between(points_mm: Floats, normal: Floats | None, stack: PlaneStack, images: KnownImages) -> Held | None:
    """The nearer of two planes on both sides of a slice."""
    if normal is None or not len(stack):
        return None
    sides = [_first_plane(points_mm, sign * normal, stack, images) for sign in (1.0, -1.0)]
    if sides[0] is None or sides[1] is None:
        return None
    off_mm, held = min(sides[0], sides[1], key=lambda side: side[0])
    return held if off_mm <= NEAREST_MM else None


def _first_plane(
    points_mm: Floats, normal: Floats, stack: PlaneStack, images: KnownImages
) -> tuple[float, Held] | None:
    """The first plane of a stack that a slice meets on its way along a normal, and how far that is."""
    for step_mm in range(OTHER_SIDE_MM + 1):
        held = stack.holding(points_mm + step_mm * normal)
        plane = None if held is None else _plane(held, images)
        if held is not None and plane is not None and _parallel(plane, normal):
            off_mm = plane.position_mm - float(points_mm.mean(axis=0) @ np.array(plane.normal))
            return abs(off_mm), held
    return None


def _plane(held: Held, images: KnownImages) -> Plane | None:
    known = images.find(held.frame)
    return None if known is None else known.plane


def _parallel(plane: Plane, normal: Floats | None) -> bool:
    return normal is None or abs(float(np.array(plane.normal) @ normal)) >= PARALLEL
