"""The closed loop: what a reader draws, moves and deletes in OHIF comes back to the node as rows."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from io import BytesIO

import numpy as np
import pytest
from ohif_studies import other_lesions, third_study, truth, with_lesions
from ohif_viewer import TRACK, Entry, Mark, Viewer, running_viewer
from orthanc import AE_TITLE, Orthanc, running_orthanc
from pydicom import Dataset, dcmread
from test_orthanc import part10
from whole_way import NODE, Site, configure, current, keep, register, serving, wait_for_work, wait_until_it_listens

from db import analyses, studies
from db.detection import axes_tracking_uid
from db.engine import sqlite_url, utc_now
from db.geometry import PointMm, PointPx
from db.models import Study
from dicom_node.demo import free_port
from dicom_node.phantom.study import PhantomStudy
from dicom_node.report.source import plane_of
from dicom_node.settle import settle_study
from dicom_node.sql import query

pytestmark = pytest.mark.slow

CLOSE_PX = 1.0


@dataclass(frozen=True, slots=True)
class Hospital:
    """A node, its PACS, and OHIF before that."""

    site: Site
    pacs: Orthanc
    viewer: Viewer

    def route(self, *sop_instance_uids: str) -> None:
        """The PACS sends what came to it, as its routing rule would; and the node works it off."""
        self.pacs.tell("/modalities/node/store", [self.pacs.instance(uid) for uid in sop_instance_uids])
        wait_for_work(self.site)

    def rows(self, statement: str) -> list[tuple[object, ...]]:
        return list(query(self.site.config.url, statement)[1])

    def reports(self, study: PhantomStudy) -> set[str]:
        return set(self.pacs.instances(study.study_instance_uid).get("SR", []))

    def document(self, sop_instance_uid: str) -> Dataset:
        return dcmread(BytesIO(self.pacs.file(sop_instance_uid)))


@pytest.fixture(scope="module")
def hospital(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hospital]:
    """The node has told its PACS what is on `with_lesions()`; it has no model for anything else."""
    folder, port = tmp_path_factory.mktemp("hospital"), free_port()
    with (
        running_viewer() as viewer,
        running_orthanc(folder / "orthanc", NODE, port, dicom_web=True) as pacs,
    ):
        viewer.site.pacs_port = pacs.http_port
        site = configure(folder, sqlite_url(folder), pacs.dicom_port, pacs_ae_title=AE_TITLE, port=port, quiet_s=0.5)
        for study in (with_lesions(), other_lesions()):
            for image in study.images:
                pacs.add(part10(image))
        analyse(site, with_lesions(), register(site, promote=False))
        with serving(site):
            wait_until_it_listens(site)
            wait_for_work(site)
            yield Hospital(site, pacs, viewer)
        site.node.sessions.kw["bind"].dispose()


def analyse(site: Site, study: PhantomStudy, model_id: str) -> None:
    """As the detector's process writes it: the study's lesions are found, and exactly."""
    uid, now = study.study_instance_uid, utc_now()
    keep(site, study.images)
    settled = settle_study(site.node.sessions, site.node.files, uid, now + timedelta(hours=1), site.node.site_key())
    assert settled is not None
    found = []
    for detection in truth(study):
        assert detection.mask is not None
        name = f"masks/{detection.detection_id}.npz"
        site.node.files.write(name, analyses.mask_bytes(detection.mask))
        found.append((detection, True, name))
    with site.node.sessions.begin() as session:
        analyses.save(
            session, study_instance_uid=uid, study_revision=session.get_one(Study, uid).revision, model_id=model_id,
            series_instance_uid=str(study.images[0].SeriesInstanceUID), detections=found, started_at=now, now=now,
            images_sha256=studies.images_sha256(session, uid),
        )  # fmt: skip


def header_of(study: PhantomStudy, sop_instance_uid: str) -> Dataset:
    return next(ds for ds in study.images if ds.SOPInstanceUID == sop_instance_uid)


def entry_of(entries: list[Entry], object_uid: str) -> Entry:
    (found,) = [entry for entry in entries if entry.object == object_uid]
    return found


# --- a drawing of the reader's own ------------------------------------------------------------------------------


def test_a_drawing_by_the_mouse_becomes_a_row(hospital: Hospital) -> None:
    viewer, study = hospital.viewer, other_lesions()
    lesion = max(study.lesions, key=lambda each: each.long_axis_mm)
    header = header_of(study, lesion.key_sop_instance_uid)
    plane = plane_of(header)
    viewer.open(study.study_instance_uid)
    viewer.take("Bidirectional")
    viewer.scroll(lesion.key_sop_instance_uid)
    viewer.drag(plane.to_mm(lesion.long_axis.a), plane.to_mm(lesion.long_axis.b))
    viewer.answer(TRACK)
    (drawn,) = viewer.marks("Bidirectional")
    viewer.keep_for_docs("ohif_drawing")
    assert viewer.save() == ("Create new series", 200)

    hospital.route(*(str(ds.SOPInstanceUID) for ds in study.images), *hospital.reports(study))
    ((*ends, image, reason),) = hospital.rows(
        "SELECT long_x1, long_y1, long_x2, long_y2, short_x1, short_y1, short_x2, short_y2, sop_instance_uid,"
        f" excluded_because FROM lesions WHERE study_instance_uid = '{study.study_instance_uid}'"
    )
    assert (image, reason) == (lesion.key_sop_instance_uid, None)
    row = [PointPx(*pair) for pair in zip(ends[::2], ends[1::2], strict=True)]  # type: ignore[arg-type]
    assert farthest_px(row, drawn.on(header)) < CLOSE_PX, "what the viewer holds"
    assert farthest_px(row[:2], lesion.long_axis.points) < CLOSE_PX, "what the hand did"
    assert viewer.troubles() == []


def farthest_px(ends: list[PointPx], others: object) -> float:
    """Between ends of axes that may run the other way."""
    given = list(others)  # type: ignore[call-overload]
    return max(
        min(
            max(ends[i].distance_px(given[i]), ends[i + 1].distance_px(given[i + 1])),
            max(ends[i].distance_px(given[i + 1]), ends[i + 1].distance_px(given[i])),
        )
        for i in range(0, len(ends), 2)
    )


# --- an answer to ours ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Edit:
    """What the reader did to our report, and the document that came of it."""

    before: Mark
    moved: Mark
    document: Dataset
    offered: str


def edit(hospital: Hospital, into: str, opened: str = "", removed: str = "Lesion 1:") -> Edit:
    """Hydrate ours or the document `opened`, move the axes of the largest lesion, delete another lesion, save."""
    viewer, study = hospital.viewer, with_lesions()
    before = hospital.reports(study)
    opened = opened or current(hospital.site, study.study_instance_uid)["SR"]
    viewer.display(entry_of(viewer.open(study.study_instance_uid, opened), opened))
    viewer.answer()
    marks = viewer.marks("RectangleROI", "Bidirectional")
    mark = next(m for m in marks if m.tool == "Bidirectional" and m.label.startswith("Lesion 2:"))
    moved = move(viewer, mark)
    for each in marks:
        if each.label.startswith(removed):
            viewer.remove(each)
    offered, status = viewer.save(into)
    assert status == 200 and viewer.troubles() == []
    (saved,) = hospital.reports(study) - before
    hospital.route(saved)
    return Edit(mark, moved, hospital.document(saved), offered)


def move(viewer: Viewer, mark: Mark) -> Mark:
    """Take the long axis between its end and the crossing, and pull; the words in the way are pulled aside before."""
    viewer.jump(mark)
    words = viewer.mark(mark.uid).words
    middle = PointMm(*(float(v) for v in np.mean([(p.x, p.y, p.z) for p in words], axis=0)))
    viewer.drag(middle, PointMm(middle.x, middle.y + 140, middle.z))
    viewer.keep_for_docs("ohif_report")
    a, b = mark.points[:2]
    grip = PointMm(*(0.8 * p + 0.2 * q for p, q in ((a.x, b.x), (a.y, b.y), (a.z, b.z))))
    viewer.drag(grip, PointMm(grip.x + 6, grip.y + 4, grip.z))
    moved = viewer.mark(mark.uid)
    for old, new in zip(mark.points, moved.points, strict=True):
        assert (new.x - old.x, new.y - old.y) == pytest.approx((6, 4), abs=1.0), "the viewer moved it"
    return moved


def verdicts(hospital: Hospital, edit: Edit) -> dict[int, str]:
    """Number of the lesion → what the node takes the document to say of it."""
    uid = edit.document.SOPInstanceUID
    rows = hospital.rows(f"SELECT detection_id, verdict FROM assessments WHERE source_sop_instance_uid = '{uid}'")
    return {int(str(detection)[-12:]): str(verdict) for detection, verdict in rows}


def predecessor(edit: Edit) -> str:
    (document,) = edit.document.PredecessorDocumentsSequence
    return str(document.ReferencedSeriesSequence[0].ReferencedSOPSequence[0].ReferencedSOPInstanceUID)


def assert_only_the_moved_axes_are_a_drawing(hospital: Hospital, edit: Edit) -> None:
    """What the reader left alone is nobody's drawing but ours; the moved axes are one, where the viewer has them."""
    (row,) = hospital.rows(
        "SELECT long_x1, long_y1, long_x2, long_y2, comment, lesion_id FROM lesions WHERE excluded_because IS NULL"
        f" AND study_instance_uid = '{with_lesions().study_instance_uid}'"
    )
    header = header_of(with_lesions(), edit.moved.image)
    ends, drawn = [PointPx(*row[:2]), PointPx(*row[2:4])], edit.moved.on(header)[:2]  # type: ignore[arg-type]
    assert farthest_px(ends, drawn) < CLOSE_PX
    assert str(row[4]).startswith("Lesion 2:")
    ((lesion_id, shift_px),) = hospital.rows(
        "SELECT lesion_id, shift_px FROM assessments WHERE verdict = 'modified'"
        f" AND source_sop_instance_uid = '{edit.document.SOPInstanceUID}'"
    )
    assert lesion_id == row[5]
    assert shift_px == pytest.approx(drawn[0].distance_px(edit.before.on(header)[0]), abs=0.1)


