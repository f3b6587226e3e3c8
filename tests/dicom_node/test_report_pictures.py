"""Each encoding as a viewer shows it on a phantom: the marks stand on the lesion. With WRITE_DOCS=1 into docs/."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

import drawn_as_viewers_do as viewer
import numpy as np
import pytest
from ohif_studies import Reported, in_slice_order, reported, with_lesions
from PIL import Image

from db.detection import Detection
from db.geometry import BoxPx

pytestmark = pytest.mark.slow

DOCS = Path(__file__).parents[2] / "docs"
MOST_BYTES = 100_000


@cache
def made() -> Reported:
    return reported(with_lesions(), "gsps", "sc", "ko", "rtstruct", "seg", "seg-labelmap")


def images() -> viewer.Images:
    return {str(ds.SOPInstanceUID): ds for ds in in_slice_order(made().study)}


def largest() -> Detection:
    return max(made().found, key=lambda each: each.long_axis_mm)


def shown(name: str) -> Image.Image:
    """The slice of the largest lesion, as this encoding shows it."""
    ds, uid = made().results[name], largest().image.sop_instance_uid
    if name == "gsps":
        return viewer.presentation_state(ds, images(), uid)
    return (viewer.structure_set if name == "rtstruct" else viewer.segmentation)(ds, images(), uid)


def keep(name: str, picture: Image.Image) -> None:
    if os.environ.get("WRITE_DOCS") == "1":
        path = DOCS / f"profile-{name}.png"
        picture.quantize(128, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE).save(path, optimize=True)
        assert path.stat().st_size < MOST_BYTES


def changed_in(picture: Image.Image, box: BoxPx) -> np.ndarray:
    """Where the picture is another one than without the encoding, around a box: (H, W) of the enlarged slice."""
    difference = np.asarray(picture) != np.asarray(viewer.bare(images()[largest().image.sop_instance_uid]))
    rows = slice(int((box.y1 - 1) * viewer.SCALE), int((box.y2 + 2) * viewer.SCALE))
    columns = slice(int((box.x1 - 1) * viewer.SCALE), int((box.x2 + 2) * viewer.SCALE))
    return np.asarray(difference.any(axis=-1)[rows, columns])


@pytest.mark.parametrize("name", ["gsps", "rtstruct", "seg", "seg-labelmap"])
def test_the_drawing_fills_the_box_of_its_lesion(name: str) -> None:
    picture = shown(name)
    keep(name, picture)
    found = largest()
    inside = found.box if name == "gsps" else BoxPx(*(edge + off for edge, off in zip(
        (found.box.x1, found.box.y1, found.box.x2, found.box.y2), (5, 5, -5, -5), strict=True)))  # fmt: skip
    changed = changed_in(picture, inside)
    rows, columns = np.flatnonzero(changed.any(axis=1)), np.flatnonzero(changed.any(axis=0))
    for ends, length in ((rows, changed.shape[0]), (columns, changed.shape[1])):
        assert ends[0] <= 4 * viewer.SCALE and ends[-1] >= length - 1 - 4 * viewer.SCALE


def test_a_label_map_looks_like_the_segmentation() -> None:
    np.testing.assert_array_equal(np.asarray(shown("seg")), np.asarray(shown("seg-labelmap")))


def test_key_objects_are_the_slices_of_all_lesions() -> None:
    keep("ko", viewer.key_objects(made().results["ko"], images()))
    items = [item for item in made().results["ko"].ContentSequence if item.ValueType == "IMAGE"]
    assert len(items) == len({found.image for found in made().found})


def test_the_picture_shows_its_slices_with_their_pixels() -> None:
    pixels = made().results["sc"].pixel_array
    page = Image.fromarray(pixels)
    keep("sc", page.resize((560, round(560 * page.height / page.width)), Image.Resampling.LANCZOS))
    grey = (pixels == pixels[..., :1]).all(axis=-1)
    assert len(np.unique(pixels[grey])) == 256
    assert not grey.all()
