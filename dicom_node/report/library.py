"""The Image Library of a report (PS3.16 TID 1600): which images it refers to, and their geometry. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import highdicom as hd
import numpy as np
from pydicom import Dataset

STAND_INS: dict[str, tuple[list[float], frozenset[str]]] = {
    "SliceThickness": ([1.0], frozenset({"112225"})),
    "PixelSpacing": ([1.0, 1.0], frozenset({"111026", "111066"})),
    "ImagePositionPatient": ([0.0, 0.0, 0.0], frozenset({"110901", "110902", "110903"})),
    "ImageOrientationPatient": (
        [1.0, 0.0, 0.0, 0.0, 1.0, 0.0],
        frozenset({"110904", "110905", "110906", "110907", "110908", "110909"}),
    ),
    "Rows": ([1], frozenset({"110910"})),
    "Columns": ([1], frozenset({"110911"})),
}
"""What highdicom insists on reading and a source may not know: values to give it instead, and the code values of the
library's items that would state them (PS3.16 TID 1602, 1604).
"""


def image_library(images: Sequence[tuple[Dataset, int | None]]) -> hd.sr.ContentItem:
    """The library of the images, one group; viewers find the images of a report by it.

    images: header of a slice, and its frame number where its image has more than one. What a source does not know of
    its geometry, the library does not state.
    """
    complete = [_with_stand_ins(header) for header, _ in images]
    library = cast(hd.sr.ContentItem, hd.sr.ImageLibrary([header for header, _ in complete])[0])
    entries = [entry for entry in library.ContentSequence[0].ContentSequence if entry.ValueType == "IMAGE"]
    for entry, (_, frame_number), (_, unknown) in zip(entries, images, complete, strict=True):
        entry.ContentSequence = [item for item in entry.ContentSequence if _code(item) not in unknown]
        if frame_number is not None:
            entry.ReferencedSOPSequence[0].ReferencedFrameNumber = frame_number
    return library


def _with_stand_ins(image: Dataset) -> tuple[Dataset, frozenset[str]]:
    """A header that has everything, and the codes of what it does not know."""
    complete = Dataset()
    complete.update(image)
    unknown: frozenset[str] = frozenset()
    for keyword, (values, codes) in STAND_INS.items():
        if not _knows(image, keyword, len(values)):
            setattr(complete, keyword, values if len(values) > 1 else values[0])
            unknown |= codes
    return complete, unknown


def _knows(image: Dataset, keyword: str, count: int) -> bool:
    try:
        numbers = np.atleast_1d(np.asarray(image.get(keyword), np.float64))
    except (TypeError, ValueError):  # a text in the place of a number
        return False
    return numbers.shape == (count,) and bool(np.isfinite(numbers).all())


def _code(item: Dataset) -> str:
    return str(item.ConceptNameCodeSequence[0].CodeValue)
