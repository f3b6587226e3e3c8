"""Stored pixels → Hounsfield units, in any transfer syntax; HU → grey. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom import uid
from pydicom.dataset import Dataset
from pydicom.pixels.decoders.base import get_decoder

from db.errors import ContentError
from mining.jpeg12 import decode_jpeg12
from mining.planes import functional_group

Hu = npt.NDArray[np.int16]

AIR_HU = -1000
"""What stands where nothing was measured: beyond the image's border and in pixel padding."""

# The fastest decoder that is exact, by measurement on 512 × 512 × 16 bit (ms a frame): JPEG-LS pyjpegls 4.3, gdcm 7.0;
# JPEG 2000 gdcm 17.6, openjpeg 25.2; RLE pylibjpeg 0.7, pydicom's own 7.9; JPEG lossless gdcm 4.9. pydicom itself
# would take them by the alphabet.
PREFERRED_DECODER = {
    uid.JPEGLSLossless: "pyjpegls",
    uid.JPEGLSNearLossless: "pyjpegls",
    uid.JPEG2000Lossless: "gdcm",
    uid.JPEG2000: "gdcm",
    uid.JPEGLossless: "gdcm",
    uid.JPEGLosslessSV1: "gdcm",
    uid.JPEGBaseline8Bit: "gdcm",
    uid.HTJ2KLossless: "pylibjpeg",
    uid.HTJ2KLosslessRPCL: "pylibjpeg",
    uid.HTJ2K: "pylibjpeg",
    uid.RLELossless: "pylibjpeg",
}

_DECODING_ERRORS = (RuntimeError, ValueError, NotImplementedError, AttributeError, KeyError)
"""What pydicom raises for pixels that it cannot decode; whatever a plugin raised is inside a RuntimeError."""


def frame_hu(ds: Dataset, frame: int = 0) -> Hu:
    """One frame (0-based) in Hounsfield units, (H, W); values beyond int16 are clipped, padding is AIR_HU.

    Raises ContentError for colour, for an image without a linear rescale and for pixels that cannot be decoded.
    Source: PS3.3 C.11.1.1.2 (rescale), C.7.5.1.1.2 (Pixel Padding Value and its range).
    """
    if int(ds.get("SamplesPerPixel", 1) or 1) != 1:
        raise ContentError("a colour image has no Hounsfield units", sop_instance_uid=ds.get("SOPInstanceUID", ""))
    slope, intercept = _rescale(ds, frame)
    return in_hu(_decode(ds, frame), slope, intercept, _padding(ds))


def in_hu(stored: npt.NDArray[Any], slope: float, intercept: float, padding: tuple[int, int] | None) -> Hu:
    """Stored values, any shape, in Hounsfield units; those from the first of `padding` to its last are AIR_HU."""
    hu: Hu = np.rint(stored * np.float32(slope) + np.float32(intercept)).clip(-32768, 32767).astype(np.int16)
    if padding is not None:
        hu[(stored >= padding[0]) & (stored <= padding[1])] = AIR_HU
    return hu


def window(hu: npt.NDArray[Any], low_hu: float, high_hu: float) -> npt.NDArray[np.uint8]:
    """HU as grey: low_hu and below is 0, high_hu and above is 255; any shape."""
    if not high_hu > low_hu:
        raise ValueError(f"a window needs low < high, got {low_hu} and {high_hu}")
    grey = (hu.astype(np.float32) - low_hu) * (255.0 / (high_hu - low_hu))
    pixels: npt.NDArray[np.uint8] = np.rint(grey).clip(0, 255).astype(np.uint8)
    return pixels


def _rescale(ds: Dataset, frame: int) -> tuple[float, float]:
    holder = functional_group(ds, frame, "PixelValueTransformationSequence") or ds
    slope, intercept = holder.get("RescaleSlope"), holder.get("RescaleIntercept")
    if slope is None or intercept is None:
        raise ContentError(
            "an image without a rescale has no Hounsfield units", sop_instance_uid=ds.get("SOPInstanceUID", "")
        )
    return float(slope), float(intercept)


def _padding(ds: Dataset) -> tuple[int, int] | None:
    value = ds.get("PixelPaddingValue")
    if not isinstance(value, int):
        return None
    limit = ds.get("PixelPaddingRangeLimit")
    other = limit if isinstance(limit, int) else value
    return min(value, other), max(value, other)


def _decode(ds: Dataset, frame: int) -> npt.NDArray[Any]:
    """Stored values of one frame, (H, W): the preferred decoder first, then whatever else can."""
    syntax = ds.file_meta.TransferSyntaxUID
    failure: Exception | None = None
    for decoder in _decoders(ds, syntax):
        try:
            return decoder(ds, frame)
        except _DECODING_ERRORS as error:
            failure = error
    raise ContentError(
        "the pixels cannot be decoded",
        sop_instance_uid=ds.get("SOPInstanceUID", ""),
        transfer_syntax_uid=syntax,
        frame_number=frame + 1,
        because=type(failure).__name__,
    ) from failure


def _decoders(ds: Dataset, syntax: uid.UID) -> Iterator[Callable[[Dataset, int], npt.NDArray[Any]]]:
    if syntax == uid.JPEGExtended12Bit and int(ds.get("BitsStored", 0) or 0) > 8:
        yield decode_jpeg12
    preferred = PREFERRED_DECODER.get(syntax)
    if preferred is not None:
        yield partial(_decode_with, preferred)
    yield partial(_decode_with, "")  # any that pydicom finds


def _decode_with(plugin: str, ds: Dataset, frame: int) -> npt.NDArray[Any]:
    stored: npt.NDArray[Any] = get_decoder(ds.file_meta.TransferSyntaxUID).as_array(
        ds, index=frame, decoding_plugin=plugin
    )[0]
    return stored
