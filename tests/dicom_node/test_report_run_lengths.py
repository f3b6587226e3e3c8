"""Label numbers by RLE, as any decoder reads them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.pixels.decoders import RLELosslessDecoder
from pydicom.uid import RLELossless

from dicom_node.report.run_lengths import run_lengths

pytestmark = pytest.mark.filterwarnings("ignore:The number of bytes of compressed pixel data matches")
"""pydicom wonders where a small frame happens to be as long as it would be without compression."""

SIZES = st.tuples(st.integers(1, 5), st.integers(1, 300))


def decoded(frame: np.ndarray, plugin: str) -> np.ndarray:
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = RLELossless
    ds.Rows, ds.Columns = frame.shape
    ds.SamplesPerPixel, ds.PhotometricInterpretation, ds.PixelRepresentation = 1, "MONOCHROME2", 0
    ds.BitsAllocated = ds.BitsStored = 8 * frame.dtype.itemsize
    ds.PixelData = encapsulate([run_lengths(frame)])
    return RLELosslessDecoder.as_array(ds, decoding_plugin=plugin)[0]


@pytest.mark.parametrize("plugin", ["pydicom", "pylibjpeg"])
@given(frame=arrays.arrays(np.uint8, SIZES, elements=st.sampled_from([0, 0, 0, 1, 255])))
def test_every_number_comes_back(plugin: str, frame: np.ndarray) -> None:
    np.testing.assert_array_equal(decoded(frame, plugin), frame)


@given(frame=arrays.arrays(np.uint16, SIZES, elements=st.sampled_from([0, 0, 1, 256, 770])))
def test_numbers_beyond_a_byte_have_two_segments(frame: np.ndarray) -> None:
    np.testing.assert_array_equal(decoded(frame, "pydicom"), frame)


@pytest.mark.parametrize("length", [1, 2, 127, 128, 129, 256, 257])
def test_runs_of_all_lengths_come_back(length: int) -> None:
    frame = np.full((2, length), 7, np.uint8)
    np.testing.assert_array_equal(decoded(frame, "pydicom"), frame)


def test_background_is_small() -> None:
    assert len(run_lengths(np.zeros((512, 512), np.uint8))) == 64 + 512 * 8
