from math import log

import numpy as np
import pytest

from mining.hu_features import BINS, EDGES_HU, hu_blocks, median_hu, size_block
from mining.patches import LesionPatch


def patch(inside_hu: int, ring_hu: int, long_mm: float = 20.0, short_mm: float | None = 10.0) -> LesionPatch:
    inside, ring = np.zeros((128, 128), bool), np.zeros((128, 128), bool)
    inside[50:60, 60:80] = True
    ring[30:40, 60:80] = True
    hu = np.full((128, 128), -1000, np.int16)
    hu[inside], hu[ring] = inside_hu, ring_hu
    return LesionPatch(hu, inside, ring, long_mm, short_mm)


def test_a_histogram_is_the_share_of_each_bin_smoothed_over_its_neighbours() -> None:
    inside, ring = hu_blocks([patch(inside_hu=40, ring_hu=-80)])
    bin_inside, bin_ring = np.searchsorted(EDGES_HU, 40), np.searchsorted(EDGES_HU, -80)
    assert inside[0, bin_inside - 1 : bin_inside + 2].tolist() == [0.25, 0.5, 0.25]
    assert ring[0, bin_ring - 1 : bin_ring + 2].tolist() == [0.25, 0.5, 0.25]
    assert inside.sum() == pytest.approx(1.0)


def test_a_ring_outside_the_picture_is_all_zero_and_finite() -> None:
    lesion = patch(40, -80)
    _, ring = hu_blocks([LesionPatch(lesion.hu, lesion.inside, np.zeros_like(lesion.ring), 20.0, 10.0)])
    assert ring.tolist() == [[0.0] * BINS]


def test_sizes_are_logarithms_and_a_missing_short_axis_is_three_quarters() -> None:
    sizes = size_block([patch(40, -80), patch(40, -80, short_mm=None)])
    assert sizes[0].tolist() == pytest.approx([log(20), log(10), 0.5])
    assert sizes[1].tolist() == pytest.approx([log(20), log(15), 0.75])


def test_no_lesions_keep_the_widths() -> None:
    assert [block.shape for block in hu_blocks([])] == [(0, BINS), (0, BINS)]
    assert size_block([]).shape == (0, 3)


def test_the_median_of_a_histogram_lies_in_the_bin_of_the_lesion() -> None:
    for hu, low, high in ((40, 30, 50), (-650, -700, -500), (20, 10, 30)):
        inside, _ = hu_blocks([patch(inside_hu=hu, ring_hu=0)])
        assert low <= median_hu(inside)[0] <= high


def test_the_median_is_read_off_in_proportion() -> None:
    histogram = np.zeros((2, BINS), np.float32)
    lower = int(np.searchsorted(EDGES_HU, 40))  # 30 to 50
    histogram[0, lower], histogram[0, lower + 1] = 0.25, 0.75  # half of all is a third into 50 to 70
    assert median_hu(histogram) == pytest.approx([50 + 20 / 3, 0.0])
    assert median_hu(histogram[:0]).shape == (0,)
