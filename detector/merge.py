"""2-D boxes on the slices of a series → 3-D lesions. Pure.

Boxes on neighbouring slices that overlap become one track. A lesion is about as long along the normal as it is wide;
a vessel or a bowel loop goes on and on, and a wrong guess stands alone. So a track's score is that of its best slices,
lowered where it is much longer than wide.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import numpy.typing as npt

from db.geometry import BoxPx, PixelSpacing


@dataclass(frozen=True, slots=True)
class SliceBox:
    """One box on one slice; label 1 and more."""

    z: int
    box: BoxPx
    score: float
    label: int


@dataclass(frozen=True, slots=True)
class Track:
    """One lesion: its boxes by slice, at least one, rising in z."""

    boxes: tuple[SliceBox, ...]
    score: float

    @property
    def key(self) -> SliceBox:
        return max(self.boxes, key=lambda box: box.score)

    @property
    def z_first(self) -> int:
        return self.boxes[0].z

    @property
    def z_last(self) -> int:
        return self.boxes[-1].z

    def box_on(self, z: int) -> BoxPx | None:
        """The box on a slice; between two slices with boxes the mean of them by distance; None outside the track."""
        if not self.z_first <= z <= self.z_last:
            return None
        after = next(box for box in self.boxes if box.z >= z)
        before = next(box for box in reversed(self.boxes) if box.z <= z)
        if after.z == before.z:
            return after.box
        share = (z - before.z) / (after.z - before.z)
        pairs = zip(_corners(before.box), _corners(after.box), strict=True)
        return BoxPx(*(a + share * (b - a) for a, b in pairs))


@dataclass(frozen=True, slots=True)
class MergeSettings:
    """How boxes become lesions."""

    same_iou: float = 0.3
    """Least IoU of two boxes of one lesion on neighbouring slices."""
    gap_mm: float = 6.0
    """Largest distance of two slices of one track, and always one slice."""
    longer_than_wide: float = 2.0
    """A track may be so many times longer along the normal than wide before its score falls."""
    inside: float = 0.5
    """A track whose best box lies by more than this part within a better track is the same lesion once more."""


def merge(
    boxes: Sequence[SliceBox],
    positions_mm: npt.NDArray[np.float64],
    spacing: PixelSpacing,
    settings: MergeSettings,
) -> list[Track]:
    """All lesions of a series, best first. positions_mm: (S,) of all slices, rising."""
    tracks: list[list[SliceBox]] = []
    for z, group in groupby(sorted(boxes, key=lambda box: box.z), key=lambda box: box.z):
        here = list(group)
        open_tracks = [track for track in tracks if _reaches(track[-1].z, z, positions_mm, settings)]
        pairs = sorted(
            ((track[-1].box.iou(box.box), -box.score, t, b)
             for t, track in enumerate(open_tracks) for b, box in enumerate(here)),
            key=lambda pair: (-pair[0], pair[1]),
        )  # fmt: skip
        taken_tracks: set[int] = set()
        taken_boxes: set[int] = set()
        for iou, _, t, b in pairs:
            if iou >= settings.same_iou and t not in taken_tracks and b not in taken_boxes:
                open_tracks[t].append(here[b])
                taken_tracks.add(t)
                taken_boxes.add(b)
        tracks += [[box] for b, box in enumerate(here) if b not in taken_boxes]
    made = [Track(tuple(track), track_score(track, positions_mm, spacing, settings)) for track in tracks]
    return without_repeats(sorted(made, key=lambda track: -track.score), settings.inside)


def without_repeats(tracks: Sequence[Track], inside: float) -> list[Track]:
    """The tracks, best first, less those that repeat a better one: part of a lesion, or a box around it."""
    kept: list[Track] = []
    for track in tracks:
        better = (one.box_on(track.key.z) for one in kept)
        if not any(box is not None and _common_share(box, track.key.box) > inside for box in better):
            kept.append(track)
    return kept


def _common_share(a: BoxPx, b: BoxPx) -> float:
    """The common part of two boxes, as a share of the smaller one: 0 to 1."""
    width = min(a.x2, b.x2) - max(a.x1, b.x1)
    height = min(a.y2, b.y2) - max(a.y1, b.y1)
    smaller = min(a.area_px, b.area_px)
    return max(width, 0.0) * max(height, 0.0) / smaller if smaller > 0 else 0.0


def track_score(
    track: Sequence[SliceBox], positions_mm: npt.NDArray[np.float64], spacing: PixelSpacing, settings: MergeSettings
) -> float:
    """0 to 1: the best slice's score, lowered in proportion where the track is too long for its width."""
    best = max(track, key=lambda box: box.score)
    width_mm = max(best.box.width_px * spacing.col_mm, best.box.height_px * spacing.row_mm)
    length_mm = float(positions_mm[track[-1].z] - positions_mm[track[0].z])
    allowed_mm = settings.longer_than_wide * width_mm
    return best.score * min(1.0, allowed_mm / length_mm if length_mm > 0 else 1.0)


def _reaches(last_z: int, z: int, positions_mm: npt.NDArray[np.float64], settings: MergeSettings) -> bool:
    return z - last_z == 1 or (z > last_z and positions_mm[z] - positions_mm[last_z] <= settings.gap_mm)


def _corners(box: BoxPx) -> tuple[float, float, float, float]:
    return box.x1, box.y1, box.x2, box.y2
