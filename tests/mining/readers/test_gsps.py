"""Presentation states: lines, texts with values, display units, and what measures nothing."""

import pytest
from builders import COLUMNS, ROWS, Dataset, annotation, graphic, gsps, text_object

from db.geometry import Axis, PixelSpacing, PointPx
from db.measurement import ImageReference, Measurement, Rejected
from mining.known_images import NO_IMAGES, KnownImage, KnownImages, NoImages
from mining.readers.gsps import read_gsps

IMAGE = "1.2.3.4"
LONG, SHORT = ((20.0, 10.0), (32.0, 26.0)), ((32.0, 16.0), (20.0, 19.5))
FAR = ((50.0, 40.0), (58.0, 40.0))


class Here(NoImages):
    """One frame of every image."""

    def find(self, image: ImageReference) -> KnownImage | None:
        return KnownImage(ROWS, COLUMNS, PixelSpacing(0.8, 0.5)) if image.frame_number == 1 else None


def read(ds: Dataset, images: KnownImages = NO_IMAGES) -> tuple[list[Measurement], list[str]]:
    found = list(read_gsps(ds, images))
    return (
        [m for m in found if isinstance(m, Measurement)],
        [r.reason_code for r in found if isinstance(r, Rejected)],
    )


def lines(*axes: tuple[tuple[float, float], tuple[float, float]]) -> list[Dataset]:
    return [graphic("POLYLINE", axis) for axis in axes]


def test_two_crossing_lines_and_a_text_are_one_measurement() -> None:
    ds = gsps(annotation(lines(LONG, SHORT), [text_object("14,1 x 6,6 mm")], [IMAGE]), images=[IMAGE])
    (found,), rejected = read(ds, Here())
    assert not rejected
    assert found.long_axis == Axis(PointPx(*LONG[0]), PointPx(*LONG[1]))
    assert found.short_axis == Axis(PointPx(*SHORT[0]), PointPx(*SHORT[1]))
    assert (found.stated_long_axis_mm, found.stated_short_axis_mm) == (14.1, 6.6)
    assert (found.source.kind, found.reader, found.image) == ("GSPS", "Reader^Two", ImageReference(IMAGE))


def test_each_line_has_the_text_that_stands_nearest() -> None:
    texts = [text_object("4 mm", FAR[1]), text_object("14 mm", LONG[0])]
    found, _ = read(gsps(annotation(lines(LONG, FAR), texts, [IMAGE]), images=[IMAGE]))
    assert [m.stated_long_axis_mm for m in found] == [14.0, 4.0]


def test_an_annotation_without_an_image_lies_on_the_only_one_of_the_state() -> None:
    (found,), _ = read(gsps(annotation(lines(LONG)), images=[IMAGE]))
    assert found.image == ImageReference(IMAGE)


def test_an_annotation_that_could_lie_on_several_images_is_rejected() -> None:
    assert read(gsps(annotation(lines(LONG)), images=[IMAGE, "1.2.3.5"])) == ([], ["ambiguous_image"])


def test_a_drawing_on_a_display_that_shows_the_whole_image_is_converted() -> None:
    half = graphic("POLYLINE", [(0.25, 0.25), (0.75, 0.5)], units="DISPLAY")
    (found,), _ = read(gsps(annotation([half], images=[IMAGE]), images=[IMAGE]), Here())
    assert found.long_axis == Axis(PointPx(15.5, 11.5), PointPx(47.5, 23.5))  # of 64 columns and 48 rows


@pytest.mark.parametrize(
    ("drawn", "reason"),
    [
        (graphic("POLYLINE", [(3, 4), (3, 4)]), "zero_length"),
        (graphic("POLYLINE", [(1, 1), (5, 9), (30, 2)]), "open_polyline"),
        (graphic("POLYLINE", LONG, units="MATRIX"), "unknown_units"),
        (graphic("SCRIBBLE", LONG), "unknown_graphic"),
    ],
)
def test_all_else_is_rejected_with_a_reason(drawn: Dataset, reason: str) -> None:
    assert read(gsps(annotation([drawn], images=[IMAGE]), images=[IMAGE])) == ([], [reason])


def test_a_circle_gives_derived_axes() -> None:
    (found,), _ = read(
        gsps(annotation([graphic("CIRCLE", [(20, 20), (26, 20)])], images=[IMAGE]), images=[IMAGE]), Here()
    )
    assert found.derived
    assert found.long_axis.length_mm(PixelSpacing(0.8, 0.5)) == pytest.approx(9.6)


def test_an_empty_presentation_state_is_rejected() -> None:
    assert read(gsps(images=[IMAGE])) == ([], ["no_measurement"])
