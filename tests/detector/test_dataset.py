"""What a model learns from and is judged on: whole patients, every mark once, in the right place."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from small_node import INPUTS, receive, silent, small_study
from sqlalchemy import select, update

from db.engine import Sessions
from db.errors import TrainingError
from db.geometry import BoxPx
from db.local_files import LocalFiles
from db.measurement import ImageReference
from db.models import LesionRow
from db.split import SHARES
from detector.batches import truth_on
from detector.dataset import (
    Classes,
    Truth,
    classes_of,
    one_mark_a_lesion,
    training_set_id,
    truths,
)
from detector.marked import known_scans, load_scans, marked_scans
from detector.targets import IGNORED

STUDIES = 14
"""Two blocks of seven: the seventh of each is the follow-up of one of its patients."""


PAIRS = range(4, 7, 2)
"""Two studies in each of which a reader marked two lesions, all beyond doubt."""


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
    harvested(sessions, files, PAIRS)
    with sessions.begin() as session:
        before = truths(session)
        first, second = sorted({row.series_instance_uid for row in before})
        noisy = next(row.lesion_id for row in before if row.series_instance_uid == first)
        excluded = next(row.lesion_id for row in before if row.series_instance_uid == second)
        session.execute(update(LesionRow).where(LesionRow.lesion_id == noisy).values(possibly_noisy=True))
        session.execute(update(LesionRow).where(LesionRow.lesion_id == excluded).values(excluded_because="copy"))
    with sessions() as session:
        rows = truths(session)
    assert {row.lesion_id for row in rows} == {row.lesion_id for row in before} - {excluded}
    assert {row.lesion_id for row in rows if row.doubtful} == {noisy}


def test_a_doubtful_mark_is_neither_learnt_nor_counted_nor_background(
    sessions: Sessions, files: LocalFiles, tmp_path: Path
) -> None:
    harvested(sessions, files, PAIRS)
    with sessions() as session:
        first, *others = truths(session)
        rows = [replace(first, doubtful=True, category_id=77, split="train"), *others]
        scans = load_scans(session, rows, files, INPUTS, tmp_path / "cache", silent)
    assert 77 not in classes_of(rows).ids
    (scan,) = (scan for scan, _ in marked_scans(rows, scans, classes_of(rows)) if len(scan.sure) < len(scan.marks))
    (doubtful,) = (mark for mark in scan.marks if mark not in scan.sure)
    assert doubtful.label == IGNORED
    assert (doubtful.box, IGNORED) in truth_on(scan, doubtful.z, shows_radius=0.6)
    known = known_scans(rows, scans)
    assert sum(len(scan.truths) for scan in known) == len(others)
    assert [list(region.values()) for scan in known for region in scan.doubtful] == [[first.box]]
    assert training_set_id(rows) != training_set_id([first, *others])


def test_a_series_with_doubtful_marks_alone_is_neither_learnt_from_nor_judged_on(
    sessions: Sessions, files: LocalFiles, tmp_path: Path
) -> None:
    harvested(sessions, files, PAIRS)
    with sessions.begin() as session:
        before = truths(session)
        series = before[0].series_instance_uid
        doubtful = LesionRow.series_instance_uid == series
        session.execute(update(LesionRow).where(doubtful).values(possibly_noisy=True))
        assert {row.series_instance_uid for row in truths(session)} == {row.series_instance_uid for row in before} - {
            series
        }
        rows = [replace(row, doubtful=True) for row in before if row.series_instance_uid == series]
        scans = load_scans(session, rows, files, INPUTS, tmp_path / "cache", silent)
    assert known_scans(rows, scans) == []


def reading(lesion_id: str, long_axis_mm: float, box: BoxPx, doubtful: bool = False, identity: str = "one") -> Truth:
    image = ImageReference("1.2", 3)
    return Truth(lesion_id, "", "", "1.1", image, box, long_axis_mm, 0.8, None, "", "train", identity, doubtful)


HERE, WIDER, FLAT, ELSEWHERE = BoxPx(10, 20, 40, 60), BoxPx(8, 18, 44, 62), BoxPx(9, 35, 41, 45), BoxPx(80, 20, 99, 60)


def test_one_lesion_of_several_readers_is_the_mark_with_the_median_long_axis() -> None:
    rows = [reading("c", 21.0, WIDER), reading("b", 18.0, HERE), reading("a", 30.0, FLAT)]
    for order in (rows, rows[::-1]):
        (mark,) = one_mark_a_lesion(order)
        assert (mark.lesion_id, mark.box, set(mark.redrawn)) == ("c", WIDER, {HERE, FLAT})
    (mark,) = one_mark_a_lesion(rows[1:])
    assert mark.lesion_id == "b", "of two the shorter"
    tied = [reading(lesion_id, 20.0, HERE) for lesion_id in "cab"]
    assert one_mark_a_lesion(tied)[0].lesion_id == "b"


def test_a_sure_measurement_stands_for_a_lesion_before_the_doubtful_ones() -> None:
    rows = [reading("a", 19.0, WIDER, doubtful=True), reading("b", 40.0, HERE), reading("c", 20.0, FLAT, doubtful=True)]
    (mark,) = one_mark_a_lesion(rows)
    assert (mark.lesion_id, mark.doubtful, mark.redrawn) == ("b", False, ())
    (mark,) = one_mark_a_lesion([rows[0], rows[2]])
    assert mark.doubtful


def test_lesions_of_other_places_images_and_identities_stay_lesions_of_their_own() -> None:
    rows = [
        reading("a", 20.0, HERE),
        reading("b", 20.0, ELSEWHERE),
        reading("c", 20.0, HERE, identity="two"),
        replace(reading("d", 20.0, HERE), image=ImageReference("1.2", 4)),
    ]
    assert one_mark_a_lesion(rows) == rows


def test_lesions_of_two_readers_are_learnt_once_and_found_by_either_box(
    sessions: Sessions, files: LocalFiles, tmp_path: Path
) -> None:
    harvested(sessions, files, PAIRS[:1])
    with sessions.begin() as session:
        first, *others = truths(session)
        row = session.get_one(LesionRow, first.lesion_id)
        values = {column.key: getattr(row, column.key) for column in LesionRow.__table__.columns}
        again = {"lesion_id": "second reader", "box_x1": first.box.x1 - 2, "long_axis_mm": first.long_axis_mm + 1}
        session.add(LesionRow(**values | again))
    with sessions() as session:
        rows = truths(session)
        scans = load_scans(session, rows, files, INPUTS, tmp_path / "cache", silent)
    assert [row.lesion_id for row in rows] == [first.lesion_id, *(row.lesion_id for row in others)]
    (known,) = known_scans(rows, scans)
    ((place, boxes),) = known.redrawn
    assert list(known.truths[place].values()) == [first.box]
    assert list(boxes.values()) == [replace(first.box, x1=first.box.x1 - 2)]


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
    assert training_set_id([replace(rows[0], redrawn=(redrawn,)), *rows[1:]]) != name
    other = "val" if rows[0].split != "val" else "test"
    assert training_set_id([replace(rows[0], split=other), *rows[1:]]) != name
