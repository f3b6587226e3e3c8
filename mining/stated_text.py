"""The lengths that a free text states: beside a drawing of a presentation state, or in a report. Pure."""

from __future__ import annotations

import re

_NUMBER = r"(?<!\d)(?<!\d[.,])(?<!\s[.,])(?<!^[.,])(\d{1,4}(?:[.,]\d{1,6})?)"
"""From its first digit: a part of `12345.6`, `1.234,5` or `.5` is another number."""
_UNIT = r"(mm|cm)(?![a-z²³2-3^])"
_TWO = re.compile(rf"{_NUMBER}\s*(mm|cm)?\s*[x×*]\s*{_NUMBER}\s*{_UNIT}", re.IGNORECASE)
_ONE = re.compile(rf"{_NUMBER}\s*{_UNIT}", re.IGNORECASE)
_NOT_OF_THE_LESION = re.compile(
    r"\b(?:(?:slice|section)\s+(?:thickness|interval|spacing|gap|location|position)|schichtdicke"
    r"|(?:table|couch)\s+(?:position|height)|d?fov|field\s+of\s+view)\b[\s:=]*"
    r"[-+]?\d[\d.,]*(?:\s*(?:mm|cm)?\s*[x×*]\s*\d[\d.,]*)?",
    re.IGNORECASE,
)
"""A number that the text ascribes to the image; its unit may stay, for without a number it states nothing."""
_MM = {"mm": 1.0, "cm": 10.0}


def stated_in_text(text: str) -> tuple[float, ...]:
    """The one or two lengths that a text states, in mm: `23.1 x 14.0 mm`, `2,3 cm`. Empty if it states none.

    An area is no length, and neither is the thickness of the slice; the decimal sign is a point or a comma.
    """
    text = _NOT_OF_THE_LESION.sub("", text)
    two = _TWO.search(text)
    if two is not None:
        unit = two[4].lower()
        return _mm(two[1], (two[2] or unit).lower()), _mm(two[3], unit)
    return tuple(_mm(number, unit.lower()) for number, unit in _ONE.findall(text)[:2])


def _mm(number: str, unit: str) -> float:
    return float(number.replace(",", ".")) * _MM[unit]
