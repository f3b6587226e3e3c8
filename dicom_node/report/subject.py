"""What all encodings of one analysis say, computed once: the lesions as they are drawn, or why there are none. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from pydicom import Dataset

from db.detection import Detection
from db.geometry import BoxPx, PointPx
from dicom_node.report.concepts import CategoryCodes
from dicom_node.report.context import RESEARCH_ONLY, Context
from dicom_node.report.source import SourceImages, plane_of, source_images

NOTHING_FOUND = f"No lesion found above the operating point ({RESEARCH_ONLY})"
ALL_TAKEN_OUT = f"No lesion is reported: a person took out all that was found ({RESEARCH_ONLY})"


@dataclass(frozen=True, slots=True, eq=False)
class Lesion:
    """One detection as the encodings draw it.

    number: from 1, the same in all encodings. header: of the key slice; frame_number: of it, where its image has more
    than one, else None. ring: (5,) corners of the box, closed, clipped to the image, 0-based pixel centres. label: what
    stands beside it in a viewer. link: its address in the site's viewer; empty if there is none.
    """

    number: int
    detection: Detection
    header: Dataset
    frame_number: int | None
    ring: tuple[PointPx, ...]
    area_mm2: float
    codes: CategoryCodes
    label: str
    link: str

    @property
    def identifier(self) -> str:
        """Its Tracking Identifier: as stable over time points as the UID that it is made from; no number can be."""
        return f"Lesion {sha256(self.detection.tracking_uid.encode()).hexdigest()[:6]}"


@dataclass(frozen=True, slots=True, eq=False)
class Subject:
    """One analysis, ready to be encoded. Without lesions `statement` says what came of it.

    sources: None where there is nothing to draw, for then the images need no geometry: that may be why it failed.
    """

    context: Context
    lesions: tuple[Lesion, ...] = ()
    sources: SourceImages | None = None
    statement: str = ""
    nothing_found: bool = False


def describe(detections: Sequence[Detection], context: Context) -> Subject:
    """The subject of what was found, in the order given; of nothing found if there is none.

    Raises ContentError if a detection lies outside the sources, GeometryError if one is drawn in a source without
    usable geometry.
    """
    if not detections:
        return Subject(context, statement=NOTHING_FOUND, nothing_found=True)
    sources = source_images(context)
    lesions = [
        _lesion(context.numbers.get(each.detection_id, place), each, sources, context)
        for place, each in enumerate(detections, start=1)
    ]
    return Subject(context, tuple(lesions), sources)


def describe_taken_out(context: Context) -> Subject:
    """The subject of an analysis all of whose findings a person has taken out."""
    return Subject(context, statement=ALL_TAKEN_OUT, nothing_found=True)


def describe_failure(reason: str, context: Context) -> Subject:
    """The subject of an analysis that failed. `reason` holds no patient's data."""
    return Subject(context, statement=f"Analysis failed: {reason} ({RESEARCH_ONLY})")


def _lesion(number: int, detection: Detection, sources: SourceImages, context: Context) -> Lesion:
    header = sources.header(detection.image)
    frame_number = detection.image.frame_number if sources.multi_frame else None
    ring = drawn_box(detection.box, int(header.Rows), int(header.Columns))
    spacing = plane_of(header).spacing
    area_mm2 = (ring[2].col - ring[0].col) * spacing.col_mm * (ring[2].row - ring[0].row) * spacing.row_mm
    codes = context.codes.codes_of(detection.category)
    label, link = label_of(number, detection), context.links.get(detection.detection_id, "")
    return Lesion(number, detection, header, frame_number, ring, area_mm2, codes, label, link)


def drawn_box(box: BoxPx, rows: int, columns: int) -> tuple[PointPx, ...]:
    """The closed ring of corners as the encodings draw it: (5,), clipped to the image."""
    corners = box.clipped(rows, columns).corners
    return (*corners, corners[0])


def label_of(number: int, detection: Detection) -> str:
    """What stands beside the lesion in the viewer, with the change since an earlier study where it was found, too."""
    what = f"Lesion {number}" + (f": {detection.category}" if detection.category else "")
    return f"{what} {detection.score:.2f}{_change(detection)} ({RESEARCH_ONLY})"


def _change(detection: Detection) -> str:
    change, prior = detection.change_from_prior, detection.prior
    if change is None or prior is None:
        return ""
    return f", {round(100 * change):+d} % since {prior.study_date.isoformat()}"
