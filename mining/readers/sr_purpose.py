"""What a report and each of its groups are about: lesions, or something else that people measure, too. Pure."""

from __future__ import annotations

from mining.content_tree import ContentItem
from mining.drawings import Unusable
from mining.readers.sr_context import Surroundings
from mining.readers.sr_drawings import Drawings
from mining.readers.sr_numbers import Leftover
from mining.region_kind import RegionKind, kind_of_region

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
    """Take out what is drawn in groups whose Finding Category (TID 1501) is anatomy: an aorta has a diameter, too.

    A group without a category is about a lesion, for that is what people measure.
    """
    kinds: dict[str, bool] = {}
    drawn = drawings.drawn
    for one in drawn:
        if one.home.path not in kinds:
            home = [one.home]
            kind = kind_of_region(
                around.code(home, "category"), around.code(home, "finding"), around.text(home, "tracking_id")
            )
            kinds[one.home.path] = kind is RegionKind.ANATOMY
    drawings.graphics = [graphic for graphic in drawings.graphics if not kinds[graphic.home.path]]
    drawings.spots = [spot for spot in drawings.spots if not kinds[spot.home.path]]
    reason = Unusable("anatomy_not_lesion", "its finding category is anatomy or another thing, no lesion")
    return [(one.item, reason) for one in drawn if kinds[one.home.path]]
