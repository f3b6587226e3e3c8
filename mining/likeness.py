"""How like a drawing is to one of our detections: how much of it they share, how far it was moved. Pure."""

from __future__ import annotations

from db.geometry import Axis, BoxPx, PointPx
from mining.copies import Harvested, OwnDetection
from mining.recist import extent


def overlap(row: Harvested, ours: OwnDetection) -> float:
    """Intersection over union of like with like on one image, 0 to 1: extents of axes, boxes with a margin, masks."""
    pairs: list[tuple[BoxPx, BoxPx]] = []
    if row.image == ours.image:
        axes = extent((*ours.long_axis.points, *ours.short_axis.points))
        drawn = [row.outline] if row.outline is not None else [row.box]
        pairs += [(one, box) for one in drawn for box in ours.boxes]
        pairs.append((_extent(row), axes))
    pairs += [(_extent(row), region.outline) for region in ours.regions if region.image == row.image]
    return max((a.iou(b) for a, b in pairs), default=0.0)


def _extent(row: Harvested) -> BoxPx:
    """Without a margin."""
    return row.outline if row.outline is not None else extent(row.long_axis.points + _short_points(row))


def _short_points(row: Harvested) -> tuple[PointPx, ...]:
    return () if row.short_axis is None else row.short_axis.points


def shift_px(row: Harvested, ours: OwnDetection) -> float | None:
    """How far the farthest point of a drawing lies from ours; None where there is nothing like it on that image."""
    if row.outline is not None:
        boxes = [region.outline for region in ours.regions if region.image == row.image]
        boxes += list(ours.boxes) if row.image == ours.image else []
        return min((_box_shift(row.outline, box) for box in boxes), default=None)
    if row.image != ours.image:
        return None
    drawn = [row.long_axis] if row.short_axis is None else [row.long_axis, row.short_axis]
    orders = ((ours.long_axis, ours.short_axis), (ours.short_axis, ours.long_axis))
    return min(max(_axis_shift(a, b) for a, b in zip(drawn, order, strict=False)) for order in orders)


def _box_shift(a: BoxPx, b: BoxPx) -> float:
    return max(p.distance_px(q) for p, q in zip(a.corners, b.corners, strict=True))


def _axis_shift(a: Axis, b: Axis) -> float:
    """In either direction."""
    return min(
        max(a.a.distance_px(start), a.b.distance_px(end)) for start, end in (b.points, b.points[::-1])
    )  # fmt: skip
