"""Reading holds up no writer, and what changed while it went on is read again."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from builders import COMPREHENSIVE_SR, SERIES, STUDY, bidirectional, ct_series, scoord3d, sr, tid1500
from harvest_node import LONG, NOW, SHORT, Folder, Node, report
from pydicom.dataset import Dataset
from sqlalchemy import select

from db.engine import Sessions
from db.geometry import PointPx
from db.measurement import Measurement, Rejected
from db.models import LesionRow, Rejection, Study
from mining.harvest import harvest_study
from mining.headers import read_header
from mining.known_images import KnownImages
from mining.readers.by_class import READERS, SourceReader
from mining.readers.sr import read_sr


def receive(sessions: Sessions, folder: Path, *objects: Dataset) -> None:
    """Objects and the next revision of their study."""
    with sessions.begin() as session:
        Node(session, Folder(folder)).receive(*objects)
        study = session.get_one(Study, str(objects[0].StudyInstanceUID))
        study.revision = study.harvested_revision + 1


def while_reading(monkeypatch: pytest.MonkeyPatch, meanwhile: Callable[[], None]) -> list[str]:
    """Let something happen in the middle of the first reading of a report; returns what was read, as it goes."""
    read: list[str] = []

    def interrupted(ds: Dataset, images: KnownImages) -> Iterator[Measurement | Rejected]:
        found = list(read_sr(ds, images))
        read.append(str(ds.SOPInstanceUID))
        if len(read) == 1:
            meanwhile()
        yield from found

    monkeypatch.setitem(READERS, COMPREHENSIVE_SR, SourceReader("SR", interrupted))
    return read


def test_a_writer_waits_for_no_reading(any_sessions: Sessions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    receive(any_sessions, tmp_path, *ct_series(), report("1.5.1"))
    done = threading.Event()

    def store() -> None:
        """As a C-STORE of another study does, from another thread."""
        with any_sessions.begin() as session:
            session.add(Study(study_instance_uid="1.9", received_first_at=NOW, received_last_at=NOW))
        done.set()

    def meanwhile() -> None:
        threading.Thread(target=store).start()
        assert done.wait(10), "the writer waits for the reader"

    while_reading(monkeypatch, meanwhile)
    assert harvest_study(any_sessions, STUDY, Folder(tmp_path)).measurements == 1


def test_the_revision_that_was_read_is_the_one_that_is_marked(
    any_sessions: Sessions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    receive(any_sessions, tmp_path, *ct_series(), report("1.5.1"))

    def meanwhile() -> None:
        with any_sessions.begin() as session:
            Node(session, Folder(tmp_path)).receive(report("1.5.2", reader="Reader^Two", tracking_uid="1.10"))
            session.get_one(Study, STUDY).revision += 1

    read = while_reading(monkeypatch, meanwhile)
    assert harvest_study(any_sessions, STUDY, Folder(tmp_path)).measurements == 2
    assert read == ["1.5.1", "1.5.1", "1.5.2"]
    with any_sessions() as session:
        study = session.get_one(Study, STUDY)
        assert study.revision == study.harvested_revision == 2
        assert sorted(session.scalars(select(LesionRow.source_sop_instance_uid))) == ["1.5.1", "1.5.2"]


def test_images_of_another_study_that_come_during_the_reading_are_seen(
    any_sessions: Sessions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slices = ct_series()
    plane = read_header(slices[1]).image.planes[0]  # type: ignore[union-attr]
    ends = [plane.to_mm(PointPx(*point)) for point in LONG]
    drawing = scoord3d(
        "POLYLINE", [(p.x, p.y, p.z) for p in ends], frame_of_reference=str(slices[1].FrameOfReferenceUID)
    )
    receive(any_sessions, tmp_path, sr(drawing, study_uid="1.4", sop_instance_uid="1.4.1"))
    read = while_reading(monkeypatch, lambda: receive(any_sessions, tmp_path, *slices))
    assert harvest_study(any_sessions, "1.4", Folder(tmp_path)).measurements == 1
    assert read == ["1.4.1", "1.4.1"]
    with any_sessions() as session:
        assert session.scalars(select(LesionRow.sop_instance_uid)).all() == [f"{SERIES}.2"]
        assert session.scalars(select(Rejection)).all() == []


def test_two_studies_that_read_one_document_leave_it_once(any_sessions: Sessions, tmp_path: Path) -> None:
    """The images' study reads the report of the other one, too."""
    receive(any_sessions, tmp_path, report("1.5.1", study_uid="1.4"))
    harvest_study(any_sessions, "1.4", Folder(tmp_path))
    receive(any_sessions, tmp_path, *ct_series())
    together, failed = threading.Barrier(2), []

    def harvest(study: str) -> None:
        together.wait()
        try:
            for _ in range(3):
                harvest_study(any_sessions, study, Folder(tmp_path))
        except Exception as error:
            failed.append(error)
            raise

    threads = [threading.Thread(target=harvest, args=(study,)) for study in (STUDY, "1.4")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    with any_sessions() as session:
        (row,) = session.scalars(select(LesionRow))
        assert row.image_present and row.study_instance_uid == STUDY


@pytest.mark.filterwarnings("ignore:The value length:UserWarning")
def test_what_a_document_calls_a_uid_may_be_a_novel(any_sessions: Sessions, tmp_path: Path) -> None:
    """PostgreSQL refuses what is too long for an index, and the study would fail for ever."""
    novel = "".join(f"{number}." for number in range(2_000))  # does not compress to a short one
    drawn = bidirectional(novel, LONG, SHORT, tracking_uid=novel)
    receive(any_sessions, tmp_path, tid1500(drawn, sop_instance_uid="1.5.1"))
    assert harvest_study(any_sessions, STUDY, Folder(tmp_path)).measurements == 1
    with any_sessions() as session:
        assert session.scalars(select(LesionRow.tracking_uid)).one() == novel[:256]
