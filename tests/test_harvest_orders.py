"""The same archive in any order, with a worker that is killed in between, leaves the same rows on both databases.

`make faults` does it with ten times as many reports.
"""

import os
from pathlib import Path
from random import Random

import pytest
from harvest_archive import DOCUMENTS, make_archive
from harvest_faults import Site, dump, harvest, moments

REPORTS = int(os.environ.get("FAULTS_REPORTS", "1000"))
KILLS = 3 if REPORTS <= 1000 else 9
AGAIN = 40
"""Every so manieth file is there twice."""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300 + REPORTS)]

LESIONS = ("lesions", (), "lesion_id")
SOURCES = ("lesion_sources", (), "lesion_id, source_sop_instance_uid, source_item")
REJECTIONS = ("rejections", ("at",), "source_sop_instance_uid, source_item, reason_code, reason")


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The files, a study after the other, its images first."""
    return make_archive(tmp_path_factory.mktemp("archive"), REPORTS)


@pytest.fixture(scope="module")
def in_order(tmp_path_factory: pytest.TempPathFactory, archive: list[Path], migrated_sqlite: bytes) -> list[bytes]:
    """What is left where nothing happens: all views, of SQLite."""
    site = Site.make(tmp_path_factory.mktemp("in_order") / "site", migrated_sqlite=migrated_sqlite)
    assert harvest(site, archive, parts=1) == 0
    return left_by(site)


def left_by(site: Site) -> list[bytes]:
    left = [dump(site.url, *view) for view in (LESIONS, SOURCES, REJECTIONS)]
    site.remove_files()
    return left


def otherwise(archive: list[Path], seed: int) -> list[Path]:
    """In an order of chance, and some files twice."""
    rng = Random(seed)
    files = [*archive, *archive[::AGAIN]]
    rng.shuffle(files)
    return files


def test_the_archive_holds_what_can_go_wrong(in_order: list[bytes]) -> None:
    lesions, sources, rejections = in_order
    assert lesions.count(b"\n") >= REPORTS, "as many rows as reports, and more"
    assert sources.count(b"\n") > lesions.count(b"\n"), "one drawing in several documents"
    assert rejections.count(b"'superseded'") >= 2 * REPORTS // DOCUMENTS, "a chain of predecessors in every study"
    for why in (b"superseded by a later document", b"drawn by an algorithm", b"a place without an extent"):
        assert why in lesions


@pytest.mark.parametrize(("database", "seed"), [("sqlite", 1), ("postgresql", 2)])
def test_another_order_and_a_killed_worker_leave_the_same_bytes(
    request: pytest.FixtureRequest, tmp_path: Path, archive: list[Path], in_order: list[bytes], database: str, seed: int
) -> None:
    url = request.getfixturevalue("postgres_url") if database == "postgresql" else ""
    site = Site.make(tmp_path / "site", url, request.getfixturevalue("migrated_sqlite"))
    files = otherwise(archive, seed)
    kills = moments(KILLS, len(files), REPORTS // DOCUMENTS, seed)
    assert harvest(site, files, parts=2, kills=kills) >= 3, "in each of the three steps once"
    for view, expected, found in zip((LESIONS, SOURCES, REJECTIONS), in_order, left_by(site), strict=True):
        assert found == expected, differing(view[0], expected, found)


def differing(view: str, expected: bytes, found: bytes) -> str:
    missing, more = (
        set(expected.splitlines()) - set(found.splitlines()),
        set(found.splitlines()) - set(expected.splitlines()),
    )
    lines = [b"- " + line for line in sorted(missing)[:5]] + [b"+ " + line for line in sorted(more)[:5]]
    return (
        f"{view}: {len(missing)} rows are missing, {len(more)} are there in their place\n" + b"\n".join(lines).decode()
    )
