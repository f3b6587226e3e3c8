"""Which rows are truth after documents came or went: loads what could be copies, judges, writes. Shell."""

from __future__ import annotations

from collections.abc import Collection

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
    rows_on,
    save_verdicts,
    short_axis_of,
)
from db.measurement import ImageReference
from db.models import Image, Patient, Series, Study
from db.outcomes import DetectionRow
from mining.copies import Harvested, OwnDetection, Verdict, judge, superseded_documents
from mining.fitness import ImageFacts
from mining.settings import DEFAULT_SETTINGS, HarvestSettings


def images_touched(session: Session, source_sop_instance_uids: Collection[str]) -> set[str]:
    """The images whose rows may change their verdict when these documents come, change or go.

    Copies lie on one image, so this is where the documents were measured, and their predecessors.
    """
    named = predecessors_of(session, source_sop_instance_uids)
    if named:
        named &= patient_documents(session, source_sop_instance_uids).keys()
    return images_measured(session, {*source_sop_instance_uids, *named})


def rejudge(session: Session, image_uids: Collection[str], settings: HarvestSettings = DEFAULT_SETTINGS) -> list[str]:
    """Write the verdicts of all rows on these images; returns their lesion ids."""
    rows = {row.lesion_id: row for row in rows_on(session, image_uids)}
    documents = patient_documents(session, {row.source_sop_instance_uid for row in rows.values()})
    predecessors = {uid: document.predecessors for uid, document in documents.items() if document.predecessors}
    unfit = {uid: facts.unfit_because(settings) for uid, facts in _facts(session, image_uids).items()}
    measured = [
        _harvested(row, axis, documents.get(row.source_sop_instance_uid), unfit.get(row.sop_instance_uid))
        for row in rows.values()
        if (axis := long_axis_of(row)) is not None
    ]
    verdicts = judge(measured, _detections(session, image_uids), predecessors)
    replaced = superseded_documents(predecessors)
    verdicts |= {
        lesion_id: Verdict(
            row.excluded_because,
            row.tracking_uid or lesion_id,
            replaced_by=replaced.get(row.source_sop_instance_uid),
        )
        for lesion_id, row in rows.items()
        if lesion_id not in verdicts
    }
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


def _facts(session: Session, image_uids: Collection[str]) -> dict[str, ImageFacts]:
    return {
        uid: ImageFacts(purpose, series or "", study or "", manufacturer or "", patient or "")
        for batch in batches(sorted(image_uids))
        for uid, purpose, series, study, manufacturer, patient in session.execute(_FACTS, {"any_of": batch})
    }


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
_DETECTED = select(DetectionRow).where(DetectionRow.sop_instance_uid.in_(ANY_OF))
"""Made once, as in `db.harvested`."""


def _harvested(row: Columns, long_axis: Axis, document: Columns | None, unfit_because: str | None) -> Harvested:
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
        content_at=None if document is None else document.content_at,
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
