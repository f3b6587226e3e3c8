"""Reports that are made to take long end soon all the same."""

from collections.abc import Callable
from math import cos, sin
from time import process_time

import pytest
from builders import AREA, COMMENT, LENGTH, container, image, measured_line, num, scoord, scoord3d, sr, text
from pydicom.dataset import Dataset

from mining.readers.sr import read_sr

IMAGE = "1.2.3.4"


def line(n: int) -> Dataset:
    return measured_line(LENGTH, ((n % 50, n / 60), (n % 50 + 6.0, n / 60 + 1)), IMAGE)


def box(n: int) -> Dataset:
    x, y = n % 50, n % 40
    ring = [(x, y), (x + 5, y), (x + 5, y + 8), (x, y + 8), (x, y)]
    return scoord("POLYLINE", ring, image(IMAGE), relationship="CONTAINS")


def without_images() -> Dataset:
    drawn = [scoord("POLYLINE", [(1, 2), (3, 4)], relationship="CONTAINS") for _ in range(9_000)]
    return sr(*drawn, *(image(f"1.{n}", relationship="CONTAINS") for n in range(9_000)))


def in_space() -> Dataset:
    drawn = [scoord3d("POLYLINE", [(1, 2, 3), (3, 4, 5)], frame_of_reference="1.2") for _ in range(9_000)]
    return sr(*drawn, *(image(f"1.{n}", relationship="CONTAINS") for n in range(3_000)))


def far_below() -> Dataset:
    inner = container(None, *(line(n) for n in range(2_000)))
    for _ in range(95):
        inner = container(None, inner, text(COMMENT, "a"))
    return sr(inner)


def round_contour() -> Dataset:
    ring = [(300 + 200 * cos(n / 14_000), 300 + 200 * sin(n / 14_000)) for n in range(88_000)]
    return sr(num(AREA, 1.0, "mm2", scoord("POLYLINE", ring, image(IMAGE))))


LARGE: list[tuple[str, int, Callable[[], Dataset]]] = [
    ("boxes and lines", 2_600, lambda: sr(*(box(n) for n in range(2_400)), *(line(n) for n in range(2_400)))),
    ("drawings without an image, images without a drawing", 9_000, without_images),
    ("drawings in space", 9_000, in_space),
    ("numbers alone beside a line", 1, lambda: sr(*(num(LENGTH, 2.0, "mm") for _ in range(20_000)), line(1))),
    ("lines below many containers", 2_000, far_below),
    ("a contour of 88,000 points, all on its hull", 1, round_contour),
]


@pytest.mark.slow
@pytest.mark.parametrize(("count", "document"), [pytest.param(n, make, id=name) for name, n, make in LARGE])
def test_a_large_report_is_read_in_seconds(count: int, document: Callable[[], Dataset]) -> None:
    ds = document()
    start = process_time()
    assert len(list(read_sr(ds))) == count
    assert process_time() - start < 10, "on a busy machine; a quiet one takes a second"
