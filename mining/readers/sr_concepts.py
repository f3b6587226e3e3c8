"""The concepts that a measurement report is read by: codes of DCM, SCT, SRT and their names. Pure.

A concept is known by its code value, whatever the scheme is called, or by its meaning in any case: writers disagree
about both.
"""

from __future__ import annotations

from db.codes import Code

MEASUREMENT_GROUP = "125007"
SINGLE_IMAGE_FINDING = "111059"
"""What a CAD report hangs the drawings of one finding below (PS3.16 TID 4006, 4104, 4127)."""

REFERENCE_GEOMETRY, REFERENCE_POINTS = "128773", "122438"
"""Coordinates that place another drawing in space, or its label; they are no drawing of their own."""

ROLES = {
    "103339001": "long", "G-A185": "long", "131187009": "long", "G-A193": "long",  # Long Axis, Major Axis
    "103340004": "short", "G-A186": "short", "131188004": "short", "G-A194": "short",  # Short Axis, Minor Axis
    "131189007": "short", "G-A195": "short",  # Perpendicular Axis
    "410668003": "length", "G-D7FE": "length", "121206": "length", "81827009": "length",
    "M-02550": "length",  # Length, Distance, Diameter
    "103355008": "side", "G-A220": "side", "121207": "side",  # Width and Height: either may be the longer one
}  # fmt: skip
"""CID 7470 Linear Measurements: what a number says of the line that it belongs to."""

GENERAL_ROLES = ("length", "side")
"""They leave open which of a lesion's axes it is."""

FREE_TEXT = {"CORNERSTONEFREETEXT"}
"""Code values whose meaning is what somebody typed."""

ROLES_BY_MEANING = {
    "long axis": "long", "long axis diameter": "long", "long diameter": "long", "longest diameter": "long",
    "major axis": "long", "maximum diameter": "long",
    "short axis": "short", "short axis diameter": "short", "short diameter": "short", "minor axis": "short",
    "perpendicular axis": "short", "perpendicular diameter": "short", "shortest diameter": "short",
    "length": "length", "distance": "length", "diameter": "length", "width": "side", "height": "side",
}  # fmt: skip

MILLIMETRES = {
    "mm": 1.0, "cm": 10.0, "m": 1000.0, "um": 0.001, "dm": 100.0, "[in_i]": 25.4,
    "MM": 1.0, "CM": 10.0, "millimeter": 1.0, "millimetre": 1.0, "centimeter": 10.0, "centimetre": 10.0,
}  # fmt: skip
"""UCUM units of length (PS3.16 CID 7460), and what writers put instead. All others are no length: neither "1" nor an
area ever becomes one."""

IMAGE_LIBRARY = "111028"
"""What a document lists of its images; an entry is about no lesion (TID 1600)."""

ANGLES = {"deg", "degree", "degrees", "\N{DEGREE SIGN}", "rad", "radian", "'"}

FIELDS = {
    "112039": "tracking_id", "112040": "tracking_uid", "121071": "finding", "363698007": "site", "G-C0E3": "site",
    "121106": "comment", "125309": "label",
    "111056": "intent", "276214006": "category", "111027": "side",
    "121008": "person", "121013": "device", "121012": "device_uid",
    "111001": "algorithm", "111003": "algorithm_version",
}  # fmt: skip
"""What is looked for among the children of an item and of those above it (TID 300, 1001, 1002, 1501, 4019)."""

FIELDS_BY_MEANING = {
    "tracking identifier": "tracking_id", "tracking unique identifier": "tracking_uid", "finding": "finding",
    "finding site": "site", "comment": "comment", "finding category": "category", "short label": "label",
    "person observer name": "person",
    "device observer name": "device", "algorithm name": "algorithm",
}  # fmt: skip


def role_of(concept: Code | None) -> str | None:
    """`long`, `short`, `length` or `side`; None for a number that is about something else."""
    return _find(concept, ROLES, ROLES_BY_MEANING)


def role_in_words(words: str) -> str | None:
    """The role that a text names and nothing else: `short axis`."""
    return ROLES_BY_MEANING.get(" ".join(words.casefold().split()))


def field_of(concept: Code | None) -> str | None:
    """Which of FIELDS an item fills, or None."""
    return _find(concept, FIELDS, FIELDS_BY_MEANING)


def _find(concept: Code | None, by_value: dict[str, str], by_meaning: dict[str, str]) -> str | None:
    if concept is None:
        return None
    return by_value.get(concept.value) or by_meaning.get(" ".join(concept.meaning.casefold().split()))
