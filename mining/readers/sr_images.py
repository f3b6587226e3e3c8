"""Which images the items of a content tree name. Pure."""

from __future__ import annotations

from functools import cached_property

from db.measurement import ImageReference
from mining.content_tree import ContentItem, ContentTree
from mining.drawings import Unusable
from mining.elements import items_of, numbers_of, text_of
from mining.known_images import KnownImages
from mining.plane_stack import PlaneStack

SEGMENTATIONS = {"1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7", "1.2.840.10008.5.1.4.1.1.66.5"}
"""SEG, label map SEG and Surface Segmentation Storage: an IMAGE item of these is no image to draw on."""

WHOLE_SLIDE = "1.2.840.10008.5.1.4.1.1.77.1.6"
"""VL Whole Slide Microscopy: the one image whose total pixel matrix is not its frame (PS3.3 C.18.6.1.1)."""

MAX_FRAMES = 10_000
"""Of one Referenced Frame Number."""


class NamedImages:
    """Answers for one document; the children of each item are looked through once."""

    def __init__(self, tree: ContentTree) -> None:
        self._tree = tree
        self._below: dict[str, list[ImageReference]] = {}
        self._stacks: dict[str, PlaneStack] = {}

    def image_of(self, item: ContentItem) -> ImageReference | Unusable:
        """The image below a drawing, else the one that the nearest item above it names, else the document's only one.

        The last is for writers that do not say on which image of one they drew.
        """
        for holder in (item, *item.ancestors()):
            references = self.below(holder)
            if len(references) > 1:
                return Unusable("ambiguous_image", f"the drawing could lie on {len(references)} images or frames")
            if references:
                return references[0]
        return self._only or Unusable("no_image_reference", "the drawing refers to no image")

    def below(self, item: ContentItem) -> list[ImageReference]:
        """The image frames that an item's own children name, each once; by reference too."""
        known = self._below.get(item.path)
        if known is None:
            found: dict[ImageReference, None] = {}
            for child in item.children:
                named = child.target if child.target is not None else child
                if named.value_type == "IMAGE":
                    found.update(dict.fromkeys(frames_of(named)))
            known = self._below[item.path] = list(found)
        return known

    def planes(self, item: ContentItem, images: KnownImages) -> list[PlaneStack]:
        """The planes of the images that a drawing, or an item above it, names; the nearest item's first."""
        return [self._stack(holder, images) for holder in (item, *item.ancestors()) if self.below(holder)]

    def _stack(self, holder: ContentItem, images: KnownImages) -> PlaneStack:
        stack = self._stacks.get(holder.path)
        if stack is None:
            known = [(reference, images.find(reference)) for reference in self.below(holder)]
            stack = self._stacks[holder.path] = PlaneStack(
                [(frame, image.plane) for frame, image in known if image is not None and image.plane is not None]
            )
        return stack

    @cached_property
    def _only(self) -> ImageReference | None:
        named = {frame for item in self._tree.items if item.value_type == "IMAGE" for frame in frames_of(item)}
        return named.pop() if len(named) == 1 else None


def frames_of(item: ContentItem) -> list[ImageReference]:
    """The frames that an IMAGE item names; none for a segmentation, a tiled slide or an empty reference."""
    for reference in items_of(item.dataset, "ReferencedSOPSequence")[:1]:
        uid = text_of(reference, "ReferencedSOPInstanceUID")
        if uid and text_of(reference, "ReferencedSOPClassUID") not in {*SEGMENTATIONS, WHOLE_SLIDE}:
            frames = numbers_of(reference, "ReferencedFrameNumber") or (1.0,)
            return [ImageReference(uid, max(int(frame), 1)) for frame in frames[:MAX_FRAMES]]
    return []
