"""A million lesions on SQLite and PostgreSQL: questions through the views, and aggregates against a bare copy.

A question is asked as `dicom-node sql` asks it, with another value each time: it shall take less than 50 ms. An
aggregate over the whole view is timed in turn with the same GROUP BY on a copy of the table without a view and without
indexes, in the same run: it shall take at most 1.5 times as long.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import Connection, text

from db.engine import open_engine, sqlite_url
from db.models import LesionRow
from dicom_node.database import upgrade
from dicom_node.sql import query
from tests.postgres import running_server

LESIONS, ASKED, ROUNDS = 1_000_000, 20, 5
LONGEST_MS, HIGHEST_RATIO = 50.0, 1.5

MIXED = "(n * 7919 % 1000003)"
"""A number below 1,000,003 that says nothing of its neighbour's: 7919 and 1000003 are primes."""

PATIENTS, STUDIES, LESIONS_OF_SERIES = 60_000, 200_000, 400_000
VALUES = {
    "lesion_id": f"'00000000-0000-5000-8000-' || substr(CAST(1000000000000 + {MIXED} AS TEXT), 2)",
    "patient_id": f"'P' || CAST(n % {STUDIES} % {PATIENTS} AS TEXT)",
    "issuer_of_patient_id": "'HOSPITAL'",
    "accession_number": f"'A' || CAST(n % {STUDIES} AS TEXT)",
    "study_instance_uid": f"'1.2.826.0.1.3680043.10.30.' || CAST(n % {STUDIES} AS TEXT)",
    "series_instance_uid": f"'1.2.826.0.1.3680043.10.30.' || CAST(n % {STUDIES} AS TEXT) || '.1'",
    "sop_instance_uid": f"'1.2.826.0.1.3680043.10.30.' || CAST(n % {STUDIES} AS TEXT) || '.1.' || CAST(n % 97 AS TEXT)",
    "frame_number": "1",
    "modality": "CASE n % 5 WHEN 0 THEN 'MR' ELSE 'CT' END",
    "body_part": f"CASE {MIXED} % 5 WHEN 0 THEN 'CHEST' WHEN 1 THEN 'ABDOMEN' WHEN 2 THEN 'PELVIS' WHEN 3 THEN 'NECK' "
    "ELSE '' END",
    "series_description": "'Thorax venous 1.0 B30f'",
    "manufacturer": "CASE n % 3 WHEN 0 THEN 'Maker One' WHEN 1 THEN 'Maker Two' ELSE 'Maker Three' END",
    "row_spacing_mm": "0.7",
    "col_spacing_mm": "0.7",
    "slice_interval_mm": "2.5",
    "long_axis_px": f"(3.0 + {MIXED} / 8000.0) / 0.7",
    "long_axis_mm": f"3.0 + {MIXED} / 8000.0",
    "short_axis_mm": f"2.0 + {MIXED} / 12000.0",
    "stated_long_axis_mm": f"3.0 + {MIXED} / 8000.0",
    "stated_disagrees": "n % 50 = 0",
    "finding_code": "'27925004'",
    "finding": "'Nodule'",
    "site_code": "'39607008'",
    "site": "'Lung'",
    "tracking_id": "'Lesion ' || CAST(n % 7 AS TEXT)",
    "tracking_uid": f"'1.2.826.0.1.3680043.10.31.' || CAST(n % {LESIONS_OF_SERIES} AS TEXT)",
    "reader": "'Reader^' || CAST(n % 40 AS TEXT)",
    "source_kind": "CASE n % 10 WHEN 0 THEN 'GSPS' ELSE 'SR' END",
    "source_writer": "'Viewer Maker ' || CAST(n % 8 AS TEXT)",
    "source_sop_instance_uid": "'1.2.826.0.1.3680043.10.32.' || CAST(n / 4 AS TEXT)",
    "source_item": "'1.3.' || CAST(n % 4 AS TEXT)",
    "reader_version": "2",
    "derived": "n % 2 = 1",
    "image_present": "n % 20 <> 1",
    "possibly_noisy": "n % 25 = 2",
    "noisy_because": "CASE n % 25 WHEN 2 THEN 'the axes do not cross' END",
    "excluded_because": "CASE n % 30 WHEN 3 THEN 'superseded by a later document' END",
    "lesion_identity": f"'1.2.826.0.1.3680043.10.31.' || CAST(n % {LESIONS_OF_SERIES} AS TEXT)",
    "category_id": f"{MIXED} % 30",
    "category": f"'Lung ' || CAST({MIXED} % 30 AS TEXT)",
    "label_generation": "3",
    "split": "CASE n % 10 WHEN 0 THEN 'test' WHEN 1 THEN 'val' ELSE 'train' END",
}
"""Column of `lesion` → expression of n, from 0 upwards; the dates differ by dialect, the rest stays NULL."""

DATES = {
    "sqlite": f"date('2006-01-01', CAST(n % {STUDIES} % 7300 AS TEXT) || ' days')",
    "postgresql": f"DATE '2006-01-01' + CAST(n % {STUDIES} % 7300 AS INTEGER)",
}


@dataclass(frozen=True, slots=True)
class Question:
    """Something a person asks, and the value of its k-th time."""

    name: str
    condition: str
    value: Callable[[int], str]

    def statement(self, turn: int) -> str:
        return f"SELECT * FROM lesions WHERE {self.condition.format(self.value(turn))}"


def _mm(turn: int) -> str:
    return f"{5 + 5.5 * turn} AND {5.02 + 5.5 * turn}"


