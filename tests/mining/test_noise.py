"""What is doubtful about a mark: each limit by itself, all of them together, and the pixels it lies on."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from db.geometry import Axis, BoxPx, PixelSpacing, PointPx
from db.measurement import ImageReference, Measurement, Source
from mining.noise import NoiseLimits, noisy_because, pixels_doubt

SPACING = PixelSpacing(row_mm=0.8, col_mm=0.5)
SIZE = (480, 560)


def axis(x1: float, y1: float, x2: float, y2: float) -> Axis:
    return Axis(PointPx(x1, y1), PointPx(x2, y2))


def measured(long_axis: Axis, short_axis: Axis | None = None, outline: BoxPx | None = None) -> Measurement:
    source = Source("1.2", "1", "SR")
    return Measurement(source, ImageReference("1.3"), long_axis, short_axis, outline is not None, outline=outline)


USUAL = measured(axis(10, 10, 40, 10), axis(25, 6, 25, 14))  # 15 mm and 6.4 mm


@pytest.mark.parametrize(
    ("one", "reason"),
    [
        (USUAL, None),
        (measured(USUAL.long_axis), None),
        (measured(axis(10, 10, 30, 10), axis(40, 6, 40, 14)), "the axes do not cross"),
        (measured(axis(10, 10, 30, 10), axis(31, 6, 31, 14)), None),  # by a pixel
        (measured(axis(10, 10, 30, 10), axis(17, 6, 23, 14)), "the axes are 25 degrees off perpendicular"),
        (measured(axis(10, 10, 16, 10), axis(12.2, 8, 13.8, 12)), None),  # a short line that slipped by a pixel
        (measured(axis(10, 10, 10.9, 10)), "the long axis is under 1 px"),
        (measured(axis(10, 10, 850, 10)), "the long axis is over 400 mm; it lies outside the image"),
        (measured(axis(10, 10, 30, 10), axis(20, 9.8, 20, 10.2)), "the short axis is under 0.5 px"),
        (measured(axis(10, 10, 90, 10), axis(50, 7.6, 50, 12.4)), "the long axis is over 8 times the short one"),
        (measured(axis(10, 10, 60, 10), axis(35, 7.9, 35, 12.1)), "the box is over 6 times as long as wide"),
        (measured(axis(1, 1, 1, 470), axis(0, 200, 550, 200)), "the box is over 100000 square mm"),
        (measured(axis(540, 10, 561, 10)), "it lies outside the image"),
        (measured(axis(540, 10, 560.4, 10)), None),  # beyond the edge by a pixel
        (measured(axis(10, 10, 40, 10), None, BoxPx(-9, 2, 40, 18)), "it lies outside the image"),
    ],
)
def test_doubt_has_a_reason(one: Measurement, reason: str | None) -> None:
    because = noisy_because(one, SPACING, SIZE)
    assert because is None if reason is None else because is not None and reason in because


def test_all_reasons_are_named() -> None:
    one = measured(axis(10, 10, 900, 10), axis(950, 300, 960, 300.2))
    assert noisy_because(one, SPACING, SIZE) == (
        "the long axis is over 400 mm; the long axis is over 8 times the short one; the axes do not cross; "
        "the axes are 88 degrees off perpendicular; the box is over 100000 square mm; it lies outside the image"
    )


def test_lengths_in_pixels_alone_where_no_spacing_and_no_size_are_known() -> None:
    assert noisy_because(measured(axis(10, 10, 700, 10)), None, None) is None
    assert noisy_because(measured(axis(0, 0, 2001, 0)), None, None) == "the long axis is over 2000 px"
    upright = measured(axis(10, 10, 26, 20), axis(13, 18.125, 23, 11.875))  # (8, 8) and (5, -5) mm
    assert noisy_because(upright, SPACING, SIZE) is None is noisy_because(upright, None, None)
    assert "off perpendicular" in (noisy_because(upright, PixelSpacing(0.5, 0.5), SIZE) or "")
    fine = PixelSpacing(row_mm=0.1, col_mm=0.2)
    assert noisy_because(measured(axis(5, 5, 6.5, 5)), fine, SIZE) == "the long axis is under 0.4 mm"
    assert noisy_because(measured(axis(5, 5, 6.5, 5)), None, SIZE) is None


def test_the_axes_of_a_region_are_as_its_shape_makes_them() -> None:
    crescent = measured(axis(10, 10, 40, 10), axis(25, 16, 25, 24), BoxPx(10, 10, 40, 24))
    assert noisy_because(crescent, SPACING, SIZE) is None
    drawn = replace(crescent, derived=False)
    assert noisy_because(drawn, SPACING, SIZE) == "the axes do not cross"
    thin = measured(axis(10, 10, 40, 10), None, BoxPx(10, 10, 40, 10.02))
    assert noisy_because(thin, SPACING, SIZE) == "the box is under 1 square px"


@pytest.mark.parametrize(
    ("limits", "one", "reason"),
    [
        (NoiseLimits(max_off_perpendicular_deg=30.0), measured(axis(10, 10, 30, 10), axis(17, 6, 23, 14)), None),
        (NoiseLimits(slip_px=0.0), measured(axis(10, 10, 16, 10), axis(12.2, 8, 13.8, 12)), "off perpendicular"),
        (NoiseLimits(min_long_axis_px=40), USUAL, "under 40 px"),
        (NoiseLimits(max_long_axis_px=20), USUAL, "over 20 px"),
        (NoiseLimits(min_long_axis_mm=16), USUAL, "under 16 mm"),
        (NoiseLimits(max_long_axis_mm=14), USUAL, "over 14 mm"),
        (NoiseLimits(min_short_axis_px=9), USUAL, "the short axis is under 9 px"),
        (NoiseLimits(max_long_over_short=2), USUAL, "over 2 times the short one"),
        (NoiseLimits(min_box_area_px=250), USUAL, "under 250 square px"),
        (NoiseLimits(max_box_area_mm2=90), USUAL, "over 90 square mm"),
        (NoiseLimits(max_box_ratio=2), USUAL, "over 2 times as long as wide"),
        (NoiseLimits(outside_px=30), measured(axis(540, 10, 580, 10)), None),
    ],
)
def test_every_limit_is_a_setting(limits: NoiseLimits, one: Measurement, reason: str | None) -> None:
    because = noisy_because(one, SPACING, SIZE, limits)
    assert because is None if reason is None else because is not None and reason in because


@pytest.mark.parametrize(
    "impossible",
    [
        {"min_long_axis_px": 9.0, "max_long_axis_px": 8.0},
        {"min_long_axis_mm": 500.0},
        {"max_box_ratio": 0.5},
        {"max_long_over_short": float("nan")},
        {"slip_px": -1.0},
    ],
)
def test_limits_that_no_measurement_can_keep_are_refused(impossible: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="must be at"):
        NoiseLimits(**impossible)


# --- pixels -------------------------------------------------------------------------------------------------------


def body(mean_hu: float, sd_hu: float) -> npt.NDArray[np.int16]:
    """An image of 40 rows and 60 columns."""
    return np.random.default_rng(4).normal(mean_hu, sd_hu, (40, 60)).round().astype(np.int16)


BOX = BoxPx(20.0, 8.0, 34.0, 22.0)


@pytest.mark.parametrize(
    ("mean_hu", "sd_hu", "reason"),
    [
        (40, 12, None),
        (-870, 25, None),  # lung
        (-1000, 25, "dark as air, -1000 HU on average"),
        (40, 0.7, "flat, their standard deviation is 0.8 HU; its pixels are all within"),
        (40, 0, "flat, their standard deviation is 0.0 HU; its pixels are all within 0 HU"),
        (-1000, 0, "its pixels are dark as air, -1000 HU on average; its pixels are flat"),
    ],
)
def test_dark_and_flat_pixels_are_doubtful(mean_hu: float, sd_hu: float, reason: str | None) -> None:
    because = pixels_doubt(body(mean_hu, sd_hu), BOX)
    assert because is None if reason is None else because is not None and reason in because


def test_only_the_box_is_looked_at_and_of_it_what_the_image_has() -> None:
    hu = body(-1000, 20)
    hu[8:23, 20:35] = body(40, 10)[8:23, 20:35]
    assert pixels_doubt(hu, BOX) is None
    assert pixels_doubt(hu, BoxPx(8, 20, 22, 34)) is not None, "rows are not columns"
    assert pixels_doubt(hu[:23, :35], BoxPx(20, 8, 90, 95)) is None
    assert pixels_doubt(hu, BoxPx(-50, 5, -1, 9)) is None and pixels_doubt(hu, BoxPx(70, 5, 90, 9)) is None


def test_the_whole_range_of_pixels_is_not_too_much() -> None:
    hu = body(0, 1)
    hu[10, 25], hu[12, 25] = -32768, 32767
    assert pixels_doubt(hu, BOX) is None


def test_the_limits_of_pixels_are_settings() -> None:
    hu = body(40, 12)
    assert "dark" in (pixels_doubt(hu, BOX, NoiseLimits(min_mean_hu=60)) or "")
    assert "flat" in (pixels_doubt(hu, BOX, NoiseLimits(min_sd_hu=20)) or "")
    assert "within" in (pixels_doubt(hu, BOX, NoiseLimits(min_range_hu=200)) or "")


# --- whatever was drawn -------------------------------------------------------------------------------------------

places = st.floats(-1e7, 1e7)
axes = st.tuples(places, places, places, places).map(lambda ends: axis(*ends))


@settings(max_examples=200, deadline=None)
@given(axes, st.none() | axes, st.booleans())
def test_no_drawing_is_too_strange_to_be_judged(long_axis: Axis, short_axis: Axis | None, derived: bool) -> None:
    outline = BoxPx.around(long_axis.points, margin_px=0.0) if derived else None
    one = measured(long_axis, short_axis, outline)
    for spacing, size in ((SPACING, SIZE), (None, None)):
        because = noisy_because(one, spacing, size)
        assert because is None or len(because) < 400
    pixels_doubt(body(40, 12), one.box)
