"""What people said of our detections, in the next training set: positives, hard negatives, and neither twice."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from small_node import INPUTS, NOW, receive, silent, small_network, small_study
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from db import registry
from db.engine import Sessions
from db.geometry import BoxPx
from db.local_files import LocalFiles
from db.measurement import ImageReference
from db.models import Category, Image, LesionRow, Patient, Series, Study
from db.outcomes import Analysis, Assessment, DetectionRow
from detector import snapshot
from detector.augment import AugmentSettings
from detector.batches import BatchSettings, draw_batch
from detector.dataset import (
    ACCEPTED,
    DRAWN,
    REJECTED,
    Truth,
    classes_of,
    judged_beside_drawn,
    training_set_id,
    truths,
)
from detector.marked import known_scans, load_scans, marked_scans
from detector.marks import Found, Mark, TrainingScan
from detector.merge import MergeSettings, SliceBox, Track
from detector.model_files import card_of
from detector.prepare import Frame, Scan
from detector.second_look import without_rejected
from detector.targets import IGNORED
from mining.settings import HarvestSettings

EMPTY_PLACE = BoxPx(3.0, 2.0, 17.0, 15.0)
"""A corner of every phantom's images where no reader drew anything."""


@pytest.fixture
def files(tmp_path: Path) -> LocalFiles:
    return LocalFiles(tmp_path / "data")


@pytest.fixture
def session(any_sessions: Sessions, files: LocalFiles) -> Iterator[Session]:
    """A harvested study with two lesions that a reader marked, of a patient who teaches."""
    with any_sessions() as opened:
        study = small_study(4)
        receive(opened, files, [*study.images, *study.reports], harvest=True)
        teach(opened)
        yield opened


def teach(session: Session, split: str = "train") -> None:
    session.execute(update(Patient).values(split=split))
    session.execute(update(LesionRow).where(LesionRow.split.is_not(None)).values(split=split))
    session.flush()


def detected(
    session: Session,
    image: ImageReference,
    box: BoxPx,
    name: str = "found",
    category: str = "",
    model_id: str | None = None,
    long_axis_mm: float = 9.0,
) -> None:
    """A detection of ours on an image."""
    series = session.scalars(
        select(Series).join(Image).where(Image.sop_instance_uid == image.sop_instance_uid)
    ).one()  # fmt: skip
    before = len(session.scalars(select(Analysis)).all())
    session.add(
        Analysis(
            analysis_id=f"analysis {name}", study_instance_uid=series.study_instance_uid, study_revision=before,
            series_instance_uid=series.series_instance_uid, state="found", model_id=model_id, started_at=NOW,
            finished_at=NOW,
        )
    )  # fmt: skip
    session.flush()
    session.add(
        DetectionRow(
            detection_id=name, analysis_id=f"analysis {name}", sop_instance_uid=image.sop_instance_uid,
            frame_number=image.frame_number, box_x1=box.x1, box_y1=box.y1, box_x2=box.x2, box_y2=box.y2, z_first=0,
            z_last=0, long_x1=box.x1, long_y1=box.y1, long_x2=box.x2, long_y2=box.y2, short_x1=box.x1, short_y1=box.y2,
            short_x2=box.x2, short_y2=box.y1, long_axis_mm=long_axis_mm, short_axis_mm=long_axis_mm, score=0.8,
            category=category, tracking_uid=f"1.9.{name}", created_at=NOW,
        )
    )  # fmt: skip
    session.flush()


def say(session: Session, name: str, verdict: str, at: datetime = NOW, reader: str = "Reader^One") -> None:
    session.add(
        Assessment(detection_id=name, verdict=verdict, reader=reader, assessed_at=at, source_sop_instance_uid="")
    )  # fmt: skip
    session.flush()


def judged(session: Session, **settings: HarvestSettings) -> dict[str, str]:
    return {row.lesion_id: row.origin for row in truths(session, **settings) if row.origin != DRAWN}


def a_mark(session: Session) -> Truth:
    return next(row for row in truths(session) if row.origin == DRAWN and not row.doubtful)


# --- which detections count ---------------------------------------------------------------------------------------


