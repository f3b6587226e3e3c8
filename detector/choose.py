"""Which series of a study is analysed, and why each other is not. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

LEAST_IMAGES = 10
SHARP = ("B60", "B70", "B80", "BONE", "LUNG", "EDGE", "SHARP", "YA", "FC5", "BR60", "BL57", "BR69")
"""What kernels for bone and lung have in their names (Siemens, GE, Philips, Canon): the detector wants soft tissue."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """What is known of a series before its pixels are read."""

    series_instance_uid: str
    modality: str
    images: int
    image_types: frozenset[str]
    """All values of Image Type that its images have, upper case."""
    convolution_kernel: str
    slice_interval_mm: float | None
    series_number: int | None
    multi_frame: bool = False
    """Whether any of its images has several frames."""
    frame_of_reference: bool = True
    """Whether it tells a Frame of Reference UID (PS3.3 C.7.4.1): no result can be drawn without."""


def reason_against(series: Candidate) -> str:
    """Why a series cannot be analysed; empty if it can."""
    if series.modality != "CT":
        return f"modality {series.modality or 'unknown'} is not CT"
    if "LOCALIZER" in series.image_types:
        return "it is a localizer"
    if series.images < LEAST_IMAGES:
        return f"it has {series.images} images, fewer than {LEAST_IMAGES}"
    if "PROJECTION IMAGE" in series.image_types:
        return "it is a projection"
    if series.multi_frame:
        return "its images are multi-frame, and results on such are not built yet"
    if not series.frame_of_reference:
        return "it has no Frame of Reference UID, which a result must name"
    return ""


def choose(candidates: Sequence[Candidate]) -> tuple[Candidate | None, dict[str, str]]:
    """The series to analyse, and the reason against each other one by its UID.

    Of the usable series a soft kernel is taken before a sharp one, an axial original before a derived one, then the one
    with the most images, then the thinnest, then the lowest number.
    """
    reasons = {series.series_instance_uid: reason_against(series) for series in candidates}
    usable = [series for series in candidates if not reasons[series.series_instance_uid]]
    if not usable:
        return None, reasons
    best = min(usable, key=_order)
    reasons |= {series.series_instance_uid: "another series of the study suits better" for series in usable}
    del reasons[best.series_instance_uid]
    return best, reasons


def _order(series: Candidate) -> tuple[bool, bool, int, float, int, str]:
    kernel = series.convolution_kernel.upper()
    return (
        any(name in kernel for name in SHARP),
        "DERIVED" in series.image_types,
        -series.images,
        series.slice_interval_mm if series.slice_interval_mm is not None else float("inf"),
        series.series_number if series.series_number is not None else 2**31,
        series.series_instance_uid,
    )


def why_none(reasons: dict[str, str]) -> str:
    """One sentence for a study without a series to analyse; counts and reasons only."""
    if not reasons:
        return "the study has no images"
    counts: dict[str, int] = {}
    for reason in reasons.values():
        counts[reason] = counts.get(reason, 0) + 1
    return "; ".join(f"{count} series: {reason}" for reason, count in sorted(counts.items()))
