"""The views of growth and of spread: what is compared with what, the same on both databases."""

from collections.abc import Iterable
from datetime import date
from itertools import count
from typing import Any

import pytest
from sqlalchemy import text

from db.engine import Sessions
from db.models import LesionRow

MARCH, JUNE, SEPTEMBER = date(2026, 3, 2), date(2026, 6, 1), date(2026, 9, 7)


def measured(sessions: Sessions, rows: Iterable[dict[str, Any]]) -> None:
    facts: dict[str, Any] = {
        "patient_id": "P1", "issuer_of_patient_id": "", "sop_instance_uid": "1.1", "frame_number": 1,
        "source_kind": "SR", "source_sop_instance_uid": "1.5", "source_item": "1", "reader_version": 1,
        "derived": False, "image_present": True, "possibly_noisy": False, "lesion_identity": "1.9", "reader": "",
    }  # fmt: skip
    number = count()
    with sessions.begin() as session:
        session.add_all(LesionRow(lesion_id=f"{next(number)}", **(facts | row)) for row in rows)


def growth(sessions: Sessions) -> list[tuple[Any, ...]]:
    query = """SELECT patient_id, study_date, long_axis_mm, change_from_baseline, change_from_nadir
               FROM lesion_growth ORDER BY patient_id, long_axis_mm DESC"""
    with sessions() as session:
        return [
            (who, str(at), *(pytest.approx(number) for number in numbers))
            for who, at, *numbers in session.execute(text(query))
        ]


def test_a_length_is_compared_with_the_first_and_the_smallest_so_far(any_sessions: Sessions) -> None:
    lengths = {MARCH: [20.0, 22.0], JUNE: [14.0], SEPTEMBER: [17.5]}
    measured(any_sessions, [{"study_date": at, "long_axis_mm": mm} for at, some in lengths.items() for mm in some])
    assert growth(any_sessions) == [
        ("P1", "2026-03-02", 21.0, 0.0, 0.0),
        ("P1", "2026-09-07", 17.5, 17.5 / 21 - 1, 0.25),
        ("P1", "2026-06-01", 14.0, 14 / 21 - 1, 0.0),
    ]


def test_what_has_no_date_is_no_baseline(any_sessions: Sessions) -> None:
    """The databases differ in whether NULL comes first."""
    lengths = {None: 40.0, MARCH: 20.0, JUNE: 10.0}
    measured(any_sessions, [{"study_date": at, "long_axis_mm": mm} for at, mm in lengths.items()])
    assert growth(any_sessions) == [("P1", "2026-03-02", 20.0, 0.0, 0.0), ("P1", "2026-06-01", 10.0, -0.5, 0.0)]


def test_one_tracking_uid_in_two_patients_is_two_lesions(any_sessions: Sessions) -> None:
    """Some writers have one UID for all, and two hospitals one patient id."""
    measured(
        any_sessions,
        [
            {"study_date": MARCH, "long_axis_mm": 40.0},
            {"study_date": JUNE, "long_axis_mm": 20.0, "issuer_of_patient_id": "elsewhere"},
            {"study_date": JUNE, "long_axis_mm": 10.0, "patient_id": "P2"},
        ],
    )
    assert growth(any_sessions) == [
        ("P1", "2026-03-02", 40.0, 0.0, 0.0),
        ("P1", "2026-06-01", 20.0, 0.0, 0.0),
        ("P2", "2026-06-01", 10.0, 0.0, 0.0),
    ]
