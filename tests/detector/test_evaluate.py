"""What a scan's findings count for: any reader's box is a hit, and a doubtful mark is neither hit nor mistake."""

import numpy as np

from db.geometry import BoxPx, PixelSpacing
from detector.evaluate import KnownScan, result_of
from detector.froc import Scored
from detector.merge import SliceBox, Track
from detector.prepare import Frame, Scan

SURE, REDRAWN, DOUBTFUL = BoxPx(10, 20, 30, 60), BoxPx(10, 20, 30, 34), BoxPx(60, 15, 90, 55)
SCAN = Scan(np.zeros((4, 64, 96), np.int16), np.arange(4) * 3.0, Frame(0, 0, 1, 1))


def known(redrawn: bool = True) -> KnownScan:
    return KnownScan(
        "a", SCAN, PixelSpacing(0.8, 0.5), ({1: SURE}, {2: BoxPx(1, 2, 8, 14)}), (True, True),
        redrawn=((0, {1: REDRAWN}),) if redrawn else (), doubtful=({3: DOUBTFUL},),
    )  # fmt: skip


def found(z: int, box: BoxPx) -> Track:
    return Track((SliceBox(z, box, 0.7, 1),), 0.7)


def test_a_finding_that_hits_any_readers_box_hits_the_lesion() -> None:
    small = found(1, BoxPx(11, 20, 30, 34))
    assert result_of(known(), [small]).detections == (Scored(0.7, frozenset({0})),)
    assert result_of(known(redrawn=False), [small]).detections == (Scored(0.7, frozenset()),)
    assert result_of(known(), [found(1, SURE)]).detections == (Scored(0.7, frozenset({0})),)


def test_what_lies_in_a_doubtful_mark_is_neither_hit_nor_mistake() -> None:
    inside, half, other_slice = BoxPx(70, 20, 76, 30), BoxPx(45, 20, 74, 30), BoxPx(70, 20, 76, 30)
    result = result_of(known(), [found(3, inside), found(3, half), found(2, other_slice)])
    assert result.detections == (Scored(0.7, frozenset()), Scored(0.7, frozenset()))
    assert result.counts == (True, True)


def test_what_hits_a_lesion_counts_though_it_lies_in_a_doubtful_mark_too() -> None:
    both = Track((SliceBox(1, SURE, 0.7, 1), SliceBox(3, BoxPx(70, 20, 76, 30), 0.6, 1)), 0.7)
    assert result_of(known(), [both]).detections == (Scored(0.7, frozenset({0})),)
