"""Two series of one body are laid over each other, however they were scanned; where that is unsure, they are not."""

import json
from datetime import date
from functools import cache
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from db.geometry import PixelSpacing, Plane, PointMm, Vector
from db.measurement import ImageReference
from db.priors import PriorStudy
from detector.align import AlignSettings, shift_between
from detector.follow import Alignment, FollowSettings, align
from detector.overview import LEVELS, Overview, as_json, from_json, overview_of
from dicom_node.phantom.follow_up import FollowUp, make_follow_up
from dicom_node.phantom.settings import PhantomSettings
from dicom_node.phantom.study import PhantomStudy, make_study
from mining.volume import Volume, load_volume

AXIAL: tuple[Vector, Vector] = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0))
SPACING = PixelSpacing(4.1, 3.3)
NOWHERE = np.zeros(3)
BLOBS = [(-60.0, 20.0, 30.0, 38.0, -700.0), (50.0, -15.0, 80.0, 45.0, -500.0), (10.0, 40.0, 130.0, 30.0, 250.0),
         (-30.0, -30.0, 185.0, 35.0, -100.0), (70.0, 10.0, 210.0, 25.0, 300.0)]  # fmt: skip
"""x, y, z and radius in mm, HU above the rest."""


def body_hu(places: np.ndarray) -> np.ndarray:
    """A trunk that widens and has organs. places: (..., 3) x, y, z mm."""
    x, y, z = np.moveaxis(places, -1, 0)
    inside = (x / (130 + z / 12)) ** 2 + (y / (80 + 6 * np.sin(z / 45))) ** 2 < 1
    hu = np.where(inside, 40.0, -1000.0)
    for bx, by, bz, radius, contrast in BLOBS:
        hu += np.where((x - bx) ** 2 + (y - by) ** 2 + (z - bz) ** 2 < radius**2, contrast, 0.0)
    return hu


def scanned(
    first: tuple[float, float, float],
    slices: int,
    moved: np.ndarray = NOWHERE,
    axes: tuple[Vector, Vector] = AXIAL,
    spacing: PixelSpacing = SPACING,
    interval_mm: float = 5.0,
    shape: tuple[int, int] = (56, 90),
    hu: object = body_hu,
) -> Volume:
    """The body lying at `moved`, scanned from the first pixel on along the normal."""
    start = Plane(PointMm(*first), axes[0], axes[1], spacing)
    origins = [np.array(first) + s * interval_mm * np.array(start.normal) for s in range(slices)]
    planes = tuple(Plane(PointMm(*(float(v) for v in origin)), axes[0], axes[1], spacing) for origin in origins)
    rows, cols = np.mgrid[: shape[0], : shape[1]]
    in_plane = rows[..., None] * spacing.row_mm * np.array(axes[1]) + cols[..., None] * spacing.col_mm * np.array(
        axes[0]
    )
    voxels = np.stack([hu(in_plane + origin - moved) for origin in origins])  # type: ignore[operator]
    images = tuple(ImageReference(f"1.2.{s}", 1) for s in range(slices))
    return Volume(np.clip(voxels, -1024, 3071).astype(np.int16), planes, images, interval_mm, "1.2")


def shift(prior: Volume, current: Volume) -> Vector | None:
    return shift_between(overview_of(prior), overview_of(current), AlignSettings())


ON_ANOTHER_TABLE = np.array([13.0, -22.0, 340.0])
BEFORE = scanned((-148.0, -112.0, 5.0), 44)


def test_the_shift_of_a_body_on_another_table_is_found() -> None:
    after = scanned((-131.0, -150.0, 345.0), 62, ON_ANOTHER_TABLE, spacing=PixelSpacing(3.7, 4.2), interval_mm=3.5,
                    shape=(70, 71))  # fmt: skip
    found = shift(BEFORE, after)
    assert found is not None and np.linalg.norm(found - ON_ANOTHER_TABLE) < 3


def test_rows_that_run_the_other_way_change_nothing() -> None:
    """The normal points to the feet, then, and the stack begins at the head."""
    turned: tuple[Vector, Vector] = ((1.0, 0.0, 0.0), (0.0, -1.0, 0.0))
    after = scanned((-135.0, 93.0, 555.0), 44, ON_ANOTHER_TABLE, axes=turned)
    found = shift(BEFORE, after)
    assert found is not None and np.linalg.norm(found - ON_ANOTHER_TABLE) < 3


def test_an_oblique_stack_is_laid_over_an_axial_one() -> None:
    a, b = float(np.cos(0.2)), float(np.sin(0.2))
    tipped: tuple[Vector, Vector] = ((a, 0.0, b), (0.0, 1.0, 0.0))
    after = scanned((-140.0, -134.0, 322.0), 46, ON_ANOTHER_TABLE, axes=tipped, shape=(56, 92))
    found = shift(BEFORE, after)
    assert found is not None and np.linalg.norm(found - ON_ANOTHER_TABLE) < 4


