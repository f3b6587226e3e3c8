import warnings
from pathlib import Path

import numpy as np
import pydicom
import pytest
from ct_series import ct_slice, enhanced_ct, expected_hu
from pydicom import uid
from pydicom.pixels.decoders.base import get_decoder

from db.errors import ContentError
from mining.pixels import AIR_HU, PREFERRED_DECODER, frame_hu, window
from mining.volume import load_image

CORNERSTONE = Path(__file__).parents[2] / "../shared/data/cornerstonejs__cornerstone3D"
NAME = "dicomImageLoader__testImages__CTImage.dcm"
LARGEST_ERROR_HU = {  # against the original: none where the syntax is lossless
    "BigEndianExplicitTransferSyntax_1.2.840.10008.1.2.2": 0,
    "DeflatedExplicitVRLittleEndianTransferSyntax_1.2.840.10008.1.2.1.99": 0,
    "LittleEndianImplicitTransferSyntax_1.2.840.10008.1.2": 0,
    "RLELosslessTransferSyntax_1.2.840.10008.1.2.5": 0,
    "JPEGProcess14TransferSyntax_1.2.840.10008.1.2.4.57": 0,
    "JPEGProcess14SV1TransferSyntax_1.2.840.10008.1.2.4.70": 0,
    "JPEGLSLosslessTransferSyntax_1.2.840.10008.1.2.4.80": 0,
    "JPEG2000LosslessOnlyTransferSyntax_1.2.840.10008.1.2.4.90": 0,
    "JPEGLSLossyTransferSyntax_1.2.840.10008.1.2.4.81": 1,
    "JPEG2000TransferSyntax_1.2.840.10008.1.2.4.91": 10,
    "JPEGProcess2_4TransferSyntax_1.2.840.10008.1.2.4.51": 40,
    "JPEGProcess1TransferSyntax_1.2.840.10008.1.2.4.50": 70,
}


def test_stored_values_become_hounsfield_units_by_the_rescale() -> None:
    assert np.array_equal(frame_hu(ct_slice(2)), expected_hu(2))


def test_each_frame_of_an_enhanced_ct_takes_the_shared_rescale() -> None:
    ds = enhanced_ct(order=(2, 0, 1))
    assert np.array_equal(frame_hu(ds, 1), expected_hu(0))


@pytest.mark.parametrize("syntax", [uid.RLELossless, uid.JPEGLSLossless, uid.JPEG2000Lossless])
def test_what_was_compressed_without_loss_comes_back_exactly(syntax: uid.UID) -> None:
    ds = ct_slice(3)
    ds.compress(syntax)
    assert ds.file_meta.TransferSyntaxUID == syntax
    assert np.array_equal(frame_hu(ds), expected_hu(3))


@pytest.mark.parametrize("syntax", PREFERRED_DECODER)
def test_the_preferred_decoders_are_installed(syntax: uid.UID) -> None:
    assert PREFERRED_DECODER[syntax] in get_decoder(syntax).available_plugins


@pytest.mark.skipif(not CORNERSTONE.exists(), reason="needs ../shared/data beside the project")
@pytest.mark.parametrize("syntax", LARGEST_ERROR_HU)
def test_every_transfer_syntax_of_a_real_ct_is_decoded(syntax: str) -> None:
    original = load_image(CORNERSTONE / NAME).astype(int)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        decoded = load_image(CORNERSTONE / f"{NAME}_{syntax}.dcm")
    assert np.abs(decoded - original).max() <= LARGEST_ERROR_HU[syntax]


def test_pixels_that_cannot_be_decoded_are_a_content_error() -> None:
    ds = ct_slice(0)
    ds.compress(uid.JPEG2000Lossless)
    ds.PixelData = pydicom.encaps.encapsulate([b"\xff\x4f\xff\x51no codestream"])
    with pytest.raises(ContentError, match="cannot be decoded") as caught:
        frame_hu(ds)
    assert caught.value.facts["transfer_syntax_uid"] == uid.JPEG2000Lossless


def test_an_unknown_transfer_syntax_is_a_content_error() -> None:
    ds = ct_slice(0)
    ds.file_meta.TransferSyntaxUID = uid.MPEG2MPML
    with pytest.raises(ContentError, match="cannot be decoded"):
        frame_hu(ds)


def test_pixels_cut_short_are_a_content_error() -> None:
    ds = ct_slice(0)
    ds.PixelData = ds.PixelData[:-20]
    with pytest.raises(ContentError, match="cannot be decoded"):
        frame_hu(ds)


def test_colour_has_no_hounsfield_units() -> None:
    ds = ct_slice(0)
    ds.SamplesPerPixel = 3
    with pytest.raises(ContentError, match="colour"):
        frame_hu(ds)


def test_padding_and_its_range_become_air() -> None:
    ds = ct_slice(0)
    stored = (expected_hu(0)[:2, :2].astype(int) + 1024) * 2
    ds.PixelPaddingValue, ds.PixelPaddingRangeLimit = int(stored[0, 1]), int(stored[0, 0])
    hu = frame_hu(ds)
    assert hu[0, 0] == hu[0, 1] == AIR_HU
    assert np.array_equal(hu[1:], expected_hu(0)[1:])


def test_values_beyond_sixteen_bits_are_clipped_and_do_not_wrap() -> None:
    ds = ct_slice(0)
    ds.RescaleSlope = "1000"
    assert frame_hu(ds).max() == 32767


def test_a_window_spreads_its_ends_over_the_greys() -> None:
    hu = np.array([[-2000, -175, 50], [275, 276, 3000]], np.int16)
    assert window(hu, -175, 275).tolist() == [[0, 0, 128], [255, 255, 255]]


def test_a_window_without_width_is_refused() -> None:
    with pytest.raises(ValueError, match="low < high"):
        window(np.zeros((2, 3), np.int16), 40, 40)
