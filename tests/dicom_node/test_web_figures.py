"""Which part of an image is shown."""

import numpy as np
import pytest

from db.geometry import BoxPx, PixelSpacing
from dicom_node.web.figures import WINDOWS_HU, Crop, crop_around, window_hu

SPACING = PixelSpacing(row_mm=2.0, col_mm=0.5)


def test_a_small_box_is_shown_with_sixty_millimetres_around_it() -> None:
    assert crop_around(BoxPx(195, 95, 204, 104), 200, 400, SPACING) == Crop(x=140, y=85, width=120, height=30)


def test_at_the_edge_the_crop_is_moved_and_not_cut() -> None:
    assert crop_around(BoxPx(-5, -5, 4, 4), 200, 400, SPACING) == Crop(0, 0, 120, 30)
    assert crop_around(BoxPx(395, 195, 404, 204), 200, 400, SPACING) == Crop(280, 170, 120, 30)


def test_a_box_larger_than_its_image_shows_the_whole_image() -> None:
    assert crop_around(BoxPx(-500, -500, 900, 900), 200, 400, SPACING) == Crop(0, 0, 400, 200)


@pytest.mark.parametrize(("hu", "name"), [(-800, "lung"), (50, "soft tissue"), (600, "bone")])
def test_the_window_follows_the_surroundings(hu: int, name: str) -> None:
    assert window_hu(np.full((6, 9), hu, np.int16)) == WINDOWS_HU[name]


def test_a_crop_without_pixels_has_a_window() -> None:
    assert window_hu(np.zeros((0, 9), np.int16)) == WINDOWS_HU["soft tissue"]
