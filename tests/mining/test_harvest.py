"""One study's objects become rows: what is truth, what is a copy, what is ours, and nothing stops the rest."""

import csv
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from builders import (
    ALGORITHM,
    CT,
    ROWS,
    SERIES,
    STUDY,
    annotation,
    bidirectional,
    ct_instance,
    ct_series,
    graphic,
    gsps,
    rectangle,
    scoord3d,
    sr,
    text,
    text_object,
    tid1500,
)
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from sqlalchemy import select
from sqlalchemy.orm import Session

from db.engine import Sessions
from db.geometry import PointPx
from db.indexing import IndexedInstance, index
from db.lesions import rebuild, truth
from db.measurement import Measurement
from db.models import Instance, LesionRow, MeasurementRow, Refusal, Rejection, SourceObject, Study
from db.outcomes import Analysis, DetectionRow, Result
from mining import harvest
from mining.harvest import READERS, SourceReader, harvest_study, reader_for
from mining.headers import read_header

SHARED = Path(__file__).parents[3] / "shared" / "data"
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


@pytest.fixture
def node(sessions: Sessions, tmp_path: Path) -> Iterator["Node"]:
    with sessions() as session:
        yield Node(session, Folder(tmp_path))


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

    def harvest(self, study: str = STUDY) -> harvest.HarvestCounts:
        counts = harvest_study(self.session, study, self.files, NOW)
        assert flat_rows(self.session) == rebuild(self.session), "a refresh left a row behind"
        return counts

    def rows(self) -> list[LesionRow]:
        query = select(LesionRow).order_by(LesionRow.source_sop_instance_uid, LesionRow.source_item)
        return list(self.session.scalars(query.execution_options(populate_existing=True)))

    def truth(self) -> list[LesionRow]:
        return list(self.session.scalars(truth().execution_options(populate_existing=True)))

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


def test_a_report_becomes_a_row_with_millimetres_by_the_images_own_spacing(node: Node) -> None:
    node.receive(*ct_series(), report("1.5.1"))
    counts = node.harvest()
    assert (counts.measurements, counts.rejections, counts.own) == (1, 0, 0)
    (row,) = node.truth()
    assert row.long_axis_px == pytest.approx(20.0)
    assert row.long_axis_mm == pytest.approx((6.0**2 + 12.8**2) ** 0.5, abs=1e-4)
    assert row.short_axis_mm == pytest.approx((6.0**2 + 2.8125**2) ** 0.5, abs=1e-4)
    assert (row.box_x1, row.box_y1, row.box_x2, row.box_y2) == pytest.approx((15.0, 5.0, 37.0, 31.0))
    assert (row.row_spacing_mm, row.col_spacing_mm) == (0.8, 0.5)
    assert row.stated_disagrees is False
    assert (row.study_instance_uid, row.series_instance_uid, row.sop_instance_uid) == (STUDY, SERIES, f"{SERIES}.1")
    assert (row.patient_id, row.accession_number, row.modality, row.body_part) == ("P1", "A1", "CT", "CHEST")
    assert (row.reader, row.tracking_uid, row.source_kind) == ("Reader^One", "1.9", "SR")
    assert row.measured_at == datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
    assert row.source_writer == "Viewer Maker Viewer"
    assert row.split in ("train", "val", "test")
    assert row.slice_interval_mm == pytest.approx(2.5, abs=1e-3)


def test_harvesting_again_leaves_the_same_rows(node: Node) -> None:
    node.receive(*ct_series(), report("1.5.1"), sr(sop_instance_uid="1.5.2"))
    first = node.harvest()
    before = (flat_rows(node.session), node.rejections())
    assert node.harvest() == first
    assert (flat_rows(node.session), node.rejections()) == before


def test_a_stated_length_that_is_not_the_drawn_one_is_kept_and_flagged(node: Node) -> None:
    node.receive(*ct_series(), report("1.5.1", stated=(15.0, 6.63)))
    node.harvest()
    (row,) = node.rows()
    assert (row.stated_long_axis_mm, row.stated_disagrees) == (15.0, True)


def test_an_image_that_is_not_here_leaves_millimetres_empty_until_it_arrives(node: Node) -> None:
    node.receive(report("1.5.1"))
    node.harvest()
    (row,) = node.rows()
    assert (row.image_present, row.long_axis_mm, row.stated_disagrees) == (False, None, None)
    assert row.box_x1 == pytest.approx(15.0)
    node.receive(*ct_series())
    node.harvest()
    (row,) = node.truth()
    assert row.image_present and row.long_axis_mm == pytest.approx(14.1367, abs=1e-3)


def test_a_report_in_another_study_is_read_again_when_the_images_arrive(node: Node) -> None:
    node.receive(report("1.5.1", study_uid="1.4"))
    node.harvest("1.4")
    assert node.rows()[0].image_present is False
    node.receive(*ct_series())
    node.harvest(STUDY)
    (row,) = node.truth()
    assert (row.study_instance_uid, row.series_instance_uid) == (STUDY, SERIES)


