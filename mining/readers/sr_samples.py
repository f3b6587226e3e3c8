"""Regions of a report that only sample the values of an image, such as a circle for the mean HU. Pure.

Such a region is set inside what somebody looks at, or beside it for comparison; its extent is nobody's measurement, so
it stays as a place. A region whose size is stated too, or whose group says that it is a lesion, is an outline.
"""

from __future__ import annotations

import re

from mining.readers.sr_context import Surroundings, unit_of_number
from mining.readers.sr_drawings import Drawings
from mining.readers.sr_graphics import Graphic, Spot
from mining.region_kind import RegionKind
from mining.stated_text import lesion_named_in

_INTENSITY = re.compile(r"hnsf|hounsfield|^hu$|suv|^\[?g/ml|^bq/ml|^\{?counts", re.IGNORECASE)
"""Units (UCUM, and what writers put instead) of what a voxel holds: HU, SUV, activity."""


def leave_samples_as_places(drawings: Drawings, around: Surroundings) -> None:
    samples = [graphic for graphic in drawings.graphics if _is_sample(graphic, around)]
    if not samples:
        return
    taken = {id(graphic) for graphic in samples}
    drawings.graphics = [graphic for graphic in drawings.graphics if id(graphic) not in taken]
    spots = [*drawings.spots, *map(_spot, samples)]
    drawings.spots = sorted(spots, key=lambda spot: spot.item.position)


def _is_sample(graphic: Graphic, around: Surroundings) -> bool:
    if graphic.shape.is_line or graphic.segment is not None or not graphic.numbers:
        return False
    if not all(_INTENSITY.search(unit_of_number(number)) for number in graphic.numbers):
        return False
    name = around.text([graphic.home], "tracking_id")
    return around.kind_of(graphic.home, name) is not RegionKind.LESION and not lesion_named_in(name)


def _spot(graphic: Graphic) -> Spot:
    outline = graphic.shape.outline
    middle = graphic.shape.long_axis.middle if outline is None else outline.centre
    return Spot(graphic.item, graphic.image, middle, graphic.home)
