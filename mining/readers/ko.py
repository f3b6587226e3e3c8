"""Key object selections → key images: slices that somebody marked, without a place on them. Pure.

The document's title says what the mark means (PS3.16 TID 2010, CID 7010): of interest, for a conference; or that the
images are rejected, or are listed for a purpose that has nothing to do with what they show.
"""

from __future__ import annotations

from collections.abc import Iterator

from pydicom.dataset import Dataset

from db.codes import Code
from db.measurement import Found, ImageReference, Rejected, Source, WeakLabel
from mining.content_tree import ContentItem, ContentTree, read_tree
from mining.drawings import Unusable
from mining.elements import items_of, numbers_of, text_of
from mining.known_images import NO_IMAGES, KnownImages
from mining.readers.sr_context import Surroundings, content_text

MAX_KEY_IMAGES = 1_000
"""Of one document; who marks more marks none."""

REJECTION_TITLES = {"113001", "113037", "113038", "113039"}
"""Rejected for Quality Reasons, for Patient Safety Reasons, Incorrect Modality Worklist Entry, Data Retention Policy
Expired: the titles of IHE's Imaging Object Change Management."""

LISTING_TITLES = {
    "113010", "113022",  # Quality Issue, Collection of Presentation States
    *(str(number) for number in range(113030, 113037)),  # manifests, complete contents, groups of frames for display
    *(str(number) for number in range(128180, 128224) if number not in (128195, 128203, 128208)),  # radiotherapy
    "128710", "128711", "128713", "128714",  # exports
}  # fmt: skip
"""Images that are listed whatever they show. For Diagnosis, For Tumor Board and For Tumor Registry are marks."""

DESCRIPTION = "113012"
"""Key Object Description."""

NO_IMAGES_OF_A_READER = (
    "1.2.840.10008.5.1.4.1.1.88.", "1.2.840.10008.5.1.4.1.1.11.", "1.2.840.10008.5.1.4.1.1.9.",
    "1.2.840.10008.5.1.4.1.1.66", "1.2.840.10008.5.1.4.1.1.104.", "1.2.840.10008.5.1.4.1.1.200.",
)  # fmt: skip
"""SOP classes of reports, presentation states, waveforms, segmentations and their like, documents, displays."""
RT_OBJECTS, RT_IMAGE = "1.2.840.10008.5.1.4.1.1.481.", "1.2.840.10008.5.1.4.1.1.481.1"


def read_ko(ds: Dataset, images: KnownImages = NO_IMAGES) -> Iterator[Found]:
    """One key image for each frame that the document refers to, in document order; or why it marks none."""
    uid = text_of(ds, "SOPInstanceUID")
    tree = read_tree(ds)
    refused = _refused(tree.root.concept)
    if refused is not None:
        yield Rejected(uid, "1", refused.reason_code, refused.reason)
        return
    around = Surroundings(tree.root)
    comment = next((content_text(item) for item in tree.items if _is_description(item)), "")
    marked: set[ImageReference] = set()
    for item, path, frames in _references(tree):
        if isinstance(frames, Unusable):
            yield Rejected(uid, path, frames.reason_code, frames.reason)
            continue
        fresh = [frame for frame in frames if frame not in marked]
        room = MAX_KEY_IMAGES - len(marked)
        for frame in fresh[:room]:
            marked.add(frame)
            place = path if len(frames) == 1 else f"{path}[{frame.frame_number}]"
            yield _key_image(Source(uid, place, "KO"), frame, item, around, comment)
        if len(fresh) > room:
            yield Rejected(uid, path, "too_many_images", f"a selection of over {MAX_KEY_IMAGES} images is not read on")
            break
    for cut in tree.cuts:
        yield Rejected(uid, cut.path, cut.reason_code, cut.reason)
    if not marked:
        yield Rejected(uid, "1", "no_image_reference", "the selection refers to no image")


def _refused(title: Code | None) -> Unusable | None:
    """Why a document of this title marks nothing that a reader found."""
    if title is None:
        return None
    if title.value in REJECTION_TITLES or title.meaning.casefold().startswith("rejected for "):
        return Unusable("rejection_note", "its title rejects the images that it names; that is no mark of a finding")
    if title.value in LISTING_TITLES or "manifest" in title.meaning.casefold():
        return Unusable("not_a_mark", "its title lists images for another purpose than what they show")
    return None


def _is_description(item: ContentItem) -> bool:
    concept = item.concept if item.value_type == "TEXT" else None
    return concept is not None and (concept.value == DESCRIPTION or concept.meaning == "Key Object Description")


def _references(tree: ContentTree) -> Iterator[tuple[ContentItem, str, list[ImageReference] | Unusable]]:
    """Each reference of the content with its path, and the frames that it names, or why they are none to mark."""
    for item in tree.items[1:]:
        references = items_of(item.dataset, "ReferencedSOPSequence")
        for position, reference in enumerate(references[: MAX_KEY_IMAGES + 1], start=1):
            path = item.path if len(references) == 1 else f"{item.path}.ReferencedSOPSequence[{position}]"
            yield item, path, _frames(item, reference)


def _frames(item: ContentItem, reference: Dataset) -> list[ImageReference] | Unusable:
    uid = text_of(reference, "ReferencedSOPInstanceUID")
    if not uid:
        return Unusable("no_image_reference", "the reference names no object")
    if item.value_type not in ("IMAGE", "") or not _is_image(text_of(reference, "ReferencedSOPClassUID")):
        return Unusable("not_an_image", "the selected object is no image")
    frames = numbers_of(reference, "ReferencedFrameNumber") or (1.0,)
    return list(dict.fromkeys(ImageReference(uid, max(int(frame), 1)) for frame in frames))


def _is_image(sop_class_uid: str) -> bool:
    is_plan = sop_class_uid.startswith(RT_OBJECTS) and sop_class_uid != RT_IMAGE
    return not is_plan and not sop_class_uid.startswith(NO_IMAGES_OF_A_READER)


def _key_image(
    source: Source, image: ImageReference, item: ContentItem, around: Surroundings, comment: str
) -> WeakLabel:
    above = [item, *item.ancestors()]
    reader, device = around.observer(above)
    return WeakLabel(
        source=source,
        image=image,
        reader=reader,
        measured_at=around.measured_at(above),
        comment=comment,
        by_algorithm=around.algorithm(above) or device,
    )