def test_an_image_without_spacing_gives_pixels_alone(node: Node) -> None:
    node.receive(ct_instance(f"{SERIES}.1", spacing=None), report("1.5.1"))
    node.harvest()
    (row,) = node.rows()
    assert row.image_present and row.long_axis_mm is None and row.long_axis_px == pytest.approx(20.0)


def test_the_same_lesion_in_two_documents_is_one_row_of_truth(node: Node) -> None:
    node.receive(*ct_series(), report("1.5.1"), report("1.5.2", at="20260303100000"))
    node.harvest()
    (row,) = node.truth()
    assert row.source_sop_instance_uid == "1.5.1"
    assert node.excluded()["1.5.2"] == f"copy of {row.lesion_id}"
    assert {r.lesion_identity for r in node.rows()} == {"1.9"}
    assert [r.split is None for r in node.rows()] == [False, True]


def test_a_save_under_fresh_tracking_uids_is_a_copy_too(node: Node) -> None:
    node.receive(*ct_series(), report("1.5.1"), report("1.5.2", tracking_uid="1.10"))
    node.harvest()
    assert [row.source_sop_instance_uid for row in node.truth()] == ["1.5.1"]


def test_two_readers_give_two_rows(node: Node) -> None:
    node.receive(*ct_series(), report("1.5.1"), report("1.5.2", tracking_uid="1.10", reader="Reader^Two"))
    node.harvest()
    assert len(node.truth()) == 2


@pytest.mark.parametrize("order", [("1.5.1", "1.5.2"), ("1.5.2", "1.5.1")])
def test_other_points_in_a_later_document_count(node: Node, order: tuple[str, str]) -> None:
    later = ((20.0, 11.0), (32.0, 27.0))
    documents = {"1.5.1": report("1.5.1"), "1.5.2": report("1.5.2", long=later, at="20260303100000")}
    node.receive(*ct_series(), *(documents[uid] for uid in order))
    node.harvest()
    assert [row.source_sop_instance_uid for row in node.truth()] == ["1.5.2"]
    assert node.excluded()["1.5.1"] == "superseded by a later document"


@pytest.mark.parametrize("first", ["1.5.1", "1.5.2"])
def test_a_predecessor_is_no_truth_whichever_arrives_first(node: Node, first: str) -> None:
    new = report("1.5.2", tracking_uid="1.10", long=((21.0, 10.0), (33.0, 26.0)), predecessors=["1.5.1"])
    documents = {"1.5.1": report("1.5.1"), "1.5.2": new}
    node.receive(*ct_series(), documents.pop(first))
    node.harvest()
    node.receive(*documents.values())
    node.harvest()
    assert [row.source_sop_instance_uid for row in node.truth()] == ["1.5.2"]
    assert node.excluded()["1.5.1"] == "superseded by a later document"


def test_a_document_that_goes_gives_its_copy_back(node: Node) -> None:
    node.receive(*ct_series(), report("1.5.1"), report("1.5.2", at="20260303100000"))
    node.harvest()
    gone = node.session.scalars(select(Instance).where(Instance.sop_instance_uid == "1.5.1")).one()
    gone.state = "superseded"
    node.session.flush()
    node.harvest()
    assert [row.source_sop_instance_uid for row in node.truth()] == ["1.5.2"]
    assert len(node.rows()) == 1


def test_what_an_algorithm_drew_is_kept_and_is_no_truth(node: Node) -> None:
    drawn = bidirectional(f"{SERIES}.1", LONG, SHORT, text(ALGORITHM, "OtherNet"), tracking_uid="1.9")
    node.receive(*ct_series(), tid1500(drawn))
    node.harvest()
    (row,) = node.rows()
    assert (row.excluded_because, row.split) == ("drawn by an algorithm", None)


def reported(node: Node, result_uid: str = "1.8.1") -> None:
    """One of our detections, with exactly the points of `report`, and the SR that told of it."""
    analysis = Analysis(
        analysis_id="a", study_instance_uid=STUDY, study_revision=1, state="found", started_at=NOW, finished_at=NOW
    )
    node.session.add(analysis)
    node.session.flush()
    (x1, y1), (x2, y2) = LONG
    (u1, v1), (u2, v2) = SHORT
    node.session.add(
        DetectionRow(
            detection_id="d", analysis_id="a", sop_instance_uid=f"{SERIES}.1", box_x1=18.0, box_y1=8.0, box_x2=34.0,
            box_y2=28.0, z_first=0, z_last=1, long_x1=x1, long_y1=y1, long_x2=x2, long_y2=y2, short_x1=u1,
            short_y1=v1, short_x2=u2, short_y2=v2, long_axis_mm=14.1, short_axis_mm=7.8, score=0.9,
            tracking_uid="1.9", created_at=NOW,
        )
    )  # fmt: skip
    node.session.add(
        Result(
            result_sop_instance_uid=result_uid, analysis_id="a", kind="SR", profile="ohif", sop_class_uid=CT,
            series_instance_uid="1.8", file_name="x", created_at=NOW,
        )
    )  # fmt: skip
    node.session.flush()


