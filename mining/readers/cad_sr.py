"""CAD reports of mammography, chest and colon → what the algorithm found, never truth. Pure.

Each drawing hangs below a Single Image Finding (PS3.16 TID 4006, 4104, 4127), whose value says what was found: a point
in its Center, regions in its Outline, lines below linear measurements. The image is named by reference to the Image
Library, or below the drawing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain
from typing import TypeVar

from pydicom.dataset import Dataset

from db.codes import Code
from db.measurement import Found, Measurement, Rejected, WeakLabel
from mining.content_tree import ContentItem, ContentTree, read_tree
from mining.drawings import Unusable
from mining.elements import code_of, text_of
from mining.known_images import NO_IMAGES, KnownImages
from mining.readers.cad_algorithms import CadAlgorithms
from mining.readers.sr_attributes import Attributes
from mining.readers.sr_concepts import SINGLE_IMAGE_FINDING
from mining.readers.sr_context import Surroundings
from mining.readers.sr_drawings import Drawings, read_drawings
from mining.readers.sr_graphics import COORDINATES, Graphic, Spot
from mining.readers.sr_lesions import lesions_of, spots_alone
from mining.readers.sr_numbers import Leftover

COMPOSITE_FEATURE, CENTER = "111015", "111010"
NOT_FOR_PRESENTATION = "111152"
SUMMARIES = {"111062", "111063", "111064", "111065", "111025", "111026"}
"""What was run, on which images and regions of them; not what was found (TID 4015, 4016)."""

NO_LESIONS = {
    "111100", "111101", "111102", "112005", "112238",  # geometry, image quality, non-lesion, anatomy, not of the colon
    "111006", "129715009", "F-01710",  # breast composition
    "24142002", "T-04100", "T-14120",  # nipple, pectoral muscle
    "39477002", "385420005", "442170005", "6533001", "23153004", "43526002",  # what a colon holds, or is made of
}  # fmt: skip
NO_LESIONS_BY_MEANING = {
    "breast composition", "breast geometry", "image quality", "non-lesion", "nipple", "pectoral muscle",
    "radiographic anatomy", "lung", "heart", "rib", "breast",
}  # fmt: skip
"""Values of findings that are no lesion (CID 6014, 6101, 6201). `Mammography breast density` is one: it is what CAD
calls a mass."""


_Row = TypeVar("_Row", Measurement, WeakLabel)


def read_cad_sr(ds: Dataset, images: KnownImages = NO_IMAGES) -> Iterator[Found]:
    """All findings with a place in document order, those that are drawn first; then a reason for all others."""
    uid = text_of(ds, "SOPInstanceUID")
    tree = read_tree(ds)
    around = Surroundings(tree.root)
    drawings = read_drawings(tree, around, images)
    left_out = _take_out(drawings, around)
    lesions, merged = lesions_of(drawings.graphics, around)
    spots, attached = spots_alone(drawings.spots, drawings.graphics, around)
    attributes = Attributes(uid, "CAD SR", around, lesions, spots)
    algorithms, composites = CadAlgorithms(ds, tree, around), _composites(tree)
    for lesion in lesions:
        above = composites.get(lesion[0].home.path, [])
        yield _of_finding(attributes.measurement(lesion), lesion, above, around, algorithms)
    for spot in spots:
        above = composites.get(spot.home.path, [])
        yield _of_finding(attributes.weak_label(spot), (spot,), above, around, algorithms)
    for cut in tree.cuts:
        yield Rejected(uid, cut.path, cut.reason_code, cut.reason)
    centres = [(item, reason) for item, reason in attached if not _is_centre(item)]
    for item, reason in chain(left_out, drawings.unusable, merged, centres, _without_place(tree)):
        yield Rejected(uid, item.path, reason.reason_code, reason.reason)


def _composites(tree: ContentTree) -> dict[str, list[ContentItem]]:
    """The Composite Feature that a finding is a part of, by value or by reference; by the path of the finding."""
    found: dict[str, list[ContentItem]] = {}
    for composite in tree.items:
        if _concept_value(composite) == COMPOSITE_FEATURE:
            for child in composite.children:
                found.setdefault((child.target or child).path, [composite])
    return found


def _of_finding(
    found: _Row,
    drawn: Sequence[Graphic | Spot],
    composite: Sequence[ContentItem],
    around: Surroundings,
    algorithms: CadAlgorithms,
) -> _Row:
    """What was found with what its finding, the composite above it and the Image Library say of it."""
    home: ContentItem = drawn[0].home
    value = code_of(home.dataset, "ConceptCodeSequence") if _is_finding(home) else None
    return replace(
        found,
        finding=value or found.finding,
        site=found.site or around.code(composite, "site") or _laterality(drawn, around),
        tracking_id=found.tracking_id or around.text(composite, "tracking_id"),
        tracking_uid=found.tracking_uid or around.text(composite, "tracking_uid"),
        reader="",
        by_algorithm=algorithms.of([home, *home.ancestors()], value),
    )


def _take_out(drawings: Drawings, around: Surroundings) -> list[Leftover]:
    """Take the drawings out that stand for no lesion to show; once for each finding, with the reason."""
    reasons: dict[str, Leftover] = {}
    kept: set[str] = set()
    for one in drawings.drawn:
        if one.home.path in reasons or one.home.path in kept:
            continue
        reason = _refused(one, around)
        if reason is None:
            kept.add(one.home.path)
        else:
            reasons[one.home.path] = one.home, reason
    drawings.graphics = [one for one in drawings.graphics if one.home.path in kept]
    drawings.spots = [one for one in drawings.spots if one.home.path in kept]
    return list(reasons.values())


def _refused(drawn: Graphic | Spot, around: Surroundings) -> Unusable | None:
    finding, above = drawn.home, list(drawn.home.ancestors())
    if any(_concept_value(item) in SUMMARIES for item in (finding, *above)):
        return Unusable("not_a_lesion", "the region that an algorithm looked at, not what it found")
    if not _is_finding(finding):
        return None
    if _is_no_lesion(finding):
        return Unusable("not_a_lesion", "the finding is no lesion, by its code")
    if any(_is_finding(item) for item in above):
        return Unusable(
            "part_of_a_finding", "it is a part of the finding that it hangs below, such as one calcification"
        )
    intent = around.code((finding, *above), "intent")
    if intent is not None and intent.value == NOT_FOR_PRESENTATION:
        return Unusable("not_for_presentation", "the algorithm itself says that the finding is not to be shown")
    return None


def _without_place(tree: ContentTree) -> Iterator[Leftover]:
    """Findings without coordinates; or that the algorithm found nothing."""
    findings = [item for item in tree.items if _is_finding(item)]
    drawn = {above.path for item in tree.items if item.value_type in COORDINATES for above in item.ancestors()}
    for item in findings:
        if item.path not in drawn and item.target is None:
            reason = "the finding is no lesion, by its code"
            yield (item, Unusable("not_a_lesion", reason)) if _is_no_lesion(item) else (item, _NO_PLACE)
    if not findings and not drawn:
        yield tree.root, Unusable("no_measurement", "the report holds no finding")


_NO_PLACE = Unusable("no_coordinates", "a finding without a place on an image")


def _is_finding(item: ContentItem) -> bool:
    return item.value_type == "CODE" and _concept_value(item) == SINGLE_IMAGE_FINDING


def _is_no_lesion(finding: ContentItem) -> bool:
    value = code_of(finding.dataset, "ConceptCodeSequence")
    return value is not None and (value.value in NO_LESIONS or value.meaning.casefold() in NO_LESIONS_BY_MEANING)


def _is_centre(item: ContentItem) -> bool:
    return _concept_value(item) == CENTER


def _laterality(drawn: Sequence[Graphic | Spot], around: Surroundings) -> Code | None:
    """The side of the image as the Image Library gives it, `Left breast`: where the finding names no site."""
    return around.code(
        [child.target for one in drawn for child in one.item.children if child.target is not None], "side"
    )


def _concept_value(item: ContentItem) -> str:
    return "" if item.concept is None else item.concept.value
