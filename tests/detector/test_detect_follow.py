"""A lesion keeps its Tracking UID from one study of a patient to the next, and says what it was.

The network is a stand-in that finds a phantom's true lesions; all else is the detection process as it runs.
"""

from collections.abc import Callable
from copy import deepcopy
from functools import cache
from pathlib import Path

import pytest
from pydicom.dataset import Dataset
from small_node import NOW, receive, register, silent, small_network
from sqlalchemy import select

from db.engine import Sessions
from db.local_files import LocalFiles
from db.models import Patient, Study
from db.outcomes import Analysis, Assessment, DetectionRow
from detector import detect
from detector.detect import Order, detect_study
from detector.merge import SliceBox, Track
from dicom_node.phantom.follow_up import FollowUp, make_follow_up
from dicom_node.phantom.settings import PhantomSettings
from dicom_node.phantom.study import PhantomStudy, make_study
from mining.planes import frame_planes

pytestmark = pytest.mark.slow

SETTINGS = PhantomSettings(rows=96, slices=(26, 32), lesions=(4, 5), unread_share=0.0)
SEED, INDEX = 11, 1

Analyse = Callable[..., dict[str, DetectionRow]]


@cache
def first() -> PhantomStudy:
    return make_study(SEED, INDEX, SETTINGS)


@cache
def later(number: int = 1, gone: frozenset[int] = frozenset(), same_frame: bool = False) -> PhantomStudy:
    if same_frame:
        return make_follow_up(SEED, INDEX, FollowUp(number=number, days=1, gone=gone, same_frame=True), SETTINGS)
    change = FollowUp(
        number, 90 * number, moved_mm=10.0, interval=0.8, pixels=(1.1, 0.9), turned=number == 1, growth={1: 1.3},
        gone=gone,
    )  # fmt: skip
    return make_follow_up(SEED, INDEX, change, SETTINGS)


def tracks_of(study: PhantomStudy) -> list[Track]:
    """The lesions as a faultless network would find them, the first ones with the highest score."""
    ordered = sorted(study.images, key=lambda ds: frame_planes(ds)[0].position_mm)
    place = {str(ds.SOPInstanceUID): z for z, ds in enumerate(ordered)}
    tracks = []
    for lesion in study.lesions:
        best = 1.0 - lesion.number / 50
        boxes = (
            SliceBox(place[uid], box, best if uid == lesion.key_sop_instance_uid else 0.5, 1)
            for uid, box in lesion.boxes.items()
        )
        tracks.append(Track(tuple(sorted(boxes, key=lambda box: box.z)), best))
    return tracks