def test_in_one_frame_nothing_moved_unless_the_images_say_that_the_patient_got_up() -> None:
    kept, settings = as_json(overview_of(BEFORE)), FollowSettings()
    study = PriorStudy(date(2025, 3, 1), "1.2.9", kept, ())
    beside = overview_of(scanned((-148.0, -112.0, 5.0), 44, np.array([4.0, 0.0, -5.0])))
    elsewhere = overview_of(scanned((-131.0, -150.0, 345.0), 44, ON_ANOTHER_TABLE))
    assert align(study, "1.2.9", beside, settings) == Alignment((0.0, 0.0, 0.0), settings.same_frame_mm)
    moved = align(study, "1.2.9", elsewhere, settings)
    assert moved is not None and moved.room_mm == settings.aligned_mm
    assert np.linalg.norm(moved.shift - ON_ANOTHER_TABLE) < 3


def test_of_a_shorter_stack_the_place_along_the_body_is_found() -> None:
    after = scanned((-148.0, -112.0, 65.0), 24)
    found = shift(BEFORE, after)
    assert found is not None and np.linalg.norm(found) < 3


def test_two_parts_of_a_body_that_do_not_meet_are_not_laid_over_each_other() -> None:
    lower, upper = scanned((-148.0, -112.0, 0.0), 20), scanned((-148.0, -112.0, 120.0), 20)
    assert shift(lower, upper) is None and shift(upper, lower) is None


def test_a_trunk_that_looks_alike_all_along_has_no_place() -> None:
    def tube(places: np.ndarray) -> np.ndarray:
        return np.where((places[..., 0] / 130) ** 2 + (places[..., 1] / 80) ** 2 < 1, 40.0, -1000.0)

    assert shift(scanned((-148.0, -112.0, 0.0), 30, hu=tube), scanned((-148.0, -112.0, 0.0), 30, hu=tube)) is None


def test_a_series_of_air_is_laid_over_nothing() -> None:
    empty = scanned((-148.0, -112.0, 0.0), 20, hu=lambda places: np.full(places.shape[:-1], -1000.0))
    assert shift(BEFORE, empty) is None and shift(empty, BEFORE) is None


def test_an_overview_holds_the_body_and_what_is_kept_of_it_is_small() -> None:
    overview = overview_of(BEFORE)
    kept = json.loads(json.dumps(as_json(overview)))
    again = from_json(kept)
    assert again is not None and (again.levels == overview.levels).all()
    assert np.allclose(again.first_mm, overview.first_mm, atol=1e-3)
    assert overview.levels.max() <= LEVELS and len(json.dumps(kept)) < overview.levels.size / 2
    z, y, x = overview.first_mm
    at = np.array([10.0, 40.0, 130.0])  # the middle of a dense blob
    s, r, c = np.rint((at[::-1] - (z, y, x)) / 10).astype(int)
    assert overview.levels[s, r, c] > overview.levels[s, r, c - 8] > 1


def test_where_nothing_was_kept_there_is_no_overview() -> None:
    assert from_json({}) is None


# --- phantoms -----------------------------------------------------------------------------------------------------

SETTINGS = PhantomSettings(rows=96, slices=(26, 32), lesions=(2, 3), unread_share=0.0)


@cache
def first(index: int) -> PhantomStudy:
    return make_study(11, index, SETTINGS)


def overview(study: PhantomStudy, folder: Path) -> Overview:
    folder.mkdir()
    for n, image in enumerate(study.images):
        image.save_as(folder / str(n), enforce_file_format=True)
    return overview_of(load_volume(sorted(folder.iterdir())))


CHANGES = (
    FollowUp(moved_mm=25.0, interval=0.7, pixels=(1.1, 0.9), turned=True),
    FollowUp(number=2, moved_mm=-25.0, longer=1.4, fatter_mm=3.0),
)


@pytest.mark.slow
def test_phantoms_are_laid_over_their_follow_ups_to_within_a_centimetre_or_left_alone(tmp_path: Path) -> None:
    errors_mm = []
    for index, change in product(range(2), CHANGES):
        study = make_follow_up(11, index, change, SETTINGS)
        folder = tmp_path / f"{index}-{change.number}"
        folder.mkdir()
        found = shift_between(overview(first(index), folder / "a"), overview(study, folder / "b"), AlignSettings())
        before = {lesion.number: lesion.centre_mm for lesion in first(index).lesions}
        a, b = next((before[lesion.number], lesion.centre_mm) for lesion in study.lesions if lesion.number in before)
        if found is not None:
            errors_mm.append(np.linalg.norm(np.array([b.x - a.x, b.y - a.y, b.z - a.z]) - found))
    assert len(errors_mm) >= 3 and max(errors_mm) < 10
