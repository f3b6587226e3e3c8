"""Which documents and images a harvest is about: what was read before, what belongs together, what it hangs on. Shell.

Every function works inside the caller's transaction. The statements are made once, as in `db.harvested`.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import BindParameter, CompoundSelect, Exists, Select, bindparam, exists, func, or_, select, union
from sqlalchemy.orm import Session

from db.harvested import ANY_OF, Columns, batches
from db.models import Image, MeasurementRow, Patient, Rejection, Series, SourceObject, Study
from db.outcomes import Result, Translation

_OWN = union(
    select(Result.result_sop_instance_uid).where(Result.result_sop_instance_uid.in_(ANY_OF)),
    select(Translation.result_sop_instance_uid).where(Translation.result_sop_instance_uid.in_(ANY_OF)),
)
_OF_STUDY = select(SourceObject.source_sop_instance_uid).where(
    SourceObject.study_instance_uid == bindparam("study"), SourceObject.kind.in_(ANY_OF)
)
_IMAGES_MEASURED = select(MeasurementRow.sop_instance_uid).where(MeasurementRow.source_sop_instance_uid.in_(ANY_OF))
_PREDECESSORS = select(SourceObject.predecessors).where(SourceObject.source_sop_instance_uid.in_(ANY_OF))


def own_results(session: Session, sop_instance_uids: Collection[str]) -> set[str]:
    """Those of the UIDs that stand in one of the two ledgers of what we wrote: results, and translations."""
    return {uid for batch in batches(sop_instance_uids) for uid in session.scalars(_OWN, {"any_of": batch})}


def sources_of_study(session: Session, study_instance_uid: str, kinds: Collection[str]) -> set[str]:
    """The documents of a study that were harvested before."""
    return set(session.scalars(_OF_STUDY, {"study": study_instance_uid, "any_of": list(kinds)}))


def foreign_sources(session: Session, study_instance_uid: str, awaiting: Collection[str] = ()) -> list[tuple[str, str]]:
    """Documents of other studies that this one's images are for: (SOP Instance UID, their study).

    They have measurements on them; or they are of the same patient, and something in them was rejected for a reason of
    `awaiting`, which images may mend: a rejection does not know which images those are.
    """
    rows = session.execute(_FOREIGN, {"study": study_instance_uid, "any_of": list(awaiting)})
    return sorted((uid, study) for uid, study in rows)


def images_as_read(
    session: Session, sop_instance_uids: Collection[str], frame_of_reference_uids: Collection[str]
) -> frozenset[tuple[str, str, int, int]]:
    """What tells whether images, and all of a frame of reference, are as they were.

    Each entry: (which of what was asked for, study, its revision, how many images). An image that is not here has no
    entry, and one that came since has.
    """
    asked: list[tuple[str, Select[*tuple[Any, ...]], list[str] | str]] = [
        (some[0], _STUDIES_OF_IMAGES, some) for some in batches(sorted(sop_instance_uids))
    ]
    asked += [(uid, _STUDIES_OF_FRAME, uid) for uid in frame_of_reference_uids if uid]
    return frozenset(
        (which, study, revision, count)
        for which, statement, values in asked
        for study, revision, count in session.execute(statement, {"any_of": values})
    )


def images_measured(session: Session, source_sop_instance_uids: Collection[str]) -> set[str]:
    """SOP Instance UIDs of the images that documents have measurements on."""
    return {
        uid
        for batch in batches(source_sop_instance_uids)
        for uid in session.scalars(_IMAGES_MEASURED, {"any_of": batch})
    }


def predecessors_of(session: Session, source_sop_instance_uids: Collection[str]) -> set[str]:
    """What documents name as their predecessors, whether it is here or not."""
    return {
        named
        for batch in batches(source_sop_instance_uids)
        for predecessors in session.scalars(_PREDECESSORS, {"any_of": batch})
        for named in predecessors
    }


def patient_documents(session: Session, source_sop_instance_uids: Collection[str]) -> dict[str, Columns]:
    """The documents and all others of the same patients, by UID: a document may name any of them as predecessor.

    Each with its UID, `content_at`, `predecessors` and `patient_pk`.
    """
    return {
        row.source_sop_instance_uid: row
        for batch in batches(source_sop_instance_uids)
        for row in session.execute(_OF_PATIENTS, {"any_of": batch})
    }


# --- statements -------------------------------------------------------------------------------------------------


def _foreign() -> CompoundSelect[str, str]:
    document = (SourceObject.source_sop_instance_uid, SourceObject.study_instance_uid)
    study = bindparam("study", type_=SourceObject.study_instance_uid.type)
    elsewhere = SourceObject.study_instance_uid != study
    measured = (
        select(*document)
        .join(MeasurementRow, MeasurementRow.source_sop_instance_uid == SourceObject.source_sop_instance_uid)
        .join(Image, Image.sop_instance_uid == MeasurementRow.sop_instance_uid)
        .join(Series, Series.series_instance_uid == Image.series_instance_uid)
        .where(Series.study_instance_uid == study, elsewhere)
    )
    framed = (  # a drawing in millimetres lies on the nearest of all images in its frame of reference
        select(*document)
        .join(MeasurementRow, MeasurementRow.source_sop_instance_uid == SourceObject.source_sop_instance_uid)
        .join(Image, Image.sop_instance_uid == MeasurementRow.sop_instance_uid)
        .join(Series, Series.series_instance_uid == Image.series_instance_uid)
        .where(Series.frame_of_reference_uid.in_(_frames_of(study)), elsewhere)
    )
    who = func.coalesce(Patient.resolved_patient_pk, Patient.patient_pk)
    patient = select(who).join(Study).where(Study.study_instance_uid == study).scalar_subquery()
    rejected = (
        select(*document)
        .join(Rejection, Rejection.source_sop_instance_uid == SourceObject.source_sop_instance_uid)
        .join(Study, Study.study_instance_uid == SourceObject.study_instance_uid)
        .join(Patient, Patient.patient_pk == Study.patient_pk)
        .where(Rejection.reason_code.in_(ANY_OF), who == patient, elsewhere)
        .where(
            exists().where(Image.series_instance_uid == Series.series_instance_uid, Series.study_instance_uid == study)
        )
    )
    return union(measured, framed, rejected)


def _has_an_image(study: BindParameter[str]) -> Exists:
    """Or each of a patient's many reports would read all the others again that wait for images."""
    return exists().where(Image.series_instance_uid == Series.series_instance_uid, Series.study_instance_uid == study)


