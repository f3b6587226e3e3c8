"""Analyses and detections in and out of rows."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy.orm import Session

from db import analyses, registry
from db.detection import Detection, Mask
from db.engine import Sessions
from db.errors import RequestError
from db.geometry import Axis, BoxPx, PointPx
from db.local_files import LocalFiles
from db.measurement import ImageReference
from db.models import Study
from db.outcomes import DetectionRow

NOW = datetime(2026, 3, 1, tzinfo=UTC)
STUDY = "1.2.3"


def prepared(session: Session) -> str:
    session.add(Study(study_instance_uid=STUDY, received_first_at=NOW, received_last_at=NOW))
    registry.keep_training_set(session, "set", [], None, NOW)
    return registry.register(
        session, weights_sha256="a" * 64, weights_name="w", training_set_id="set", label_generation=None,
        card={}, froc={}, gate={}, git_commit="", now=NOW,
    ).model_id  # fmt: skip


def detection(score: float) -> Detection:
    axes = Axis(PointPx(3, 4), PointPx(9, 12)), Axis(PointPx(4, 9), PointPx(8, 6))
    mask = Mask(2, 4, 3, np.arange(24).reshape(2, 3, 4) % 3 == 0)
    return Detection(
        f"id-{score}", ImageReference("1.2.9", 1), BoxPx(-2, 1, 14, 17), 2, 3, *axes, 10.0, 5.0, score, "liver",
        f"2.25.{int(score * 10)}", mask,
    )  # fmt: skip


def save(session: Session, model_id: str, *found: tuple[Detection, bool, str]) -> str:
    return analyses.save(
        session, study_instance_uid=STUDY, study_revision=1, series_instance_uid="1.2.5", model_id=model_id,
        detections=found, started_at=NOW, now=NOW,
    ).analysis_id  # fmt: skip


def test_detections_come_back_as_they_were_with_their_masks(sessions: Sessions, tmp_path: Path) -> None:
    files = LocalFiles(tmp_path)
    strong, weak = detection(0.9), detection(0.2)
    assert strong.mask is not None
    files.write("masks/strong.npz", analyses.mask_bytes(strong.mask))
    with sessions.begin() as session:
        analysis_id = save(session, prepared(session), (weak, False, ""), (strong, True, "masks/strong.npz"))
        (back,) = analyses.detections_of(session, analysis_id, files)
        assert (back.box, back.long_axis, back.score, back.category) == (strong.box, strong.long_axis, 0.9, "liver")
        assert back.mask is not None and (back.mask.z, back.mask.row, back.mask.col) == (2, 4, 3)
        assert (back.mask.voxels == strong.mask.voxels).all()
        every = analyses.detections_of(session, analysis_id, files, reported_only=False)
        assert [one.score for one in every] == [0.9, 0.2]
        assert [one.tracking_uid for one in analyses.earlier_detections(session, STUDY)] == ["2.25.9", "2.25.2"]
        assert analyses.newest(session, STUDY, 1).state == "found"


def test_an_analysis_without_a_reported_lesion_found_none(sessions: Sessions) -> None:
    with sessions.begin() as session:
        save(session, prepared(session), (detection(0.2), False, ""))
        assert analyses.newest(session, STUDY, 1).state == "none found"


def test_the_same_analysis_twice_leaves_one(sessions: Sessions) -> None:
    with sessions.begin() as session:
        model_id = prepared(session)
        first = save(session, model_id, (detection(0.9), True, ""))
        assert save(session, model_id, (detection(0.8), True, "")) == first
        assert session.query(DetectionRow).count() == 1


def test_a_study_that_was_not_analysed_has_its_reason(sessions: Sessions) -> None:
    with sessions.begin() as session:
        prepared(session)
        for analysis_id in ("x", "y"):
            analyses.save_without_detections(
                session, analysis_id, STUDY, 1, state="not analysed", reason="it is a localizer", now=NOW
            )
        row = analyses.newest(session, STUDY, 1)
        assert (row.analysis_id, row.state, row.reason) == ("x", "not analysed", "it is a localizer")
        assert analyses.newest(session, STUDY, 2) is None
        with pytest.raises(RequestError):
            analyses.save_without_detections(session, "z", STUDY, 1, state="found", reason="", now=NOW)
