"""What the model found on its own training scans and nobody marked: a lesion that was not marked, or a mistake?

Readers mark some of the lesions, and a model that learns the others as background learns to overlook. So the scans are
looked at with the model of the first rounds: of what it finds without a mark, the strongest is no longer background
(as many as readers may have left unmarked), and the rest is the background worth learning from. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from db.geometry import BoxPx
from detector.marks import Found, Mark
from detector.merge import Track
from detector.prepare import Frame
from detector.targets import IGNORED


@dataclass(frozen=True, slots=True)
class SecondLookSettings:
    """How findings without a mark are sorted."""

    unmarked_per_marked: float = 1.2
    """How many lesions are left unmarked for each that is marked: by the DeepLesion count about 55 to 45."""
    certain: float = 0.8
    """Below this score nothing is taken for a lesion, however few there are."""
    learn: bool = True
    """Whether the upper half of what is taken for a lesion is learnt as one; else all of it is only ignored."""
    suspicious: float = 0.1
    """Findings from this score on are shown again as background."""
    every_mm: float = 4.0
    """Least distance of the slices that are looked at: a hasty look, for its time is the training's."""
    share: float = 0.25
    """The most of the training's budget that one look may take."""


def sort_findings(
    scans: Sequence[tuple[Sequence[Track], Sequence[Mark], Frame]], settings: SecondLookSettings
) -> list[tuple[tuple[Found, ...], tuple[Found, ...]]]:
    """For each scan (tracks in native pixels, its marks, its frame): what is taken for lesions, what is suspicious."""
    unmarked = [
        (track.score, number, track)
        for number, (tracks, marks, frame) in enumerate(scans)
        for track in tracks
        if not any(_touches(track, mark, frame) for mark in marks)
    ]
    unmarked.sort(key=lambda one: -one[0])
    most = round(settings.unmarked_per_marked * sum(len(marks) for _, marks, _ in scans))
    taken = [one for one in unmarked[:most] if one[0] >= settings.certain]
    sorted_out: list[tuple[list[Found], list[Found]]] = [([], []) for _ in scans]
    for place, (score, number, track) in enumerate(unmarked):
        frame = scans[number][2]
        if place < len(taken):
            learn = settings.learn and place < len(taken) // 2
            sorted_out[number][0].extend(
                Found(box.z, frame.to_network(box.box), box.label if learn and box is track.key else IGNORED)
                for box in track.boxes
            )
        elif score >= settings.suspicious:
            sorted_out[number][1].append(Found(track.key.z, frame.to_network(track.key.box)))
    return [(tuple(found), tuple(suspicious)) for found, suspicious in sorted_out]


def without_rejected(tracks: Sequence[Track], rejected: Sequence[Found], frame: Frame) -> list[Track]:
    """The findings that nobody rejected yet; what people rejected is background, however sure a model is of it."""
    return [track for track in tracks if not any(_touches(track, one, frame) for one in rejected)]


def _touches(track: Track, mark: Mark | Found, frame: Frame) -> bool:
    """Whether the track is what the mark shows: it crosses the marked slice, or the next ones, at the marked place."""
    marked = frame.to_native(mark.box)
    return any(abs(box.z - mark.z) <= 2 and _overlap(box.box, marked) for box in track.boxes)


def _overlap(a: BoxPx, b: BoxPx) -> bool:
    return a.iou(b) >= 0.2
