"""The flat rows: lengths by the image's spacing, splits of patients, categories, and one rule for both ways."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from db.engine import Sessions
from db.geometry import Axis, BoxPx, PointPx
from db.harvested import SourceFacts, save_source
from db.lesions import disagrees, rebuild, refresh, truth
from db.measurement import ImageReference, Measurement, Source
from db.models import Category, CategoryMember, Image, LabelGeneration, LesionRow, Patient, Series, Study

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
ACROSS = Axis(PointPx(10.0, 20.0), PointPx(30.0, 20.0))  # 10 mm
DOWN = Axis(PointPx(20.0, 12.0), PointPx(20.0, 28.0))  # 12.8 mm


@pytest.fixture
def session(sessions: Sessions) -> Iterator[Session]:
    with sessions() as opened:
        opened.add(Patient(patient_pk=1, patient_id="P1", split="train"))
        opened.flush()
        opened.add(Study(study_instance_uid="1.1", patient_pk=1, received_first_at=NOW, received_last_at=NOW))
        opened.flush()
        opened.add(Series(series_instance_uid="1.1.1", study_instance_uid="1.1", modality="CT"))
        opened.flush()
        yield opened


def add_image(session: Session, spacing: tuple[float, float] | None = (0.8, 0.5), frames: int = 1) -> None:
    row_mm, col_mm = spacing or (None, None)
    image = Image(
        sop_instance_uid="1.1.1.1", series_instance_uid="1.1.1", rows=48, columns=64, frames=frames,
        row_spacing_mm=row_mm, col_spacing_mm=col_mm, planes=[],
    )  # fmt: skip
    session.add(image)
    session.flush()


def save(session: Session, **changes: object) -> str:
    values: dict[str, object] = {"long_axis": ACROSS, "short_axis": DOWN, "image": ImageReference("1.1.1.1")}
    measurement = Measurement(source=Source("1.5", "1.2", "SR"), **{**values, **changes})  # type: ignore[arg-type]
    (lesion_id,) = save_source(session, SourceFacts("1.5", "1.1", "SR"), [(measurement, None)], [], NOW)
    refresh(session, [lesion_id])
    return lesion_id


def only(session: Session) -> LesionRow:
    return session.scalars(select(LesionRow).execution_options(populate_existing=True)).one()


def test_the_long_axis_is_the_longer_one_in_the_patient_with_what_was_stated_of_it(session: Session) -> None:
    add_image(session)
    save(session, stated_long_axis_mm=10.0, stated_short_axis_mm=12.8)
    row = only(session)
    assert (row.long_axis_mm, row.short_axis_mm) == pytest.approx((12.8, 10.0))
    assert (row.long_y1, row.long_y2, row.stated_long_axis_mm, row.stated_disagrees) == (12.0, 28.0, 12.8, False)


def test_a_spacing_that_arrives_later_puts_the_axes_in_order(session: Session) -> None:
    lesion_id = save(session)
    assert (only(session).long_axis_px, only(session).long_axis_mm, only(session).image_present) == (20.0, None, False)
    add_image(session)
    refresh(session, [lesion_id])
    assert (only(session).long_axis_px, only(session).image_present) == (16.0, True)
    assert only(session).long_axis_mm == pytest.approx(12.8)


def test_a_frame_that_the_image_does_not_have_is_not_present(session: Session) -> None:
    add_image(session, frames=3)
    save(session, image=ImageReference("1.1.1.1", 4))
    assert only(session).image_present is False


def test_the_box_of_a_region_is_its_outline_and_five_pixels(session: Session) -> None:
    add_image(session, spacing=None)
    save(session, outline=BoxPx(9.0, 11.0, 31.0, 29.0), derived=True)
    row = only(session)
    assert (row.box_x1, row.box_y1, row.box_x2, row.box_y2) == (4.0, 6.0, 36.0, 34.0)
    assert row.long_axis_mm is None


def test_refresh_leaves_what_rebuild_computes(session: Session) -> None:
    add_image(session)
    save(session)
    assert refresh(session) == 1
    columns = LesionRow.__table__.columns
    flat = {row["lesion_id"]: dict(row) for row in session.execute(select(*columns)).mappings()}
    assert flat == rebuild(session)
    (row,) = flat.values()
    assert set(row) == {column.name for column in columns}


def test_the_current_generation_gives_the_category(session: Session) -> None:
    add_image(session)
    lesion_id = save(session)
    for generation, name in ((1, "old"), (2, "lung")):
        session.add(
            LabelGeneration(
                label_generation=generation, created_at=NOW, extractor="x", settings={}, lesions=1, figures={}
            )
        )
        session.add(Category(category_id=generation, name=name))
        session.flush()
        session.add(
            CategoryMember(label_generation=generation, lesion_id=lesion_id, category_id=generation, distance=0.1)
        )
    refresh(session)
    assert (only(session).category, only(session).category_id, only(session).label_generation) == ("lung", 2, 2)


def test_a_merge_gives_the_resolved_patient_and_a_quarantine_takes_the_split(session: Session) -> None:
    add_image(session)
    save(session)
    assert only(session).split == "train"
    session.add(Patient(patient_pk=2, patient_id="P2", split="test"))
    session.flush()
    session.get_one(Patient, 1).resolved_patient_pk = 2
    refresh(session)
    assert (only(session).patient_id, only(session).split) == ("P2", "test")
    session.get_one(Patient, 1).split_quarantined = True
    refresh(session)
    assert only(session).split is None
    assert not session.scalars(truth()).all()


def test_truth_can_be_asked_by_split(session: Session) -> None:
    add_image(session)
    save(session)
    assert [len(session.scalars(truth(split)).all()) for split in (None, "train", "val")] == [1, 1, 0]


@pytest.mark.parametrize(
    ("stated", "measured", "verdict"),
    [(10.0, None, None), (None, 10.0, None), (10.19, 10.0, False), (10.21, 10.0, True), (9.79, 10.0, True)],
)
def test_two_percent_is_a_disagreement(stated: float | None, measured: float | None, verdict: bool | None) -> None:
    assert disagrees(stated, measured) is verdict
