"""What a report and each of its groups are about: lesions, or something else that people measure, too. Pure."""

from __future__ import annotations

from mining.content_tree import ContentItem
from mining.drawings import SAID_TO_BE_NO_LESION, Unusable
from mining.organ_sizes import is_size_of_organ
from mining.readers.sr_context import Surroundings
from mining.readers.sr_drawings import Drawings
from mining.readers.sr_graphics import Graphic, Spot
from mining.readers.sr_numbers import Leftover
from mining.region_kind import LONGEST_NAME, RegionKind
from mining.stated_text import is_of_no_lesion

NO_LESION_REPORTS = {
    "125000", "125100", "125195", "125196", "125197", "125200",  # ultrasound: OB-GYN, vascular, cardiac ones
    "122120", "122291", "122292", "122325", "122600",  # hemodynamics, arteries, ventricles, IVUS, CT and MR heart
    "111671", "111690",  # the eye
    "113500", "113701", "128401", "130182",  # dose, agents
}  # fmt: skip
"""Root concepts of reports that measure hearts, vessels, fetuses and doses (PS3.16 annex A)."""


def about_no_lesions(root: ContentItem) -> Unusable | None:
    """Why nothing in a document is a lesion, by its root concept."""
    if root.concept is None or root.concept.value not in NO_LESION_REPORTS:
        return None
    return Unusable("not_about_lesions", "a report under this title measures organs, vessels or a dose, no lesions")


def take_out_anatomy(drawings: Drawings, around: Surroundings) -> list[Leftover]:
    """Take out what is drawn of anatomy, by its group's Finding Category (TID 1501), finding or own words.

    An aorta has a diameter, too. A group that says nothing is about a lesion, for that is what people measure.
    """
    groups: dict[str, Unusable | None] = {}
    taken: dict[int, Unusable] = {}
    for one in drawings.drawn:
        if one.home.path not in groups:
            groups[one.home.path] = _no_lesion(one.home, around)
        unusable = groups[one.home.path] or (SAID_TO_BE_NO_LESION if _is_named_size(one) else None)
        if unusable is not None:
            taken[id(one)] = unusable
    leftovers = [(one.item, taken[id(one)]) for one in drawings.drawn if id(one) in taken]
    drawings.graphics = [graphic for graphic in drawings.graphics if id(graphic) not in taken]
    drawings.spots = [spot for spot in drawings.spots if id(spot) not in taken]
    return leftovers


_ANATOMY = Unusable("anatomy_not_lesion", "its finding or its category is anatomy or another thing, no lesion")


def _no_lesion(home: ContentItem, around: Surroundings) -> Unusable | None:
    finding, name = around.code([home], "finding"), around.text([home], "tracking_id").rpartition(":")[2]
    kind = around.kind_of(home, name)
    if kind is RegionKind.ANATOMY:
        return _ANATOMY
    words = [name, around.text([home], "label"), "" if finding is None else finding.meaning]
    comment = around.text([home], "comment")
    said = kind is not RegionKind.LESION and any(map(is_of_no_lesion, [*words, comment[:LONGEST_NAME]]))
    return SAID_TO_BE_NO_LESION if said else None


def _is_named_size(one: Graphic | Spot) -> bool:
    """Whether a number that measures it is called so by its own concept: `Aortic diameter`."""
    numbers = one.numbers if isinstance(one, Graphic) else ()
    return any(number.concept is not None and is_size_of_organ(number.concept.meaning) for number in numbers)
