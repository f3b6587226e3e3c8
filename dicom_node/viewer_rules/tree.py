"""The parts of a measurement report that viewers look at. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from pydicom import Dataset

from db.measurement import ImageReference
from mining.content_tree import ContentItem, read_tree

GROUP, LIBRARY, LIBRARY_GROUP, MEASUREMENTS = "125007", "111028", "126200", "126010"
TRACKING_ID, TRACKING_UID, FINDING, COMMENT = "112039", "112040", "121071", "121106"
CORNERSTONE = "Cornerstone3DTools@^0.1.0:"


def root_of(ds: Dataset) -> ContentItem:
    return read_tree(ds).root


def groups_of(ds: Dataset) -> list[ContentItem]:
    """The measurement groups (PS3.16 TID 1410, 1411, 1501), in the order of the document."""
    return [item for item in read_tree(ds).items if item.value_type == "CONTAINER" and code_of(item) == GROUP]


def code_of(item: ContentItem) -> str:
    return item.concept.value if item.concept is not None else ""


def with_code(item: ContentItem, code: str) -> list[ContentItem]:
    """The children of that concept."""
    return [child for child in item.children if code_of(child) == code]


def of_type(item: ContentItem, value_type: str) -> list[ContentItem]:
    return [child for child in item.children if child.value_type == value_type]


def text_of(group: ContentItem, code: str) -> str:
    """The text or UID of a child; empty if there is none."""
    for child in with_code(group, code):
        return str(child.dataset.get("TextValue") or child.dataset.get("UID") or "")
    return ""


def tool_of(group: ContentItem) -> str:
    """The tool that OHIF hydrates the group with; empty if it names none of Cornerstone's."""
    identifier = text_of(group, TRACKING_ID)
    return identifier.removeprefix(CORNERSTONE).partition(":")[0] if identifier.startswith(CORNERSTONE) else ""


def coordinates_of(group: ContentItem) -> list[ContentItem]:
    """All SCOORD of a group: its own, and those of its numbers."""
    return [*of_type(group, "SCOORD"), *(region for num in of_type(group, "NUM") for region in of_type(num, "SCOORD"))]


def points_of(scoord: ContentItem) -> list[tuple[float, float]]:
    data = [float(value) for value in scoord.dataset.get("GraphicData") or ()]
    return list(zip(data[::2], data[1::2], strict=False))


def image_of(scoord: ContentItem) -> ImageReference | None:
    """The image and frame that a graphic is drawn on; None if it names none, or several."""
    named = [one for image in of_type(scoord, "IMAGE") for one in image.dataset.get("ReferencedSOPSequence") or ()]
    places = [place for one in named for place in places_of(one)]
    return places[0] if len(places) == 1 else None


def places_of(reference: Dataset) -> list[ImageReference]:
    """The frames that an image reference names; the first where it names none (PS3.3 table 10-3)."""
    frames = reference.get("ReferencedFrameNumber") or 1
    numbers = [frames] if isinstance(frames, int) else list(frames)
    return [ImageReference(str(reference.get("ReferencedSOPInstanceUID", "")), int(number)) for number in numbers]


def name(group: ContentItem) -> str:
    """How a fault speaks of a group."""
    return f"group {group.path}"


def references_of(ds: Dataset) -> Iterator[str]:
    """Every instance that the content of a document names."""
    for item in read_tree(ds).items:
        for reference in item.dataset.get("ReferencedSOPSequence") or ():
            yield str(reference.get("ReferencedSOPInstanceUID", ""))


def evidence_of(ds: Dataset) -> dict[str, str]:
    """Instance → study of what stands in the evidence (PS3.3 C.17.2.3)."""
    return {
        str(instance.ReferencedSOPInstanceUID): str(study.StudyInstanceUID)
        for keyword in ("CurrentRequestedProcedureEvidenceSequence", "PertinentOtherEvidenceSequence")
        for study in ds.get(keyword) or ()
        for series in study.ReferencedSeriesSequence
        for instance in series.ReferencedSOPSequence
    }
