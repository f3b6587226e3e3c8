"""The slices that lesions are drawn on, each with its lesions. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from pydicom import Dataset

from db.measurement import ImageReference
from dicom_node.report.subject import Lesion, Subject


@dataclass(frozen=True, slots=True, eq=False)
class KeySlice:
    """source: the header of its image as it came. place: of the slice in the sorted series, from 1."""

    image: ImageReference
    source: Dataset
    place: int
    lesions: tuple[Lesion, ...]

    @property
    def header(self) -> Dataset:
        """Its size and geometry, checked."""
        return self.lesions[0].header

    @property
    def frame_number(self) -> int | None:
        """From 1, where the image has several frames."""
        return self.lesions[0].frame_number

    def reference(self) -> Dataset:
        """An item of a Referenced Image Sequence (PS3.3 table 10-3)."""
        return image_item(self.header, self.frame_number)

    def attribute(self, keyword: str, group: str) -> object:
        """A value of the slice: of its frame's functional group, the shared one, or the image; None without one."""
        number = self.image.frame_number - 1
        frames = self.source.get("PerFrameFunctionalGroupsSequence") or ()
        holders = [*frames[number : number + 1], *(self.source.get("SharedFunctionalGroupsSequence") or ())]
        for holder in (*(item for each in holders for item in each.get(group) or ()), self.source):
            if holder.get(keyword) not in (None, ""):
                return holder[keyword].value
        return None


def by_instance(slices: Iterable[KeySlice]) -> list[Dataset]:
    """One reference to each image, with all frames that are meant of it."""
    found: dict[str, list[KeySlice]] = defaultdict(list)
    for each in slices:
        found[each.image.sop_instance_uid].append(each)
    items = [same[0].reference() for same in found.values()]
    for item, same in zip(items, found.values(), strict=True):
        if len(same) > 1:
            item.ReferencedFrameNumber = [each.frame_number for each in same]
    return items


def key_slices(subject: Subject) -> list[KeySlice]:
    """In the order of the slices; empty where there is no lesion."""
    if subject.sources is None:
        return []
    lesions: dict[ImageReference, list[Lesion]] = defaultdict(list)
    for lesion in subject.lesions:
        lesions[lesion.detection.image].append(lesion)
    sources = {str(image.SOPInstanceUID): image for image in subject.context.images}
    places = {image: subject.sources.index(image) for image in lesions}
    return [
        KeySlice(image, sources[image.sop_instance_uid], places[image] + 1, tuple(lesions[image]))
        for image in sorted(lesions, key=places.__getitem__)
    ]


def image_item(header: Dataset, frame_number: int | None) -> Dataset:
    """A reference to an image; frame_number: from 1, of the frame that is meant where the image has several."""
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = header.SOPClassUID, header.SOPInstanceUID
    if frame_number is not None:
        item.ReferencedFrameNumber = frame_number
    return item
