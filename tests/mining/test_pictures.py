"""The montage: layout in pixels, axes where the lesion is, the window of its surroundings."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from db.geometry import Axis, PixelSpacing, PointPx
from mining.patches import PATCH_PX, STEP_MM, LesionPatch, lesion_patch
from mining.pictures import GAP_PX, TITLE_PX, Row, Tile, make_tile, montage, png, tile_picture
from mining.pixels import window

SPACING = PixelSpacing(row_mm=1.2, col_mm=0.8)
LONG = Axis(PointPx(60, 50), PointPx(90, 50))
SHORT = Axis(PointPx(75, 44), PointPx(75, 56))


def tile(ring_hu: int = 40, short: Axis | None = SHORT) -> Tile:
    patch = lesion_patch(np.full((120, 160), ring_hu, np.int16), SPACING, LONG, short)
    return make_tile(patch, SPACING, LONG, short)


def test_the_axes_of_a_tile_are_as_long_in_mm_as_on_the_image() -> None:
    made = tile()
    assert made.short_axis is not None
    for drawn, stated in ((made.long_axis, LONG), (made.short_axis, SHORT)):
        a, b = drawn.points
        assert np.hypot(b.col - a.col, b.row - a.row) * STEP_MM == pytest.approx(stated.length_mm(SPACING))
    a, b = made.long_axis.points
    assert ((a.col + b.col) / 2, (a.row + b.row) / 2) == pytest.approx(((PATCH_PX - 1) / 2, (PATCH_PX - 1) / 2))


def test_a_missing_short_axis_is_not_drawn() -> None:
    made = tile(short=None)
    assert made.short_axis is None
    colours = {colour for _, colour in tile_picture(made).getcolors(PATCH_PX**2) or []}
    assert (255, 220, 60) in colours
    assert (90, 200, 255) not in colours


@pytest.mark.parametrize(("ring_hu", "low", "high"), [(40, -175, 275), (-800, -1350, 150)])
def test_a_tile_is_shown_in_the_window_of_its_surroundings(ring_hu: int, low: float, high: float) -> None:
    picture = tile_picture(tile(ring_hu))
    inside_the_image = picture.getpixel((PATCH_PX // 2, PATCH_PX // 2 + 30))
    assert inside_the_image == (int(window(np.array([[ring_hu]], np.int16), low, high)[0, 0]),) * 3


def test_a_lesion_whose_ring_is_empty_is_shown_as_soft_tissue() -> None:
    made = tile()
    nothing = np.zeros_like(made.patch.ring)
    patch = LesionPatch(made.patch.hu, made.patch.inside, nothing, 24.0, 14.4)
    assert tile_picture(Tile(patch, made.long_axis, made.short_axis)).size == (PATCH_PX, PATCH_PX)


def test_rows_lie_below_each_other_under_their_titles() -> None:
    picture = montage([Row("Liver: 2 lesions", [tile(), tile()]), Row("Lung: 1 lesion", [tile(-800)])])
    assert picture.size == (GAP_PX + 3 * PATCH_PX, GAP_PX + 2 * (TITLE_PX + PATCH_PX + GAP_PX))
    background = picture.getpixel((picture.width - 2, picture.height - 2))
    second_row = GAP_PX + TITLE_PX + PATCH_PX + GAP_PX + TITLE_PX
    assert picture.getpixel((GAP_PX, GAP_PX + TITLE_PX)) != background
    assert picture.getpixel((GAP_PX + PATCH_PX + GAP_PX + 5, second_row + 5)) == background
    titles = np.asarray(picture)[GAP_PX : GAP_PX + TITLE_PX].max()
    assert titles > 200


def test_no_rows_are_an_empty_picture() -> None:
    assert montage([]).size == (GAP_PX + 3 * PATCH_PX, GAP_PX)


def test_a_picture_survives_as_png() -> None:
    picture = montage([Row("Bone", [tile()])])
    read = Image.open(BytesIO(png(picture)))
    assert np.array_equal(np.asarray(read.convert("RGB")), np.asarray(picture))
