"""What a model learns from and is judged on: whole patients, every mark once, in the right place."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from small_node import INPUTS, receive, silent, small_study
from sqlalchemy import select, update

from db.engine import Sessions
from db.errors import TrainingError
from db.local_files import LocalFiles
from db.measurement import ImageReference
from db.models import LesionRow
from db.split import SHARES
from detector.dataset import Classes, classes_of, known_scans, load_scans, marked_scans, training_set_id, truths

STUDIES = 14
"""Two blocks of seven: the seventh of each is the follow-up of one of its patients."""


@pytest.fixture
def files(tmp_path: Path) -> LocalFiles:
    return LocalFiles(tmp_path / "data")


def harvested(sessions: Sessions, files: LocalFiles, indices: range) -> None:
    """So many phantom studies with their reports, received and read."""
    for index in indices:
        study = small_study(index)
        with sessions.begin() as session:
            receive(session, files, [*study.images, *study.reports], harvest=True)


@pytest.mark.slow
def test_no_patient_is_in_two_splits(sessions: Sessions, files: LocalFiles) -> None:
    harvested(sessions, files, range(STUDIES))
    with sessions() as session:
        rows = truths(session)
    patients = {split: {row.patient for row in rows if row.split == split} for split, _ in SHARES}
    assert len(rows) >= 10 and sum(map(len, patients.values())) == len({row.patient for row in rows})
    assert len({row.patient for row in rows}) < len(
        {row.study_instance_uid for row in rows}
    )  # follow-ups are among them
    assert patients["train"] and (patients["val"] or patients["test"])


def test_only_truth_with_its_image_counts(sessions: Sessions, files: LocalFiles) -> None:
    harvested(sessions, files, range(2))
    with sessions.begin() as session:
        before = {row.lesion_id for row in truths(session)}
        assert len(before) >= 2
        noisy, excluded = sorted(before)[:2]
        session.execute(update(LesionRow).where(LesionRow.lesion_id == noisy).values(possibly_noisy=True))
        session.execute(update(LesionRow).where(LesionRow.lesion_id == excluded).values(excluded_because="copy"))
    with sessions() as session:
        assert {row.lesion_id for row in truths(session)} == before - {noisy, excluded}


def test_marks_lie_where_the_reader_drew_them(sessions: Sessions, files: LocalFiles, tmp_path: Path) -> None:
    harvested(sessions, files, range(2))
    with sessions() as session:
        rows = truths(session)
        scans = load_scans(session, rows, files, INPUTS, tmp_path / "cache", silent)
    made = marked_scans(rows, scans, classes_of(rows))
    assert sum(len(scan.marks) for scan, _ in made) == len(rows)
    by_box = {(row.image, round(row.box.x1, 3)): row for row in rows}
    for scan, cached in made:
        for mark in scan.marks:
            back = scan.scan.frame.to_native(mark.box)
            row = by_box[cached.images[mark.z], round(back.x1, 3)]
            assert (back.y1, back.x2, back.y2) == pytest.approx((row.box.y1, row.box.x2, row.box.y2))
            assert mark.label == 1 and mark.radius_mm == row.long_axis_mm / 2
    known = known_scans(rows, scans)
    assert sum(len(scan.truths) for scan in known) == len(rows) and {scan.patient for scan in known} == {
        row.patient for row in rows
    }


@pytest.mark.parametrize("spoil", [lambda path: path.write_bytes(b"not DICOM at all"), Path.unlink])
def test_a_series_that_is_no_stack_or_lost_a_file_is_left_out_and_none_at_all_is_an_error(
    sessions: Sessions, files: LocalFiles, tmp_path: Path, spoil: Callable[[Path], None]
) -> None:
    harvested(sessions, files, range(2))
    with sessions() as session:
        rows = truths(session)
        first, second = sorted({row.study_instance_uid for row in rows})
        for path in sorted(files.data_dir.glob(f"dicom/{first}/*/*.dcm"))[3:5]:
            spoil(path)
        scans = load_scans(session, rows, files, INPUTS, tmp_path / "cache", silent)
        kept = {row.series_instance_uid for row in rows if row.study_instance_uid == second}
        assert set(scans) == kept
        assert {scan.patient for scan in known_scans(rows, scans)} == {
            row.patient for row in rows if row.study_instance_uid == second
        }
        lost = [row for row in rows if row.study_instance_uid == first]
        with pytest.raises(TrainingError, match="no series with a marked lesion can be read"):
            load_scans(session, lost, files, INPUTS, tmp_path / "cache", silent)


def test_each_category_of_the_training_split_is_a_class(sessions: Sessions, files: LocalFiles) -> None:
    harvested(sessions, files, range(1))
    with sessions() as session:
        row = replace(truths(session)[0], split="train")
        assert session.scalar(select(LesionRow.category_id)) is None
    assert classes_of([row]) == Classes((None,), ("lesion",))
    rows = [
        replace(row, category_id=9, category="liver"),
        replace(row, category_id=4, category=""),
        replace(row, category_id=2, category="lung", split="test"),
    ]
    classes = classes_of(rows)
    assert classes == Classes((4, 9), ("category 4", "liver"))
    assert [classes.label(category) for category in (4, 9, 2, None)] == [1, 2, 1, 1]


def test_a_training_set_is_named_by_its_members(sessions: Sessions, files: LocalFiles) -> None:
    harvested(sessions, files, range(2))
    with sessions() as session:
        rows = truths(session)
    name = training_set_id(rows)
    assert name == training_set_id(list(reversed(rows))) and len(name) == 64
    assert training_set_id(rows[1:]) != name
    assert training_set_id([replace(rows[0], category_id=7), *rows[1:]]) != name
    redrawn = replace(rows[0].box, x1=rows[0].box.x1 - 0.5)
    assert training_set_id([replace(rows[0], box=redrawn), *rows[1:]]) != name
    assert training_set_id([replace(rows[0], image=ImageReference("1.2")), *rows[1:]]) != name
    other = "val" if rows[0].split != "val" else "test"
    assert training_set_id([replace(rows[0], split=other), *rows[1:]]) != name
