"""What is kept of an object's header, as values: patient, study, series, image. Pure.

A text is empty where the header does not say it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from statistics import median

from db.geometry import PixelSpacing, Plane

SAME_PLACE_MM = 1e-3
"""Slices nearer to each other than this lie at the same place (two echoes, two phases)."""

PARALLEL_COSINE = 0.999


@dataclass(frozen=True, slots=True)
class PatientHeader:
    patient_id: str
    issuer_of_patient_id: str


@dataclass(frozen=True, slots=True)
class StudyHeader:
    accession_number: str
    study_date: date | None
    description: str


@dataclass(frozen=True, slots=True)
class SeriesHeader:
    modality: str
    series_number: int | None
    description: str
    body_part: str
    manufacturer: str
    convolution_kernel: str
    frame_of_reference_uid: str


@dataclass(frozen=True, slots=True)
class ImageHeader:
    """The geometry of an object with pixels.

    planes: one for each frame, or one alone that all frames share, or none if the header gives none that is usable.
    spacing: that of the planes; may be known without a plane.
    purpose: what it was made for if not to show a patient's lesions (`mining.image_purpose`).
    """

    image_type: str
    instance_number: int | None
    rows: int
    columns: int
    frames: int
    spacing: PixelSpacing | None
    planes: tuple[Plane, ...]
    purpose: str = ""


@dataclass(frozen=True, slots=True)
class Header:
    """`image` is None for an object without pixels."""

    patient: PatientHeader
    study: StudyHeader
    series: SeriesHeader
    image: ImageHeader | None


def slice_interval_mm(planes: Iterable[Plane]) -> float | None:
    """The distance between neighbouring slices of a series: the median of the gaps along the normal.

    None with fewer than two places, or if the planes are not parallel.
    """
    stack: Sequence[Plane] = tuple(planes)
    if not stack:
        return None
    normal = stack[0].normal
    if any(abs(sum(a * b for a, b in zip(normal, plane.normal, strict=True))) < PARALLEL_COSINE for plane in stack):
        return None
    positions = sorted(
        normal[0] * plane.origin.x + normal[1] * plane.origin.y + normal[2] * plane.origin.z for plane in stack
    )
    gaps = [b - a for a, b in pairwise(positions) if b - a > SAME_PLACE_MM]
    return median(gaps) if gaps else None
