"""How far apart pixels are in the patient, where no plane says it: detectors, regions of ultrasound, frames."""

from collections.abc import Sequence

import pytest
from builders_images import DX, MG, PET, US, enhanced_ct, image_of
from ct_series import ct_slice
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items

from db.geometry import PixelSpacing
from mining.headers import read_header
from mining.spacings import spacing_of


def projection(
    pixel: Sequence[float] | None = None, imager: Sequence[float] | None = None, magnified: float | None = None
) -> Dataset:
    ds = image_of(DX, "DX", spacing=None, orientation=None)
    if pixel is not None:
        ds.PixelSpacing = list(pixel)
    if imager is not None:
        ds.ImagerPixelSpacing = list(imager)
    if magnified is not None:
        ds.EstimatedRadiographicMagnificationFactor = magnified
    return ds


@pytest.mark.parametrize(
    ("ds", "spacing"),
    [
        (projection(), None),
        (projection(pixel=(0.3, 0.2)), (0.3, 0.2)),
        (projection(imager=(0.3, 0.2)), (0.3, 0.2)),
        (projection(imager=(0.3, 0.2), magnified=1.25), (0.24, 0.16)),
        (projection(pixel=(0.25, 0.17), imager=(0.3, 0.2), magnified=1.5), (0.25, 0.17)),
        (projection(pixel=(0.3, 0.2), imager=(0.3, 0.2), magnified=1.25), (0.24, 0.16)),
        (projection(pixel=(0.3, 0.2), imager=(0.3, 0.2)), (0.3, 0.2)),
        (projection(imager=(0.3, 0.2), magnified=0.5), (0.3, 0.2)),
        (projection(imager=(0.3, 0.2), magnified=400.0), (0.3, 0.2)),
        (projection(imager=(0.3, 0.0)), None),
        (projection(imager=(0.3,)), None),
    ],
)
def test_a_projection_has_the_spacing_of_its_detector_in_the_patient(
    ds: Dataset, spacing: tuple[float, float] | None
) -> None:
    found = read_header(ds).image
    assert found is not None and found.planes == ()
    if spacing is None:
        assert found.spacing is None
    else:
        assert found.spacing is not None
        assert (found.spacing.row_mm, found.spacing.col_mm) == pytest.approx(spacing)


def test_a_mammogram_has_no_plane_even_if_it_says_where_it_stood() -> None:
    ds = image_of(MG, "MG", spacing=None)
    ds.ImagerPixelSpacing = [0.3, 0.2]
    header = read_header(ds).image
    assert header is not None and (header.planes, header.spacing) == ((), PixelSpacing(0.3, 0.2))


def test_the_pixels_of_a_film_say_nothing_of_the_patient() -> None:
    ds = image_of("1.2.840.10008.5.1.4.1.1.7", "OT", spacing=None, orientation=None)
    ds.NominalScannedPixelSpacing = [0.1, 0.1]
    assert spacing_of(ds) is None


def region(across: float, down: float, kind: int = 1, units: int = 3) -> Dataset:
    ds = Dataset()
    ds.RegionSpatialFormat = kind
    ds.PhysicalUnitsXDirection = ds.PhysicalUnitsYDirection = units
    ds.PhysicalDeltaX, ds.PhysicalDeltaY = across, down
    return ds


@pytest.mark.parametrize(
    ("regions", "spacing"),
    [
        ([region(0.02, 0.03)], PixelSpacing(0.3, 0.2)),
        ([region(0.02, -0.03)], PixelSpacing(0.3, 0.2)),
        ([region(0.02, 0.03), region(0.02, 0.03)], PixelSpacing(0.3, 0.2)),  # tissue, and colour flow on it
        ([region(0.02, 0.03), region(0.5, 0.5, kind=3)], PixelSpacing(0.3, 0.2)),  # beside it a trace over time
        ([region(0.02, 0.03), region(0.04, 0.06)], None),  # two views of two scales
        ([region(0.02, 0.03, units=4)], None),  # seconds
        ([region(0.0, 0.03)], None),
        ([], None),
    ],
)
def test_an_ultrasound_image_has_the_scale_of_its_regions_of_tissue(
    regions: list[Dataset], spacing: PixelSpacing | None
) -> None:
    ds = image_of(US, "US", spacing=None, orientation=None)
    ds.SequenceOfUltrasoundRegions = Items(regions)
    found = spacing_of(ds)
    if spacing is None:
        assert found is None
    else:
        assert found is not None
        assert (found.row_mm, found.col_mm) == pytest.approx((spacing.row_mm, spacing.col_mm))


def test_frames_of_one_spacing_have_it_and_frames_of_several_have_none() -> None:
    ds = enhanced_ct(frames=3)
    del ds.SharedFunctionalGroupsSequence[0].PlaneOrientationSequence
    header = read_header(ds).image
    assert header is not None and (header.planes, header.spacing) == ((), PixelSpacing(0.8, 0.5))
    for group, row_mm in zip(ds.PerFrameFunctionalGroupsSequence, (0.8, 0.8, 0.9), strict=True):
        measures = Dataset()
        measures.PixelSpacing = [row_mm, 0.5]
        group.PixelMeasuresSequence = Items([measures])
    header = read_header(ds).image
    assert header is not None and header.spacing is None


def test_a_pet_slice_has_its_pixel_spacing_without_a_plane() -> None:
    assert spacing_of(image_of(PET, "PT", orientation=None)) == PixelSpacing(0.8, 0.5)


def test_frames_of_an_angiogram_have_the_spacing_of_the_detector() -> None:
    ds, properties, shared = projection(), Dataset(), Dataset()
    properties.ImagerPixelSpacing = [0.3, 0.2]
    shared.FramePixelDataPropertiesSequence = Items([properties])
    ds.SharedFunctionalGroupsSequence = Items([shared])
    ds.NumberOfFrames = 2
    assert spacing_of(ds) == PixelSpacing(0.3, 0.2)


def test_broken_groups_and_regions_cost_nothing_but_the_spacing() -> None:
    ds = ct_slice(0)
    del ds.PixelSpacing
    ds.NumberOfFrames = "3"
    ds.SequenceOfUltrasoundRegions = Items([Dataset()])
    ds.PerFrameFunctionalGroupsSequence = Items([Dataset()])
    assert spacing_of(ds) is None