def test_an_edit_in_a_new_series_rejects_nothing(hospital: Hospital) -> None:
    done = edit(hospital, "Create new series")
    assert "PredecessorDocumentsSequence" not in done.document
    assert verdicts(hospital, done) == {2: "modified", 3: "accepted", 4: "accepted"}
    assert_only_the_moved_axes_are_a_drawing(hospital, done)


def test_an_edit_in_our_series_rejects_what_it_lacks(hospital: Hospital) -> None:
    done = edit(hospital, into="")
    ours = hospital.document(current(hospital.site, with_lesions().study_instance_uid)["SR"])
    assert done.offered.startswith(ours.SeriesDescription), "it is what the dialog offers first"
    assert done.document.SeriesInstanceUID == ours.SeriesInstanceUID
    assert predecessor(done) == ours.SOPInstanceUID
    assert verdicts(hospital, done) == {1: "rejected", 2: "modified", 3: "accepted", 4: "accepted"}
    assert_only_the_moved_axes_are_a_drawing(hospital, done)

    again = edit(hospital, into="", opened=str(done.document.SOPInstanceUID), removed="Lesion 4:")
    assert again.document.SeriesInstanceUID == ours.SeriesInstanceUID
    assert predecessor(again) == done.document.SOPInstanceUID
    assert verdicts(hospital, again) == {1: "rejected", 2: "modified", 3: "accepted", 4: "rejected"}


