from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from ct_series import ct_slice, write
from sqlalchemy import func, select

from db import categories, lesions
from db.engine import Sessions
from db.errors import RequestError
from db.local_files import LocalFiles
from db.models import Image, Instance, LabelGeneration, LesionRow, MeasurementRow, Patient, Series, SourceObject, Study
from db.outcomes import Audit
from mining.categorise import CategoriseSettings, categorise
from mining.features import HuExtractor
from mining.identity import agreement
from mining.pictures import category_montage

NOW = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)
KINDS = {"Lung": -700, "Liver": 60, "Bone": 800}
EACH = 10
SETTINGS = CategoriseSettings(k_min=3, k_max=3, min_lesions=10)


def quiet(*_: object, **__: object) -> None: ...


@pytest.fixture
def seeded(sessions: Sessions, tmp_path: Path) -> tuple[Sessions, LocalFiles]:
    """Three kinds of ten lesions, one a patient, each on an image of its own."""
    with sessions.begin() as session:
        for number in range(3 * EACH):
            add_lesion(session, tmp_path, number, list(KINDS)[number % 3])
        session.flush()
        lesions.refresh(session)
    return sessions, LocalFiles(tmp_path)


def add_lesion(session, folder: Path, number: int, kind: str) -> None:  # type: ignore[no-untyped-def]
    ds = ct_slice(number)
    rng = np.random.default_rng(number)
    hu = KINDS[kind] + rng.normal(0, 10, (ds.Rows, ds.Columns))
    ds.PixelData = ((hu + 1024) * 2).astype(np.uint16).tobytes()
    path = write(folder, ds)[0]
    study, series, split = f"1.2.{number + 1}", f"1.3.{number + 1}", ("train", "test")[number % 8 == 7]
    patient = Patient(patient_id=f"P{number}", split=split)
    session.add(patient)
    session.flush()
    session.add(
        Study(study_instance_uid=study, patient_pk=patient.patient_pk, received_first_at=NOW, received_last_at=NOW)
    )
    session.flush()
    session.add(Series(series_instance_uid=series, study_instance_uid=study, modality="CT"))
    session.add(
        SourceObject(source_sop_instance_uid=f"1.4.{number + 1}", study_instance_uid=study, kind="SR", harvested_at=NOW)
    )
    session.flush()
    uid = ds.SOPInstanceUID
    session.add(
        Image(
            sop_instance_uid=uid,
            series_instance_uid=series,
            rows=44,
            columns=36,
            row_spacing_mm=0.9,
            col_spacing_mm=0.6,
        )
    )
    session.add(
        Instance(
            sop_instance_uid=uid, study_instance_uid=study, series_instance_uid=series, sop_class_uid=ds.SOPClassUID,
            transfer_syntax_uid=ds.file_meta.TransferSyntaxUID, content_sha256=f"{number:064x}", file_name=path.name,
            size_bytes=path.stat().st_size, received_at=NOW, indexed=True,
        )
    )  # fmt: skip
    session.add(
        MeasurementRow(
            lesion_id=f"lesion-{number:02d}", source_sop_instance_uid=f"1.4.{number + 1}", source_item="1",
            source_kind="SR", sop_instance_uid=uid, long_x1=8, long_y1=20, long_x2=26, long_y2=20,
            short_x1=17, short_y1=16, short_x2=17, short_y2=24, site=kind,
        )
    )  # fmt: skip


def test_kinds_become_categories_named_by_their_site(seeded: tuple[Sessions, LocalFiles]) -> None:
    sessions, files = seeded
    generation = categorise(sessions, files, SETTINGS, quiet, HuExtractor(), NOW)
    with sessions() as session:
        listed = categories.list_categories(session)
        rows = session.scalars(select(LesionRow)).all()
        assert {category.name for category in listed} == set(KINDS)
        assert [category.members for category in listed] == [EACH] * 3
        assert agreement([row.category_id for row in rows], [row.site for row in rows])["ari"] == 1.0
        assert {row.label_generation for row in rows} == {generation}
        stored = session.get(LabelGeneration, generation)
        assert stored is not None
        assert (stored.extractor, stored.lesions, stored.figures["unreadable"]) == ("hu-histogram", 30, 0)


