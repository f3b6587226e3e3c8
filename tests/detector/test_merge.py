"""2-D boxes to 3-D lesions, and the UID that a lesion keeps."""

import numpy as np
import pytest

from db.geometry import BoxPx, PixelSpacing
from detector.merge import MergeSettings, SliceBox, Track, merge
from detector.tracking import Earlier, tracking_uids

SPACING = PixelSpacing(0.7, 1.1)
POSITIONS = np.arange(12) * 2.5


def box(z: int, x: float, score: float = 0.5) -> SliceBox:
    return SliceBox(z, BoxPx(x, 10, x + 12, 30), score, 1)


def test_boxes_that_overlap_on_neighbouring_slices_become_one_lesion() -> None:
    tracks = merge(
        [box(3, 20, 0.4), box(4, 21, 0.9), box(5, 22, 0.3), box(4, 80, 0.6)], POSITIONS, SPACING, MergeSettings()
    )
    assert [(track.z_first, track.z_last, track.key.z, track.score) for track in tracks] == [
        (3, 5, 4, 0.9),
        (4, 4, 4, 0.6),
    ]


def test_a_slice_without_a_box_may_lie_between_and_gets_the_mean() -> None:
    (track,) = merge([box(3, 20), box(5, 24)], POSITIONS, SPACING, MergeSettings())
    assert track.box_on(4) == BoxPx(22, 10, 34, 30)
    assert track.box_on(6) is None


def test_a_track_much_longer_than_wide_loses_score() -> None:
    vessel = merge([box(z, 20, 0.8) for z in range(12)], np.arange(12) * 5.0, SPACING, MergeSettings())
    assert vessel[0].score == pytest.approx(0.8 * 2 * 14 / 55)  # 20 rows of 0.7 mm are 14 mm wide


def test_a_part_of_a_better_lesion_or_a_box_around_it_is_no_second_lesion() -> None:
    whole, part, around, beside = (
        SliceBox(4, BoxPx(20, 10, 40, 50), 0.9, 1),
        SliceBox(4, BoxPx(24, 12, 36, 22), 0.8, 1),
        SliceBox(4, BoxPx(4, 0, 74, 100), 0.7, 1),
        SliceBox(4, BoxPx(34, 10, 54, 50), 0.6, 1),
    )
    tracks = merge([part, around, whole, beside], POSITIONS, SPACING, MergeSettings())
    assert [track.key for track in tracks] == [whole, beside]


def test_a_lesion_above_another_stays() -> None:
    tracks = merge([box(2, 20, 0.9), box(7, 20, 0.8)], POSITIONS, SPACING, MergeSettings())
    assert [(track.z_first, track.score) for track in tracks] == [(2, 0.9), (7, 0.8)]


def test_no_boxes_give_no_lesions() -> None:
    assert merge([], POSITIONS, SPACING, MergeSettings()) == []


def test_a_lesion_keeps_its_uid_and_a_new_one_gets_its_own() -> None:
    kept = Track((box(3, 20), box(4, 20)), 0.5)
    other = Track((box(3, 90),), 0.4)
    uids = tracking_uids("1.2.3", [other, kept], [Earlier(4, BoxPx(21, 10, 33, 30), "2.25.7")])
    assert uids[1] == "2.25.7"
    assert uids[0].startswith("2.25.") and uids[0] != "2.25.7"
    assert uids[0] == tracking_uids("1.2.3", [other], [])[0]
    assert uids[0] != tracking_uids("1.2.4", [other], [])[0]


def test_one_old_uid_is_given_to_one_lesion_only() -> None:
    near, exact = Track((box(3, 22),), 0.5), Track((box(3, 20),), 0.4)
    uids = tracking_uids("1.2.3", [near, exact], [Earlier(3, BoxPx(20, 10, 32, 30), "2.25.7")])
    assert uids[1] == "2.25.7" and uids[0] != "2.25.7"