@pytest.fixture
def analyse(sessions: Sessions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Analyse:
    """Receives a study if it is new, looks for lesions, and gives the rows by the number of the phantom's lesion."""
    files = LocalFiles(tmp_path / "data")
    model_id = register(sessions, files, small_network(), [(0.1, 0.5)])

    def run(
        study: PhantomStudy, images: list[Dataset] | None = None, revision: int = 1, most: int = 20
    ) -> dict[str, DetectionRow]:
        monkeypatch.setattr(detect, "lesions_of", lambda *_: tracks_of(study))
        with sessions.begin() as session:
            if session.get(Study, study.study_instance_uid) is None:
                receive(session, files, deepcopy(images or study.images))
        order = Order(study.study_instance_uid, revision, model_id, 0.05, 4.0, most, "cpu")
        outcome = detect_study(sessions, files, order, silent)
        with sessions() as session:
            rows = session.scalars(select(DetectionRow).filter_by(analysis_id=outcome["analysis_id"]))
            return {str(round((1.0 - row.score) * 50)): row for row in rows}

    return run


def same(before: dict[str, DetectionRow], after: dict[str, DetectionRow]) -> set[str]:
    """The lesions that carry their UID on, each with its prior."""
    carried = {n for n in before.keys() & after.keys() if after[n].tracking_uid == before[n].tracking_uid}
    for n in carried:
        assert after[n].prior_detection_id == before[n].detection_id
        assert after[n].prior_long_axis_mm == before[n].long_axis_mm
    return carried


def test_on_another_table_the_lesions_carry_their_uids_on(analyse: Analyse) -> None:
    before = analyse(later(gone=frozenset({2})))
    after = analyse(later(2))
    assert "2" not in before and len(before) > 2
    assert same(before, after) == before.keys() & after.keys() != set()
    assert after["2"].prior_detection_id is None and after["2"].prior_study_date is None
    assert len({row.tracking_uid for row in after.values()}) == len(after)
    on = str(later().images[0].StudyDate)
    assert {row.prior_study_date.strftime("%Y%m%d") for n, row in after.items() if n != "2"} == {on}  # type: ignore[union-attr]


def test_a_lesion_that_the_last_study_did_not_show_is_found_in_the_one_before(analyse: Analyse) -> None:
    oldest, _, after = analyse(first()), analyse(later(gone=frozenset({1, 2}))), analyse(later(2))
    assert {after[n].tracking_uid for n in "12"} == {oldest[n].tracking_uid for n in "12"}
    assert {str(after[n].prior_study_date) for n in "12"} != {str(after["3"].prior_study_date)}
    assert after["3"].tracking_uid == oldest["3"].tracking_uid


def test_in_one_frame_of_reference_places_are_compared_as_they_are(analyse: Analyse, sessions: Sessions) -> None:
    before = analyse(first())
    with sessions.begin() as session:
        for analysis in session.scalars(select(Analysis)):
            analysis.overview = {}  # as of a node that kept none yet
    after = analyse(later(same_frame=True))
    assert same(before, after) == before.keys() & after.keys() != set()


def test_without_a_frame_or_a_picture_in_common_every_lesion_begins_anew(analyse: Analyse, sessions: Sessions) -> None:
    before = analyse(first())
    with sessions.begin() as session:
        for analysis in session.scalars(select(Analysis)):
            analysis.overview = {}
    after = analyse(later())
    assert same(before, after) == set() and all(row.prior_detection_id is None for row in after.values())


def test_what_a_person_took_out_or_rejected_or_what_was_not_reported_is_not_carried_on(
    analyse: Analyse, sessions: Sessions
) -> None:
    before = analyse(first(), most=len(first().lesions) - 1)
    unreported = [n for n, row in before.items() if not row.reported]
    with sessions.begin() as session:
        session.get_one(DetectionRow, before["1"].detection_id).discarded_by = "somebody"
        for verdict in ("accepted", "rejected"):
            session.add(Assessment(detection_id=before["2"].detection_id, verdict=verdict, assessed_at=NOW))
            session.flush()
    after = analyse(later())
    assert len(unreported) == 1
    assert same(before, after) == (before.keys() & after.keys()) - {"1", "2", *unreported} != set()


def test_studies_of_another_patient_are_asked_only_once_the_two_are_known_to_be_one(
    analyse: Analyse, sessions: Sessions
) -> None:
    def named_otherwise(study: PhantomStudy) -> list[Dataset]:
        images = deepcopy(study.images)
        for image in images:
            image.PatientID = "ANOTHER"
        return images

    before = analyse(first())
    stranger = analyse(later(), images=named_otherwise(later()))
    assert same(before, stranger) == set()
    with sessions.begin() as session:
        one, other = session.scalars(select(Patient).order_by(Patient.patient_pk))
        other.resolved_patient_pk = one.patient_pk
    merged = analyse(later(2), images=named_otherwise(later(2)))
    assert same(stranger, merged) == stranger.keys() & merged.keys() != set()


def test_an_older_study_that_comes_late_changes_nothing_that_was_reported(analyse: Analyse) -> None:
    """It has UIDs of its own; the newer one, looked at again, keeps its own and says what the lesion was."""
    newer = analyse(later())
    older = analyse(first())
    assert all(row.prior_detection_id is None for row in (*older.values(), *newer.values()))
    assert {row.tracking_uid for row in older.values()}.isdisjoint(row.tracking_uid for row in newer.values())
    again = analyse(later(), revision=2)
    assert {n: row.tracking_uid for n, row in again.items()} == {n: row.tracking_uid for n, row in newer.items()}
    known = older.keys() & again.keys()
    assert {again[n].prior_detection_id for n in known} == {older[n].detection_id for n in known} != set()


def test_looked_at_again_a_lesion_keeps_uid_and_prior(analyse: Analyse) -> None:
    before, after = analyse(first()), analyse(later())
    again = analyse(later(), revision=2)
    assert same(before, again) == same(before, after) != set()


def test_of_two_studies_of_one_day_neither_is_before_the_other(analyse: Analyse) -> None:
    images = deepcopy(later().images)
    for image in images:
        image.StudyDate = first().images[0].StudyDate
    before, after = analyse(first()), analyse(later(), images=images)
    assert same(before, after) == set()
