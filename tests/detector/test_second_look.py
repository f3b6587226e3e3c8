"""What a model finds without a mark: lesion, mistake, or the marked lesion itself."""

import numpy as np

from db.geometry import BoxPx
from detector.batches import BatchSettings, truth_on
from detector.marks import Found, Mark, TrainingScan
from detector.merge import SliceBox, Track
from detector.prepare import Frame, Scan
from detector.second_look import SecondLookSettings, sort_findings
from detector.targets import IGNORED

FRAME = Frame(first_row=10, first_col=20, row_scale=0.5, col_scale=0.8)
"""The network's image is cut and has other pixels: boxes of tracks are native, those of marks are not."""

SETTINGS = SecondLookSettings(unmarked_per_marked=2.0, certain=0.8, suspicious=0.1)


def track(score: float, x: float, slices: tuple[int, ...] = (4, 5, 6)) -> Track:
    """Its best slice is the second."""
    scores = {z: score if number == 1 else score / 2 for number, z in enumerate(slices)}
    return Track(tuple(SliceBox(z, BoxPx(x, 60, x + 20, 84), scores[z], label=3) for z in slices), score)


def mark(x: float, z: int) -> Mark:
    return Mark(z, FRAME.to_network(BoxPx(x, 60, x + 20, 84)), label=1, radius_mm=6.0, margin_px=4.0)


def test_what_is_marked_is_neither_an_unmarked_lesion_nor_suspicious() -> None:
    ((found, suspicious),) = sort_findings([([track(0.95, 100)], (mark(104, 7),), FRAME)], SETTINGS)
    assert found == () and suspicious == ()


def test_the_surest_are_learnt_on_their_best_slice_and_ignored_on_the_others() -> None:
    tracks = [track(0.95, 100), track(0.9, 150), track(0.5, 200), track(0.05, 250)]
    ((found, suspicious),) = sort_findings([(tracks, (mark(300, 5),), FRAME)], SETTINGS)
    learnt = [one for one in found if one.label != IGNORED]
    assert learnt == [Found(5, FRAME.to_network(tracks[0].key.box), 3)]  # the upper half of two
    assert sorted((one.z, one.box[0]) for one in found if one.label == IGNORED) == [
        (z, FRAME.to_network(tracks[number].key.box)[0])
        for z, number in ((4, 0), (4, 1), (5, 1), (6, 0), (6, 1))
    ]  # fmt: skip
    assert suspicious == (Found(5, FRAME.to_network(tracks[2].key.box)),)


def test_no_more_are_taken_for_lesions_than_readers_leave_unmarked() -> None:
    tracks = [track(0.99 - number / 100, 100 + 40 * number) for number in range(6)]
    unread = ([track(0.999, 100)], (), FRAME)
    seen = [(tracks, (mark(500, 5), mark(600, 5)), FRAME), unread]  # two marks, so four
    (found, suspicious), (elsewhere, _) = sort_findings(seen, SETTINGS)
    assert len({one.box for one in found}) == 3 and len({one.box for one in elsewhere}) == 1
    assert len(suspicious) == 3


def test_found_lesions_are_true_or_teach_nothing_where_they_were_found() -> None:
    scan = Scan(np.zeros((9, 40, 60), np.int16), np.arange(9) * 2.5, FRAME)
    learnt, ignored = Found(4, (1.0, 2.0, 9.0, 12.0), 2), Found(5, (20.0, 2.0, 30.0, 12.0))
    known = TrainingScan(scan, (), found=(learnt, ignored))
    assert truth_on(known, 4, BatchSettings().shows_radius) == [(learnt.box, 2)]
    assert truth_on(known, 5, BatchSettings().shows_radius) == [(ignored.box, IGNORED)]
    assert truth_on(known, 6, BatchSettings().shows_radius) == []
