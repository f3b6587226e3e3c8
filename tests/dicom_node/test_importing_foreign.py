"""AIM documents and CSV bookmarks go the way of all objects: stored, settled, harvested, and known when they return."""

import re
from datetime import timedelta
from pathlib import Path

import pytest
from arriving import SITE_KEY, new_store, with_meta
from builders import STUDY, ct_series
from builders_foreign import FIRST, SECOND, aim4, annotation, markup
from command_line import Cli
from sqlalchemy import select
from whole_way import Site

from db.engine import Sessions, reading, utc_now
from db.models import Instance, LesionRow, Study
from dicom_node import workflows
from dicom_node.config import load_config
from dicom_node.importing import ImportCounts, import_paths
from dicom_node.node import Node
from dicom_node.settle import settle_due
from dicom_node.store import Store
from mining.harvest import harvest_study
from mining.settings import BookmarkColumns, HarvestSettings

LONG, SHORT = ((20.0, 10.0), (32.0, 26.0)), ((32.0, 16.0), (20.0, 19.515625))
ELSEWHERE = ((2.0, 40.0), (12.0, 41.0))
COLUMNS = BookmarkColumns(
    {"Study": "study", "Image": "image", "Line": "points", "Id": "item", "Who": "reader", "When": "measured_at"},
    origin="zero",
)
SETTINGS = HarvestSettings(bookmarks=COLUMNS)
HEADER = "Study,Image,Line,Id,Who,When\n"
OTHER_STUDY = STUDY + ".99"


@pytest.fixture
def store(sessions: Sessions, tmp_path: Path) -> Store:
    (tmp_path / "node").mkdir()
    return new_store(sessions, tmp_path / "node")


def run(store: Store, *paths: Path, bookmarks: BookmarkColumns | None = COLUMNS) -> tuple[ImportCounts, list[str]]:
    refused: list[str] = []
    counts = import_paths(store, paths, lambda *a, **k: None, lambda path, why: refused.append(why), bookmarks)
    return counts, refused


def images_in(folder: Path) -> Path:
    folder.mkdir()
    for number, ds in enumerate(ct_series()):
        with_meta(ds).save_as(folder / f"{number}.dcm", enforce_file_format=True)
    return folder


def harvested(store: Store) -> list[LesionRow]:
    """All rows that are shown, after everything settled and was harvested."""
    later, quiet = utc_now() + timedelta(minutes=5), timedelta(seconds=60)
    settle_due(store.sessions, store.files, later, quiet, SITE_KEY, lambda ae, uid: None, set())
    with reading(store.sessions) as session:
        studies = list(session.scalars(select(Study.study_instance_uid)))
    for uid in studies:
        harvest_study(store.sessions, uid, store.files, SETTINGS)
    with reading(store.sessions) as session:
        query = select(LesionRow).where(LesionRow.excluded_because.is_(None)).order_by(LesionRow.long_axis_mm)
        return list(session.scalars(query))


def write_aim(path: Path, *lines: tuple[tuple[float, float], tuple[float, float]], at: str = "20260302093000") -> Path:
    content = aim4(annotation(*[markup("TwoDimensionMultiPoint", line) for line in lines]))
    path.write_bytes(content.replace(b"20260302093000", at.encode()))
    return path


def test_an_annotation_becomes_a_lesion_of_the_patient_of_its_study(store: Store, tmp_path: Path) -> None:
    folder = images_in(tmp_path / "in")
    write_aim(folder / "lesion.xml", LONG, SHORT)
    assert run(store, folder)[0] == ImportCounts(stored=4)
    (row,) = harvested(store)
    assert (row.source_kind, row.sop_instance_uid, row.patient_id) == ("AIM", FIRST, "P1")
    assert (row.long_axis_mm, row.short_axis_mm) == (pytest.approx(14.136, abs=1e-3), pytest.approx(6.627, abs=1e-3))
    assert run(store, folder)[0] == ImportCounts(known=4)
    assert [again.lesion_id for again in harvested(store)] == [row.lesion_id]


def test_an_annotation_may_come_before_its_images(store: Store, tmp_path: Path) -> None:
    run(store, write_aim(tmp_path / "lesion.xml", LONG))
    (early,) = harvested(store)
    assert early.long_axis_mm is None
    run(store, images_in(tmp_path / "in"))
    (row,) = harvested(store)
    assert (row.lesion_id, row.patient_id) == (early.lesion_id, "P1")
    assert row.long_axis_mm == pytest.approx(14.136, abs=1e-3)


def test_an_annotation_that_was_changed_replaces_the_earlier_one(store: Store, tmp_path: Path) -> None:
    folder = images_in(tmp_path / "in")
    write_aim(folder / "later.xml", SHORT, at="20260303120000")
    write_aim(folder / "earlier.xml", LONG)
    run(store, folder)
    (row,) = harvested(store)
    assert row.long_axis_mm == pytest.approx(6.627, abs=1e-3)
    with reading(store.sessions) as session:
        states = set(session.scalars(select(Instance.state)))
    assert states == {"current"}, "nothing waits for a person"


def line(study: str, image: str, points: tuple[tuple[float, float], ...], item: str, when: str = "2026-03-01") -> str:
    return f"{study},{image},{' '.join(f'{x} {y}' for x, y in points)},{item},One,{when}\n"