def test_an_accepted_detection_is_a_positive_once_however_often_it_was_saved(session: Session) -> None:
    before, mark = truths(session), a_mark(session)
    detected(session, mark.image, EMPTY_PLACE)
    for hours in range(3):
        say(session, "found", "accepted", NOW + timedelta(hours=hours))
    rows = truths(session)
    (new,) = (row for row in rows if row.origin == ACCEPTED)
    assert len(rows) == len(before) + 1 and new.is_mark
    assert (new.lesion_id, new.box, new.image, new.long_axis_mm) == ("found", EMPTY_PLACE, mark.image, 9.0)
    assert (new.patient, new.split, new.series_instance_uid) == (mark.patient, "train", mark.series_instance_uid)
    assert new.spacing_mm == mark.spacing_mm


def test_the_newest_word_counts(session: Session) -> None:
    detected(session, a_mark(session).image, EMPTY_PLACE)
    say(session, "found", "accepted")
    say(session, "found", "rejected", NOW + timedelta(days=1), reader="Reader^Two")
    assert judged(session) == {"found": REJECTED}
    say(session, "found", "modified", NOW + timedelta(days=2))
    assert judged(session) == {}, "what was changed is a lesion that the reader drew"


def test_what_nobody_is_named_for_teaches_nothing(session: Session) -> None:
    detected(session, a_mark(session).image, EMPTY_PLACE)
    say(session, "found", "accepted", reader="")
    assert judged(session) == {}


def test_a_detection_that_nobody_answered_teaches_nothing(session: Session) -> None:
    detected(session, a_mark(session).image, EMPTY_PLACE)
    assert judged(session) == {}


def test_patients_without_a_split_and_images_that_are_none_to_learn_from_teach_nothing(session: Session) -> None:
    mark = a_mark(session)
    detected(session, mark.image, EMPTY_PLACE)
    say(session, "found", "accepted")
    assert judged(session) == {"found": ACCEPTED}
    description = session.get_one(Series, mark.series_instance_uid).description
    assert judged(session, settings=HarvestSettings(exclude=(description,))) == {}
    session.get_one(Image, mark.image.sop_instance_uid).purpose = "localizer"
    session.flush()
    assert judged(session) == {}
    assert judged(session, settings=HarvestSettings(let_in=frozenset({"localizer"}))) == {"found": ACCEPTED}
    session.execute(update(Patient).values(split_quarantined=True))
    assert judged(session, settings=HarvestSettings(let_in=frozenset({"localizer"}))) == {}


def test_a_merged_patient_keeps_the_split_of_the_one_that_stays(session: Session) -> None:
    mark = a_mark(session)
    study = session.get_one(Study, mark.study_instance_uid)
    stays = Patient(patient_id="Stays", issuer_of_patient_id="Ward", split="val")
    session.add(stays)
    session.flush()
    session.get_one(Patient, study.patient_pk).resolved_patient_pk = stays.patient_pk
    detected(session, mark.image, EMPTY_PLACE)
    say(session, "found", "accepted")
    (row,) = (row for row in truths(session) if row.origin == ACCEPTED)
    assert (row.split, row.patient) == ("val", "Ward\x1fStays")


def test_a_category_of_the_model_is_the_class_of_what_was_accepted_whatever_it_is_called_now(session: Session) -> None:
    session.add(Category(category_id=7, name="renamed", named_by_person=True))
    registry.keep_training_set(session, "set", [], None, NOW)
    card = card_of(small_network(), INPUTS, MergeSettings(), ["liver metastasis"], [])
    model = registry.register(
        session, weights_sha256="ab" * 32, weights_name="x", training_set_id="set", label_generation=None,
        card=card | {"classes_by_category_id": [7]}, froc={}, gate={}, git_commit="", now=NOW,
    )  # fmt: skip
    detected(session, a_mark(session).image, EMPTY_PLACE, category="liver metastasis", model_id=model.model_id)
    say(session, "found", "accepted")
    rows = truths(session)
    (row,) = (row for row in rows if row.origin == ACCEPTED)
    assert (row.category_id, row.category) == (7, "renamed")
    assert classes_of(rows).label(row.category_id) == 1 and classes_of(rows).names == ("renamed",)


# --- in the scans -------------------------------------------------------------------------------------------------