def _days(turn: int) -> str:
    return f"'{2006 + turn}-02-03' AND '{2006 + turn}-05-01'"


QUESTIONS = (
    Question("one lesion", "lesion_id = '00000000-0000-5000-8000-{}'", lambda turn: f"{40_000 * turn + 7:012d}"),
    Question("a patient", "patient_id = 'P{}'", lambda turn: str(2_971 * turn)),
    Question("a study", "study_instance_uid = '1.2.826.0.1.3680043.10.30.{}'", lambda turn: str(9_973 * turn)),
    Question("an image", "sop_instance_uid = '1.2.826.0.1.3680043.10.30.{0}.1.0'", lambda turn: str(9_700 * turn)),
    Question("a tracking UID", "tracking_uid = '1.2.826.0.1.3680043.10.31.{}'", lambda turn: str(19_997 * turn)),
    Question("a document", "source_sop_instance_uid = '1.2.826.0.1.3680043.10.32.{}'", lambda turn: str(12_007 * turn)),
    Question("a range of lengths", "long_axis_mm BETWEEN {}", _mm),
    Question("the largest below", "long_axis_mm < {} ORDER BY long_axis_mm DESC LIMIT 100", lambda turn: str(5 + turn)),
    Question("a range of dates", "study_date BETWEEN {} ORDER BY study_date LIMIT 100", _days),
    Question("some of a category", "category = 'Lung {}' LIMIT 100", lambda turn: str(turn)),
    Question("a category that is not there", "category = 'Liver {}' LIMIT 100", lambda turn: str(turn)),
    Question("a category and lengths", "category_id = {0} AND long_axis_mm BETWEEN 30 AND 30.05", str),
    Question("a body part and lengths", "body_part = 'CHEST' AND long_axis_mm BETWEEN {}", _mm),
)

AGGREGATES = (
    "SELECT body_part, count(*), avg(long_axis_mm) FROM {} GROUP BY body_part",
    "SELECT category, count(*), max(long_axis_mm) FROM {} GROUP BY category",
    "SELECT source_writer, sum(CASE WHEN stated_disagrees THEN 1 ELSE 0 END) FROM {} GROUP BY source_writer",
    "SELECT split, count(*), count(DISTINCT patient_id) FROM {} WHERE excluded_because IS NULL GROUP BY split",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lesions", type=int, default=LESIONS)
    given, _ = parser.parse_known_args()
    with tempfile.TemporaryDirectory() as folder:
        measure(sqlite_url(Path(folder)), given.lesions)
    with postgresql() as url:
        if url is None:
            print("PostgreSQL is missing: nothing to say of it")
        else:
            measure(url, given.lesions)


@contextmanager
def postgresql() -> Iterator[str | None]:
    try:
        with running_server() as server:
            yield server.new_database(migrated=False)
    except pytest.skip.Exception:
        yield None


def measure(url: str, lesions: int) -> None:
    engine = open_engine(url)
    upgrade(engine)
    started = time.perf_counter()
    with engine.begin() as connection:
        fill(connection, lesions)
        connection.execute(text("CREATE TABLE bare AS SELECT * FROM lesion"))
    if engine.dialect.name == "postgresql":  # as its autovacuum does by itself; SQLite is left as the node leaves it
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM ANALYZE"))
    print(f"{engine.dialect.name}: {lesions} lesions, made in {time.perf_counter() - started:.0f} s")
    print("\n".join(answers(url)))
    with engine.connect() as connection:
        print("\n".join(aggregates(connection)), flush=True)
    engine.dispose()


def fill(connection: Connection, lesions: int) -> None:
    values = {**VALUES, "study_date": DATES[connection.dialect.name]}
    values |= {name: "0" for name, column in LesionRow.__table__.columns.items() if not column.nullable} | values
    connection.execute(
        text(
            f"INSERT INTO lesion ({', '.join(values)}) "
            "WITH RECURSIVE numbers(n) AS ("
            f"SELECT CAST(0 AS BIGINT) UNION ALL SELECT n + 1 FROM numbers WHERE n + 1 < {lesions}) "
            f"SELECT {', '.join(values.values())} FROM numbers"
        )
    )


def answers(url: str) -> Iterator[str]:
    yield f"{'question':30} {'rows':>6} {'median ms':>10} {'worst ms':>9}"
    for question in QUESTIONS:
        took, rows = [], 0
        for turn in range(ASKED):
            started = time.perf_counter()
            rows += len(query(url, question.statement(turn))[1])
            took.append(1000 * (time.perf_counter() - started))
        late = "  too long" if max(took) >= LONGEST_MS else ""
        yield f"{question.name:30} {rows / ASKED:6.0f} {statistics.median(took):10.1f} {max(took):9.1f}{late}"


def aggregates(connection: Connection) -> Iterator[str]:
    yield f"{'aggregate':76} {'view ms':>8} {'bare ms':>8} {'ratio':>6}"
    for aggregate in AGGREGATES:
        took: dict[str, list[float]] = {"lesions": [], "bare": []}
        for _ in range(ROUNDS):
            for name, times in took.items():
                started = time.perf_counter()
                connection.execute(text(aggregate.format(name))).all()
                times.append(1000 * (time.perf_counter() - started))
        ours, bare = (statistics.median(took[name]) for name in ("lesions", "bare"))
        slow = "  too slow" if ours / bare > HIGHEST_RATIO else ""
        yield f"{aggregate.format('lesions')[7:83]:76} {ours:8.0f} {bare:8.0f} {ours / bare:6.2f}{slow}"


if __name__ == "__main__":
    main()
