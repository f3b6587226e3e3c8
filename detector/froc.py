"""Sensitivity against false positives a scan, with intervals over patients. Pure; no torch.

The rule of a hit: a detection hits a lesion if on at least one slice on which the truth has a box for that lesion, the
detection's box there has an IoU of 0.5 or more with it. A marked lesion has one such slice, its key slice; a phantom's
lesion has all its slices. One detection may hit several lesions; a further detection of a lesion that is already hit
counts neither as hit nor as false (paper, section 3.2). A detection that hits no lesion at all is a false positive,
also where only a part of the lesions counts for the sensitivity. Between two points the curve is the step below:
nothing is interpolated upwards, and beyond the last threshold it stays at its last value.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from db.geometry import BoxPx

AT_FP_PER_SCAN = (0.5, 1.0, 2.0, 4.0, 8.0)
HIT_IOU = 0.5
Boxes = Mapping[int, BoxPx]
"""Slice (0-based) → box."""


@dataclass(frozen=True, slots=True)
class Scored:
    """One detection: its score, and which lesions of its scan it hits."""

    score: float
    hits: frozenset[int]


@dataclass(frozen=True, slots=True)
class ScanResult:
    """One scan: how many lesions count, and what was found. `counts`: one a lesion; a hit on another is no mistake."""

    patient: str
    counts: tuple[bool, ...]
    detections: tuple[Scored, ...]


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure with its 95 % interval; all three are NaN where nothing can be said."""

    value: float
    low: float
    high: float


def hits(detection: Boxes, truths: Sequence[Boxes], iou: float = HIT_IOU) -> frozenset[int]:
    """The lesions that a detection hits, by their place in `truths`."""
    return frozenset(
        index
        for index, truth in enumerate(truths)
        if any(z in detection and detection[z].iou(box) >= iou for z, box in truth.items())
    )


def sensitivities(
    scans: Sequence[ScanResult], at: Sequence[float] = AT_FP_PER_SCAN, weights: Sequence[float] | None = None
) -> npt.NDArray[np.float64]:
    """Sensitivity (len(at),) at so many false positives a scan; NaN without a lesion that counts.

    weights: how often each scan counts, for the bootstrap.
    """
    scale = np.ones(len(scans)) if weights is None else np.asarray(weights, float)
    lesions = sum(weight * sum(scan.counts) for weight, scan in zip(scale, scans, strict=True))
    if not lesions:
        return np.full(len(at), np.nan)
    score, found, false = _events(scans, scale)
    order = np.argsort(-score, kind="stable")
    score, found, false = score[order], found[order].cumsum(), false[order].cumsum() / scale.sum()
    last_of_score = np.flatnonzero(np.append(np.diff(score) != 0, True)) if len(score) else np.zeros(0, int)
    curve_fp = np.concatenate(([0.0], false[last_of_score]))
    curve_found = np.concatenate(([0.0], found[last_of_score]))
    places = np.searchsorted(curve_fp, np.asarray(at, float) + 1e-9, side="right") - 1
    return curve_found[places] / lesions


def _events(
    scans: Sequence[ScanResult], scale: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """One event a detection, in no order: its score, lesions it finds first, false positives it is."""
    events: list[tuple[float, float, float]] = []
    for weight, scan in zip(scale, scans, strict=True):
        seen: set[int] = set()
        for detection in sorted(scan.detections, key=lambda one: -one.score):
            new = detection.hits - seen
            seen |= new
            found = weight * sum(scan.counts[index] for index in new)
            events.append((detection.score, found, 0.0 if detection.hits else weight))
    table = np.array(events, float).reshape(-1, 3)
    return table[:, 0], table[:, 1], table[:, 2]


def mean_sensitivity(scans: Sequence[ScanResult], weights: Sequence[float] | None = None) -> float:
    """The mean over AT_FP_PER_SCAN."""
    return float(sensitivities(scans, AT_FP_PER_SCAN, weights).mean())


def with_intervals(scans: Sequence[ScanResult], seed: int = 0, draws: int = 1000) -> tuple[Interval, ...]:
    """Sensitivity at each of AT_FP_PER_SCAN, with its percentile interval over resampled patients."""
    value = sensitivities(scans)
    drawn = np.array([sensitivities(scans, weights=weights) for weights in _patient_weights(scans, seed, draws)])
    return tuple(_interval(float(v), drawn[:, index]) for index, v in enumerate(value))


def paired_difference(
    candidate: Sequence[ScanResult], incumbent: Sequence[ScanResult], seed: int = 0, draws: int = 1000
) -> Interval:
    """Mean sensitivity of the candidate less that of the incumbent, on the same scans in the same order.

    Each draw takes the same patients for both, so that what makes a patient hard for both falls out.
    """
    if [(scan.patient, scan.counts) for scan in candidate] != [(scan.patient, scan.counts) for scan in incumbent]:
        raise ValueError("the two results are not of the same scans")
    value = mean_sensitivity(candidate) - mean_sensitivity(incumbent)
    drawn = np.array(
        [
            mean_sensitivity(candidate, weights) - mean_sensitivity(incumbent, weights)
            for weights in _patient_weights(candidate, seed, draws)
        ]
    )
    return _interval(value, drawn)


def _patient_weights(scans: Sequence[ScanResult], seed: int, draws: int) -> npt.NDArray[np.float64]:
    """How often each scan is drawn when patients are drawn with replacement: (draws, scans)."""
    _, patient_of = np.unique([scan.patient for scan in scans], return_inverse=True)
    patients = int(patient_of.max()) + 1 if len(scans) else 0
    if not patients:
        return np.zeros((draws, 0))
    picked = np.random.default_rng(seed).integers(patients, size=(draws, patients))
    often = np.stack([np.bincount(row, minlength=patients) for row in picked])
    return often[:, patient_of].astype(float)


def _interval(value: float, drawn: npt.NDArray[np.float64]) -> Interval:
    known = drawn[~np.isnan(drawn)]
    if np.isnan(value) or not len(known):
        return Interval(float("nan"), float("nan"), float("nan"))
    low, high = np.percentile(known, (2.5, 97.5))
    return Interval(value, float(low), float(high))


def operating_curve(scans: Sequence[ScanResult]) -> list[tuple[float, float]]:
    """Every useful threshold with the false positives a scan at and above it, the strictest first; empty without any.

    A threshold is the score of a detection; what has that score or more is reported.
    """
    if not scans:
        return []
    score, _, false = _events(scans, np.ones(len(scans)))
    order = np.argsort(-score, kind="stable")
    score, false = score[order], false[order].cumsum() / len(scans)
    last_of_score = np.flatnonzero(np.append(np.diff(score) != 0, True)) if len(score) else np.zeros(0, int)
    return [(float(score[index]), float(false[index])) for index in last_of_score]


def threshold_at(curve: Sequence[Sequence[float]], fp_per_scan: float) -> float | None:
    """The lowest threshold of a curve that costs no more false positives a scan than that; None if none does."""
    allowed = [threshold for threshold, false in curve if false <= fp_per_scan + 1e-9]
    return min(allowed, default=None)