def test_what_was_accepted_is_a_mark_and_what_was_rejected_is_shown_as_background(
    session: Session, files: LocalFiles, tmp_path: Path
) -> None:
    mark = a_mark(session)
    below = BoxPx(3.0, 40.0, 17.0, 55.0)
    for name, verdict, box in (("yes", "accepted", EMPTY_PLACE), ("no", "rejected", below)):
        detected(session, mark.image, box, name)
        say(session, name, verdict)
    rows = truths(session)
    scans = load_scans(session, rows, files, INPUTS, tmp_path / "cache", silent)
    cached = scans[mark.series_instance_uid]
    (scan,) = (scan for scan, of in marked_scans(rows, scans, classes_of(rows)) if of is cached)
    z, frame = cached.images.index(mark.image), cached.scan.frame
    assert Found(z, frame.to_network(below)) in scan.rejected
    assert frame.to_network(EMPTY_PLACE) in {one.box for one in scan.sure}
    assert frame.to_network(below) not in {one.box for one in scan.marks}
    (known,) = (one for one in known_scans(rows, scans) if one.scan is cached.scan)
    assert {z: EMPTY_PLACE} in known.truths and {z: below} not in (*known.truths, *known.doubtful)


def test_a_lesion_that_a_reader_drew_is_not_learnt_twice_and_never_as_background(
    session: Session, files: LocalFiles, tmp_path: Path
) -> None:
    mark = a_mark(session)
    near = BoxPx(mark.box.x1 + 1, mark.box.y1 - 1, mark.box.x2 + 1, mark.box.y2 - 1)
    for name, verdict in (("yes", "accepted"), ("no", "rejected")):
        detected(session, mark.image, near, name)
        say(session, name, verdict)
    rows = truths(session)
    scans = load_scans(session, rows, files, INPUTS, tmp_path / "cache", silent)
    drawn = [row for row in rows if row.origin == DRAWN]
    assert len(rows) == len(drawn) + 2
    assert marked_scans(rows, scans, classes_of(rows)) != []
    assert [len(scan.marks) for scan, _ in marked_scans(rows, scans, classes_of(rows))] == [
        len(scan.marks) for scan, _ in marked_scans(drawn, scans, classes_of(drawn))
    ]
    assert not any(scan.rejected for scan, _ in marked_scans(rows, scans, classes_of(rows)))


def test_a_doubtful_drawing_leaves_what_was_accepted_and_takes_what_was_rejected(
    session: Session, files: LocalFiles, tmp_path: Path
) -> None:
    mark = a_mark(session)
    for name, verdict in (("yes", "accepted"), ("no", "rejected")):
        detected(session, mark.image, mark.box, name)
        say(session, name, verdict)
    scans = load_scans(session, truths(session), files, INPUTS, tmp_path / "cache", silent)

    def origins(*only: str) -> tuple[int, int]:
        rows = [
            replace(row, doubtful=True) if row.lesion_id == mark.lesion_id else row
            for row in truths(session)
            if row.lesion_id in (mark.lesion_id, *only)
        ]
        (scan,) = (scan for scan, _ in marked_scans(rows, scans, classes_of(rows)))
        return len(scan.sure), len(scan.rejected)

    assert origins("yes") == (1, 0)
    assert origins("no") == (0, 0)
    assert origins("yes", "no") == (1, 0)


def test_a_study_that_only_has_accepted_detections_teaches_but_is_not_judged_on(
    any_sessions: Sessions, files: LocalFiles, tmp_path: Path
) -> None:
    """On such a study the model that found them could not miss."""
    with any_sessions() as session:
        study = small_study(4)
        receive(session, files, list(study.images), harvest=True)
        image = ImageReference(str(study.images[5].SOPInstanceUID))
        detected(session, image, EMPTY_PLACE)
        say(session, "found", "accepted")
        teach(session, "train")
        rows = truths(session)
        scans = load_scans(session, rows, files, INPUTS, tmp_path / "cache", silent)
        ((scan, _),) = marked_scans(rows, scans, classes_of(rows))
        assert len(scan.sure) == 1
        for split in ("val", "test"):
            teach(session, split)
            assert truths(session) == []


def truth(name: str, origin: str, split: str, series: str = "1.1", doubtful: bool = False) -> Truth:
    box, image = BoxPx(1, 2, 3, 5), ImageReference("1.2", 3)
    return Truth(name, "", "", series, image, box, 9.0, 0.8, None, "", split, name, doubtful, (), origin)


