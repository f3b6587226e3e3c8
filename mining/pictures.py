"""Typical members of the categories as a picture: a row of patches for each category, the reader's axes on them. Shell.

`montage` is pure; `category_montage` reads the rows and images for it. No patient's data is on the picture.
"""

from __future__ import annotations

import io
import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from sqlalchemy.orm import Session

from db import categories
from db.categories import TruthLesion
from db.errors import ContentError
from db.files import FileStore
from db.geometry import Axis, PixelSpacing, PointPx
from mining.patches import PATCH_PX, STEP_MM, LesionPatch, lesion_centre, lesion_patch
from mining.pixels import window
from mining.volume import load_image

log = logging.getLogger(__name__)

SOFT_TISSUE_HU = (-175.0, 275.0)
LUNG_HU = (-1350.0, 150.0)
LUNG_BELOW_HU = -400.0
"""A lesion whose ring is darker than this, by its median, is shown as lung."""

GAP_PX = 4
TITLE_PX = 20
_BACKGROUND, _TEXT = (24, 24, 24), (230, 230, 230)
_LONG_AXIS, _SHORT_AXIS = (255, 220, 60), (90, 200, 255)


@dataclass(frozen=True, slots=True, eq=False)
class Tile:
    """A patch with its axes in the patch's own pixels."""

    patch: LesionPatch
    long_axis: Axis
    short_axis: Axis | None


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    title: str
    tiles: Sequence[Tile]


def category_montage(
    session: Session, files: FileStore, per_category: int = 8, label_generation: int | None = None
) -> bytes:
    """A PNG of the categories of a generation (the current one by default): largest first, typical members first.

    Images that cannot be read any more are left out.
    """
    rows = []
    for category in categories.list_categories(session, label_generation):
        nearest = categories.samples(session, category.category_id, per_category, label_generation)
        found = {lesion.lesion_id: lesion for lesion in categories.truth_lesions(session, nearest)}
        tiles = [_tile_of(found[lesion_id], files) for lesion_id in nearest if lesion_id in found]
        stability = "" if category.stability is None else f", stability {category.stability:.2f}"
        title = f"{category.name}: {category.members} lesions{stability}"
        rows.append(Row(title, [tile for tile in tiles if tile is not None]))
    return png(montage(rows))


def montage(rows: Sequence[Row]) -> Image.Image:
    """The rows below each other, each under its title; an empty picture of one gap for no rows."""
    columns = max((len(row.tiles) for row in rows), default=0)
    width = GAP_PX + max(columns * (PATCH_PX + GAP_PX), 3 * PATCH_PX)
    height = GAP_PX + len(rows) * (TITLE_PX + PATCH_PX + GAP_PX)
    picture = Image.new("RGB", (width, height), _BACKGROUND)
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(13)
    for number, row in enumerate(rows):
        top = GAP_PX + number * (TITLE_PX + PATCH_PX + GAP_PX)
        draw.text((GAP_PX, top), row.title, fill=_TEXT, font=font)
        for column, tile in enumerate(row.tiles):
            picture.paste(tile_picture(tile), (GAP_PX + column * (PATCH_PX + GAP_PX), top + TITLE_PX))
    return picture


def make_tile(patch: LesionPatch, spacing: PixelSpacing, long_axis: Axis, short_axis: Axis | None) -> Tile:
    """A patch with the axes of its lesion, given on the image, moved to the patch."""
    centre = lesion_centre(long_axis, short_axis)

    def moved(axis: Axis) -> Axis:
        a, b = (_on_patch(point, centre, spacing) for point in axis.points)
        return Axis(a, b)

    return Tile(patch, moved(long_axis), None if short_axis is None else moved(short_axis))


def tile_picture(tile: Tile) -> Image.Image:
    """128 × 128 px, RGB, in the window that suits the lesion's surroundings."""
    around = tile.patch.hu[tile.patch.ring]
    is_lung = around.size > 0 and float(np.median(around)) < LUNG_BELOW_HU
    low, high = LUNG_HU if is_lung else SOFT_TISSUE_HU
    picture = Image.fromarray(window(tile.patch.hu, low, high)).convert("RGB")
    draw = ImageDraw.Draw(picture)
    for axis, colour in ((tile.long_axis, _LONG_AXIS), (tile.short_axis, _SHORT_AXIS)):
        if axis is not None:
            draw.line([(point.col, point.row) for point in axis.points], fill=colour, width=1)
    return picture


def png(picture: Image.Image) -> bytes:
    content = io.BytesIO()
    picture.save(content, "PNG", optimize=True)
    return content.getvalue()


def _tile_of(lesion: TruthLesion, files: FileStore) -> Tile | None:
    try:
        hu = load_image(files.path(lesion.file_name), lesion.image.frame_number)
    except (ContentError, FileNotFoundError) as error:
        log.warning("lesion=%s is not shown: %s", lesion.lesion_id, error)
        return None
    patch = lesion_patch(hu, lesion.spacing, lesion.long_axis, lesion.short_axis)
    return make_tile(patch, lesion.spacing, lesion.long_axis, lesion.short_axis)


def _on_patch(point: PointPx, centre: PointPx, spacing: PixelSpacing) -> PointPx:
    middle = (PATCH_PX - 1) / 2
    return PointPx(
        middle + (point.col - centre.col) * spacing.col_mm / STEP_MM,
        middle + (point.row - centre.row) * spacing.row_mm / STEP_MM,
    )
