"""Boxes of several readers become one lesion where they overlap by more than 60 %."""

from db.geometry import BoxPx
from db.measurement import ImageReference
from mining.same_lesion import one_lesion

IMAGE, OTHER = ImageReference("1.1", 1), ImageReference("1.1", 2)
BOX = BoxPx(10.0, 20.0, 50.0, 40.0)


def moved(by: float) -> BoxPx:
    return BoxPx(BOX.x1 + by, BOX.y1, BOX.x2 + by, BOX.y2)


def test_boxes_that_overlap_more_than_60_percent_are_one_lesion() -> None:
    assert BOX.iou(moved(9.0)) > 0.6 > BOX.iou(moved(11.0))
    groups = one_lesion([("a", IMAGE, BOX), ("b", IMAGE, moved(9.0)), ("c", IMAGE, moved(-11.0))])
    assert sorted(groups) == [["a", "b"], ["c"]]


def test_other_frames_are_other_lesions() -> None:
    assert sorted(one_lesion([("a", IMAGE, BOX), ("b", OTHER, BOX)])) == [["a"], ["b"]]


def test_a_chain_of_neighbours_is_not_one_lesion() -> None:
    chain = [(str(n), IMAGE, moved(9.0 * n)) for n in range(5)]
    assert sorted(one_lesion(chain)) == [["0", "1"], ["2", "3"], ["4"]]


def test_a_box_joins_the_lesion_that_it_overlaps_most() -> None:
    groups = one_lesion([("a", IMAGE, BOX), ("b", IMAGE, moved(11.0)), ("c", IMAGE, moved(8.0))])
    assert sorted(groups) == [["a"], ["b", "c"]]
