"""What the model says, as a value: one lesion in one series. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from uuid import UUID, uuid5

import numpy as np
import numpy.typing as npt

from db.geometry import Axis, BoxPx
from db.measurement import ImageReference

AXES_NAMESPACE = UUID("0d3a8f0c-6c0f-5f0e-8d0b-3a6f4c1e9b27")
"""Namespace of the axes' tracking UIDs; never change it: they must stay the same over time points."""


def axes_tracking_uid(tracking_uid: str) -> str:
    """The Tracking UID of the group with the two axes, from that of the lesion (whose group holds the box).

    A UID of its own, because a viewer shows only one group for each; UUIDv5 below 2.25 (PS3.5 B.2).
    """
    return f"2.25.{uuid5(AXES_NAMESPACE, tracking_uid).int}"


@dataclass(frozen=True, slots=True, eq=False)
class Mask:
    """The voxels of one lesion, cropped: `voxels` (S, H, W) bool; its corner in the sorted series."""

    z: int
    row: int
    col: int
    voxels: npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Prior:
    """The same lesion as it was in an earlier study of the patient."""

    detection_id: str
    study_date: date
    long_axis_mm: float


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
    prior: Prior | None = None

    @property
    def change_from_prior(self) -> float | None:
        """Of the long axis since the prior study, as a share of what it was: 0.2 is a fifth longer; None if unknown."""
        if self.prior is None or self.prior.long_axis_mm <= 0:
            return None
        return self.long_axis_mm / self.prior.long_axis_mm - 1.0
