"""Which marks of people a study holds, document by document, with all that their copies need. Shell: reads only."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from pydicom import Dataset, dcmread
from sqlalchemy import select
from sqlalchemy.orm import Session

from db import translations
from db.codes import Code
from db.errors import GeometryError
from db.files import FileStore
from db.geometry import PixelSpacing
from db.harvested import long_axis_of, outline_of, short_axis_of
from db.measurement import ImageReference, Measurement, Source
from db.models import LesionRow, MeasurementRow, SourceObject
from db.outcomes import Translation
from db.studies import current_instance
from db.uids import uid_from
from dicom_node.report.context import InstanceReference
from dicom_node.report.frames import frames_of
from dicom_node.report.header import header_sha256
from dicom_node.translation import Original, Slice, is_taken_up
from mining.copies import BY_ALGORITHM, OWN_COPY, SUPERSEDED
from mining.readers.encapsulated import AIM_DOCUMENT, BOOKMARKS

NO_PERSONS = (BY_ALGORITHM, OWN_COPY, SUPERSEDED)
"""Why rows are no truth that are no standing mark of a person either."""
ONLY_HERE = (AIM_DOCUMENT, BOOKMARKS)
"""SOP classes of documents that are no DICOM object outside of this node."""

Rows = list[tuple[LesionRow, MeasurementRow]]
"""The marks of one document: what `lesions` says of each, and the row that has its outline."""


@dataclass(frozen=True, slots=True, eq=False)
class Draft:
    """A document ready to be written anew.

    sop_instance_uid: of the copy, from all that it will hold. earlier: what was written of the same document before,
    for the same study.
    """

    source_sop_instance_uid: str
    marks: tuple[Measurement, ...]
    slices: dict[ImageReference, Slice]
    original: Original
    sop_instance_uid: str
    earlier: tuple[Translation, ...]


@dataclass(frozen=True, slots=True)
class LeftAlone:
    """A document that is not written anew, and why."""

    source_sop_instance_uid: str
    kind: str
    marks: int
    why_not: str


def drafts_of(session: Session, files: FileStore, study_instance_uid: str) -> list[Draft | LeftAlone]:
    """Every document with standing marks of people on the images of a study."""
    by_document: dict[str, Rows] = {}
    for flat, row in session.execute(_MARKS.where(LesionRow.study_instance_uid == study_instance_uid)):
        if flat.excluded_because not in NO_PERSONS:
            by_document.setdefault(flat.source_sop_instance_uid, []).append((flat, row))
    return [_draft(session, files, uid, rows) for uid, rows in by_document.items()]


_MARKS = (
    select(LesionRow, MeasurementRow)
    .join(MeasurementRow, MeasurementRow.lesion_id == LesionRow.lesion_id)
    .where(LesionRow.image_present, LesionRow.long_x1.is_not(None), LesionRow.by_algorithm == "")
    .order_by(LesionRow.source_sop_instance_uid, LesionRow.source_item, LesionRow.lesion_id)
)


def _draft(session: Session, files: FileStore, uid: str, rows: Rows) -> Draft | LeftAlone:
    kind = rows[0][0].source_kind
    measured = [(flat, row) for flat, row in rows if _spacing(flat) is not None]
    if not measured:
        return LeftAlone(uid, kind, len(rows), "the images do not say how large a pixel is")
    document = _document(session, files, uid)
    if document is None:
        return LeftAlone(uid, kind, len(rows), "its file is not here")
    if kind == "SR" and is_taken_up(document):
        return LeftAlone(uid, kind, len(rows), "viewers take it up as it is")
    slices: dict[ImageReference, Slice] = {}
    for flat, _ in measured:
        image = ImageReference(flat.sop_instance_uid, flat.frame_number)
        if image not in slices:
            found = _slice(session, files, image, flat)
            if isinstance(found, str):
                return LeftAlone(uid, kind, len(rows), found)
            slices[image] = found
    marks = tuple(_mark(flat, row) for flat, row in measured)
    said = hashlib.sha256(repr((marks, header_sha256(next(iter(slices.values())).header))).encode()).hexdigest()
    return Draft(
        uid,
        marks,
        slices,
        Original(kind, _description(session, document, uid), _reference(document)),
        uid_from("translation", uid, said),
        tuple(translations.of_source(session, uid, rows[0][0].study_instance_uid or "")),
    )


def _document(session: Session, files: FileStore, uid: str) -> Dataset | None:
    instance = current_instance(session, uid)
    if instance is None or not files.path(instance.file_name).exists():
        return None
    return dcmread(files.path(instance.file_name), stop_before_pixels=True)


def _slice(session: Session, files: FileStore, image: ImageReference, flat: LesionRow) -> Slice | str:
    """The image of a mark, or why it has none that can be named."""
    instance, spacing = current_instance(session, image.sop_instance_uid), _spacing(flat)
    if instance is None or spacing is None or not files.path(instance.file_name).exists():
        return "the file of an image that it marks is not here"
    header = dcmread(files.path(instance.file_name), stop_before_pixels=True)
    count = int(header.get("NumberOfFrames") or 1)
    try:
        frames: Sequence[Dataset] = frames_of(header)
    except GeometryError:
        frames = [header] * count
    return Slice(frames[image.frame_number - 1], spacing, image.frame_number if count > 1 else None)


def _description(session: Session, document: Dataset, uid: str) -> str:
    """What a person knows the document by: its series' description, else who wrote it."""
    described = str(document.get("SeriesDescription") or "").strip()
    return described or session.get_one(SourceObject, uid).writer


def _reference(document: Dataset) -> InstanceReference | None:
    return None if str(document.SOPClassUID) in ONLY_HERE else InstanceReference.of(document)


def _spacing(flat: LesionRow) -> PixelSpacing | None:
    if flat.row_spacing_mm is None or flat.col_spacing_mm is None:
        return None
    return PixelSpacing(flat.row_spacing_mm, flat.col_spacing_mm)


def _mark(flat: LesionRow, row: MeasurementRow) -> Measurement:
    long_axis = long_axis_of(flat)
    assert long_axis is not None  # noqa: S101  (the query asks for it)
    return Measurement(
        source=Source(flat.source_sop_instance_uid, flat.source_item, flat.source_kind),
        image=ImageReference(flat.sop_instance_uid, flat.frame_number),
        long_axis=long_axis,
        short_axis=short_axis_of(flat),
        derived=flat.derived,
        finding=_code(flat.finding_code, flat.finding),
        site=_code(flat.site_code, flat.site),
        tracking_id=row.tracking_id,
        tracking_uid=row.tracking_uid,
        reader=row.reader,
        comment=row.comment,
        outline=outline_of(row),
    )


def _code(code: str | None, meaning: str | None) -> Code | None:
    """As `Code.__str__` wrote it; one that was typed has no value."""
    value, _, scheme = (code or "").rpartition("^")
    return Code(value, scheme, meaning or "") if value or meaning else None
