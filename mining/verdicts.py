"""Which rows are truth after documents came or went: loads what could be copies, judges, writes. Shell."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from types import MappingProxyType

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.assessments import sizes_of
from db.documents import images_measured, patient_documents, predecessors_of
from db.geometry import Axis, BoxPx, PointPx
from db.harvested import (
    ANY_OF,
    VERDICT,
    Columns,
    batches,
    long_axis_of,
    outline_of,
    point_of,
    rows_on,
    save_verdicts,
    short_axis_of,
)
from db.measurement import ImageReference
from db.models import Image, Patient, Series, SourceObject, Study
from db.outcomes import DetectionRow
from db.translations import translated_sources
from mining.copies import Harvested, OwnDetection, OwnRegion, judge
from mining.fitness import ImageFacts
from mining.places import Place, judge_places
from mining.settings import DEFAULT_SETTINGS, HarvestSettings

NO_MASKS: Mapping[str, tuple[OwnRegion, ...]] = MappingProxyType({})


def images_touched(session: Session, source_sop_instance_uids: Collection[str]) -> set[str]:
    """The images whose rows may change their verdict when these documents come, change or go.

    Copies lie on one image, so this is where the documents were measured, and their predecessors.
    """
    named = predecessors_of(session, source_sop_instance_uids)
    return images_measured(session, {*source_sop_instance_uids, *named})


def rejudge(
    session: Session,
    image_uids: Collection[str],
    settings: HarvestSettings = DEFAULT_SETTINGS,
    masks: Mapping[str, tuple[OwnRegion, ...]] = NO_MASKS,
) -> list[str]:
    """Write the verdicts of all rows on these images; returns their lesion ids.

    masks: by detection_id, those of what we found in the series of these images.
    """
    rows = {row.lesion_id: row for row in rows_on(session, image_uids)}
    documents = patient_documents(session, {row.source_sop_instance_uid for row in rows.values()})
    predecessors = of_one_patient(documents)
    unfit = _unfit(session, rows.values(), image_uids, settings)
    translated = translated_sources(session, documents)
    measured, pointed_at = [], []
    for row in rows.values():
        document, axis = documents.get(row.source_sop_instance_uid), long_axis_of(row)
        content_at = None if document is None else document.content_at
        if axis is None:
            pointed_at.append(_pointed_at(row, content_at))
        else:
            measured.append(_harvested(row, axis, content_at, unfit[row.lesion_id], translated))
    verdicts = judge(measured, own_detections(session, image_uids, masks).values(), predecessors)
    verdicts |= judge_places(pointed_at, predecessors)
    decided = {lesion_id: {name: getattr(verdict, name) for name in VERDICT} for lesion_id, verdict in verdicts.items()}
    save_verdicts(
        session,
        {
            lesion_id: values
            for lesion_id, values in decided.items()
            if any(getattr(rows[lesion_id], name) != value for name, value in values.items())
        },
    )
    return list(rows)


def of_one_patient(documents: Mapping[str, Columns]) -> dict[str, list[str]]:
    """The predecessors of each document; of one patient, or the answer would depend on what is judged together."""
    return {
        uid: [old for old in one.predecessors if old in documents and documents[old].patient_pk == one.patient_pk]
        for uid, one in documents.items()
        if one.predecessors
    }


def _unfit(
    session: Session, rows: Collection[Columns], image_uids: Collection[str], settings: HarvestSettings
) -> dict[str, str | None]:
    """lesion_id → why it was measured on nothing to learn from; while the image is not here, by its document."""
    facts = {
        uid: ImageFacts(purpose, series or "", study or "", manufacturer or "", patient or "")
        for batch in batches(sorted(image_uids))
        for uid, purpose, series, study, manufacturer, patient in session.execute(_FACTS, {"any_of": batch})
    }
    absent = {row.source_sop_instance_uid for row in rows if row.sop_instance_uid not in facts}
    of_documents = {
        uid: ImageFacts(study_description=study or "", patient_id=patient or "")
        for batch in batches(sorted(absent))
        for uid, study, patient in session.execute(_FACTS_OF_DOCUMENTS, {"any_of": batch})
    }
    known = {
        row.lesion_id: facts.get(row.sop_instance_uid) or of_documents.get(row.source_sop_instance_uid) for row in rows
    }
    return {lesion_id: None if of is None else of.unfit_because(settings) for lesion_id, of in known.items()}


_FACTS = (
    select(
        Image.sop_instance_uid,
        Image.purpose,
        Series.description,
        Study.description,
        Series.manufacturer,
        Patient.patient_id,
    )
    .join(Series, Series.series_instance_uid == Image.series_instance_uid)
    .join(Study, Study.study_instance_uid == Series.study_instance_uid)
    .outerjoin(Patient, Patient.patient_pk == Study.patient_pk)
    .where(Image.sop_instance_uid.in_(ANY_OF))
)
_FACTS_OF_DOCUMENTS = (
    select(SourceObject.source_sop_instance_uid, Study.description, Patient.patient_id)
    .join(Study, Study.study_instance_uid == SourceObject.study_instance_uid)
    .outerjoin(Patient, Patient.patient_pk == Study.patient_pk)
    .where(SourceObject.source_sop_instance_uid.in_(ANY_OF))
)
_DETECTED = select(DetectionRow).where(DetectionRow.sop_instance_uid.in_(ANY_OF))
_MASKED = select(DetectionRow).where(DetectionRow.detection_id.in_(ANY_OF))
"""Made once, as in `db.harvested`."""


def _harvested(
    row: Columns, long_axis: Axis, content_at: datetime | None, unfit_because: str | None, translated: Collection[str]
) -> Harvested:
    return Harvested(
        lesion_id=row.lesion_id,
        source_sop_instance_uid=row.source_sop_instance_uid,
        image=ImageReference(row.sop_instance_uid, row.frame_number),
        long_axis=long_axis,
        short_axis=short_axis_of(row),
        outline=outline_of(row),
        tracking_uid=row.tracking_uid,
        reader=row.reader,
        by_algorithm=row.by_algorithm,
        unfit_because=unfit_because,
        content_at=content_at,
        translated=row.source_sop_instance_uid in translated,
    )


def _pointed_at(row: Columns, content_at: datetime | None) -> Place:
    return Place(
        lesion_id=row.lesion_id,
        source_sop_instance_uid=row.source_sop_instance_uid,
        image=ImageReference(row.sop_instance_uid, row.frame_number),
        point=point_of(row),
        excluded_because=row.excluded_because,
        tracking_uid=row.tracking_uid,
        reader=row.reader,
        content_at=content_at,
    )


def own_detections(
    session: Session, image_uids: Collection[str], masks: Mapping[str, tuple[OwnRegion, ...]] = NO_MASKS
) -> dict[str, OwnDetection]:
    """By detection_id: what we found on these images, with what its mask reaches."""
    rows = [row for batch in batches(sorted(image_uids)) for row in session.scalars(_DETECTED, {"any_of": batch})]
    rows += [row for batch in batches(sorted(masks)) for row in session.scalars(_MASKED, {"any_of": batch})]
    sizes = sizes_of(session, {row.sop_instance_uid for row in rows})
    return {row.detection_id: own_detection(row, sizes.get(row.sop_instance_uid), masks) for row in rows}


def own_detection(
    row: DetectionRow, size: tuple[int, int] | None, masks: Mapping[str, tuple[OwnRegion, ...]]
) -> OwnDetection:
    """size: rows and columns of its key slice, if that is here."""
    box = BoxPx(row.box_x1, row.box_y1, row.box_x2, row.box_y2)
    return OwnDetection(
        image=ImageReference(row.sop_instance_uid, row.frame_number),
        box=box,
        long_axis=Axis(PointPx(row.long_x1, row.long_y1), PointPx(row.long_x2, row.long_y2)),
        short_axis=Axis(PointPx(row.short_x1, row.short_y1), PointPx(row.short_x2, row.short_y2)),
        clipped=None if size is None else box.clipped(*size),
        regions=masks.get(row.detection_id, ()),
    )
