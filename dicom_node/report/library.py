"""The Image Library of a report (PS3.16 TID 1600): which images it refers to, and their geometry. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import highdicom as hd
from pydicom import Dataset

SLICE_THICKNESS = "112225"
_UNKNOWN_THICKNESS_MM = 1.0


def image_library(images: Sequence[Dataset]) -> hd.sr.ContentItem:
    """The library of the images, one group; viewers find the images of a report by it.

    Slice Thickness may be empty in a CT (type 2); then the library does not state it.
    """
    library: hd.sr.ContentItem = hd.sr.ImageLibrary([_with_thickness(image) for image in images])[0]
    unknown = {str(image.SOPInstanceUID) for image in images if "SliceThickness" not in image}
    for group in library.ContentSequence:
        for entry in group.ContentSequence:
            if entry.ValueType == "IMAGE" and entry.ReferencedSOPSequence[0].ReferencedSOPInstanceUID in unknown:
                entry.ContentSequence = [item for item in entry.ContentSequence if not _is_thickness(item)]
    return library


def _with_thickness(image: Dataset) -> Dataset:
    if "SliceThickness" in image:
        return image
    stand_in = Dataset()
    stand_in.update(image)
    stand_in.SliceThickness = _UNKNOWN_THICKNESS_MM
    return stand_in


def _is_thickness(item: Dataset) -> bool:
    return bool(item.ConceptNameCodeSequence[0].CodeValue == SLICE_THICKNESS)
