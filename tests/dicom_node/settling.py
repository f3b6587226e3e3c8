"""What arrives for a study that shall settle, and what its tables say then."""

from datetime import timedelta

from arriving import NOW, STUDY, received
from pydicom import Dataset
from sqlalchemy import select

from db.engine import reading
from db.models import Instance, Patient, Study
from dicom_node.store import Store

LATER = NOW + timedelta(minutes=10)


def keep(store: Store, *objects: Dataset, minutes: int = 0) -> None:
    for number, ds in enumerate(objects):
        store.keep(received(ds), NOW + timedelta(minutes=minutes, seconds=number))


def states(store: Store) -> list[tuple[str, str]]:
    with reading(store.sessions) as session:
        rows = session.scalars(select(Instance).order_by(Instance.instance_pk))
        return [(row.sop_instance_uid, row.state) for row in rows]


def study(store: Store, uid: str = STUDY) -> Study:
    with reading(store.sessions) as session:
        return session.scalars(select(Study).filter_by(study_instance_uid=uid)).one()


def patient(store: Store, uid: str = STUDY) -> Patient:
    with reading(store.sessions) as session:
        return session.scalars(
            select(Patient).join(Study, Study.patient_pk == Patient.patient_pk).filter_by(study_instance_uid=uid)
        ).one()
