"""Which measurements are of one lesion: boxes of several readers on one image that overlap. Pure.

They stay measurements of their own, for their spread is how exactly people measure; they share a `lesion_identity`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from db.geometry import BoxPx
from db.measurement import ImageReference

Floats = npt.NDArray[np.float64]

OVERLAP = 0.6
"""Boxes whose intersection over union is greater are of one lesion, as in DeepLesion (the journal paper, 2.2.1)."""


def one_lesion(measured: Sequence[tuple[str, ImageReference, BoxPx]]) -> Iterator[list[str]]:
    """Groups of lesion_ids, each in the order given; those of a single measurement too.

    measured: (lesion_id, image, box with DeepLesion's margin), the oldest first. A box joins the lesion whose first
    box it overlaps most, so that a chain of neighbours does not become one lesion.
    """
    by_image: dict[ImageReference, list[tuple[str, BoxPx]]] = defaultdict(list)
    for lesion_id, image, box in measured:
        by_image[image].append((lesion_id, box))
    for drawn in by_image.values():
        yield from _on_one_image([lesion_id for lesion_id, _ in drawn], [box for _, box in drawn])


def _on_one_image(lesion_ids: Sequence[str], boxes: Sequence[BoxPx]) -> list[list[str]]:
    corners = np.array([(box.x1, box.y1, box.x2, box.y2) for box in boxes])  # (N, 4)
    first: list[int] = []
    members: list[list[str]] = []
    for n, lesion_id in enumerate(lesion_ids):
        overlaps = _overlaps(corners[n], corners[first]) if first else np.zeros(1)
        best = int(overlaps.argmax())
        if overlaps[best] > OVERLAP:
            members[best].append(lesion_id)
        else:
            first.append(n)
            members.append([lesion_id])
    return members


def _overlaps(box: Floats, others: Floats) -> Floats:
    """(N,): intersection over union of a box (4,) with others (N, 4)."""
    sides = np.minimum(box[2:], others[:, 2:]) - np.maximum(box[:2], others[:, :2])
    common = sides.clip(0).prod(axis=1)
    areas = (others[:, 2:] - others[:, :2]).prod(axis=1)
    overlaps: Floats = common / ((box[2:] - box[:2]).prod() + areas - common)
    return overlaps
