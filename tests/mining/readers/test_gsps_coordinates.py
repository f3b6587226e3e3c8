"""Where graphics lie: on which image, and through which display."""

import shutil
import subprocess
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from builders import COLUMNS, ROWS, SERIES, Dataset, annotation, ct_instance, graphic, gsps
from builders_gsps import Corners, compound, fractions, on_frames, shown, state, with_compounds
from builders_images import ENHANCED_CT, ONE, enhanced_ct
from held_images import HeldImages
from pydicom import dcmread
from pydicom.sequence import Sequence as Items

from db.geometry import Axis, PixelSpacing, PointPx
from db.measurement import Found, ImageReference, Measurement, Rejected
from mining.known_images import NO_IMAGES, KnownImage, KnownImages, NoImages
from mining.readers.gsps import read_gsps

IMAGE = f"{SERIES}.1"
LINE = ((10, 30), (42, 15))
DRAWN = Axis(PointPx(10.0, 30.0), PointPx(42.0, 15.0))
PART: Corners = (6, 5, 60, 40)
WHOLE: Corners = (1, 1, COLUMNS, ROWS)


class Here(NoImages):
    """One frame of every image."""

    def find(self, image: ImageReference) -> KnownImage | None:
        return KnownImage(ROWS, COLUMNS, PixelSpacing(0.8, 0.5)) if image.frame_number == 1 else None


def read(ds: Dataset, images: KnownImages = NO_IMAGES) -> list[Found]:
    return list(read_gsps(ds, images))


def codes(ds: Dataset, images: KnownImages = NO_IMAGES) -> list[str]:
    return [found.reason_code if isinstance(found, Rejected) else "found" for found in read(ds, images)]


def on_display(corners: Corners, turned_deg: int, flipped: bool) -> Dataset:
    drawn = graphic("POLYLINE", fractions(LINE, corners, turned_deg, flipped), units="DISPLAY")
    return shown(state(annotation([drawn], images=[IMAGE])), corners, turned_deg, flipped)


def same_line(found: Found, line: Axis = DRAWN) -> bool:
    assert isinstance(found, Measurement), found
    drawn, wanted = found.long_axis.points, line.points
    return all(a.distance_px(b) < 1e-4 for a, b in zip(drawn, wanted, strict=True))


@pytest.mark.parametrize(
    ("corners", "turned_deg", "flipped"), list(product([PART, WHOLE], [0, 90, 180, 270], [False, True]))
)
def test_display_units_lead_back_through_zoom_turn_and_flip(corners: Corners, turned_deg: int, flipped: bool) -> None:
    (found,) = read(on_display(corners, turned_deg, flipped))  # before the image arrives, for the area says it all
    assert same_line(found)


@pytest.mark.skipif(shutil.which("dcmp2pgm") is None, reason="dcmtk's programs for presentation states are not here")
@pytest.mark.parametrize(("turned_deg", "flipped"), list(product([0, 90, 180, 270], [False, True])))
def test_dcmtk_turns_and_flips_an_image_as_it_is_turned_here(turned_deg: int, flipped: bool, tmp_path: Path) -> None:
    """One bright pixel, shown by dcmtk: it lies where the builder says that a display shows it."""
    hu = np.full((ROWS, COLUMNS), -1024)
    hu[30, 10] = 900
    ds = ct_instance(hu=hu)
    ds.WindowCenter, ds.WindowWidth = 0, 2000
    ds.PatientBirthDate = ds.PatientSex = ds.ReferringPhysicianName = ""
    ds.StudyID, ds.SeriesNumber = "1", 1
    image, plain, seen, bitmap = (str(tmp_path / name) for name in ("image.dcm", "plain.dcm", "seen.dcm", "seen.pgm"))
    ds.save_as(image, enforce_file_format=True)
    subprocess.run(["dcmpsmk", image, plain], check=True, capture_output=True)
    presentation = dcmread(plain)
    presentation.ImageRotation, presentation.ImageHorizontalFlip = turned_deg, "Y" if flipped else "N"
    presentation.save_as(seen)
    subprocess.run(["dcmp2pgm", "-p", seen, image, bitmap], check=True, capture_output=True)
    content = Path(bitmap).read_bytes()
    columns, rows = (int(part) for part in content.split(None, 3)[1:3])
    shown_by_dcmtk = np.frombuffer(content[-rows * columns :], dtype=np.uint8).reshape(rows, columns)
    ((row, column),) = np.argwhere(shown_by_dcmtk == shown_by_dcmtk.max())
    wanted = ((column + 0.5) / columns, (row + 0.5) / rows)
    assert fractions([(10, 30)], WHOLE, turned_deg, flipped) == [wanted]


