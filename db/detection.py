"""What the model says, as a value: one lesion in one series. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from db.geometry import Axis, BoxPx
from db.measurement import ImageReference


@dataclass(frozen=True, slots=True, eq=False)
class Mask:
    """The voxels of one lesion, cropped: `voxels` (S, H, W) bool; its corner in the sorted series."""

    z: int
    row: int
    col: int
    voxels: npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Detection:
    """One lesion found by a model.

    image: the key slice, on which box and axes lie. z_first..z_last: slices of the sorted series, 0-based and
    inclusive. score: 0 to 1. tracking_uid: kept for the same lesion over time points.
    """

    detection_id: str
    image: ImageReference
    box: BoxPx
    z_first: int
    z_last: int
    long_axis: Axis
    short_axis: Axis
    long_axis_mm: float
    short_axis_mm: float
    score: float
    category: str
    tracking_uid: str
    mask: Mask | None = None
    comment: str = ""
