"""Findings beside marks: what lies on what."""

from dataclasses import replace

import pytest

from db.geometry import BoxPx
from db.measurement import ImageReference
from dicom_node.comparison import Comparison, Found, Marked, compare, is_same_place, total

KEY = ImageReference("1.2.7", 1)
OTHER = ImageReference("1.2.8", 1)
FOUND = Found("f", "1.2", KEY, BoxPx(20, 50, 60, 70), first_mm=-12.5, last_mm=-2.5)
MARK = Marked("m", "1.2", OTHER, BoxPx(30, 55, 90, 64), position_mm=-7.5)


@pytest.mark.parametrize(
    ("box", "same"),
    [
        (BoxPx(50, 64, 70, 76), True),  # its centre is (60, 70): a corner of the finding's box
        (BoxPx(51, 64, 71, 76), False),
        (BoxPx(50, 65, 70, 77), False),
        (BoxPx(40, 60, 200, 300), True),  # the finding's centre is (40, 60): a corner of it
        (BoxPx(41, 60, 200, 300), False),
        (BoxPx(40, 61, 200, 300), False),
    ],
)
def test_the_centre_of_one_box_lies_in_the_other(box: BoxPx, same: bool) -> None:
    assert is_same_place(FOUND, replace(MARK, box=box)) is same


@pytest.mark.parametrize(("position_mm", "same"), [(-12.5, True), (-2.45, True), (-2.0, False), (-15.0, False)])
def test_a_mark_counts_on_every_slice_of_the_finding_and_on_no_other(position_mm: float, same: bool) -> None:
    assert is_same_place(FOUND, replace(MARK, position_mm=position_mm)) is same


def test_slices_that_are_counted_downwards_are_a_range_too() -> None:
    assert is_same_place(replace(FOUND, first_mm=-2.5, last_mm=-12.5), MARK)


def test_without_positions_only_the_key_image_counts() -> None:
    blind = replace(FOUND, first_mm=None, last_mm=None)
    assert not is_same_place(blind, MARK)
    assert not is_same_place(FOUND, replace(MARK, position_mm=None))
    assert is_same_place(blind, replace(MARK, image=KEY, position_mm=None))


def test_positions_of_another_series_or_frame_mean_nothing() -> None:
    assert not is_same_place(FOUND, replace(MARK, series_instance_uid="1.3"))
    frame = replace(MARK, image=ImageReference(KEY.sop_instance_uid, 2), position_mm=None)
    assert not is_same_place(FOUND, frame)


def test_findings_and_lesions_are_each_counted_once() -> None:
    again = replace(MARK, image=KEY)  # the same lesion, measured on another slice
    away = replace(MARK, key="away", box=BoxPx(100, 100, 120, 108))
    twin = replace(FOUND, key="twin")
    lonely = replace(FOUND, key="lonely", box=BoxPx(0, 0, 9, 5))
    assert compare([FOUND, twin, lonely], [MARK, again, away]) == Comparison(
        studies=1, agreed=2, alone=1, marked=2, missed=1
    )


def test_where_nothing_is_marked_nothing_is_said() -> None:
    assert compare([FOUND], []) == Comparison()
    assert compare([], [MARK]) == Comparison(studies=1, marked=1, missed=1)


def test_studies_add_up() -> None:
    one = Comparison(1, 2, 3, 4, 5)
    assert total([one, one, Comparison()]) == Comparison(2, 4, 6, 8, 10)
    assert total([]) == Comparison()
