"""Contours of masks: where a reader of the mask sees its edge, one for each piece, and no holes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image, ImageDraw

from db.geometry import PixelSpacing
from dicom_node.report.outlines import outer_contours
from mining.masks import longest_piece
from mining.rings import longest_of_rings

SPACING = PixelSpacing(0.9, 0.6)
MASKS = arrays.arrays(np.bool_, st.tuples(st.integers(1, 9), st.integers(1, 12)), elements=st.booleans())


def mask(*rows: str) -> np.ndarray:
    return np.array([[letter == "#" for letter in row] for row in rows])


def test_a_single_pixel_is_a_diamond_through_the_middles_of_its_sides() -> None:
    (ring,) = outer_contours(mask("...", "..#"))
    assert {tuple(point) for point in ring.tolist()} == {(2.5, 1.0), (2.0, 1.5), (1.5, 1.0), (2.0, 0.5)}


def test_points_on_a_straight_line_are_left_out() -> None:
    (ring,) = outer_contours(mask("######", "######"))
    assert len(ring) == 8


def test_pixels_that_share_a_corner_are_one_piece_either_way() -> None:
    assert len(outer_contours(mask("#.", ".#"))) == len(outer_contours(mask(".#", "#."))) == 1


def test_pieces_have_a_ring_each_and_an_empty_mask_has_none() -> None:
    assert len(outer_contours(mask("##..#", "##..#"))) == 2
    assert outer_contours(mask("...")) == []


def test_holes_are_filled_and_islands_in_them_belong_to_what_is_around() -> None:
    (ring,) = outer_contours(mask("#####", "#...#", "#.#.#", "#...#", "#####"))
    assert (ring.min(axis=0).tolist(), ring.max(axis=0).tolist()) == ([-0.5, -0.5], [4.5, 4.5])


@given(MASKS)
def test_what_the_rings_enclose_is_the_mask_with_its_holes_filled(pixels: np.ndarray) -> None:
    rows, columns = pixels.shape
    scale = 4
    picture = Image.new("1", (columns * scale, rows * scale))
    for ring in outer_contours(pixels):
        ImageDraw.Draw(picture).polygon([((x + 0.5) * scale, (y + 0.5) * scale) for x, y in ring.tolist()], fill=1)
    inside = np.asarray(picture)[scale // 2 :: scale, scale // 2 :: scale]
    assert (inside | ~pixels).all(), "every pixel of the mask"
    around = np.pad(~pixels, 1, constant_values=True)
    reached = np.zeros_like(around)
    reached[0, 0] = True
    while True:  # outside: what is reached from the border over sides
        grown = reached.copy()
        for axis in (0, 1):
            for step in (1, -1):
                grown |= np.roll(reached, step, axis)
        grown &= around
        if (grown == reached).all():
            break
        reached = grown
    assert not (inside & reached[1:-1, 1:-1]).any(), "none outside"


@pytest.mark.parametrize("seed", range(8))
def test_a_reader_of_contours_measures_what_a_reader_of_masks_does(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:40, :52]
    turn = rng.uniform(0, np.pi)
    x, y = (columns - 24) * SPACING.col_mm, (rows - 18) * SPACING.row_mm
    u, v = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)
    pixels = (u / rng.uniform(6, 12)) ** 2 + (v / rng.uniform(3, 6)) ** 2 <= 1
    piece, outlined = longest_piece(pixels, SPACING), longest_of_rings(outer_contours(pixels), SPACING)
    assert piece is not None and not isinstance(outlined, str) and piece.short_axis is not None
    shape = outlined.shape  # type: ignore[union-attr]
    assert shape.long_axis.length_mm(SPACING) == pytest.approx(piece.long_axis.length_mm(SPACING), abs=0.02)
    assert shape.short_axis.length_mm(SPACING) == pytest.approx(piece.short_axis.length_mm(SPACING), abs=0.4)
