"""JPEG Extended with 12-bit samples (1.2.840.10008.1.2.4.51): the one CT syntax that pydicom's plugins refuse. Pure.

GDCM can decode it; pydicom keeps that way closed. libjpeg's 8-bit build is asked first by GDCM and says "Unsupported
JPEG data precision 12" on stderr: that line is no error.
"""

from __future__ import annotations

from typing import Any

import gdcm
import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset
from pydicom.encaps import get_frame

from mining.planes import frame_count


def decode_jpeg12(ds: Dataset, frame: int) -> npt.NDArray[Any]:
    """Stored values of one frame (0-based), (H, W). Raises ValueError where GDCM gives no pixels."""
    rows, columns = int(ds.Rows), int(ds.Columns)
    signed = int(ds.PixelRepresentation)
    encoded = get_frame(ds.PixelData, frame, number_of_frames=frame_count(ds))
    image = gdcm.Image()
    image.SetNumberOfDimensions(2)
    image.SetDimensions((columns, rows, 1))
    image.SetDataElement(_pixel_data(encoded + b"\0" * (len(encoded) % 2)))
    image.SetPhotometricInterpretation(gdcm.PhotometricInterpretation(gdcm.PhotometricInterpretation.MONOCHROME2))
    image.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.JPEGExtendedProcess2_4))
    image.SetPixelFormat(gdcm.PixelFormat(1, 16, int(ds.BitsStored), int(ds.BitsStored) - 1, signed))
    decoded = image.GetBuffer()
    content = b"" if decoded is None else decoded.encode("utf-8", "surrogateescape")  # its char* arrives as str
    if len(content) != 2 * rows * columns:
        raise ValueError(f"GDCM gave {len(content)} bytes for {rows} × {columns} pixels")
    return np.frombuffer(content, np.int16 if signed else np.uint16).reshape(rows, columns)


def _pixel_data(encoded: bytes) -> Any:
    fragment = gdcm.Fragment()
    fragment.SetByteStringValue(encoded)
    fragments = gdcm.SequenceOfFragments.New()
    fragments.AddFragment(fragment)
    element = gdcm.DataElement(gdcm.Tag(0x7FE0, 0x0010))
    element.SetValue(fragments.__ref__())
    return element
