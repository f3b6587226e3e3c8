"""Many image planes as one array: which of them holds a drawing in millimetres. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from db.geometry import Plane, PointPx
from db.measurement import ImageReference

Floats = npt.NDArray[np.float64]

MAX_OFF_PLANE_MM = 0.5
"""How far from an image's plane a point may lie and still be drawn on that image."""

SAME_MM = 1e-6
"""Two planes whose distances differ by less are equally near; then the first one counts."""

FIRST_POINTS = 16
"""So many points of a drawing, spread over it, leave few planes for the rest of a long contour."""


@dataclass(frozen=True, slots=True)
class Held:
    """A drawing on a frame that holds it, and how far its farthest point lies from the plane."""

    frame: ImageReference
    points: tuple[PointPx, ...]
    off_mm: float


class PlaneStack:
    """Frames and their planes, in an order of preference; made once and asked for every drawing."""

    def __init__(self, frames: Sequence[tuple[ImageReference, Plane]] = ()) -> None:
        self.frames = tuple(frame for frame, _ in frames)
        self._planes = tuple(plane for _, plane in frames)
        self._normals = np.array([plane.normal for plane in self._planes], dtype=np.float64).reshape(-1, 3)  # (F, 3)
        self._positions = np.array([plane.position_mm for plane in self._planes], dtype=np.float64)  # (F,)

    def __len__(self) -> int:
        return len(self.frames)

    def holding(self, points_mm: Floats) -> Held | None:
        """The drawing on the nearest plane that holds all its points.

        points_mm: (P, 3) in the patient, P at least 1. None if each plane is too far from some point.
        """
        few = points_mm[:: max(1, len(points_mm) // FIRST_POINTS)]
        (near,) = np.nonzero(self._off_mm(np.arange(len(self)), few) <= MAX_OFF_PLANE_MM)
        off_mm = np.array([self._off_mm(near[n : n + 1], points_mm)[0] for n in range(len(near))])
        if not (off_mm <= MAX_OFF_PLANE_MM).any():
            return None
        first = int(np.argmax(off_mm <= off_mm.min() + SAME_MM))
        place = int(near[first])
        return Held(self.frames[place], _feet(self._planes[place], points_mm), float(off_mm[first]))

    def _off_mm(self, places: npt.NDArray[np.intp], points_mm: Floats) -> Floats:
        """(places,): of each plane, how far the farthest of the points (P, 3) lies from it."""
        off: Floats = np.abs(self._normals[places] @ points_mm.T - self._positions[places, None]).max(axis=1)
        return off


def _feet(plane: Plane, points_mm: Floats) -> tuple[PointPx, ...]:
    steps = points_mm - (plane.origin.x, plane.origin.y, plane.origin.z)  # (P, 3)
    cols = steps @ np.array(plane.along_row) / plane.spacing.col_mm
    rows = steps @ np.array(plane.along_column) / plane.spacing.row_mm
    return tuple(PointPx(col, row) for col, row in zip(cols.tolist(), rows.tolist(), strict=True))
