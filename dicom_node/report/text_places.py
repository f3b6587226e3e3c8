"""Where texts stand beside boxes on an image. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from db.geometry import BoxPx, PointPx

LINE_SHARE = 1 / 36
"""Height of a line of text, in heights of the image: so large most viewers write it."""

LETTER_SHARE = 0.5
"""Width of a letter, in heights of a line."""

GAP_PX = 2.0


def text_boxes(
    rings: Sequence[Sequence[PointPx]], texts: Sequence[str], rows: int, columns: int
) -> list[tuple[PointPx, PointPx]]:
    """Upper left and lower right corner of each text: right of its box, else left, above or below; inside the image.

    It stands where it covers least of the boxes and of the texts before it; in the first such place.
    """
    boxes = [BoxPx(ring[0].col, ring[0].row, ring[2].col, ring[2].row) for ring in rings]
    taken = list(boxes)
    places = []
    for box, text in zip(boxes, texts, strict=True):
        lines = text.splitlines()
        height = min(len(lines) * rows * LINE_SHARE, rows - 1.0)
        width = min(max(map(len, lines)) * LETTER_SHARE * rows * LINE_SHARE, columns - 1.0)
        tried = [_inside(at, width, height, rows, columns) for at in _beside(box, width, height)]
        place = min(tried, key=lambda one: sum(_common_px(one, other) for other in taken))
        taken.append(place)
        places.append((PointPx(place.x1, place.y1), PointPx(place.x2, place.y2)))
    return places


def _beside(box: BoxPx, width: float, height: float) -> list[PointPx]:
    """Upper left corners of a text."""
    right, left = box.x2 + GAP_PX, box.x1 - GAP_PX - width
    above, below = box.y1 - GAP_PX - height, box.y2 + GAP_PX
    return [
        PointPx(right, box.y1), PointPx(left, box.y1), PointPx(box.x1, above), PointPx(box.x1, below),
        PointPx(right, above), PointPx(right, below), PointPx(left, above), PointPx(left, below),
    ]  # fmt: skip


def _inside(at: PointPx, width: float, height: float, rows: int, columns: int) -> BoxPx:
    x1 = min(max(at.col, 0.0), columns - 1.0 - width)
    y1 = min(max(at.row, 0.0), rows - 1.0 - height)
    return BoxPx(x1, y1, x1 + width, y1 + height)


def _common_px(a: BoxPx, b: BoxPx) -> float:
    """The area that two boxes share."""
    width, height = min(a.x2, b.x2) - max(a.x1, b.x1), min(a.y2, b.y2) - max(a.y1, b.y1)
    return max(width, 0.0) * max(height, 0.0)
