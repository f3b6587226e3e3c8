"""A text of a presentation state, where it stands, and what it says. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pydicom.dataset import Dataset

from db.geometry import PointPx
from mining.drawings import Unusable
from mining.elements import integer_of, numbers_of, text_of
from mining.readers.gsps_coordinates import Pair
from mining.stated_text import is_of_no_lesion, lesion_named_in, stated_in_text, states_intensity_alone

LONGEST_SAYING = 500
"""So much of a text is looked through for lengths and names; what is longer is prose."""

ToPixels = Callable[[Sequence[Pair], str], list[PointPx] | Unusable]


@dataclass(frozen=True, slots=True)
class Text:
    """`annotation` counts from 1; `group` and `compound` are the ids that link it to drawings, None without one."""

    path: str
    text: str
    annotation: int
    at: PointPx | None
    """Where it points to, else the middle of where it stands."""
    points: bool
    """Whether it has a point that it is about."""
    stated: tuple[float, ...] = ()
    """Lengths in mm, at most two."""
    name: str = ""
    """Of a lesion."""
    of_no_lesion: bool = False
    """It says that its drawing is a scale, an angle or the size of an organ."""
    samples: bool = False
    """It says what the voxels of its region hold, and no size."""
    group: int | None = None
    compound: int | None = None
    tracking_id: str = ""
    tracking_uid: str = ""

    @property
    def measures(self) -> bool:
        """Whether it says of its drawing what was measured."""
        return bool(self.stated) or self.of_no_lesion

    @property
    def is_about_a_lesion(self) -> bool:
        return not self.of_no_lesion and bool(self.stated or self.name)


def read_text(item: Dataset, path: str, annotation: int, to_pixels: ToPixels) -> Text | None:
    """A Text Object; None for one without a text. A place that cannot be read is none."""
    text = " ".join(text_of(item, "UnformattedTextValue").split())
    if not text:
        return None
    said = text[:LONGEST_SAYING]
    of_no_lesion = is_of_no_lesion(said)
    anchor = _middle(item, "AnchorPointAnnotationUnits", ("AnchorPoint",), to_pixels)
    stands = _middle(
        item,
        "BoundingBoxAnnotationUnits",
        ("BoundingBoxTopLeftHandCorner", "BoundingBoxBottomRightHandCorner"),
        to_pixels,
    )
    return Text(
        path=path,
        text=text,
        annotation=annotation,
        at=anchor or stands,
        points=anchor is not None,
        stated=() if of_no_lesion else stated_in_text(said),
        name=lesion_named_in(said),
        of_no_lesion=of_no_lesion,
        samples=states_intensity_alone(said),
        group=integer_of(item, "GraphicGroupID"),
        compound=integer_of(item, "CompoundGraphicInstanceID"),
        tracking_id=text_of(item, "TrackingID"),
        tracking_uid=text_of(item, "TrackingUID"),
    )


def _middle(item: Dataset, units: str, keywords: Sequence[str], to_pixels: ToPixels) -> PointPx | None:
    corners = [numbers_of(item, keyword) or () for keyword in keywords]
    pairs = [(corner[0], corner[1]) for corner in corners if len(corner) >= 2]
    points = to_pixels(pairs, text_of(item, units).upper()) if len(pairs) == len(keywords) else None
    if not isinstance(points, list):
        return None
    return PointPx(sum(p.col for p in points) / len(points), sum(p.row for p in points) / len(points))
