"""What stands after documents, images and files came and went in any order, by any number of workers."""

import contextlib
import threading
from pathlib import Path

import pytest
from builders import SERIES, STUDY, bidirectional, ct_series, scoord3d, sr, tid1500
from harvest_node import LONG, SHORT, Folder, Node, flat_rows, report
from pydicom.dataset import Dataset
from sqlalchemy import select

import db.lesions
import mining.harvest
from db.engine import Sessions, open_sessions
from db.geometry import PointPx
from db.models import LesionRow, Study
from mining.harvest import harvest_study
from mining.headers import read_header
from mining.settings import HarvestSettings


def receive(sessions: Sessions, folder: Path, *objects: Dataset) -> None:
    with sessions.begin() as session:
        Node(session, Folder(folder)).receive(*objects)
        study = session.get_one(Study, str(objects[0].StudyInstanceUID))
        study.revision = study.harvested_revision + 1


@pytest.mark.slow
def test_copies_in_two_studies_are_one_row_when_two_workers_read_them_together(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sessions, files = open_sessions(postgres_url), Folder(tmp_path)
    receive(sessions, tmp_path, *ct_series())
    harvest_study(sessions, STUDY, files)
    receive(sessions, tmp_path, report("1.5.1", study_uid="1.4"))
    receive(sessions, tmp_path, report("1.5.2", study_uid="1.6", at="20260303100000"))
    judged, failed, real = threading.Barrier(2, timeout=1), [], mining.harvest.rejudge

    def together(*given: object) -> list[str]:
        with contextlib.suppress(threading.BrokenBarrierError):  # the other one waits for this transaction
            judged.wait()
        return real(*given)  # type: ignore[arg-type]

    def harvest(study: str) -> None:
        try:
            for _ in range(2):  # the second time each rewrites the other's row
                harvest_study(sessions, study, files)
        except Exception as error:
            failed.append(error)
            raise

    monkeypatch.setattr(mining.harvest, "rejudge", together)
    threads = [threading.Thread(target=harvest, args=(study,)) for study in ("1.4", "1.6")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with sessions() as session:
        assert session.scalars(select(LesionRow.source_sop_instance_uid)).all() == ["1.5.1"]
    assert not failed
    sessions.kw["bind"].dispose()


@pytest.mark.slow
def test_a_lesion_that_is_harvested_while_all_flat_rows_are_written_stays(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sessions, files = open_sessions(postgres_url), Folder(tmp_path)
    receive(sessions, tmp_path, *ct_series(), report("1.5.1"))
    harvest_study(sessions, STUDY, files)
    receive(sessions, tmp_path, report("1.5.2", tracking_uid="1.10", reader="Reader^Two"))
    real, worker = db.lesions.rebuild, threading.Thread(target=harvest_study, args=(sessions, STUDY, files))

    def meanwhile(session, lesion_ids=None):  # type: ignore[no-untyped-def]
        rows = real(session, lesion_ids)
        if lesion_ids is None:
            worker.start()
            worker.join(1)
        return rows

    monkeypatch.setattr(db.lesions, "rebuild", meanwhile)
    with sessions.begin() as session:
        db.lesions.refresh(session)
    worker.join()
    with sessions() as session:
        assert flat_rows(session) == real(session)
    sessions.kw["bind"].dispose()


def test_the_row_of_a_document_whose_file_is_gone_follows_its_image(node: Node) -> None:
    node.receive(report("1.5.1", study_uid="1.4"))
    node.harvest("1.4")
    node.files.path("1.5.1.dcm").unlink()
    node.receive(*ct_series())
    node.harvest()
    assert [row.image_present for row in node.rows()] == [True]


def test_what_a_site_excludes_is_no_truth_before_its_image_came(node: Node) -> None:
    node.receive(report("1.5.1", study_uid="1.4"))
    node.harvest("1.4", HarvestSettings(exclude=("p1",)))
    assert node.excluded() == {"1.5.1": "excluded by the site: p1"}


@pytest.mark.parametrize("first", ["1.4", STUDY])
def test_a_drawing_in_millimetres_lies_on_one_image_whichever_study_comes_first(node: Node, first: str) -> None:
    here, there = ct_series(), ct_series()
    for number, ds in enumerate(there, start=1):
        ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.SOPInstanceUID = "1.4", "1.0.4", f"1.0.4.{number}"
        ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    plane = read_header(here[1]).image.planes[0]  # type: ignore[union-attr]
    ends = [plane.to_mm(PointPx(*end)) for end in LONG]
    drawing = scoord3d("POLYLINE", [(p.x, p.y, p.z) for p in ends], frame_of_reference=str(here[1].FrameOfReferenceUID))
    studies = {STUDY: [*here, sr(drawing, sop_instance_uid="1.5.1")], "1.4": there}
    for study in sorted(studies, key=lambda study: study != first):
        node.receive(*studies[study])
        node.harvest(study)
    assert [row.sop_instance_uid for row in node.rows()] == ["1.0.4.2"]


@pytest.mark.parametrize("first", ["1.5.1", "1.5.2"])
def test_another_patients_document_replaces_nothing_in_whatever_order(node: Node, first: str) -> None:
    new = tid1500(
        bidirectional(f"{SERIES}.2", LONG, SHORT, tracking_uid="1.10"),
        sop_instance_uid="1.5.2", study_uid="1.4", predecessors=["1.5.1"],
    )  # fmt: skip
    new.PatientID = "OTHER"
    documents = {"1.5.1": (STUDY, report("1.5.1")), "1.5.2": ("1.4", new)}
    node.receive(*ct_series())
    node.harvest()
    for uid in sorted(documents, key=lambda uid: uid != first):
        study, ds = documents[uid]
        node.receive(ds)
        node.harvest(study)
    node.harvest()
    assert node.excluded() == {"1.5.1": None, "1.5.2": None}


def test_reports_alone_do_not_read_those_again_that_wait_for_images(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    real = mining.harvest.read_object
    monkeypatch.setattr(mining.harvest, "read_object", lambda uid, *given: read.append(uid) or real(uid, *given))
    for number in range(5):
        waiting = sr(
            scoord3d("POLYLINE", [(0.0, 0.0, 0.0), (9.0, 9.0, 0.0)], frame_of_reference="1.7"),
            sop_instance_uid=f"1.5.{number}", study_uid=f"1.4.{number}",
        )  # fmt: skip
        node.receive(waiting)
        node.harvest(f"1.4.{number}")
    assert len(read) == 5
