"""RECIST axes of a shape on one image: its largest Feret diameter and the longest width across it. Pure.

The shape's border is taken where its coverage passes one half, between pixel centres, so that a lesion of a few
pixels is not measured a pixel too short.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.spatial import ConvexHull, QhullError

from db.geometry import Axis, PixelSpacing, PointPx

Points = npt.NDArray[np.float64]


def recist_axes(coverage: npt.NDArray[np.float32], spacing: PixelSpacing) -> tuple[Axis, Axis] | None:
    """The long and the short axis of a shape; the short one is perpendicular to the long one in the patient.

    coverage: (H, W), 0 to 1, how much of each pixel the shape fills.
    None if no pixel is filled to one half. Lengths are compared in mm, and of the shape's convex hull.
    """
    hull = hull_px(coverage, spacing)
    if hull is None:
        return None
    scale = np.array([spacing.col_mm, spacing.row_mm])
    mm = hull * scale
    gaps = np.linalg.norm(mm[:, None, :] - mm[None, :, :], axis=-1)  # (N, N)
    i, j = np.unravel_index(int(gaps.argmax()), gaps.shape)
    long_axis = _axis(mm[i] / scale, mm[j] / scale)
    along = (mm[j] - mm[i]) / gaps[i, j]
    across = np.array([-along[1], along[0]])
    u, v = (mm - mm[i]) @ along, (mm - mm[i]) @ across
    at, low, high = _widest(u, v)
    ends = [mm[i] + at * along + side * across for side in (low, high)]
    return long_axis, _axis(ends[0] / scale, ends[1] / scale)


def hull_px(coverage: npt.NDArray[np.float32], spacing: PixelSpacing) -> Points | None:
    """Corners (N, 2) of the shape's convex hull as (col, row), in ring order; None if it fills no pixel to one half."""
    border = _border_px(coverage)
    if len(border) < 3:
        return None
    try:
        return np.asarray(border[ConvexHull(border * (spacing.col_mm, spacing.row_mm)).vertices])
    except QhullError:  # all on one line
        return None


def _border_px(coverage: npt.NDArray[np.float32]) -> Points:
    """Where coverage passes one half between neighbours in a row or a column, (N, 2) as (col, row)."""
    c = np.pad(np.asarray(coverage, dtype=np.float64), 1) - 0.5
    found = []
    for axis in (0, 1):
        a, b = (c[:-1], c[1:]) if axis == 0 else (c[:, :-1], c[:, 1:])
        rows, cols = np.nonzero((a > 0) != (b > 0))
        step = a[rows, cols] / (a[rows, cols] - b[rows, cols])
        found.append(np.column_stack((cols, rows + step) if axis == 0 else (cols + step, rows)) - 1.0)
    return np.concatenate(found)


def _widest(u: Points, v: Points) -> tuple[float, float, float]:
    """Of a convex polygon (u, v): where along u it is widest in v, and its two ends there."""
    best = (0.0, 0.0, 0.0)
    following = np.roll(np.arange(len(u)), -1)
    for at in u:  # the widest place of a convex polygon is at a corner
        a, b = u - at, u[following] - at
        crossed = (np.minimum(a, b) <= 1e-9) & (np.maximum(a, b) >= -1e-9) & (np.abs(b - a) > 1e-9)
        t = np.clip(-a[crossed] / (b - a)[crossed], 0, 1)
        heights = v[crossed] + t * (v[following] - v)[crossed]
        if len(heights) and heights.max() - heights.min() > best[2] - best[1]:
            best = (float(at), float(heights.min()), float(heights.max()))
    return best


def _axis(a: Points, b: Points) -> Axis:
    return Axis(PointPx(float(a[0]), float(a[1])), PointPx(float(b[0]), float(b[1])))