# --- a later result ---------------------------------------------------------------------------------------------


def test_after_a_late_slice_the_viewer_shows_the_newer_results(hospital: Hospital) -> None:
    viewer, study = hospital.viewer, third_study()
    uid = study.study_instance_uid
    register(hospital.site)
    results = []
    for images in (study.images[:-1], study.images[-1:]):
        for image in images:
            hospital.pacs.add(part10(image))
        hospital.route(*(str(image.SOPInstanceUID) for image in images))
        results.append(current(hospital.site, uid))
    first, second = results
    assert set(first) == set(second) == {"SR", "SEG"} and set(first.values()).isdisjoint(second.values())
    assert hospital.reports(study) == {first["SR"], second["SR"]}, "the PACS holds both"

    entries = viewer.open(uid, *second.values())
    assert sorted(entry.modality for entry in entries) == ["CT", "SEG", "SR"]
    viewer.display(entry_of(entries, second["SR"]))
    viewer.answer()
    tracking = {mark.uid for mark in viewer.marks("DICOMSRDisplay")}
    ours = {
        str(row[0])
        for row in hospital.rows(
            f"SELECT tracking_uid FROM detections WHERE reported AND result_sop_instance_uid = '{second['SR']}'"
        )
    }
    assert ours and tracking == ours | {axes_tracking_uid(each) for each in ours}
    viewer.display(entry_of(entries, second["SEG"]))
    assert viewer.overlay().labels
    assert viewer.troubles() == []
