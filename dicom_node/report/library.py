"""The Image Library of a report (PS3.16 TID 1600): which images it refers to, and their geometry. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import highdicom as hd
from pydicom import Dataset

from dicom_node.report.source import with_thickness

SLICE_THICKNESS = "112225"
_STAND_IN_MM = 1.0


def image_library(images: Sequence[Dataset]) -> hd.sr.ContentItem:
    """The library of the images, one group; viewers find the images of a report by it.

    Where a source does not know its Slice Thickness, the library does not state one.
    """
    library = cast(hd.sr.ContentItem, hd.sr.ImageLibrary([with_thickness(image, _STAND_IN_MM) for image in images])[0])
    unknown = {str(image.SOPInstanceUID) for image in images if "SliceThickness" not in image}
    for group in library.ContentSequence:
        for entry in group.ContentSequence:
            if entry.ValueType == "IMAGE" and entry.ReferencedSOPSequence[0].ReferencedSOPInstanceUID in unknown:
                entry.ContentSequence = [item for item in entry.ContentSequence if not _is_thickness(item)]
    return library


def _is_thickness(item: Dataset) -> bool:
    return bool(item.ConceptNameCodeSequence[0].CodeValue == SLICE_THICKNESS)
