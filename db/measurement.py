"""What a reader drew, as a value with its provenance; and what could not be used, with the reason. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid5

from db.codes import Code
from db.geometry import Axis, BoxPx, PointPx

LESION_NAMESPACE = UUID("5b0b2a0e-98a5-5f2b-9a4e-6f0f7f6a1d03")
"""Namespace of every `lesion_id`; never change it: the ids of all harvested rows hang on it."""

SOURCE_KINDS = ("SR", "GSPS", "KO", "SEG", "RTSTRUCT", "CAD SR", "AIM", "private", "csv", "deeplesion")


@dataclass(frozen=True, slots=True)
class ImageReference:
    """One frame of one image; `frame_number` counts from 1 and is 1 for a single-frame image."""

    sop_instance_uid: str
    frame_number: int = 1


@dataclass(frozen=True, slots=True)
class Source:
    """Where a measurement was read: the object, and the item in its tree (`1.2.3`, or another path)."""

    sop_instance_uid: str
    item: str
    kind: str

    @property
    def lesion_id(self) -> str:
        """The identity of the row for ever: UUIDv5 of the object and the place in it."""
        return str(uuid5(LESION_NAMESPACE, f"{self.sop_instance_uid}/{self.item}"))


@dataclass(frozen=True, slots=True)
class Measurement:
    """A lesion as one reader measured it on one image.

    long_axis is at least as long as short_axis IN THE PATIENT (mm), or in pixels where the spacing is unknown.
    `derived`: the axes were computed from a region (contour, circle, mask) and not drawn.
    """

    source: Source
    image: ImageReference
    long_axis: Axis
    short_axis: Axis | None = None
    derived: bool = False
    stated_long_axis_mm: float | None = None
    stated_short_axis_mm: float | None = None
    finding: Code | None = None
    site: Code | None = None
    tracking_id: str = ""
    tracking_uid: str = ""
    reader: str = ""
    measured_at: datetime | None = None
    comment: str = ""
    by_algorithm: str = ""
    """Name of the algorithm that drew it; empty for a human reader."""
    outline: BoxPx | None = None
    """The extent of the region that the axes were derived from, without a margin; None for drawn axes."""

    @property
    def lesion_id(self) -> str:
        return self.source.lesion_id

    @property
    def points(self) -> tuple[PointPx, ...]:
        return self.long_axis.points + (self.short_axis.points if self.short_axis else ())

    @property
    def box(self) -> BoxPx:
        """As in DeepLesion: the extent of the axis ends and 5 px; of a region, the extent of its outline and 5 px."""
        return BoxPx.around(self.points if self.outline is None else self.outline.corners)


@dataclass(frozen=True, slots=True)
class WeakLabel:
    """Something that a reader pointed at without measuring it: a place without an extent, or a slice (a key image).

    It is kept as a row without axes and without a box, and is never truth.
    """

    source: Source
    image: ImageReference
    point: PointPx | None = None
    """The place on the image; None where the whole image was marked."""
    finding: Code | None = None
    site: Code | None = None
    tracking_id: str = ""
    tracking_uid: str = ""
    reader: str = ""
    measured_at: datetime | None = None
    comment: str = ""
    by_algorithm: str = ""
    """Name of the algorithm that set it; empty for a human reader."""

    @property
    def lesion_id(self) -> str:
        return self.source.lesion_id


@dataclass(frozen=True, slots=True)
class Rejected:
    """Something in an object that did not become a measurement, and why. `reason` never holds a patient's data."""

    source_sop_instance_uid: str
    source_item: str
    reason_code: str
    reason: str
    traceback: str = ""
    drawn: Measurement | None = None
    """What it would be if not another drawing of the same lesion went before it."""


Found = Measurement | WeakLabel | Rejected
"""What a reader yields for the parts of one object."""