def test_categories_and_a_persons_name_live_through_the_next_run(seeded: tuple[Sessions, LocalFiles]) -> None:
    sessions, files = seeded
    categorise(sessions, files, SETTINGS, quiet, HuExtractor(), NOW)
    with sessions.begin() as session:
        liver = next(c for c in categories.list_categories(session) if c.name == "Liver")
        before = categories.members(session, 1)
        categories.rename(session, liver.category_id, "  Liver   metastasis ", "admin", NOW)
        assert session.scalars(select(Audit)).one().facts == {"old": "Liver", "new": "Liver metastasis"}
        assert set(session.scalars(select(LesionRow.category).where(LesionRow.site == "Liver"))) == {"Liver metastasis"}
    second = categorise(sessions, files, SETTINGS, quiet, HuExtractor(), NOW)
    with sessions() as session:
        assert second == 2
        assert categories.members(session, 2) == before
        assert {c.name for c in categories.list_categories(session)} == {"Liver metastasis", "Lung", "Bone"}
        assert categories.samples(session, liver.category_id, count=3)[0] in before


def test_the_names_of_others_and_empty_names_are_refused(seeded: tuple[Sessions, LocalFiles]) -> None:
    sessions, files = seeded
    categorise(sessions, files, SETTINGS, quiet, HuExtractor(), NOW)
    with sessions.begin() as session:
        liver = next(c for c in categories.list_categories(session) if c.name == "Liver")
        for name, reason in (("LUNG", "another category"), (" ", "1 to 64"), ("x" * 65, "1 to 64")):
            with pytest.raises(RequestError, match=reason):
                categories.rename(session, liver.category_id, name, "admin", NOW)
        with pytest.raises(RequestError, match="no such"):
            categories.rename(session, 99, "Spleen", "admin", NOW)


def test_too_few_lesions_change_nothing_and_are_counted(seeded: tuple[Sessions, LocalFiles]) -> None:
    sessions, files = seeded
    with pytest.raises(RequestError, match="too few") as caught:
        categorise(sessions, files, CategoriseSettings(min_lesions=31), quiet, HuExtractor(), NOW)
    assert caught.value.facts == {"usable": 30, "found": 30, "needed": 31}
    with sessions() as session:
        assert session.scalar(select(func.count()).select_from(LabelGeneration)) == 0


def test_an_unreadable_image_is_left_out_and_counted(seeded: tuple[Sessions, LocalFiles], tmp_path: Path) -> None:
    sessions, files = seeded
    sorted(tmp_path.glob("*.dcm"))[0].write_bytes(b"no DICOM" * 40)
    sorted(tmp_path.glob("*.dcm"))[1].unlink()
    generation = categorise(sessions, files, SETTINGS, quiet, HuExtractor(), NOW)
    with sessions() as session:
        stored = session.get(LabelGeneration, generation)
        assert stored is not None
        assert (stored.lesions, stored.figures["unreadable"]) == (28, 2)


def test_the_second_run_takes_the_features_from_the_cache(seeded: tuple[Sessions, LocalFiles], tmp_path: Path) -> None:
    sessions, files = seeded
    categorise(sessions, files, SETTINGS, quiet, HuExtractor(), NOW)
    for path in tmp_path.glob("*.dcm"):
        path.unlink()
    categorise(sessions, files, SETTINGS, quiet, HuExtractor(), NOW)
    next((tmp_path / "features").glob("*.npz")).write_bytes(b"broken")
    with pytest.raises(RequestError, match="too few"):
        categorise(sessions, files, SETTINGS, quiet, HuExtractor(), NOW)


def test_the_montage_is_a_picture_of_all_categories(seeded: tuple[Sessions, LocalFiles]) -> None:
    sessions, files = seeded
    categorise(sessions, files, SETTINGS, quiet, HuExtractor(), NOW)
    with sessions() as session:
        picture = category_montage(session, files, per_category=4)
    assert picture.startswith(b"\x89PNG")
    height = int.from_bytes(picture[20:24], "big")
    assert height > 3 * 128


@pytest.mark.parametrize("wrong", [{"k_min": 9, "k_max": 5}, {"stable_at": 0.0}, {"components": 0}])
def test_impossible_settings_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="got"):
        CategoriseSettings(**wrong)  # type: ignore[arg-type]
