"""A study's analysis is one row, whatever comes of it, and its masks can be read."""

from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from pydicom.dataset import Dataset
from small_node import receive, register, silent, small_network, small_study
from sqlalchemy import func, select

from db import analyses, registry
from db.engine import Sessions
from db.errors import ContentError
from db.geometry import BoxPx
from db.local_files import LocalFiles
from db.models import Image, Instance, Refusal
from db.outcomes import Analysis, DetectionRow
from detector import detect
from detector.detect import Order, detect_study
from detector.merge import SliceBox, Track
from detector.model import LesionDetector


def sure_network(logit: float) -> LesionDetector:
    """Finds something on every slice, with a score that follows from the logit alone."""
    network = small_network()
    predictor = network.roi_heads.box_predictor
    with torch.no_grad():
        predictor.classes.weight.zero_()
        predictor.classes.bias.copy_(torch.tensor([0.0, logit]))
        predictor.box.weight.zero_()
        predictor.box.bias.zero_()
    return network


def order_of(study_instance_uid: str, model_id: str, revision: int = 1) -> Order:
    return Order(
        study_instance_uid, revision, model_id, keep_score=0.05, max_fp_per_scan=4.0, max_findings=3, device="cpu"
    )


def images(index: int = 0) -> list[Dataset]:
    return deepcopy(small_study(index).images)


@pytest.fixture
def files(tmp_path: Path) -> LocalFiles:
    return LocalFiles(tmp_path / "data")


def analysed(sessions: Sessions, files: LocalFiles, objects: list[Dataset], model_id: str) -> dict[str, object]:
    with sessions.begin() as session:
        study_uid = receive(session, files, objects)
    return detect_study(sessions, files, order_of(study_uid, model_id), silent)


def test_what_is_found_is_kept_and_the_best_of_it_reported(sessions: Sessions, files: LocalFiles) -> None:
    objects = images()
    outcome = analysed(sessions, files, objects, register(sessions, files, sure_network(2.0), [(0.3, 1.0)]))
    assert outcome["state"] == analyses.FOUND and outcome["reported"] == 3
    shape = (len(objects), objects[0].Rows, objects[0].Columns)
    with sessions() as session:
        every = analyses.detections_of(session, str(outcome["analysis_id"]), files, reported_only=False)
        best = analyses.detections_of(session, str(outcome["analysis_id"]), files)
    assert len(every) == outcome["kept"] and len(best) == 3
    uids = {str(ds.SOPInstanceUID) for ds in objects}
    for found in every:
        assert found.image.sop_instance_uid in uids and found.category == "kind 1"
        assert 0.05 <= found.score <= 1 and found.long_axis_mm >= found.short_axis_mm > 0
        assert 0 <= found.box.x1 <= found.box.x2 <= shape[2] - 1 and 0 <= found.box.y1 <= found.box.y2 <= shape[1] - 1
        assert found.mask is not None and found.mask.voxels.any()
        assert found.z_last - found.z_first + 1 == len(found.mask.voxels)
        corner = (found.mask.z, found.mask.row, found.mask.col)
        assert all(c >= 0 and c + n <= of for c, n, of in zip(corner, found.mask.voxels.shape, shape, strict=True))


