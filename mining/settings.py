"""What a site says about its harvest, as values: limits of doubt, its private tags, its lists. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mining.noise import DEFAULT_NOISE_LIMITS, NoiseLimits

MEANINGS = (
    "item", "lesion_id", "image", "frame", "series", "instance_number", "study", "points", "long_axis", "short_axis",
    "x1", "y1", "x2", "y2", "x3", "y3", "x4", "y4", "stated_long_axis_mm", "stated_short_axis_mm", "finding", "site",
    "tracking_id", "tracking_uid", "reader", "measured_at", "comment", "patient_id",
)  # fmt: skip
"""What a private tag or a column of a CSV file can mean (docs/operations.md)."""

NUMERIC = frozenset(("points", "long_axis", "short_axis", *(f"{axis}{n}" for axis in "xy" for n in (1, 2, 3, 4))))
"""Meanings of coordinates: columns and rows of pixels, x before y."""

ORIGINS = {"scoord": -0.5, "zero": 0.0, "one": -1.0}
"""Where (0, 0) is → what leads from there to the centre of the first pixel: `scoord` the corner of the first pixel,
`zero` its centre, `one`: its centre is (1, 1)."""


@dataclass(frozen=True, slots=True)
class PrivateTable:
    """How the private elements of one kind of object are read.

    tags: path (`mining.private_paths`) → meaning, with `:VR` behind it where objects come in implicit VR. The one that
    means `item` is the sequence with a mark in each item.
    """

    sop_class_uid: str
    tags: Mapping[str, str]
    origin: str = "scoord"
    """One of ORIGINS."""


@dataclass(frozen=True, slots=True)
class BookmarkColumns:
    """How a CSV file of bookmarks is read: `columns` maps its column names to meanings."""

    columns: Mapping[str, str]
    origin: str = "scoord"
    delimiter: str = ","
    decimal_comma: bool = False
    """Whether a comma in a cell with several numbers is in a number, and not between two."""


VERDICTS = ("accepted", "modified", "rejected", "added")
"""What an answer says of a finding of ours (`db.outcomes.Assessment`)."""

VERDICT_WORDS = {
    "accept": "accepted", "accepted": "accepted", "agree": "accepted", "agreed": "accepted",
    "confirm": "accepted", "confirmed": "accepted", "true positive": "accepted",
    "reject": "rejected", "rejected": "rejected", "disagree": "rejected", "disagreed": "rejected",
    "dismiss": "rejected", "dismissed": "rejected", "false positive": "rejected",
    "modify": "modified", "modified": "modified", "amend": "modified", "amended": "modified",
    "edit": "modified", "edited": "modified", "correct": "modified", "corrected": "modified",
    "supplement": "added", "supplemented": "added", "add": "added", "added": "added",
    "missed": "added", "false negative": "added",
}  # fmt: skip
"""How assessments of AI results are worded: IHE AIRA (supplement of 2025-06) names the acts, not their codes. A code
value, a code meaning or a text that says one of these, and nothing else, is a verdict; case does not matter."""


@dataclass(frozen=True, slots=True)
class HarvestSettings:
    """Section `[harvest]` of node.toml."""

    noise: NoiseLimits = DEFAULT_NOISE_LIMITS
    private: tuple[PrivateTable, ...] = ()
    bookmarks: BookmarkColumns | None = None
    let_in: frozenset[str] = frozenset()
    """Purposes of images (`mining.image_purpose`) that a site lets into training all the same."""
    exclude: tuple[str, ...] = ()
    """Patterns of series and study descriptions, scanners' names and patient ids that never count as truth."""
    algorithms: tuple[str, ...] = ()
    """Names of writers, devices and algorithms that are no person, beside those that `mining.algorithms` knows."""
    verdicts: Mapping[str, str] = field(default_factory=dict)
    """What a site's viewers write for a verdict → one of VERDICTS, beside VERDICT_WORDS: `99SITE:A1`, or words."""


DEFAULT_SETTINGS = HarvestSettings()
