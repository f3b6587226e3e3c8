"""Which rows are truth after documents came or went: loads what could be copies, judges, writes. Shell."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

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
from mining.copies import Harvested, OwnDetection, judge
from mining.fitness import ImageFacts
from mining.places import Place, judge_places
from mining.settings import DEFAULT_SETTINGS, HarvestSettings


def images_touched(session: Session, source_sop_instance_uids: Collection[str]) -> set[str]:
    """The images whose rows may change their verdict when these documents come, change or go.

    Copies lie on one image, so this is where the documents were measured, and their predecessors.
    """
    named = predecessors_of(session, source_sop_instance_uids)
    return images_measured(session, {*source_sop_instance_uids, *named})


def rejudge(session: Session, image_uids: Collection[str], settings: HarvestSettings = DEFAULT_SETTINGS) -> list[str]:
    """Write the verdicts of all rows on these images; returns their lesion ids."""
    rows = {row.lesion_id: row for row in rows_on(session, image_uids)}
    documents = patient_documents(session, {row.source_sop_instance_uid for row in rows.values()})
    predecessors = _of_one_patient(documents)
    unfit = _unfit(session, rows.values(), image_uids, settings)
    measured, pointed_at = [], []
    for row in rows.values():
        document, axis = documents.get(row.source_sop_instance_uid), long_axis_of(row)
        content_at = None if document is None else document.content_at
        if axis is None:
            pointed_at.append(_pointed_at(row, content_at))
        else:
            measured.append(_harvested(row, axis, content_at, unfit[row.lesion_id]))
    verdicts = judge(measured, _detections(session, image_uids), predecessors)
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


def _of_one_patient(documents: Mapping[str, Columns]) -> dict[str, list[str]]:
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
"""Made once, as in `db.harvested`."""


def _harvested(row: Columns, long_axis: Axis, content_at: datetime | None, unfit_because: str | None) -> Harvested:
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


def _detections(session: Session, image_uids: Collection[str]) -> list[OwnDetection]:
    return [
        OwnDetection(
            image=ImageReference(row.sop_instance_uid, row.frame_number),
            box=BoxPx(row.box_x1, row.box_y1, row.box_x2, row.box_y2),
            long_axis=Axis(PointPx(row.long_x1, row.long_y1), PointPx(row.long_x2, row.long_y2)),
            short_axis=Axis(PointPx(row.short_x1, row.short_y1), PointPx(row.short_x2, row.short_y2)),
        )
        for batch in batches(sorted(image_uids))
        for row in session.scalars(_DETECTED, {"any_of": batch})
    ]
