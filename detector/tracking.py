"""Which lesion is which: Tracking UIDs that stay with a lesion when its study is analysed again. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from db.geometry import BoxPx
from db.uids import uid_from
from detector.merge import Track

SAME_IOU = 0.3
"""Least overlap of two boxes of one lesion on one image."""


@dataclass(frozen=True, slots=True)
class Earlier:
    """A lesion found by an earlier analysis: its key slice (0-based in the series as it is now), its box, its UID."""

    z: int
    box: BoxPx
    tracking_uid: str


def tracking_uids(study_instance_uid: str, tracks: Sequence[Track], earlier: Sequence[Earlier]) -> list[str]:
    """One UID for each lesion, in their order.

    A lesion that is where one was found before gets that one's UID; of several the best overlap, and of two new ones at
    one old place the better. Any other gets a UID made from study and place, so that the same analysis done twice gives
    the same UIDs.
    """
    pairs = sorted(
        (
            (box.iou(old.box), n, o)
            for n, track in enumerate(tracks)
            for o, old in enumerate(earlier)
            if (box := track.box_on(old.z)) is not None
        ),
        key=lambda pair: (-pair[0], pair[1], pair[2]),
    )
    given: dict[int, str] = {}
    taken: set[str] = set()
    for iou, n, o in pairs:
        uid = earlier[o].tracking_uid
        if iou >= SAME_IOU and n not in given and uid not in taken:
            given[n] = uid
            taken.add(uid)
    return [given.get(n) or _fresh(study_instance_uid, track) for n, track in enumerate(tracks)]


def _fresh(study_instance_uid: str, track: Track) -> str:
    key = track.key
    return uid_from("lesion", study_instance_uid, key.z, key.box.x1, key.box.y1, key.box.x2, key.box.y2)
