"""Which rows are truth, whatever their number, their order and the circles that documents name each other in."""

import random
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from db.geometry import Axis, BoxPx, PointPx
from db.measurement import ImageReference
from mining.copies import SUPERSEDED, Harvested, judge, superseded_documents

IMAGE, OTHER = ImageReference("1.1", 1), ImageReference("1.2", 1)
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
MANY = 5_000
SECONDS = 3


def line(x1: float, y1: float, x2: float, y2: float) -> Axis:
    return Axis(PointPx(x1, y1), PointPx(x2, y2))


def row(number: int, long_axis: Axis, **more: Any) -> Harvested:
    facts = {"source_sop_instance_uid": "1.5", "image": IMAGE, "short_axis": None, "reader": "Reader^One", **more}
    return Harvested(lesion_id=f"{number:05d}", long_axis=long_axis, **facts)


@pytest.mark.parametrize(
    ("predecessors", "replaced"),
    [
        ({"b": ["a"], "c": ["b"]}, {"a": "b", "b": "c"}),
        ({"b": ["a"], "c": ["a"]}, {"a": "c"}),
        ({"a": ["a"]}, {}),
        ({"a": ["b"], "b": ["a"]}, {}),
        ({"a": ["c"], "b": ["a"], "c": ["b"]}, {}),
        ({"a": ["c"], "b": ["a"], "c": ["b"], "d": ["a"]}, {"a": "d", "b": "c", "c": "a"}),
        ({"b": ["never arrived"]}, {"never arrived": "b"}),
    ],
)
def test_a_document_is_replaced_by_the_one_that_names_it_but_not_in_a_circle(
    predecessors: dict[str, list[str]], replaced: dict[str, str]
) -> None:
    assert superseded_documents(predecessors) == replaced
    assert superseded_documents(dict(reversed(predecessors.items()))) == replaced


def test_a_chain_of_thousands_of_documents_is_followed() -> None:
    chain = {f"{n + 1}": [f"{n}"] for n in range(MANY)}
    assert superseded_documents(chain) == {f"{n}": f"{n + 1}" for n in range(MANY)}


def test_two_readers_of_a_lesion_name_it_alike_in_every_study_whoever_measures_first() -> None:
    rows = [
        row(n, line(20.0 + off, 10.0, 32.0, 26.0), image=image, tracking_uid=uid, reader=uid, content_at=at)
        for n, (image, uid, off, at) in enumerate(
            [
                (IMAGE, "1.9", 0.0, NOON),
                (IMAGE, "1.10", 0.3, NOON + timedelta(hours=1)),
                (OTHER, "1.9", 0.0, NOON + timedelta(hours=1)),
                (OTHER, "1.10", 0.3, NOON),
            ]
        )
    ]
    assert {verdict.lesion_identity for verdict in judge(rows, [], {}).values()} == {"1.9"}


def test_lesions_apart_on_one_image_are_not_one_for_having_one_tracking_uid() -> None:
    near, far = line(10.0, 10.0, 30.0, 20.0), line(110.0, 10.0, 130.0, 20.0)
    across = line(20.0, 8.0, 19.0, 22.0)
    rows = [row(n, axis, tracking_uid="1.9") for n, axis in enumerate((near, far))]
    assert [one.lesion_identity for one in judge(rows, [], {}).values()] == ["00000", "00001"]
    rows = [row(n, axis, tracking_uid="1.9") for n, axis in enumerate((near, across))]
    assert [one.lesion_identity for one in judge(rows, [], {}).values()] == ["1.9", "1.9"]


@pytest.mark.parametrize("off", [0.0, 0.04, -0.04])
def test_points_within_a_twentieth_of_a_pixel_are_one_drawing_wherever_they_lie(off: float) -> None:
    """Also across the borders of the cells in which they are looked for."""
    for place in (n / 16 for n in range(32)):
        first = row(1, line(place, 10.0, 20.0, place), short_axis=line(12.0, place, 15.0, 18.0), content_at=NOON)
        again = row(
            2, line(20.0, place + off, place, 10.0), short_axis=line(15.0, 18.0, 12.0, place - off),
            content_at=NOON + timedelta(days=1), source_sop_instance_uid="1.6",
        )  # fmt: skip
        assert judge([again, first], [], {})["00002"].same_as == "00001"


def test_points_farther_off_are_two_drawings() -> None:
    rows = [row(1, line(10.0, 10.0, 20.0, 20.0)), row(2, line(10.06, 10.0, 20.0, 20.0))]
    assert [verdict.same_as for verdict in judge(rows, [], {}).values()] == [None, None]


def test_the_order_of_the_rows_decides_nothing() -> None:
    rows = [
        row(
            n, line(10.0 + (n % 7) * 0.03, 10.0, 20.0, 20.0), reader=f"Reader^{n % 3}", tracking_uid=f"1.{n % 4}",
            content_at=NOON + timedelta(hours=n % 5), source_sop_instance_uid=f"1.5.{n % 6}",
        )
        for n in range(60)
    ]  # fmt: skip
    expected = judge(rows, [], {"1.5.1": ["1.5.0"]})
    for seed in range(5):
        random.Random(seed).shuffle(rows)
        assert judge(rows, [], {"1.5.1": ["1.5.0"]}) == expected


def concentric(n: int) -> Harvested:
    return row(n, line(10.0 - n / 5, 10.0, 20.0 + n / 5, 20.0))


def redrawn_under_one_tracking_uid(n: int) -> Harvested:
    at, uid = (NOON, "1.5") if n % 2 else (NOON + timedelta(days=1), "1.6")
    moved = line(10.0 + n, 10.0, 20.0 + n, 20.0)
    return row(n, moved, tracking_uid="1.9", content_at=at, source_sop_instance_uid=uid)


def of_another_reader(n: int) -> Harvested:
    return row(n, line(10.0, 10.0, 20.0, 20.0), reader=f"Reader^{n}")


def of_another_region(n: int) -> Harvested:
    outline = BoxPx(10.0 - n, 10.0, 20.0, 20.0 + n)
    return row(n, line(10.0, 10.0, 20.0, 20.0), reader=f"Reader^{n}", outline=outline)


@pytest.mark.parametrize(
    "made", [concentric, redrawn_under_one_tracking_uid, of_another_reader, of_another_region], ids=lambda f: f.__name__
)
def test_thousands_of_rows_on_one_image_are_judged_in_a_second(made: Any) -> None:
    rows = [made(n) for n in range(MANY)]
    start = time.perf_counter()
    verdicts = judge(rows, [], {})
    assert time.perf_counter() - start < SECONDS
    superseded = [n for n in range(MANY) if verdicts[f"{n:05d}"].excluded_because == SUPERSEDED]
    assert superseded == ([n for n in range(MANY) if n % 2] if made is redrawn_under_one_tracking_uid else [])
