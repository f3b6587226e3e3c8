"""A node in one open transaction, for the tests of the harvest: objects are put in as if received and settled."""

from datetime import UTC, datetime
from pathlib import Path

from builders import SERIES, STUDY, bidirectional, tid1500
from pydicom import dcmread
from pydicom.dataset import Dataset
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from db.indexing import IndexedInstance, index
from db.lesions import rebuild, truth
from db.models import Instance, LesionRow, Rejection, Study
from mining.harvest import HarvestCounts, read_study, save_study
from mining.headers import read_header
from mining.settings import DEFAULT_SETTINGS, HarvestSettings

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
SITE_KEY = b"key of the test site"

LONG, SHORT = ((20.0, 10.0), (32.0, 26.0)), ((32.0, 16.0), (20.0, 19.515625))
"""Upright in the patient, not in pixels: (6, 12.8) mm and (-6, 2.8125) mm, so 14.14 and 6.63 mm long."""


class Folder:
    """A file store of one folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, name: str) -> Path:
        return self.root / name

    def write(self, name: str, content: bytes) -> None:
        self.path(name).write_bytes(content)


class Node:
    """A database and a folder that objects are put into as if they had been received and settled."""

    def __init__(self, session: Session, files: Folder) -> None:
        self.session, self.files = session, files

    def receive(self, *objects: Dataset) -> None:
        for ds in objects:
            name = f"{ds.SOPInstanceUID}.dcm"
            ds.save_as(self.files.path(name), enforce_file_format=True)
            self.receive_file(name, dcmread(self.files.path(name), stop_before_pixels=True))

    def receive_file(self, name: str, ds: Dataset) -> None:
        uid, study_uid, series_uid = str(ds.SOPInstanceUID), str(ds.StudyInstanceUID), str(ds.SeriesInstanceUID)
        study = self.session.get(Study, study_uid)
        if study is None:
            study = Study(
                study_instance_uid=study_uid, state="settled", revision=1, received_first_at=NOW, received_last_at=NOW
            )
            self.session.add(study)
            self.session.flush()
        self.session.add(
            Instance(
                sop_instance_uid=uid,
                study_instance_uid=study_uid,
                series_instance_uid=series_uid,
                sop_class_uid=str(ds.SOPClassUID),
                transfer_syntax_uid=str(ds.file_meta.TransferSyntaxUID),
                content_sha256=uid,
                file_name=name,
                size_bytes=1,
                received_at=NOW,
                indexed=True,
            )
        )
        self.session.flush()
        index(self.session, study, [IndexedInstance(uid, series_uid, read_header(ds))], SITE_KEY)

    def harvest(self, study: str = STUDY, settings: HarvestSettings = DEFAULT_SETTINGS) -> HarvestCounts:
        counts = save_study(self.session, read_study(self.session, study, self.files, settings), NOW, settings)
        assert flat_rows(self.session) == rebuild(self.session), "a refresh left a row behind"
        return counts

    def rows(self) -> list[LesionRow]:
        query = select(LesionRow).order_by(LesionRow.source_sop_instance_uid, LesionRow.source_item)
        return list(self.session.scalars(query.execution_options(populate_existing=True)))

    def truth(self) -> list[LesionRow]:
        return list(self.session.scalars(truth().execution_options(populate_existing=True)))

    def truth_by_document(self) -> list[LesionRow]:
        return sorted(self.truth(), key=lambda row: row.source_sop_instance_uid)

    def sources(self) -> list[tuple[str, str]]:
        query = "SELECT lesion_id, source_sop_instance_uid FROM lesion_sources ORDER BY source_sop_instance_uid"
        return [(lesion_id, uid) for lesion_id, uid in self.session.execute(text(query))]

    def spread(self) -> list[tuple[str, int, int, float]]:
        query = "SELECT lesion_identity, measurements, readers, spread FROM reader_spread"
        return [tuple(row) for row in self.session.execute(text(query))]

    def rejected_in_the_view(self) -> list[tuple[str, str, str]]:
        query = "SELECT source_sop_instance_uid, reason_code, reason FROM rejections"
        return [tuple(row) for row in self.session.execute(text(query))]

    def rejections(self) -> list[tuple[str, str]]:
        query = select(Rejection.source_item, Rejection.reason_code).order_by(Rejection.rejection_pk)
        return [(item, code) for item, code in self.session.execute(query)]

    def excluded(self) -> dict[str, str | None]:
        return {row.source_sop_instance_uid: row.excluded_because for row in self.rows()}


def flat_rows(session: Session) -> dict[str, dict[str, object]]:
    columns = LesionRow.__table__.columns
    return {row["lesion_id"]: dict(row) for row in session.execute(select(*columns)).mappings()}


def report(uid: str, **document: object) -> Dataset:
    """A report of one lesion on the first slice, drawn upright."""
    lines: dict[str, object] = {"long": LONG, "short": SHORT, "tracking_uid": "1.9", "stated": (14.14, 6.63)}
    lines.update({name: document.pop(name) for name in list(document) if name in lines})
    return tid1500(bidirectional(f"{SERIES}.1", **lines), sop_instance_uid=uid, **document)