def test_beside_a_drawing_what_was_accepted_is_judged_on_too() -> None:
    accepted = truth("a", ACCEPTED, "test")
    assert judged_beside_drawn([accepted]) == []
    assert judged_beside_drawn([accepted, truth("b", DRAWN, "test", series="1.9")])[0].lesion_id == "b"
    both = [accepted, truth("b", DRAWN, "test")]
    assert judged_beside_drawn(both) == both
    doubtful = truth("b", DRAWN, "test", doubtful=True)
    assert judged_beside_drawn([accepted, doubtful]) == [doubtful]
    assert judged_beside_drawn([truth("a", ACCEPTED, "train")]) != []


def test_what_was_rejected_is_kept_for_training_alone(session: Session) -> None:
    detected(session, a_mark(session).image, EMPTY_PLACE)
    say(session, "found", "rejected")
    assert judged(session) == {"found": REJECTED}
    teach(session, "test")
    assert judged(session) == {}


# --- what names and keeps a training set --------------------------------------------------------------------------


def test_a_training_set_is_named_by_its_verdicts_too(tmp_path: Path) -> None:
    drawn, accepted, rejected = (truth("a", origin, "train") for origin in (DRAWN, ACCEPTED, REJECTED))
    assert len({training_set_id([row]) for row in (drawn, accepted, rejected)}) == 3
    assert snapshot.read(tmp_path) is None
    kept = snapshot.keep(tmp_path, [drawn, accepted, rejected], 7)
    assert snapshot.read(tmp_path) == kept
    assert [row.origin for row in kept.rows] == [DRAWN, ACCEPTED, REJECTED]


# --- hard negatives -----------------------------------------------------------------------------------------------

WINDOWS = INPUTS.windows_hu


def flat_scan(hu: int) -> Scan:
    """Even, 9 slices of 40 by 56 pixels, 3 mm apart."""
    return Scan(np.full((9, 40, 56), hu, np.int16), np.arange(9) * 3.0, Frame(0, 0, 1.0, 1.0))


def crops(scans: list[TrainingScan], settings: BatchSettings) -> list[float]:
    """The brightness of each crop's middle."""
    rng = np.random.default_rng(3)
    plain = AugmentSettings()
    shown: list[float] = []
    for _ in range(40):
        images, targets = draw_batch(scans, [], settings, INPUTS, plain, rng)
        shown += [float(image[1].median()) for image in images]
        assert all((target["labels"] != 0).all() for target in targets)
    return shown


MARKED = TrainingScan(flat_scan(0), (Mark(4, (20.0, 12.0, 33.0, 29.0), 1, 7.0, 5.0),))
BRIGHT = flat_scan(200)


def test_a_rejected_detection_is_shown_as_background_no_more_often_than_a_lesion() -> None:
    rejecting = TrainingScan(BRIGHT, (), rejected=(Found(4, (20.0, 12.0, 33.0, 29.0)),))
    settings = BatchSettings(crops=6, marked=3, side_px=16)
    shown = np.array(crops([MARKED, rejecting], settings))
    bright = (shown > 0.7).mean()
    assert 0 < bright < 0.2, "it has one region, and the lesion is on five slices"


def test_a_scan_in_which_people_only_rejected_is_shown_nowhere_else() -> None:
    rejecting = TrainingScan(BRIGHT, (), rejected=(Found(4, (20.0, 12.0, 33.0, 29.0)),))
    settings = BatchSettings(crops=6, marked=0, side_px=16, hard_share=0.0)
    assert not any(brightness > 0.7 for brightness in crops([MARKED, rejecting], settings))
    assert any(brightness > 0.7 for brightness in crops([MARKED, TrainingScan(BRIGHT, ())], settings))


def test_what_people_rejected_is_not_taken_for_an_unmarked_lesion_however_sure_a_model_is() -> None:
    frame = Frame(2, 3, 0.5, 0.25)
    box = BoxPx(10.0, 20.0, 30.0, 44.0)
    here = Track((SliceBox(4, box, 0.99, 1), SliceBox(5, box, 0.97, 1)), 0.99)
    other = Track((SliceBox(4, BoxPx(60.0, 20.0, 80.0, 44.0), 0.9, 1),), 0.9)
    rejected = (Found(4, frame.to_network(box), IGNORED),)
    assert without_rejected([here, other], rejected, frame) == [other]
    assert without_rejected([here, other], (), frame) == [here, other]
