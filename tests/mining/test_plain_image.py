"""An ordinary CT slice is read from its bytes as it is read in the ordinary way, and nothing else is."""

from collections.abc import Callable
from io import BytesIO

import numpy as np
import pytest
from builders import ct_instance
from ct_series import enhanced_ct
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, ImplicitVRLittleEndian, RLELossless

from mining.pixels import AIR_HU, frame_hu
from mining.plain_image import plain_hu

SHAPE = (24, 36)
HU = np.random.default_rng(11).integers(-1000, 2000, SHAPE)


def slice_with(change: Callable[[Dataset], object] = lambda ds: None) -> bytes:
    ds = ct_instance(rows=SHAPE[0], columns=SHAPE[1], hu=HU)
    change(ds)
    buffer = BytesIO()
    ds.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def unsigned(ds: Dataset) -> None:
    ds.PixelRepresentation = 0
    ds.PixelData = np.random.default_rng(3).integers(0, 65536, SHAPE).astype("<u2").tobytes()


def twelve_bits_unsigned(ds: Dataset) -> None:
    unsigned(ds)
    ds.BitsStored = 12


def halves(ds: Dataset) -> None:
    ds.RescaleSlope, ds.RescaleIntercept = "0.5", "-1024.25"


def padded(ds: Dataset) -> None:
    ds.add_new("PixelPaddingValue", "SS", -3)
    ds.add_new("PixelPaddingRangeLimit", "SS", 400)


def padded_unsigned(ds: Dataset) -> None:
    unsigned(ds)
    ds.add_new("PixelPaddingValue", "US", 60_000)
    ds.add_new("PixelPaddingRangeLimit", "US", 40_000)


def with_a_sequence(ds: Dataset, undefined_length: bool = False) -> None:
    ds.ReferencedImageSequence = Sequence([Dataset()])
    ds["ReferencedImageSequence"].is_undefined_length = undefined_length


def extreme(ds: Dataset) -> None:
    ds.RescaleSlope = "100"


def trailing(ds: Dataset) -> None:
    ds.add_new(0xFFFCFFFC, "OB", b"\0" * 12)


@pytest.mark.parametrize(
    "change",
    [
        lambda ds: None,
        unsigned,
        halves,
        padded,
        padded_unsigned,
        with_a_sequence,
        extreme,
        trailing,
        lambda ds: setattr(ds, "RescaleType", "HU"),
        lambda ds: setattr(ds, "PhotometricInterpretation", "MONOCHROME1"),
        lambda ds: setattr(ds, "BitsStored", 12),
        twelve_bits_unsigned,
        lambda ds: setattr(ds, "PatientName", "Läsion"),
        lambda ds: setattr(ds, "ImageComments", "long" * 2000),
    ],
)
def test_a_plain_slice_is_read_as_its_data_set_is(change: Callable[[Dataset], object]) -> None:
    content = slice_with(change)
    hu = plain_hu(content)
    expected = frame_hu(dcmread(BytesIO(content)))
    assert hu is not None and hu.dtype == expected.dtype and np.array_equal(hu, expected)


def test_the_values_are_those_that_were_written_and_padding_is_air() -> None:
    hu = plain_hu(slice_with())
    assert hu is not None and np.array_equal(hu, HU)
    hu = plain_hu(slice_with(padded))
    inside = (HU + 1024 >= -3) & (HU + 1024 <= 400)
    assert hu is not None and inside.any() and np.array_equal(hu, np.where(inside, AIR_HU, HU))


def saying(keyword: str, value: object) -> Callable[[Dataset], object]:
    return lambda ds: setattr(ds, keyword, value)


@pytest.mark.parametrize(
    "change",
    [
        lambda ds: setattr(ds.file_meta, "TransferSyntaxUID", ImplicitVRLittleEndian),
        lambda ds: setattr(ds.file_meta, "TransferSyntaxUID", ExplicitVRBigEndian),
        lambda ds: setattr(ds.file_meta, "TransferSyntaxUID", DeflatedExplicitVRLittleEndian),
        lambda ds: ds.compress(RLELossless, generate_instance_uid=False),
        lambda ds: with_a_sequence(ds, undefined_length=True),
        lambda ds: ds.__delitem__("RescaleSlope"),
        lambda ds: ds.__delitem__("PhotometricInterpretation"),
        lambda ds: ds.__delitem__("Rows"),
        lambda ds: ds.__delitem__("PixelData"),
        lambda ds: ds.add_new("PixelPaddingValue", "SS", [1, 2]),
        lambda ds: setattr(ds, "PixelData", ds.PixelData[:100]),
        lambda ds: setattr(ds, "PixelData", ds.PixelData + b"\0\0"),
        saying("Modality", "MR"),
        saying("RescaleType", "Z_EFF"),
        saying("RescaleType", "Größe"),
        saying("SamplesPerPixel", 3),
        saying("NumberOfFrames", 1),
        saying("BitsStored", 17),
        saying("BitsAllocated", 8),
        saying("PixelRepresentation", 2),
        saying("SharedFunctionalGroupsSequence", [Dataset()]),
    ],
)
def test_what_is_not_plain_is_left_to_the_ordinary_way(change: Callable[[Dataset], object]) -> None:
    assert plain_hu(slice_with(change)) is None


@pytest.mark.parametrize("slope", [b"nan ", b"1\\2 ", b"one ", b"    "])
def test_a_slope_that_is_no_number_is_left_to_the_ordinary_way(slope: bytes) -> None:
    content = slice_with(lambda ds: setattr(ds, "RescaleSlope", "1000"))
    at = content.index(b"\x28\x00\x53\x10DS\x04\x00")
    assert plain_hu(content) is not None
    assert plain_hu(content[: at + 8] + slope + content[at + 12 :]) is None


def test_an_enhanced_image_is_left_to_the_ordinary_way() -> None:
    buffer = BytesIO()
    enhanced_ct((0,)).save_as(buffer, enforce_file_format=True)
    assert plain_hu(buffer.getvalue()) is None


def test_bytes_cut_anywhere_or_changed_raise_nothing() -> None:
    whole = slice_with(with_a_sequence)
    for end in range(len(whole)):
        assert plain_hu(whole[:end]) is None
    random = np.random.default_rng(5)
    for _ in range(500):
        changed = bytearray(whole)
        changed[random.integers(0, 900)] = random.integers(0, 256)
        plain_hu(bytes(changed))
    assert plain_hu(b"") is None and plain_hu(b"no DICOM at all" * 20) is None
