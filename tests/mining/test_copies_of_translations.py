"""What we wrote anew for viewers and somebody saved again is no second drawing; what was moved is one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any

import pytest

from db.geometry import Axis, BoxPx, PointPx
from db.measurement import ImageReference
from mining.copies import BY_ALGORITHM, Harvested, judge

IMAGE = ImageReference("1.1", 1)
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
LONG = Axis(PointPx(20.0, 10.0), PointPx(32.0, 26.0))
SHORT = Axis(PointPx(32.0, 16.0), PointPx(20.0, 19.5))


def row(lesion_id: str, source: str, long_axis: Axis = LONG, **more: Any) -> Harvested:
    facts = {"image": IMAGE, "short_axis": SHORT, "reader": "Reader^One", "content_at": NOON, **more}
    return Harvested(lesion_id=lesion_id, source_sop_instance_uid=source, long_axis=long_axis, **facts)


ORIGINAL = row("a", "1.5", translated=True)


@pytest.mark.parametrize(
    "more",
    [
        {"reader": "unknown^unknown", "tracking_uid": "2.25.9", "content_at": NOON + timedelta(days=1)},
        {"reader": "unknown^unknown", "content_at": None},  # a document without a time counts as the oldest
        {"reader": "", "by_algorithm": "a device that names no person"},
    ],
)
def test_the_same_points_saved_by_anybody_are_a_copy_in_any_order(more: dict[str, Any]) -> None:
    saved = row("b", "1.6", **more)
    for rows in permutations((ORIGINAL, saved)):
        verdicts = judge(rows, (), {})
        assert (verdicts["b"].excluded_because, verdicts["b"].same_as) == ("copy of a", "a")
        assert verdicts["a"].excluded_because is None
        assert verdicts["a"].lesion_identity == verdicts["b"].lesion_identity


def test_a_rectangle_around_a_contour_is_that_contour_though_its_axes_are_others() -> None:
    outline = BoxPx(18.0, 8.0, 34.0, 28.0)
    contour = row("a", "1.5", outline=outline, translated=True)
    diagonal = Axis(PointPx(18.0, 8.0), PointPx(34.0, 28.0))
    rectangle = row("b", "1.6", diagonal, outline=outline, reader="unknown^unknown")
    assert judge((contour, rectangle), (), {})["b"].same_as == "a"


def test_a_moved_end_is_a_new_measurement() -> None:
    moved = row("b", "1.6", Axis(PointPx(20.0, 10.0), PointPx(32.2, 26.0)), reader="unknown^unknown")
    verdicts = judge((ORIGINAL, moved), (), {})
    assert [verdicts[each].excluded_because for each in "ab"] == [None, None]


def test_two_readers_of_what_was_never_translated_stay_two() -> None:
    one, other = row("a", "1.5"), row("b", "1.6", reader="Reader^Two")
    verdicts = judge((one, other), (), {})
    assert [verdicts[each].same_as for each in "ab"] == [None, None]


def test_what_a_machine_drew_in_a_translated_document_hides_nobodys_mark() -> None:
    machine = row("a", "1.5", by_algorithm="CAD 2", translated=True)
    person = row("b", "1.6", content_at=NOON - timedelta(days=1))
    verdicts = judge((machine, person), (), {})
    assert verdicts["a"].excluded_because == BY_ALGORITHM
    assert (verdicts["b"].excluded_because, verdicts["b"].same_as) == (None, None)
