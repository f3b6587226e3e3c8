"""The masks of our detections as a reader of masks measures them, slice by slice. Pure first, then the shell.

A viewer that saves our segmentation again names no detection; that it is ours is seen where the mask is longest.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Collection, Sequence
from zipfile import BadZipFile

import numpy as np
from sqlalchemy.orm import Session

from db.analyses import read_mask
from db.assessments import detections_with_masks, images_of_series
from db.detection import Mask
from db.files import FileStore
from db.geometry import BoxPx, Plane
from db.indexing import planes_of
from db.measurement import ImageReference
from db.outcomes import DetectionRow
from mining.copies import OwnRegion
from mining.masks import longest_piece
from mining.recist import length

log = logging.getLogger(__name__)

SAME_SLICE_MM = 0.01
"""The positions of a detection's slices were computed from the same headers."""

AS_LONG = 1e-3
"""Slices that are shorter by a smaller share may be taken for the longest one."""

Slices = Sequence[tuple[ImageReference, Plane]]
"""Of one series, sorted along the normal."""


def regions_of_mask(mask: Mask, slices: Slices) -> tuple[OwnRegion, ...]:
    """One region for each slice of the mask that has a pixel. slices: those that it lies on, as many as it has."""
    found: list[tuple[float, OwnRegion]] = []
    for flags, (image, plane) in zip(mask.voxels, slices, strict=True):
        piece = longest_piece(flags, plane.spacing)
        if piece is None:
            continue
        edges = piece.edges + np.array([mask.col, mask.row])
        (x1, y1), (x2, y2) = edges.min(axis=0).tolist(), edges.max(axis=0).tolist()
        long_axis = piece.long_axis.moved(mask.col, mask.row)
        short_axis = None if piece.short_axis is None else piece.short_axis.moved(mask.col, mask.row)
        region = OwnRegion(image, long_axis, short_axis, BoxPx(x1, y1, x2, y2))
        found.append((length(long_axis, plane.spacing), region))
    longest = max((mm for mm, _ in found), default=0.0)
    return tuple(
        OwnRegion(one.image, one.long_axis, one.short_axis, one.outline, mm >= longest * (1 - AS_LONG))
        for mm, one in found
    )


def slices_between(slices: Slices, first_mm: float | None, last_mm: float | None, count: int) -> Slices | None:
    """The slices from one position to another, if they are as many as that; None where the series has changed since."""
    if first_mm is None or last_mm is None:
        return None
    within = [
        one for one in slices if first_mm - SAME_SLICE_MM <= one[1].position_mm <= last_mm + SAME_SLICE_MM
    ]  # fmt: skip
    return within if len(within) == count else None


# --- shell --------------------------------------------------------------------------------------------------------


def mask_regions(
    session: Session, files: FileStore, sop_instance_uids: Collection[str]
) -> dict[str, tuple[OwnRegion, ...]]:
    """By detection_id: the masks of what we found in the series of these images. A lost or broken file is no mask."""
    by_series: dict[str, list[DetectionRow]] = defaultdict(list)
    for series_uid, row in detections_with_masks(session, sop_instance_uids):
        by_series[series_uid].append(row)
    found = {}
    for series_uid, rows in by_series.items():
        slices = _slices(session, series_uid)
        for row in rows:
            regions = _regions(row, slices, files)
            if regions:
                found[row.detection_id] = regions
    return found


def _regions(row: DetectionRow, slices: Slices, files: FileStore) -> tuple[OwnRegion, ...]:
    try:
        mask = read_mask(files.path(row.mask_name).read_bytes())
    except (FileNotFoundError, BadZipFile, KeyError, ValueError, EOFError) as error:  # it costs its copies, no harvest
        log.warning("mask cannot be read detection=%s: %s", row.detection_id, type(error).__name__)
        return ()
    there = slices_between(slices, row.z_first_mm, row.z_last_mm, len(mask.voxels))
    return () if there is None else regions_of_mask(mask, there)


def _slices(session: Session, series_instance_uid: str) -> Slices:
    frames = []
    for image in images_of_series(session, series_instance_uid):
        planes = planes_of(image)
        if len(planes) == image.frames:
            frames += [(ImageReference(image.sop_instance_uid, n), plane) for n, plane in enumerate(planes, start=1)]
    positions = np.array([plane.position_mm for _, plane in frames])
    return [frames[place] for place in np.argsort(positions, kind="stable")]