@pytest.mark.parametrize("mode", ["SCALE TO FIT", "TRUE SIZE", "MAGNIFY"])
def test_the_size_of_a_display_changes_nothing(mode: str) -> None:
    ds = on_display(PART, 90, False)
    ds.DisplayedAreaSelectionSequence[0].PresentationSizeMode = mode
    assert same_line(read(ds)[0])


def test_a_displayed_area_may_be_written_in_the_order_of_the_image() -> None:
    ds = on_display(PART, 90, True)
    ds.DisplayedAreaSelectionSequence[0].DisplayedAreaTopLeftHandCorner = list(PART[:2])
    ds.DisplayedAreaSelectionSequence[0].DisplayedAreaBottomRightHandCorner = list(PART[2:])
    assert same_line(read(ds)[0])


def test_pixel_units_do_not_care_for_the_display() -> None:
    ds = shown(state(annotation([graphic("POLYLINE", LINE)], images=[IMAGE])), PART, 270, True)
    assert same_line(read(ds)[0])


def test_a_display_of_the_whole_image_waits_for_the_image() -> None:
    ds = on_display(WHOLE, 90, False)
    del ds.DisplayedAreaSelectionSequence
    assert codes(ds) == ["display_units"]
    assert same_line(read(ds, Here())[0])


def test_each_image_has_the_displayed_area_that_names_it() -> None:
    other = f"{SERIES}.2"
    drawn = [
        graphic("POLYLINE", fractions(LINE, PART), units="DISPLAY"),
        graphic("POLYLINE", fractions(LINE, WHOLE), units="DISPLAY"),
    ]
    ds = gsps(*(annotation([d], images=[i]) for d, i in zip(drawn, (IMAGE, other), strict=True)), images=[IMAGE, other])
    areas = []
    for corners, image in ((PART, IMAGE), (WHOLE, other)):
        (area,) = shown(gsps(images=[image]), corners).DisplayedAreaSelectionSequence
        areas.append(on_frames(area, image))
    ds.DisplayedAreaSelectionSequence = Items(areas)
    assert all(same_line(found) for found in read(ds))
    ds.DisplayedAreaSelectionSequence = Items(areas[:1])
    assert codes(ds) == ["found", "unknown_display"]


def test_a_frame_has_the_displayed_area_of_its_number() -> None:
    drawn = graphic("POLYLINE", fractions(LINE, PART), units="DISPLAY")
    ds = state(on_frames(annotation([drawn]), ONE, [3], ENHANCED_CT), image=ONE)
    areas = [on_frames(*pair) for pair in ((_area(WHOLE), ONE, [1, 2]), (_area(PART), ONE, [3, 4]))]
    ds.DisplayedAreaSelectionSequence = Items(areas)
    (found,) = read(ds)
    assert same_line(found) and isinstance(found, Measurement) and found.image == ImageReference(ONE, 3)


def _area(corners: Corners) -> Dataset:
    (area,) = shown(gsps(images=[ONE]), corners).DisplayedAreaSelectionSequence
    return area


@pytest.mark.parametrize(
    "elements",
    [
        {"ImageRotation": 45},
        {"ImageRotation": 360},
        {"PixelOriginInterpretation": "VOLUME"},
        {"DisplayedAreaTopLeftHandCorner": None},
    ],
)
def test_a_display_that_cannot_be_followed_is_rejected(elements: dict[str, object]) -> None:
    ds = on_display(PART, 0, False)
    for keyword, value in elements.items():
        setattr(ds if keyword == "ImageRotation" else ds.DisplayedAreaSelectionSequence[0], keyword, value)
    assert codes(ds, Here()) == ["unknown_display"]


def test_two_displayed_areas_of_one_image_are_one_too_many() -> None:
    ds = on_display(PART, 0, False)
    ds.DisplayedAreaSelectionSequence = Items([_area(PART), _area(WHOLE)])
    assert codes(ds) == ["unknown_display"]
    ds.DisplayedAreaSelectionSequence = Items([_area(PART), _area(PART)])
    assert codes(ds) == ["found"]


@pytest.mark.parametrize(("turned_deg", "flipped"), [(0, False), (90, True)])
def test_a_circle_of_a_display_is_round_in_the_patient(turned_deg: int, flipped: bool) -> None:
    """8 columns of 0.5 mm from its centre: 8 mm across in every direction."""
    ends = fractions([(20, 20), (28, 20)], PART, turned_deg, flipped)
    ds = state(annotation([graphic("CIRCLE", ends, units="DISPLAY")], images=[IMAGE]))
    (found,) = read(shown(ds, PART, turned_deg, flipped), Here())
    assert isinstance(found, Measurement) and found.short_axis is not None and found.outline is not None
    lengths = [axis.length_mm(PixelSpacing(0.8, 0.5)) for axis in (found.long_axis, found.short_axis)]
    assert lengths == pytest.approx([8.0, 8.0], abs=1e-4)
    box = found.outline
    assert (box.x1, box.y1, box.x2, box.y2) == pytest.approx((12.0, 15.0, 28.0, 25.0), abs=1e-4)


