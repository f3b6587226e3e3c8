"""What is written about a lesion for people, the same in all encodings that write it. Pure."""

from __future__ import annotations

from db.detection import Detection
from dicom_node.report.context import LONG_STRING, RESEARCH_ONLY, ModelDescription
from dicom_node.report.key_slices import KeySlice
from dicom_node.report.subject import Lesion


def sizes_of(detection: Detection) -> str:
    """Long by short axis."""
    return f"{detection.long_axis_mm:.1f} x {detection.short_axis_mm:.1f} mm"


def name_of(lesion: Lesion) -> str:
    """Number and category as an LO holds them: 64 characters, and no backslash, which would begin another value."""
    category = lesion.detection.category.replace("\\", "/")
    name = f"Lesion {lesion.number}: {category}" if category else f"Lesion {lesion.number}"
    return name[:LONG_STRING].rstrip()


def place_of(each: KeySlice) -> str:
    """How a viewer counts the slice: by Instance Number, and by frame where an image has several."""
    number = each.source.get("InstanceNumber")
    name = f"slice {each.place}" if number in (None, "") else f"image {number}"
    return name if each.frame_number is None else f"{name}, frame {each.frame_number}"


def line_of(lesion: Lesion, each: KeySlice) -> str:
    return f"{lesion.label}, {sizes_of(lesion.detection)}, {place_of(each)}"


def model_line(model: ModelDescription) -> str:
    return f"{RESEARCH_ONLY}: {model.name} {model.model_id}, version {model.software_version}"
