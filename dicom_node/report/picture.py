"""A page for people: pictures of slices with what was found drawn on them, and lines of text. Pure.

Nothing on it tells who the patient is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from math import ceil, sqrt
from unicodedata import combining, normalize

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from db.geometry import BoxPx, PixelSpacing, PointPx

Grey = npt.NDArray[np.uint8]

SIDE_PX = 512
"""The longer side of a picture; a CT of 512 columns keeps its pixels."""

LEAST_PX = (768, 512)
"""Width and height of a page."""

TEXT_PX, TITLE_PX, MARGIN_PX = 18, 26, 12
LINE_PX = TEXT_PX + 6

BLACK, WHITE, DIM = (0, 0, 0), (235, 235, 235), (120, 120, 120)
BOX_COLOUR, LONG_COLOUR, SHORT_COLOUR = (255, 220, 60), (255, 140, 60), (90, 200, 255)

SOFT_TISSUE_HU, LUNG_HU = (-175.0, 275.0), (-1350.0, 150.0)
LUNG_BELOW_HU = -400.0
"""Where most of what surrounds the lesions is darker than this, the slice is shown as lung."""

SURROUNDINGS_PX = 10


@dataclass(frozen=True, slots=True)
class Mark:
    """What is drawn of one lesion, in pixels of the slice."""

    name: str
    ring: tuple[PointPx, ...]
    long_axis: tuple[PointPx, PointPx]
    short_axis: tuple[PointPx, PointPx]


@dataclass(frozen=True, slots=True, eq=False)
class Tile:
    """One slice. grey: (H, W); None where its pixels cannot be shown, which `because` explains."""

    title: str
    rows: int
    columns: int
    spacing: PixelSpacing
    marks: tuple[Mark, ...]
    grey: Grey | None
    because: str = ""


def page(title: str, above: Sequence[str], tiles: Sequence[Tile], below: Sequence[str]) -> npt.NDArray[np.uint8]:
    """(H, W, 3) RGB: the title, lines of text, the tiles in rows, lines of text."""
    pictures = [tile_picture(tile) for tile in tiles]
    across = max(ceil(sqrt(len(tiles))), 1)
    cell = max((one.width for one in pictures), default=0) + MARGIN_PX
    step = LINE_PX + max((one.height for one in pictures), default=0) + MARGIN_PX
    width = max(MARGIN_PX + across * cell, LEAST_PX[0])
    room = width - 2 * MARGIN_PX
    head, foot = ([part for line in lines for part in wrapped(plain(line), room)] for lines in (above, below))
    top = 2 * MARGIN_PX + TITLE_PX + LINE_PX * len(head) + MARGIN_PX
    bottom = top + step * ceil(len(tiles) / across)
    whole = Image.new("RGB", (width, max(bottom + LINE_PX * len(foot) + MARGIN_PX, LEAST_PX[1])), BLACK)
    draw = ImageDraw.Draw(whole)
    draw.text((MARGIN_PX, MARGIN_PX), title, fill=BOX_COLOUR, font=_font(TITLE_PX))
    for upper, lines in ((2 * MARGIN_PX + TITLE_PX, head), (bottom, foot)):
        for number, line in enumerate(lines):
            draw.text((MARGIN_PX, upper + LINE_PX * number), line, fill=WHITE, font=_font(TEXT_PX))
    for number, (tile, picture) in enumerate(zip(tiles, pictures, strict=True)):
        left, upper = MARGIN_PX + (number % across) * cell, top + (number // across) * step
        draw.text((left, upper), tile.title, fill=WHITE, font=_font(TEXT_PX))
        whole.paste(picture, (left, upper + LINE_PX))
    return np.asarray(whole)


def tile_picture(tile: Tile) -> Image.Image:
    """A slice as it is in the patient, with square pixels, and its marks."""
    across, down = scale_of(tile)
    size = (round(tile.columns * across), round(tile.rows * down))
    if tile.grey is None:
        picture = Image.new("RGB", size, BLACK)
        ImageDraw.Draw(picture).text((MARGIN_PX, MARGIN_PX), tile.because, fill=DIM, font=_font(TEXT_PX))
    else:
        picture = Image.fromarray(tile.grey).resize(size, Image.Resampling.BILINEAR).convert("RGB")
    draw = ImageDraw.Draw(picture)
    for mark in tile.marks:
        for points, colour in (
            (mark.ring, BOX_COLOUR),
            (mark.long_axis, LONG_COLOUR),
            (mark.short_axis, SHORT_COLOUR),
        ):
            drawn = [on_picture(point, across, down) for point in points]
            # Pillow puts a line of two pixels left of and above its points.
            draw.line([(x + 1, y + 1) for x, y in drawn], fill=colour, width=2)
        draw.text(
            _beside(on_picture(mark.ring[1], across, down), size), mark.name,
            fill=BOX_COLOUR, font=_font(TEXT_PX), stroke_width=2, stroke_fill=BLACK,
        )  # fmt: skip
    return picture


def scale_of(tile: Tile) -> tuple[float, float]:
    """Pixels of the picture for a pixel of the slice, across and down."""
    width_mm, height_mm = tile.columns * tile.spacing.col_mm, tile.rows * tile.spacing.row_mm
    a_mm = SIDE_PX / max(width_mm, height_mm)
    return tile.spacing.col_mm * a_mm, tile.spacing.row_mm * a_mm


def on_picture(point: PointPx, across: float, down: float) -> tuple[float, float]:
    """A point of the slice as Pillow draws it, which counts from pixel centres, too."""
    x, y = point.to_scoord()
    drawn = PointPx.from_scoord(x * across, y * down)
    return drawn.col, drawn.row


def windowed(hu: npt.NDArray[np.float32], boxes: Sequence[BoxPx]) -> Grey:
    """A slice (H, W) in the window that suits what lies in and around the boxes."""
    parts = [hu[_around(box)].ravel() for box in boxes]
    values = np.concatenate(parts) if parts else hu.ravel()
    low, high = LUNG_HU if values.size and float(np.median(values)) < LUNG_BELOW_HU else SOFT_TISSUE_HU
    grey: Grey = np.rint((hu - low) * (255.0 / (high - low))).clip(0, 255).astype(np.uint8)
    return grey


def plain(line: str) -> str:
    """The line in the letters that the font has, which are those of ASCII: without accents, and "?" for all others,
    where it would draw an empty box.
    """
    letters = normalize("NFKD", line.replace("ß", "ss"))
    return "".join(letter if letter.isascii() else "?" for letter in letters if not combining(letter))


def wrapped(line: str, width_px: int) -> list[str]:
    """The line in pieces that fit, broken between words."""
    pieces = [""]
    for word in line.split(" "):
        longer = f"{pieces[-1]} {word}".lstrip()
        if pieces[-1] and _font(TEXT_PX).getlength(longer) > width_px:
            pieces.append(f"    {word}")
        else:
            pieces[-1] = longer if pieces[-1].strip() else pieces[-1] + word
    return pieces


def _around(box: BoxPx) -> tuple[slice, slice]:
    first_row, first_col = (max(int(edge) - SURROUNDINGS_PX, 0) for edge in (box.y1, box.x1))
    return slice(first_row, int(box.y2) + SURROUNDINGS_PX + 1), slice(first_col, int(box.x2) + SURROUNDINGS_PX + 1)


def _beside(corner: tuple[float, float], size: tuple[int, int]) -> tuple[float, float]:
    """Where the number of a lesion stands: right of its box's upper right corner, but on the picture."""
    return min(corner[0] + 5, size[0] - 2 * TEXT_PX), min(max(corner[1] - TEXT_PX / 2, 2.0), size[1] - 1.5 * TEXT_PX)


@cache
def _font(size_px: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size_px)
