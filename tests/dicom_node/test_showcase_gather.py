"""The facts of the demo's report: counted from the rows by the stated rule, and read back from the files."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydicom import Dataset
from report_sources import context, lesion, measurement_report
from sqlalchemy import select
from web_seed import DELIVERED, IMAGE, LESION, STUDY, seed

from db.engine import Sessions
from db.geometry import Axis, BoxPx, PointMm, PointPx
from db.local_files import LocalFiles
from db.models import LesionRow, Study
from db.outcomes import Analysis, DetectionRow, Result
from db.tables import Base
from dicom_node import demo_facts, showcase_gather
from dicom_node.phantom.truth import PhantomLesion
from dicom_node.showcase_facts import TreeItem

AXIS = Axis(PointPx(60, 40), PointPx(99, 40))


def truth(number: int, box: BoxPx, kind: str = "liver metastasis", long_axis_mm: float = 20.0) -> PhantomLesion:
    return PhantomLesion(
        number=number,
        kind=kind,
        organ="liver",
        centre_mm=PointMm(1, 2, 3),
        long_axis=AXIS,
        short_axis=AXIS,
        long_axis_mm=long_axis_mm,
        short_axis_mm=10.0,
        contrast_hu=-45.0,
        marked=False,
        key_sop_instance_uid=IMAGE,
        box=box,
        boxes={IMAGE: box},
        outline=(),
    )


@pytest.fixture
def seeded(sessions: Sessions, tmp_path: Path) -> Sessions:
    """One analysed study and no other."""
    with sessions.begin() as session:
        seed(session, tmp_path, datetime(2026, 11, 24, 8, 0, tzinfo=UTC))
    return sessions


@pytest.fixture
def analysed(seeded: Sessions) -> Sessions:
    """The seeded node with its detection, of the box 55, 26 to 104, 54, reported."""
    with seeded.begin() as session:
        session.scalars(select(Analysis)).one().state = "found"
        session.scalars(select(DetectionRow)).one().reported = True
    return seeded


def compare(sessions: Sessions, files: LocalFiles, *truths: PhantomLesion) -> showcase_gather.Comparison:
    with sessions() as session:
        return showcase_gather.compared(session, files, {STUDY: truths})


def test_a_lesion_is_found_by_a_reported_box_that_shares_half_of_the_union(
    analysed: Sessions, files: LocalFiles
) -> None:
    right, half = BoxPx(55, 26, 104, 54), BoxPx(55, 26, 104, 26 + 2 * 28)
    found = compare(analysed, files, truth(1, right))
    assert (found.found, found.present, found.false_positives) == (1, 1, 0)
    assert found.scenes[0].caption.startswith("Found: liver metastasis, liver, 20 mm, not marked by the reader")
    assert {shape.kind for shape in found.scenes[0].shapes} == {"truth", "detected"}
    just = compare(analysed, files, truth(1, half))
    assert (just.found, just.present, just.false_positives) == (1, 1, 0)


def test_a_box_that_shares_less_is_a_miss_and_a_false_alarm_that_says_what_it_touches(
    analysed: Sessions, files: LocalFiles
) -> None:
    compared = compare(analysed, files, truth(1, BoxPx(55, 26, 104, 26 + 4 * 28)))
    assert (compared.found, compared.present, compared.false_positives) == (0, 1, 1)
    missed, false = compared.scenes
    assert missed.caption == "Missed: liver metastasis, liver, 20 mm, 45 HU from its surroundings"
    assert "it shares only 25 % with liver metastasis, liver, 20 mm" in false.caption
    assert [shape.kind for shape in false.shapes] == ["truth", "false"]


def test_a_detection_away_from_every_lesion_says_that_none_is_there(analysed: Sessions, files: LocalFiles) -> None:
    compared = compare(analysed, files, truth(1, BoxPx(0, 60, 20, 80)))
    assert "no lesion is there" in compared.scenes[-1].caption
    assert [shape.kind for shape in compared.scenes[-1].shapes] == ["false"]


def test_what_was_not_reported_finds_nothing_and_alarms_nobody(analysed: Sessions, files: LocalFiles) -> None:
    with analysed.begin() as session:
        session.scalars(select(DetectionRow)).one().reported = False
    compared = compare(analysed, files, truth(1, BoxPx(55, 26, 104, 54)))
    assert (compared.found, compared.present, compared.false_positives) == (0, 1, 0)


def test_a_study_that_was_not_analysed_counts_for_nothing(seeded: Sessions, files: LocalFiles) -> None:
    compared = compare(seeded, files, truth(1, BoxPx(55, 26, 104, 54)))  # its analysis failed
    assert (compared.found, compared.present, compared.false_positives, compared.scenes) == (0, 0, 0, ())


def test_the_curve_counts_what_the_present_analysis_found_and_no_earlier_one(analysed: Sessions) -> None:
    """A study that settled in halves was analysed twice."""

    def counted() -> list[tuple[float, frozenset[int]]]:
        with analysed() as session:
            truths = {STUDY: [truth(1, BoxPx(0, 60, 20, 80)), truth(2, BoxPx(55, 26, 104, 54))]}
            (scan,) = demo_facts.scan_results(session, truths, lambda _: True, lambda _: True)
        assert scan.counts == (True, True)
        return [(one.score, one.hits) for one in scan.detections]

    ((score, hits),) = counted()
    assert hits == {1}
    with analysed.begin() as session:
        first, study = session.scalars(select(Analysis)).one(), session.get_one(Study, STUDY)
        study.revision += 1
        second = {"analysis_id": "second", "study_revision": study.revision}
        session.add(Analysis(**columns(first) | second))
        session.flush()
        found = session.scalars(select(DetectionRow)).one()
        session.add(DetectionRow(**columns(found) | {"detection_id": "again", "analysis_id": "second", "score": 0.25}))
    assert counted() == [(0.25, {1})] and score != 0.25
    with analysed.begin() as session:
        session.get_one(Study, STUDY).revision += 1
    assert counted() == []


def columns(row: Base) -> dict[str, object]:
    return {column.name: getattr(row, column.name) for column in row.__table__.columns}


def test_a_measured_lesion_is_drawn_with_its_axes(seeded: Sessions, files: LocalFiles) -> None:
    with seeded() as session:
        (scene,) = showcase_gather.measured(session, files)
    assert scene.caption.startswith("29.2 × 22.5 mm, from SR")
    assert (scene.spacing.row_mm, scene.spacing.col_mm) == (1.25, 0.75)
    assert len(scene.shapes[0].axes) == 2


def test_deliveries_are_told_with_their_state(seeded: Sessions) -> None:
    with seeded() as session:
        delivered = {line.result_sop_instance_uid: line.state for line in showcase_gather.deliveries(session)}
    assert delivered[DELIVERED] == "delivered"
    assert set(delivered.values()) == {"held", "waiting", "delivered", "dead"}


def values(item: TreeItem, name: str) -> list[str]:
    own = [item.value] if item.name == name else []
    return own + [value for child in item.children for value in values(child, name)]


@pytest.fixture(scope="module")
def report() -> Dataset:
    return measurement_report([lesion()], context())


def test_the_tree_is_that_of_the_file_with_numbers_units_and_codes(
    seeded: Sessions, files: LocalFiles, report: Dataset, tmp_path: Path
) -> None:
    (tmp_path / "results").mkdir()
    with seeded() as session:
        for name in session.scalars(select(Result.file_name)):
            report.save_as(files.path(name), enforce_file_format=True)
        tree = showcase_gather.result_tree(session, files)
    assert tree is not None
    assert tree.name == "Imaging Measurement Report"
    (long_axis,) = values(tree, "Long Axis")
    number, unit = long_axis.split()
    assert float(number) == pytest.approx(lesion().long_axis_mm, abs=0.001)
    assert unit == "mm"
    assert all(value.endswith(")") for value in values(tree, "Finding"))
    assert any("AI, research only" in value for value in values(tree, "Comment"))
    assert "polyline of 2 points" in values(tree, "Source")


def test_without_a_report_there_is_no_tree(sessions: Sessions, files: LocalFiles) -> None:
    with sessions() as session:
        assert showcase_gather.result_tree(session, files) is None


def test_the_kind_of_a_measurement_is_that_of_the_best_overlap(seeded: Sessions) -> None:
    with seeded() as session:
        row = session.get_one(LesionRow, LESION)
        right, near = truth(1, BoxPx(55, 26, 104, 54), "renal cyst"), truth(2, BoxPx(58, 26, 104, 60))
        assert demo_facts.kind_of(row, [near, right]) == "renal cyst"
        assert demo_facts.kind_of(row, [truth(1, BoxPx(0, 60, 20, 80))]) is None
        assert demo_facts.kind_of(row, []) is None


def test_the_report_says_how_categories_agree_with_the_hidden_kinds(seeded: Sessions) -> None:
    with seeded.begin() as session:
        assert demo_facts.agreement_with_kinds(session, {}) == ()
        session.get_one(LesionRow, LESION).category_id = 1
        session.flush()
        ((name, said),) = demo_facts.agreement_with_kinds(session, {STUDY: [truth(1, BoxPx(55, 26, 104, 54))]})
    assert name == "categories against the hidden kinds"
    assert said.endswith("1 lesions, 1 categories, 1 kinds")
