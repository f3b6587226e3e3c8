"""A model on scans whose lesions are known → what it hits and what it costs. No files, no database."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from db.geometry import PixelSpacing
from detector.froc import AT_FP_PER_SCAN, Boxes, ScanResult, Scored, hits, sensitivities, with_intervals
from detector.look import lesions_of
from detector.merge import MergeSettings, Track
from detector.model import LesionDetector
from detector.prepare import InputSettings, Scan
from mining.child import Progress


@dataclass(frozen=True, slots=True, eq=False)
class KnownScan:
    """A scan and its lesions: each by slice and box in native pixels; `counts` says which enter the sensitivity."""

    patient: str
    scan: Scan
    spacing: PixelSpacing
    truths: tuple[Boxes, ...]
    counts: tuple[bool, ...]


def evaluate(
    model: LesionDetector,
    scans: Sequence[KnownScan],
    inputs: InputSettings,
    merging: MergeSettings,
    progress: Progress,
    device: str = "cpu",
) -> list[ScanResult]:
    """One result a scan, in their order."""
    results = []
    for number, known in enumerate(scans, start=1):
        tracks = lesions_of(model, known.scan, known.spacing, inputs, merging, device)
        results.append(result_of(known, tracks))
        progress("evaluate", number, len(scans))
    return results


def result_of(known: KnownScan, tracks: Sequence[Track]) -> ScanResult:
    slices = {z for truth in known.truths for z in truth}
    scored = []
    for track in tracks:
        boxes = {z: box for z in slices if (box := track.box_on(z)) is not None}
        scored.append(Scored(track.score, hits(boxes, known.truths)))
    return ScanResult(known.patient, known.counts, tuple(scored))


def figures(results: Sequence[ScanResult], seed: int = 0) -> dict[str, Any]:
    """What the card says of a set: lesions, scans, patients, and the sensitivities with intervals; None without one."""
    lesions = sum(sum(scan.counts) for scan in results)
    summary: dict[str, Any] = {
        "scans": len(results),
        "patients": len({scan.patient for scan in results}),
        "lesions": lesions,
        "rule": "IoU >= 0.5 on a slice of the truth; false positives against the marked lesions, a scan",
    }
    if not lesions:
        return summary | {"sensitivity": None}
    value = sensitivities(results)
    summary["sensitivity"] = {
        f"{at:g}": {"value": float(v), "low": interval.low, "high": interval.high}
        for at, v, interval in zip(AT_FP_PER_SCAN, value, with_intervals(results, seed), strict=True)
    }
    return summary
