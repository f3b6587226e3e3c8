"""Which lesion of a study is which of the patient's earlier ones. Pure; its promise: rather no link than a wrong one.

Two places are one lesion if they lie so close, once the studies are laid over each other, that nothing else could be
meant: closest to each other both ways, no third one nearly as close, neither several times as large as the other.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from math import dist

import numpy as np
import numpy.typing as npt

from db.detection import Detection, Prior
from db.geometry import PointMm, Vector
from db.priors import PriorLesion, PriorStudy, centre_mm
from detector.align import AlignSettings, moved, shift_between
from detector.overview import Overview, from_json
from mining.volume import Volume


@dataclass(frozen=True, slots=True)
class FollowSettings:
    """How far is close."""

    same_frame_mm: float = 4.0
    """How far a lesion may have moved in one Frame of Reference."""
    aligned_mm: float = 7.0
    """The same where the studies were laid over each other: the error of that comes in."""
    share: float = 0.25
    """And by this much of the longer long axis more: a lesion grows to one side."""
    most_mm: float = 15.0
    most_growth: float = 3.0
    """Of the long axis, either way."""
    got_up_mm: float = 20.0
    """A shift in one Frame of Reference from which on the images are believed, and not the frame."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A lesion of the study at hand: its middle (mm, LPS) and its long axis."""

    centre: PointMm
    long_axis_mm: float


@dataclass(frozen=True, slots=True)
class Alignment:
    """shift: what leads from the earlier study's places to those of the one at hand. room_mm: how exact that is."""

    shift: Vector
    room_mm: float


@dataclass(frozen=True, slots=True)
class Link:
    lesion: PriorLesion
    study_date: date

    @property
    def prior(self) -> Prior:
        return Prior(self.lesion.detection_id, self.study_date, self.lesion.long_axis_mm)


def with_priors(
    found: Sequence[Detection],
    count: int,
    volume: Volume,
    frame_of_reference_uid: str,
    overview: Overview,
    priors: Sequence[PriorStudy],
    kept_uids: Collection[str],
    settings: FollowSettings,
) -> list[Detection]:
    """The detections, each with what it was before and, unless its own study gave it one already, that one's UID.

    Only the first `count`, which are reported, are looked for. kept_uids: the Tracking UIDs that this study had before.
    """
    current = [seen_in(volume, detection) for detection in found[:count]]
    carried = {n: one.tracking_uid for n, one in enumerate(found) if one.tracking_uid in kept_uids}
    links = follow(current, frame_of_reference_uid, overview, priors, settings, carried)
    followed = list(found)
    for n, link in links.items():
        uid = carried.get(n) or link.lesion.tracking_uid
        followed[n] = replace(found[n], tracking_uid=uid, prior=link.prior)
    return followed


def seen_in(volume: Volume, detection: Detection) -> Seen:
    planes = volume.planes
    first, last = planes[detection.z_first].position_mm, planes[detection.z_last].position_mm
    key = planes[volume.index_of(detection.image)]
    return Seen(centre_mm(key, detection.box, first, last), detection.long_axis_mm)


def follow(
    current: Sequence[Seen],
    frame_of_reference_uid: str,
    overview: Overview,
    priors: Sequence[PriorStudy],
    settings: FollowSettings,
    carried: Mapping[int, str],
) -> dict[int, Link]:
    """The earlier lesion that each current one is, by its place in `current`; those without one are left out.

    priors: the newest first. An older study is asked only for lesions that no newer one has.
    carried: Tracking UIDs that a lesion has from this very study; they decide where an earlier study has them, too.
    """
    links: dict[int, Link] = {}
    known: set[str] = set()
    for study in priors:
        lesions = [each for each in study.lesions if not known & {each.tracking_uid, each.detection_id}]
        by_uid = {lesion.tracking_uid: lesion for lesion in lesions}
        again = {n: by_uid[uid] for n, uid in carried.items() if n not in links and uid in by_uid}
        links |= {n: Link(lesion, study.study_date) for n, lesion in again.items()}
        alignment = align(study, frame_of_reference_uid, overview, settings)
        if alignment is not None:
            open_ones = [n for n in range(len(current)) if n not in links]
            others = [each for each in lesions if each.tracking_uid not in carried.values()]
            for n, o in same_lesions([current[n] for n in open_ones], others, alignment, settings):
                links[open_ones[n]] = Link(others[o], study.study_date)
            known |= {each.tracking_uid for each in study.lesions}
            known |= {each.prior_detection_id for each in study.lesions if each.prior_detection_id}
    return links


def align(
    study: PriorStudy, frame_of_reference_uid: str, overview: Overview, settings: FollowSettings
) -> Alignment | None:
    """How an earlier study lies to this one; None where that cannot be told."""
    before = from_json(study.overview)
    shift = None if before is None else shift_between(before, overview, AlignSettings())
    if frame_of_reference_uid and study.frame_of_reference_uid == frame_of_reference_uid:
        stayed = shift is None or dist(shift, (0.0, 0.0, 0.0)) < settings.got_up_mm
        if stayed:
            return Alignment((0.0, 0.0, 0.0), settings.same_frame_mm)
    return None if shift is None else Alignment(shift, settings.aligned_mm)


def same_lesions(
    current: Sequence[Seen], prior: Sequence[PriorLesion], alignment: Alignment, settings: FollowSettings
) -> list[tuple[int, int]]:
    """Pairs of places in `current` and `prior`, each of them in one pair at most."""
    if not current or not prior:
        return []
    distances = _distances_mm(current, prior, alignment.shift)
    pairs = []
    for n, seen in enumerate(current):
        o = int(distances[n].argmin())
        near = distances[n, o]
        rivals = np.concatenate([np.delete(distances[n], o), np.delete(distances[:, o], n)])
        if near > _reach_mm(seen.long_axis_mm, prior[o].long_axis_mm, alignment.room_mm, settings):
            continue
        if rivals.min(initial=np.inf) - near < alignment.room_mm:
            continue
        if _ratio(seen.long_axis_mm, prior[o].long_axis_mm) <= settings.most_growth:
            pairs.append((n, o))
    return pairs


def _distances_mm(current: Sequence[Seen], prior: Sequence[PriorLesion], shift: Vector) -> npt.NDArray[np.float64]:
    """(N, P)."""
    here = np.array([(seen.centre.x, seen.centre.y, seen.centre.z) for seen in current])
    places = (moved(lesion.centre, shift) for lesion in prior)
    there = np.array([(place.x, place.y, place.z) for place in places])
    return np.asarray(np.linalg.norm(here[:, None] - there[None], axis=2))


def _reach_mm(one_mm: float, other_mm: float, room_mm: float, settings: FollowSettings) -> float:
    return min(room_mm + settings.share * max(one_mm, other_mm), settings.most_mm)


def _ratio(one_mm: float, other_mm: float) -> float:
    shorter, longer = sorted((one_mm, other_mm))
    return longer / shorter if shorter > 0 else np.inf
