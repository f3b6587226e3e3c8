"""FROC on a case worked by hand, and the gate that stands on it."""

import math

import numpy as np
import pytest

from db.geometry import BoxPx
from detector.froc import (
    ScanResult,
    Scored,
    hits,
    operating_curve,
    paired_difference,
    sensitivities,
    threshold_at,
    with_intervals,
)
from detector.gate import GateSettings, decide


def scan(patient: str, lesions: int, *detections: tuple[float, set[int]]) -> ScanResult:
    return ScanResult(patient, (True,) * lesions, tuple(Scored(score, frozenset(of)) for score, of in detections))


# By falling score: 0.9 hit, 0.8 false, 0.7 hit, 0.6 again the first lesion (neither), 0.5 false, 0.4 hit.
BY_HAND = [
    scan("a", 2, (0.9, {0}), (0.8, set()), (0.6, {0})),
    scan("b", 2, (0.7, {0}), (0.5, set()), (0.4, {1})),
]


def test_sensitivity_agrees_with_a_case_worked_by_hand() -> None:
    # 0 FP/scan: 1 of 4; 0.5: 2 of 4 (0.7 costs nothing more); 1: 3 of 4; beyond the last threshold it stays there.
    assert sensitivities(BY_HAND, (0.0, 0.49, 0.5, 0.99, 1.0, 8.0)).tolist() == [0.25, 0.25, 0.5, 0.5, 0.75, 0.75]


def test_a_lesion_outside_the_stratum_is_neither_found_nor_a_false_positive() -> None:
    result = ScanResult("a", (True, False), (Scored(0.9, frozenset({1})), Scored(0.5, frozenset({0}))))
    assert sensitivities([result], (0.0,)).tolist() == [1.0]


def test_detections_of_one_score_stand_or_fall_together() -> None:
    result = scan("a", 1, (0.5, {0}), (0.5, set()))
    assert sensitivities([result], (0.5, 1.0)).tolist() == [0.0, 1.0]


def test_without_lesions_or_scans_nothing_can_be_said() -> None:
    assert np.isnan(sensitivities([], (1.0,))).all()
    assert np.isnan(sensitivities([scan("a", 0, (0.3, set()))], (1.0,))).all()
    assert all(math.isnan(interval.low) for interval in with_intervals([]))


def test_hit_needs_the_iou_on_a_slice_that_both_have() -> None:
    truth = {4: BoxPx(10, 20, 20, 44)}
    assert hits({4: BoxPx(10, 20, 20, 44)}, [truth, {5: BoxPx(10, 20, 20, 44)}]) == {0}
    assert hits({3: BoxPx(10, 20, 20, 44)}, [truth]) == frozenset()
    assert hits({4: BoxPx(10, 33, 20, 44)}, [truth]) == frozenset()  # IoU 11/24


def test_the_operating_curve_gives_the_lowest_threshold_that_is_allowed() -> None:
    curve = operating_curve(BY_HAND)
    assert threshold_at(curve, 0.5) == 0.6
    assert threshold_at(curve, 1.0) == 0.4
    assert threshold_at(curve, 0.0) == 0.9
    assert threshold_at([], 1.0) is None and operating_curve([]) == []


def cohort(found: float) -> list[ScanResult]:
    """Thirty patients with one lesion each, of which a share is found."""
    return [scan(str(n), 1, *([(0.9, {0})] if n < 30 * found else []), (0.1, set())) for n in range(30)]


def test_the_paired_difference_of_a_model_with_itself_is_nothing() -> None:
    same = paired_difference(cohort(0.5), cohort(0.5), draws=50)
    assert (same.value, same.low, same.high) == (0.0, 0.0, 0.0)


def test_results_of_different_scans_cannot_be_compared() -> None:
    with pytest.raises(ValueError, match="same scans"):
        paired_difference(cohort(0.5), cohort(0.5)[:-1])


def test_the_gate_promotes_what_is_not_worse() -> None:
    assert decide(cohort(0.8), cohort(0.8), GateSettings()).promote
    verdict = decide(cohort(0.5), cohort(0.8), GateSettings(), "abc")
    assert not verdict.promote and "abc" in verdict.sentence


def test_the_gate_leaves_the_first_model_and_a_small_frozen_set_to_a_person() -> None:
    assert not decide(cohort(0.8), None, GateSettings()).promote
    few = decide(cohort(1.0)[:19], cohort(0.1)[:19], GateSettings())
    assert not few.promote and "19 lesions" in few.sentence