def test_an_export_of_every_night_gives_each_bookmark_once(store: Store, tmp_path: Path) -> None:
    run(store, images_in(tmp_path / "in"))
    monday, tuesday = tmp_path / "monday.csv", tmp_path / "tuesday.CSV"
    monday.write_text(HEADER + line(STUDY, FIRST, LONG, "B1") + line(STUDY, SECOND, LONG, "B2"))
    assert run(store, monday) == (ImportCounts(stored=1), [])
    assert run(store, monday) == (ImportCounts(known=1), [])
    first = {row.source_item: row.lesion_id for row in harvested(store)}
    assert set(first) == {"B1", "B2"}
    tuesday.write_text(
        HEADER
        + line(STUDY, SECOND, SHORT, "B2", "2026-03-02")  # drawn anew
        + line(OTHER_STUDY, "1.2.3", LONG, "B1")
        + line(STUDY, FIRST, LONG, "B1")
        + line(STUDY, FIRST, ELSEWHERE, "B3", "2026-03-02")
        + "broken\n"
    )
    counts, refused = run(store, tuesday)
    assert counts == ImportCounts(stored=2, refused=1)
    assert refused == ["line 6: the row has 1 cells, and the file names 6 columns"]
    rows = [row for row in harvested(store) if row.study_instance_uid == STUDY]
    shown = {row.source_item: row for row in rows}
    assert shown["B1"].lesion_id == first["B1"]
    assert shown["B2"].long_axis_mm == pytest.approx(6.627, abs=1e-3)
    assert set(shown) == {"B1", "B2", "B3"}
    assert len(rows) == 3


def test_rows_without_a_study_belong_to_that_of_their_image(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "export.csv"
    path.write_text(HEADER + line("", FIRST, LONG, "B1"))
    counts, refused = run(store, path)
    assert (counts, refused) == (
        ImportCounts(refused=1),
        ["line 2: the row names no study, and its image is not here; send the images first"],
    )
    run(store, images_in(tmp_path / "in"))
    assert run(store, path)[0] == ImportCounts(stored=1)
    assert [row.source_kind for row in harvested(store)] == ["csv"]


def test_a_csv_file_waits_until_its_columns_are_named(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "export.csv"
    path.write_text(HEADER + line(STUDY, FIRST, LONG, "B1"))
    counts, (reason,) = run(store, path, bookmarks=None)
    assert counts == ImportCounts(refused=1)
    assert "[harvest.bookmarks]" in reason


def test_of_a_file_with_very_many_broken_lines_some_are_told(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "export.csv"
    path.write_text(HEADER + "broken\n" * 1_500)
    counts, refused = run(store, path)
    assert counts == ImportCounts(refused=1_500)
    assert len(refused) == 1_001
    assert refused[-1] == "and 500 more lines"


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.xml", b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', "declares a document type"),
        ("a.xml", b"<report/>", "no AIM document"),
        ("a.xml", b"", "no well-formed XML"),
        ("a.dat", b"<?xml version='1.0'?><report/>", "no AIM document"),
        ("a.csv", b"", "is empty"),
        ("a.csv", b"\xff\xfe\x00", "is empty|lacks columns"),
        ("a.txt", b"Study,Image\n", "is not a DICOM file"),
    ],
)
def test_what_is_neither_has_its_reason(store: Store, tmp_path: Path, name: str, content: bytes, reason: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    counts, refused = run(store, path)
    assert counts == ImportCounts(refused=1)
    assert re.search(reason, refused[0])


def test_an_import_that_was_interrupted_goes_on(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "export.csv"
    path.write_text(HEADER + "".join(line(f"{STUDY}.{n}", FIRST, LONG, "B1") for n in range(1, 6)))
    kept: list[bool] = []
    keep = store.keep

    class Interrupted(Exception):
        pass

    def keep_three(*args: object) -> object:
        if len(kept) == 3:
            raise Interrupted
        kept.append(True)
        return keep(*args)  # type: ignore[arg-type]

    store.keep = keep_three  # type: ignore[method-assign,assignment]
    with pytest.raises(Interrupted):
        run(store, path)
    store.keep = keep  # type: ignore[method-assign]
    assert run(store, path)[0] == ImportCounts(stored=2, known=3)


def test_every_way_to_harvest_follows_the_configuration(site: Site, cli: Cli, tmp_path: Path) -> None:
    columns = "\n".join(f'{name} = "{meaning}"' for name, meaning in COLUMNS.columns.items())
    with site.config_path.open("a") as file:
        file.write(
            f'[harvest]\nlet_in = []\n[harvest.bookmarks]\norigin = "zero"\n[harvest.bookmarks.columns]\n{columns}\n'
        )
    path = tmp_path / "export.csv"
    path.write_text(HEADER + line(STUDY, FIRST, LONG, "B1") + line(STUDY, FIRST, ELSEWHERE, "B2"))
    assert cli("import", str(images_in(tmp_path / "in")), str(path)).stdout == "4 new, 0 known already, 0 not taken\n"
    node = Node.open(load_config(site.config_path))
    later = utc_now() + timedelta(minutes=5)
    settle_due(node.sessions, node.files, later, timedelta(seconds=60), SITE_KEY, lambda ae, uid: None, set())
    assert cli("harvest").stdout == "1 studies: 2 measurements, 0 rejections\n"
    assert workflows.harvest(node, STUDY) == "2 measurements, 0 rejections"