# --- images and frames


def test_several_images_are_ambiguous_unless_the_state_is_about_one_of_them() -> None:
    drawn = annotation([graphic("POLYLINE", LINE)], images=[IMAGE, f"{SERIES}.2"])
    assert codes(gsps(drawn, images=[IMAGE, f"{SERIES}.2"])) == ["ambiguous_image"]
    (found,) = read(gsps(drawn, images=[IMAGE]))
    assert isinstance(found, Measurement) and found.image == ImageReference(IMAGE)


def test_a_graphic_on_several_frames_or_on_none_of_several_is_rejected() -> None:
    held = HeldImages([enhanced_ct()])
    drawn = [graphic("POLYLINE", LINE)]
    assert codes(state(on_frames(annotation(drawn), ONE, [1, 2]), image=ONE), held) == ["ambiguous_image"]
    assert codes(state(on_frames(annotation(drawn), ONE), image=ONE), held) == ["ambiguous_image"]
    assert codes(state(on_frames(annotation(drawn), ONE, [4]), image=ONE), held) == ["found"]


def test_a_frame_that_the_state_names_is_that_of_its_annotations() -> None:
    ds = state(annotation([graphic("POLYLINE", LINE)]), image=ONE)
    on_frames(ds.ReferencedSeriesSequence[0], ONE, [2])
    (found,) = read(ds, HeldImages([enhanced_ct()]))
    assert isinstance(found, Measurement) and found.image == ImageReference(ONE, 2)


def test_a_blending_state_names_its_images_by_what_it_blends() -> None:
    ds = state(annotation([graphic("POLYLINE", LINE)]), sop_class_uid="1.2.840.10008.5.1.4.1.1.11.4")
    blended = Dataset()
    blended.ReferencedSeriesSequence = ds.ReferencedSeriesSequence
    del ds.ReferencedSeriesSequence
    assert codes(ds) == ["no_image_reference"]
    ds.BlendingSequence = Items([blended])
    assert same_line(read(ds)[0])


def test_a_state_without_images_is_rejected() -> None:
    ds = gsps(annotation([graphic("POLYLINE", LINE)]), images=[])
    del ds.ReferencedSeriesSequence
    assert codes(ds) == ["no_image_reference"]


# --- turned compound graphics


@pytest.mark.parametrize(
    ("angle_deg", "flipped", "middle"),
    [
        (90.0, False, (20.0, 10.0)),
        (90.0, True, (20.0, 30.0)),
        (-90.0, False, (20.0, 30.0)),
        (180.0, False, (10.0, 20.0)),
    ],
)
def test_a_compound_graphic_turns_counterclockwise_about_its_point(
    angle_deg: float, flipped: bool, middle: tuple[float, float]
) -> None:
    """A line to the right of the pivot goes up; on a flipped display that is seen from behind."""
    ruler = compound("RULER", [(28.0, 20.0), (32.0, 20.0)], angle_deg=angle_deg, about=(20.0, 20.0))
    ds = shown(state(with_compounds(annotation([], images=[IMAGE]), ruler)), WHOLE, 0, flipped)
    (found,) = read(ds)
    assert isinstance(found, Measurement)
    assert found.long_axis.middle.distance_px(PointPx(*middle)) < 1e-4


def test_a_graphic_turns_on_pixels_as_they_are_shown() -> None:
    """Up by 8 columns of 0.5 mm is up by 5 rows of 0.8 mm."""
    ruler = compound("RULER", [(28.0, 20.0), (36.0, 20.0)], angle_deg=90.0, about=(28.0, 20.0))
    ds = state(with_compounds(annotation([], images=[IMAGE]), ruler))
    wanted = Axis(PointPx(28.0, 20.0), PointPx(28.0, 15.0))
    assert same_line(read(ds, Here())[0], wanted)  # by the image's own spacing
    ds.DisplayedAreaSelectionSequence[0].PresentationPixelAspectRatio = [8, 5]
    assert same_line(read(ds)[0], wanted)
    ds.DisplayedAreaSelectionSequence[0].PresentationPixelSpacing = [1.0, 1.0]
    assert same_line(read(ds)[0], Axis(PointPx(28.0, 20.0), PointPx(28.0, 12.0)))