def test_however_much_is_found_all_of_it_is_kept(
    sessions: Sessions, files: LocalFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    boxes = [
        SliceBox(3, BoxPx(20.0 + n % 12, 20.0 + n // 12, 40.0 + n % 12, 36.0 + n // 12), 0.9, 1) for n in range(120)
    ]
    monkeypatch.setattr(detect, "lesions_of", lambda *_: [Track((box,), box.score) for box in boxes])
    outcome = analysed(sessions, files, images(), register(sessions, files, small_network(), []))
    with sessions() as session:
        assert session.scalar(select(func.count()).select_from(DetectionRow)) == outcome["kept"] == 120


@pytest.mark.slow
def test_findings_below_the_operating_point_are_kept_and_not_reported(sessions: Sessions, files: LocalFiles) -> None:
    model_id = register(sessions, files, sure_network(-1.0), [(0.9, 1.0)])  # every score is 0.27
    outcome = analysed(sessions, files, images(), model_id)
    assert (outcome["state"], outcome["reported"]) == (analyses.NONE_FOUND, 0)
    with sessions() as session:
        assert session.scalar(select(func.count()).select_from(DetectionRow)) == outcome["kept"] != 0


def test_a_study_in_which_nothing_is_found_has_its_row(sessions: Sessions, files: LocalFiles) -> None:
    outcome = analysed(sessions, files, images(), register(sessions, files, sure_network(-9.0), []))
    assert (outcome["state"], outcome["kept"]) == (analyses.NONE_FOUND, 0)


def test_a_study_without_a_usable_series_is_not_analysed_and_says_why(sessions: Sessions, files: LocalFiles) -> None:
    model_id = register(sessions, files, sure_network(2.0), [])
    outcome = analysed(sessions, files, images()[:4], model_id)
    assert outcome["state"] == analyses.NOT_ANALYSED
    assert outcome["reason"] == "1 series: it has 4 images, fewer than 10"


def test_a_series_without_frame_of_reference_is_not_analysed_for_no_result_could_be_drawn(
    sessions: Sessions, files: LocalFiles
) -> None:
    objects = images()
    for image in objects:
        del image.FrameOfReferenceUID
    outcome = analysed(sessions, files, objects, register(sessions, files, sure_network(2.0), []))
    assert outcome["state"] == analyses.NOT_ANALYSED
    assert outcome["reason"] == "1 series: it has no Frame of Reference UID, which a result must name"


def test_a_series_that_is_no_stack_fails_for_good(sessions: Sessions, files: LocalFiles) -> None:
    objects = images()
    objects[5].ImagePositionPatient = objects[4].ImagePositionPatient
    outcome = analysed(sessions, files, objects, register(sessions, files, sure_network(2.0), []))
    assert outcome["state"] == analyses.FAILED and "two slices lie at one position" in str(outcome["reason"])
    with sessions() as session:
        row = session.scalars(select(Analysis)).one()
        assert (row.state, row.model_id is not None, row.reason) == (analyses.FAILED, True, outcome["reason"])


@pytest.mark.parametrize("never_read", [False, True])
def test_a_study_with_a_lost_image_fails_and_says_which_and_what_to_do(
    sessions: Sessions, files: LocalFiles, never_read: bool
) -> None:
    """Also where the file was lost before its header was read, at the end of the stack, which leaves no gap."""
    model_id = register(sessions, files, sure_network(2.0), [])
    objects = images()
    with sessions.begin() as session:
        study_uid = receive(session, files, objects)
        last = session.scalars(select(Instance).filter_by(sop_instance_uid=objects[-1].SOPInstanceUID)).one()
        files.path(last.file_name).unlink()
        if never_read:
            session.delete(session.get_one(Image, objects[-1].SOPInstanceUID))
    outcome = detect_study(sessions, files, order_of(study_uid, model_id), silent)
    assert outcome["state"] == analyses.FAILED
    assert outcome["reason"] == (
        "The file of a stored object is gone from the store; send the object again."
        f" (sop_instance_uid={objects[-1].SOPInstanceUID}, lost=1)"
    )
    with sessions() as session:
        assert session.scalars(select(Refusal)).one().sop_instance_uid == objects[-1].SOPInstanceUID


def test_a_lost_report_is_no_reason_not_to_look_at_the_images(sessions: Sessions, files: LocalFiles) -> None:
    model_id = register(sessions, files, sure_network(2.0), [(0.3, 1.0)])
    with sessions.begin() as session:
        study_uid = receive(session, files, [*images(), *deepcopy(small_study(0).reports)])
        for row in session.scalars(select(Instance).where(Instance.sop_class_uid != images()[0].SOPClassUID)):
            files.path(row.file_name).unlink()
    assert detect_study(sessions, files, order_of(study_uid, model_id), silent)["state"] == analyses.FOUND


def test_the_same_order_again_changes_nothing(sessions: Sessions, files: LocalFiles) -> None:
    model_id = register(sessions, files, sure_network(2.0), [])
    first = analysed(sessions, files, images(), model_id)
    study_uid = str(images()[0].StudyInstanceUID)
    again = detect_study(sessions, files, order_of(study_uid, model_id), silent)
    assert again["analysis_id"] == first["analysis_id"]
    with sessions() as session:
        assert session.scalar(select(func.count()).select_from(DetectionRow)) == first["kept"]


@pytest.mark.slow
def test_the_next_revision_keeps_the_lesions_uids(sessions: Sessions, files: LocalFiles) -> None:
    model_id = register(sessions, files, sure_network(2.0), [])
    analysed(sessions, files, images(), model_id)
    detect_study(sessions, files, order_of(str(images()[0].StudyInstanceUID), model_id, revision=2), silent)
    with sessions() as session:
        rows = list(session.scalars(select(DetectionRow)))
    uids = [{row.tracking_uid for row in rows if row.analysis_id == one} for one in {row.analysis_id for row in rows}]
    assert len(uids) == 2 and uids[0] == uids[1]


def test_a_broken_model_is_no_fact_about_the_study(sessions: Sessions, files: LocalFiles) -> None:
    model_id = register(sessions, files, sure_network(2.0), [])
    with sessions() as session:
        name = registry.get(session, model_id).weights_name
    files.path(name).write_bytes(b"something else")
    with pytest.raises(ContentError, match="not those that were registered"):
        analysed(sessions, files, images(), model_id)
    with sessions() as session:
        assert session.scalar(select(func.count()).select_from(Analysis)) == 0


def test_no_memory_is_no_fact_about_the_study(
    sessions: Sessions, files: LocalFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    def exhausted(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr("detector.detect.detect_volume", exhausted)
    with pytest.raises(MemoryError):
        analysed(sessions, files, images(), register(sessions, files, sure_network(2.0), []))
    with sessions() as session:
        assert session.scalar(select(func.count()).select_from(Analysis)) == 0


@pytest.mark.slow
def test_orders_of_two_models_are_two_analyses(sessions: Sessions, files: LocalFiles) -> None:
    first = register(sessions, files, sure_network(2.0), [])
    second = register(sessions, files, sure_network(1.0), [])
    analysed(sessions, files, images(), first)
    order = replace(order_of(str(images()[0].StudyInstanceUID), first), model_id=second)
    detect_study(sessions, files, order, silent)
    with sessions() as session:
        assert session.scalar(select(func.count()).select_from(Analysis)) == 2
