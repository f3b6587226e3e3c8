"""A model on scans whose lesions are known → what it hits and what it costs. No files, no database."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from db.geometry import BoxPx, PixelSpacing
from detector.froc import AT_FP_PER_SCAN, Boxes, ScanResult, Scored, hits, sensitivities, with_intervals
from detector.look import lesions_of
from detector.merge import MergeSettings, Track
from detector.model import LesionDetector
from detector.prepare import InputSettings, Scan
from detector.targets import INSIDE
from mining.child import Progress


@dataclass(frozen=True, slots=True, eq=False)
class KnownScan:
    """A scan and its lesions: each by slice and box in native pixels; `counts` says which enter the sensitivity.

    redrawn: lesions as other readers drew them, each with its place in `truths`; who hits one reader's box hits the
    lesion. doubtful: marks that are not to be trusted; what lies in one and hits no lesion is neither hit nor mistake.
    """

    patient: str
    scan: Scan
    spacing: PixelSpacing
    truths: tuple[Boxes, ...]
    counts: tuple[bool, ...]
    redrawn: tuple[tuple[int, Boxes], ...] = ()
    doubtful: tuple[Boxes, ...] = ()


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
    redrawn = [boxes for _, boxes in known.redrawn]
    slices = {z for boxes in (*known.truths, *redrawn, *known.doubtful) for z in boxes}
    scored = []
    for track in tracks:
        boxes = {z: box for z in slices if (box := track.box_on(z)) is not None}
        lesions = hits(boxes, known.truths) | {known.redrawn[place][0] for place in hits(boxes, redrawn)}
        if lesions or not any(_lies_in(boxes, region) for region in known.doubtful):
            scored.append(Scored(track.score, lesions))
    return ScanResult(known.patient, known.counts, tuple(scored))


def _lies_in(detection: Boxes, region: Boxes) -> bool:
    """Whether most of the detection's box lies in the region on one of the region's slices, as in training."""
    return any(z in detection and _share_inside(detection[z], box) > INSIDE for z, box in region.items())


def _share_inside(box: BoxPx, region: BoxPx) -> float:
    width = min(box.x2, region.x2) - max(box.x1, region.x1)
    height = min(box.y2, region.y2) - max(box.y1, region.y1)
    return max(width, 0.0) * max(height, 0.0) / box.area_px if box.area_px > 0 else 0.0


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
