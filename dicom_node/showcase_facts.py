"""What the demo's report is made of, as plain values. Pure.

Arrays are HU (H, W); drawings are in pixels of their image, the centre of the first pixel is (0, 0) (`db.geometry`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt

from db.geometry import Axis, BoxPx, PixelSpacing

KINDS = ("truth", "measured", "detected", "missed", "false")
"""What a shape says: what is there, what a reader drew, what the model found, found not, found wrongly."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the way of the data: `harvest`, 41, `lesions`, `from 12 reports`."""

    verb: str
    count: int
    noun: str
    remark: str = ""


@dataclass(frozen=True, slots=True)
class Shape:
    """One drawing on an image. kind: one of KINDS."""

    kind: str
    box: BoxPx | None
    axes: tuple[Axis, ...] = ()
    label: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """An image with what is drawn on it. focus: the part to show, None for the whole image."""

    hu: npt.NDArray[np.int16]
    spacing: PixelSpacing
    shapes: tuple[Shape, ...]
    caption: str
    focus: BoxPx | None = None


@dataclass(frozen=True, slots=True)
class FrocCurve:
    """Sensitivity, 0 to 1, at false positives a scan; low and high are its 95 % interval, empty if none is known.

    against: `all` for every lesion that the phantom holds, `large` for those of 10 mm and 40 HU of contrast at least,
    `marked` for those that a reader measured.
    """

    against: str
    fp_per_scan: tuple[float, ...]
    sensitivity: tuple[float, ...]
    lesions: int
    scans: int
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class TreeItem:
    """One content item of a Structured Report."""

    name: str
    value: str = ""
    children: tuple[TreeItem, ...] = ()


@dataclass(frozen=True, slots=True)
class Delivered:
    """One result for one destination."""

    kind: str
    profile: str
    destination: str
    state: str
    last_answer: str
    result_sop_instance_uid: str
    delivered_at: datetime | None


@dataclass(frozen=True, slots=True)
class DemoFacts:
    """Everything that the report shows; what is empty is said to be missing, never left out in silence."""

    made_at: datetime
    steps: tuple[Step, ...]
    measured: tuple[Scene, ...] = ()
    montage_png: bytes = b""
    categories: tuple[tuple[str, int, float | None], ...] = ()
    """(name, members, stability), the largest first."""
    losses: tuple[tuple[int, float], ...] = ()
    """(training step, mean loss since the last)."""
    froc: tuple[FrocCurve, ...] = ()
    compared: tuple[Scene, ...] = ()
    found: int = 0
    """Of `present` lesions in the analysed studies, those that a reported detection hits."""
    present: int = 0
    false_positives: int = 0
    tree: TreeItem | None = None
    delivered: tuple[Delivered, ...] = ()
    remarks: tuple[tuple[str, str], ...] = ()
    """(name, value) of how it was made: seed, device, durations, versions."""
