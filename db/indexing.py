"""Headers → rows: the patient, study, series and images that the instances of a study belong to. Shell.

Every function works inside the caller's transaction; written twice, the rows are the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, select, update
from sqlalchemy.orm import Session

from db.errors import GeometryError
from db.geometry import PixelSpacing, Plane, PointMm
from db.headers import Header, ImageHeader, PatientHeader, slice_interval_mm
from db.models import Image, Instance, Patient, Series, Study
from db.split import split_of
from db.upsert import BATCH, insert_once, insert_or_update


@dataclass(frozen=True, slots=True)
class IndexedInstance:
    """A current instance and its header, which was read from its file."""

    sop_instance_uid: str
    series_instance_uid: str
    header: Header


def index(session: Session, study: Study, instances: Sequence[IndexedInstance], site_key: bytes) -> None:
    """Write the headers of a study's new current instances, in the order in which they arrived.

    Where they differ in what they say of the patient and the study, the newest that says it counts.
    """
    _update_study(session, study, [instance.header for instance in instances], site_key)
    series = {
        instance.series_instance_uid: {
            "series_instance_uid": instance.series_instance_uid,
            "study_instance_uid": study.study_instance_uid,
            **{name: getattr(instance.header.series, name) for name in _SERIES_COLUMNS},
        }
        for instance in instances
    }
    insert_or_update(session, Series, list(series.values()))
    left = index_images(session, instances)
    measure_slice_intervals(session, {*series, *left})


def index_images(session: Session, instances: Sequence[IndexedInstance]) -> set[str]:
    """Write the geometry and the purpose of those that have pixels; returns the series that they stood in before."""
    images = {
        i.sop_instance_uid: _image_row(i.sop_instance_uid, i.series_instance_uid, i.header.image)
        for i in instances
        if i.header.image is not None
    }
    left = _series_of_images(session, images)
    insert_or_update(session, Image, list(images.values()))
    return left


_SERIES_COLUMNS = (
    "modality",
    "series_number",
    "description",
    "body_part",
    "manufacturer",
    "convolution_kernel",
    "frame_of_reference_uid",
)


def _update_study(session: Session, study: Study, headers: Sequence[Header], site_key: bytes) -> None:
    patient = _known_patient(session, study)
    for header in headers:
        patient = _named(patient, header.patient)
        study.accession_number = header.study.accession_number or study.accession_number
        study.study_date = header.study.study_date or study.study_date
        study.description = header.study.description or study.description
    if patient is None and headers:
        # Nobody's study: a patient of its own, or all such studies would count as one person's.
        patient = PatientHeader("", study.study_instance_uid)
    if patient is not None:
        study.patient_pk = patient_pk(session, patient, site_key)


def _known_patient(session: Session, study: Study) -> PatientHeader | None:
    """Whose study it is so far; None where no object has named anybody."""
    row = session.get(Patient, study.patient_pk) if study.patient_pk is not None else None
    return None if row is None or not row.patient_id else PatientHeader(row.patient_id, row.issuer_of_patient_id)


def _named(known: PatientHeader | None, said: PatientHeader) -> PatientHeader | None:
    """The patient after one more object. One that leaves out the issuer, as viewers do in what they save, names nobody
    else: it would move the study into another patient's split.
    """
    if not said.patient_id:
        return known
    same = known is not None and known.patient_id == said.patient_id
    return known if same and not said.issuer_of_patient_id else said


def patient_pk(session: Session, patient: PatientHeader, site_key: bytes) -> int:
    """The row of a patient, made with its split if there is none; the row itself, not what it was merged into."""
    wanted = {"patient_id": patient.patient_id, "issuer_of_patient_id": patient.issuer_of_patient_id}
    split = split_of(patient.patient_id, patient.issuer_of_patient_id, site_key)
    insert_once(session, Patient, **wanted, split=split)
    return session.scalars(select(Patient.patient_pk).filter_by(**wanted)).one()


def _image_row(sop_instance_uid: str, series_instance_uid: str, image: ImageHeader) -> dict[str, Any]:
    return {
        "sop_instance_uid": sop_instance_uid,
        "series_instance_uid": series_instance_uid,
        "image_type": image.image_type,
        "instance_number": image.instance_number,
        "rows": image.rows,
        "columns": image.columns,
        "frames": image.frames,
        "row_spacing_mm": None if image.spacing is None else image.spacing.row_mm,
        "col_spacing_mm": None if image.spacing is None else image.spacing.col_mm,
        "planes": [
            [plane.origin.x, plane.origin.y, plane.origin.z, *plane.along_row, *plane.along_column]
            for plane in image.planes
        ],
        "purpose": image.purpose,
    }


def planes_of(image: Image | Row[*tuple[Any, ...]]) -> list[Plane]:
    """The planes of an image as they stand in its row, in the order of the frames; none if they are not usable."""
    if image.row_spacing_mm is None or image.col_spacing_mm is None:
        return []
    try:
        spacing = PixelSpacing(image.row_spacing_mm, image.col_spacing_mm)
        return [Plane(PointMm(x, y, z), (a, b, c), (d, e, f), spacing) for x, y, z, a, b, c, d, e, f in image.planes]
    except GeometryError:
        return []


def measure_slice_intervals(session: Session, series_instance_uids: Iterable[str]) -> None:
    """Write the slice interval of series anew, from their current images."""
    for uid in sorted(series_instance_uids):
        images = session.scalars(
            select(Image)
            .join(Instance, (Instance.sop_instance_uid == Image.sop_instance_uid) & (Instance.state == "current"))
            .where(Image.series_instance_uid == uid)
        )
        planes = [plane for image in images for plane in planes_of(image)]
        session.execute(
            update(Series).where(Series.series_instance_uid == uid).values(slice_interval_mm=slice_interval_mm(planes))
        )


def _series_of_images(session: Session, sop_instance_uids: Iterable[str]) -> set[str]:
    """The series that images stand in before they are written anew, maybe into another one."""
    found: set[str] = set()
    uids = list(sop_instance_uids)
    for at in range(0, len(uids), BATCH):
        here = Image.sop_instance_uid.in_(uids[at : at + BATCH])
        found.update(session.scalars(select(Image.series_instance_uid).where(here).distinct()))
    return found
