"""Texts beside boxes: on the image, and on nothing else where there is room."""

from __future__ import annotations

from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from db.geometry import BoxPx, PointPx
from dicom_node.report.text_places import text_boxes

ROWS, COLUMNS = 300, 420
TEXT = "AI 1: liver cyst 0.93\r\n12.3 x 4.5 mm"


def ring(box: BoxPx) -> tuple[PointPx, ...]:
    return (*box.corners, box.corners[0])


def place(*boxes: BoxPx, text: str = TEXT) -> list[BoxPx]:
    placed = text_boxes([ring(box) for box in boxes], [text] * len(boxes), ROWS, COLUMNS)
    return [BoxPx(first.col, first.row, last.col, last.row) for first, last in placed]


def test_a_text_stands_right_of_its_box() -> None:
    (text,) = place(BoxPx(50, 60, 90, 80))
    assert (text.x1, text.y1) == (92, 60)
    assert text.width_px > text.height_px > 2 * ROWS / 40


def test_at_the_right_edge_it_stands_left() -> None:
    (text,) = place(BoxPx(380, 60, 419, 80))
    assert text.x2 == 378


@given(st.lists(st.tuples(st.integers(0, COLUMNS - 1), st.integers(0, ROWS - 1)), min_size=1, max_size=6))
def test_all_texts_lie_on_the_image(corners: list[tuple[int, int]]) -> None:
    boxes = [BoxPx(x, y, min(x + 30, COLUMNS - 1), min(y + 20, ROWS - 1)) for x, y in corners]
    for text in place(*boxes):
        assert text.x1 >= 0 and text.y1 >= 0 and text.x2 <= COLUMNS - 1 and text.y2 <= ROWS - 1


def test_neighbours_get_texts_that_cover_nothing() -> None:
    boxes = [BoxPx(100, 100, 140, 130), BoxPx(145, 100, 180, 130), BoxPx(120, 140, 160, 170)]
    everything = [*boxes, *place(*boxes)]
    for a, b in combinations(everything, 2):
        assert a.iou(b) == 0.0


def test_a_text_longer_than_the_image_is_as_wide_as_it() -> None:
    (text,) = place(BoxPx(50, 60, 90, 80), text="x" * 500)
    assert (text.x1, text.x2) == (0, COLUMNS - 1)