def test_our_own_result_is_left_alone_by_its_uid(node: Node) -> None:
    node.receive(*ct_series(), report("1.8.1"))
    reported(node)
    assert node.harvest() == harvest.HarvestCounts(measurements=0, rejections=0, own=1)
    assert not node.rows()
    assert node.session.get_one(SourceObject, "1.8.1").own is True


def test_our_own_result_under_new_uids_is_known_by_its_points(node: Node) -> None:
    node.receive(
        *ct_series(),
        report("1.5.1", tracking_uid="1.77", long=LONG[::-1]),
        tid1500(rectangle(f"{SERIES}.1", (18.0, 8.0, 34.0, 28.0), "1.78"), sop_instance_uid="1.5.2"),
        tid1500(bidirectional(f"{SERIES}.1", LONG, ((32.0, 16.0), (20.0, 19.85))), sop_instance_uid="1.5.3"),
    )
    reported(node)
    node.harvest()
    assert node.excluded() == {
        "1.5.1": "copy of our own result",
        "1.5.2": "copy of our own result",
        "1.5.3": None,  # a reader moved one end by a third of a pixel
    }


def test_an_end_outside_the_image_is_doubtful(node: Node) -> None:
    below = ((32.0, ROWS + 3.0), (20.0, ROWS + 9.0))
    node.receive(*ct_series(), report("1.5.1", long=((20.0, 40.0), (32.0, ROWS + 16.0)), short=below))
    node.harvest()
    (row,) = node.rows()
    assert row.possibly_noisy and "outside the image" in (row.noisy_because or "")
    assert not node.truth()


def test_a_presentation_state_becomes_rows(node: Node) -> None:
    lines = [graphic("POLYLINE", LONG), graphic("POLYLINE", SHORT)]
    node.receive(
        *ct_series(), gsps(annotation(lines, [text_object("14,1 x 6,6 mm")], [f"{SERIES}.1"]), images=[f"{SERIES}.1"])
    )
    node.harvest()
    (row,) = node.truth()
    assert (row.source_kind, row.reader) == ("GSPS", "Reader^Two")
    assert (row.stated_long_axis_mm, row.stated_short_axis_mm, row.stated_disagrees) == (14.1, 6.6, False)


def test_millimetres_in_the_patient_land_on_the_slice_that_holds_them(node: Node) -> None:
    slices = ct_series()
    plane = read_header(slices[1]).image.planes[0]  # type: ignore[union-attr]
    ends = [plane.to_mm(PointPx(*point)) for point in LONG]
    drawing = scoord3d(
        "POLYLINE", [(p.x, p.y, p.z) for p in ends], frame_of_reference=str(slices[1].FrameOfReferenceUID)
    )
    node.receive(*slices, sr(drawing))
    node.harvest()
    (row,) = node.truth()
    assert row.sop_instance_uid == f"{SERIES}.2"
    assert (row.long_x1, row.long_y1, row.long_x2, row.long_y2) == pytest.approx((20.0, 10.0, 32.0, 26.0), abs=1e-3)