def _frames_of(study: BindParameter[str]) -> Select[str]:
    return select(Series.frame_of_reference_uid).where(
        Series.study_instance_uid == study, Series.frame_of_reference_uid != ""
    )


def _studies() -> Select[*tuple[Any, ...]]:
    return (
        select(Study.study_instance_uid, Study.revision, func.count(Image.sop_instance_uid))
        .join(Series, Series.study_instance_uid == Study.study_instance_uid)
        .join(Image, Image.series_instance_uid == Series.series_instance_uid)
        .group_by(Study.study_instance_uid, Study.revision)
    )


def _of_patients() -> Select[*tuple[Any, ...]]:
    named = SourceObject.source_sop_instance_uid.in_(ANY_OF)
    patients = (
        select(Study.patient_pk)
        .join(SourceObject, SourceObject.study_instance_uid == Study.study_instance_uid)
        .where(named, Study.patient_pk.is_not(None))
    )
    studies = select(Study.study_instance_uid).where(Study.patient_pk.in_(patients))
    return (
        select(
            SourceObject.source_sop_instance_uid, SourceObject.content_at, SourceObject.predecessors, Study.patient_pk
        )
        .join(Study, Study.study_instance_uid == SourceObject.study_instance_uid)
        .where(or_(named, SourceObject.study_instance_uid.in_(studies)))
    )


_FOREIGN, _OF_PATIENTS = _foreign(), _of_patients()
_STUDIES_OF_IMAGES = _studies().where(Image.sop_instance_uid.in_(ANY_OF))
_STUDIES_OF_FRAME = _studies().where(Series.frame_of_reference_uid == bindparam("any_of"))