def test_a_reader_that_fails_costs_one_object_and_leaves_no_patient_in_the_record(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(ds: Dataset, images: object) -> Iterator[Measurement]:
        raise ZeroDivisionError(f"a bug that quotes {ds.PatientName}")

    node.receive(*ct_series(), report("1.5.1"), gsps(images=[f"{SERIES}.1"]))
    monkeypatch.setitem(READERS, "1.2.840.10008.5.1.4.1.1.11.1", SourceReader("GSPS", broken))  # type: ignore[arg-type]
    assert node.harvest().measurements == 1
    (failed,) = node.session.scalars(select(Rejection))
    assert failed.reason_code == "reader_failed"
    assert "ZeroDivisionError" in failed.traceback and "broken" in failed.traceback
    assert "Nobody" not in failed.traceback + failed.reason


def test_a_lost_file_is_listed_and_costs_no_row_of_its_object_or_of_others(node: Node) -> None:
    node.receive(*ct_series(), report("1.5.1"))
    node.harvest()
    node.receive(report("1.5.2", reader="Reader^Two"))
    node.files.path("1.5.1.dcm").unlink()
    node.harvest()
    assert set(node.session.scalars(select(MeasurementRow.source_sop_instance_uid))) == {"1.5.1", "1.5.2"}
    assert [(row.sop_instance_uid, row.reason_code) for row in node.session.scalars(select(Refusal))] == [
        ("1.5.1", "lost")
    ]


def test_a_file_that_is_no_dicom_costs_one_object(node: Node) -> None:
    node.receive(*ct_series(), report("1.5.1"), report("1.5.2", reader="Reader^Two"))
    whole = node.files.path("1.5.1.dcm").read_bytes()
    node.files.path("1.5.1.dcm").write_bytes(whole[: len(whole) // 2])
    node.harvest()
    assert [row.source_sop_instance_uid for row in node.truth()] == ["1.5.2"]
    assert set(node.session.scalars(select(Rejection.source_sop_instance_uid))) == {"1.5.1"}


def test_an_sr_class_newer_than_the_table_is_read_as_any_sr() -> None:
    assert reader_for("1.2.840.10008.5.1.4.1.1.88.99") is READERS["1.2.840.10008.5.1.4.1.1.88.33"]
    assert reader_for(CT) is None


def documents() -> list[Path]:
    found = []
    for path in sorted(SHARED.rglob("*")):
        try:
            ds = dcmread(path, specific_tags=["SOPClassUID"], stop_before_pixels=True)
        except (InvalidDicomError, OSError, AttributeError, KeyError, ValueError, EOFError):
            continue
        if reader_for(str(ds.get("SOPClassUID", ""))) is not None:
            found.append(path)
    return found


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.skipif(not SHARED.is_dir(), reason="../shared/data is not here")
def test_every_document_of_other_writers_yields_rows_or_reasons(node: Node) -> None:
    paths = documents()
    assert len(paths) >= 25
    for number, path in enumerate(paths):
        ds = dcmread(path, stop_before_pixels=True)
        ds.SOPInstanceUID = f"1.3.{number}"  # two of them share one
        ds.StudyInstanceUID = STUDY
        ds.SeriesInstanceUID = f"1.3.{number}.1"
        node.files.path(str(number)).write_bytes(path.read_bytes())
        node.receive_file(str(number), ds)
    counts = node.harvest()
    answered = {
        uid
        for model in (MeasurementRow, Rejection)
        for uid in node.session.scalars(select(model.source_sop_instance_uid))
    }
    assert answered == {f"1.3.{number}" for number in range(len(paths))}
    assert counts.measurements >= 8
    codes = {code for _, code in node.rejections()}
    assert {"segment_not_read", "region_not_read"} <= codes
    assert "reader_failed" not in codes


def deeplesion_rows() -> list[dict[str, str]]:
    with (SHARED / "deeplesion_sample" / "DL_info_sample200.csv").open() as file:
        return list(csv.DictReader(file))


def numbers(cell: str) -> list[float]:
    return [float(value) for value in cell.split(",")]


@pytest.mark.slow
@pytest.mark.skipif(not SHARED.is_dir(), reason="../shared/data is not here")
def test_every_row_of_deeplesion_written_as_a_report_comes_back(node: Node) -> None:
    """DL_info.csv counts pixels from 1; boxes and diameters reproduce within its own digits."""
    rows = deeplesion_rows()
    assert len(rows) == 200
    groups = []
    for number, row in enumerate(rows, start=1):
        spacing = numbers(row["Spacing_mm_px_"])
        columns, lines = (int(value) for value in numbers(row["Image_size"]))
        uid = f"{SERIES}.{number}"
        node.receive(ct_header(uid, (spacing[1], spacing[0]), lines, columns, number))
        x = [value - 1.0 for value in numbers(row["Measurement_coordinates"])]
        groups.append(bidirectional(uid, ((x[0], x[1]), (x[2], x[3])), ((x[4], x[5]), (x[6], x[7]))))
    node.receive(tid1500(*groups))
    node.harvest()
    found = {row.sop_instance_uid: row for row in node.rows()}
    assert len(found) == 200
    for number, row in enumerate(rows, start=1):
        lesion = found[f"{SERIES}.{number}"]
        box = (lesion.box_x1 + 1, lesion.box_y1 + 1, lesion.box_x2 + 1, lesion.box_y2 + 1)
        assert box == pytest.approx(numbers(row["Bounding_boxes"]), abs=0.01)
        diameters = numbers(row["Lesion_diameters_Pixel_"])
        assert (lesion.long_axis_px, lesion.short_axis_px) == pytest.approx(diameters, abs=0.01)
        assert lesion.long_axis_mm == pytest.approx(diameters[0] * numbers(row["Spacing_mm_px_"])[0], abs=0.01)


def ct_header(uid: str, spacing: tuple[float, float], rows: int, columns: int, number: int) -> Dataset:
    """A slice without its pixels."""
    ds = ct_instance(uid, spacing=spacing, rows=1, columns=1, number=number)
    ds.Rows, ds.Columns = rows, columns
    del ds.PixelData
    return ds
