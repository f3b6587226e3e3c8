"""What a free text beside a drawing states: lengths, the lesion's name, an angle. Pure.

Written in whatever script: digits of any alphabet, full-width forms, a point or a comma, spaces that do not break.
"""

from __future__ import annotations

import re
from functools import cache
from unicodedata import decimal, normalize

from mining.organ_sizes import is_size_of_organ

_NUMBER = r"(?<!\d)(?<!\d[.,'])(?<!\s[.,])(?<!^[.,])(?:(?<!\d\s)|(?!\d{3}(?!\d)))(\d{1,4}(?:[.,]\d{1,6})?)(?!\d|[.,]\d)"
"""The whole of a number: a part of `12345.6`, `1.234,5`, `1 234,5` or `.5` is another number."""
_UNITS = (
    r"mm|cm|millimet(?:er|re)s?|centimet(?:er|re)s?|мм|см|毫米|厘米|公分|"
    + normalize("NFKC", "ミリ(?:メートル)?|センチ(?:メートル)?")
    + "|مم|سم"
)
_UNIT = rf"({_UNITS})(?![a-zа-я²³2-3^]|\s*/\s*(?:s|min)\b)"
_BY = r"\s*(?:[x×*✕⨯х]|\bby\b|\bmal\b)\s*"
_PRODUCT = re.compile(
    rf"{_NUMBER}\s*(?:{_UNIT})?{_BY}{_NUMBER}\s*(?:{_UNIT})?(?:{_BY}{_NUMBER}\s*(?:{_UNIT})?)?", re.IGNORECASE
)
_ONE = re.compile(rf"{_NUMBER}\s*{_UNIT}", re.IGNORECASE)
_NOT_OF_THE_LESION = re.compile(
    r"\b(?:(?:slice|section)\s+(?:thickness|interval|spacing|gap|location|position)|schichtdicke"
    r"|(?:table|couch)\s+(?:position|height)|d?fov|field\s+of\s+view|perimeter|circumference|umfang|p[ée]rim[èe]tre"
    r"|per[íi]metro)\b[\s:=]*"
    r"[-+]?\d[\d.,]*(?:\s*(?:mm|cm)?\s*[x×*]\s*\d[\d.,]*)?",
    re.IGNORECASE,
)
"""A number that the text ascribes to the image or to no axis; its unit may stay, for without a number it is none."""
_NAME = re.compile(
    r"(?<![^\W\d_])(?:n?tl|(?:non[ -]?)?target(?:\s+lesion)?|lesion|nodule|knoten|(?:ziel)?l[äa]sion"
    r"|l[ée]sion(?:\s+cible)?|lesi[óo]n(?:\s+diana)?|lesione(?:\s+target)?|標的病変|病変|靶病灶|病灶)"
    r"\s*(?:nr\.?|no\.?|[#-])?\s*\d{1,3}(?!\d|[.,]\d|\s*(?:mm|cm|[x×*])(?![a-z]))",
    re.IGNORECASE,
)
_ANGLE = re.compile(r"\d\s*(?:°|deg(?:rees?)?\b|grad\b)(?!\s*[cf]\b)", re.IGNORECASE)
_CALIBRATION = re.compile(r"calibra|kalibr|étalonn|scale\s*bar|校正", re.IGNORECASE)
_INTENSITY = re.compile(r"\d\s*(?:HU|HE|UH)\b|\bSUV|\b(?:mean|avg|average|mittelwert|std|sd)\b", re.IGNORECASE)
_EXTENT = re.compile(r"(?:mm|cm)\s*\^?[23]|\barea\b|fl[äa]che|perimet|p[ée]rim|umfang|\bvol", re.IGNORECASE)
_CENTIMETRES = ("c", "с", "厘", "公", "セ", "س")
"""How the units of 10 mm begin; the second is the Cyrillic letter."""
_SIGNS = str.maketrans({"º": "°", "٫": ".", "٬": "'", "’": "'", "،": ","})


def stated_in_text(text: str) -> tuple[float, ...]:
    """The one or two lengths that a text states, in mm: `23.1 x 14.0 mm`, `2,3 cm`. Empty if it states none.

    Of three dimensions the first two. An area is no length, and neither is the thickness of the slice. Two numbers
    without a unit are mm where the text names a target lesion, as in `TL1 23x14`.
    """
    plain = _NOT_OF_THE_LESION.sub("", _plain(text))
    for found in _PRODUCT.finditer(plain):
        first, second, last = found[2], found[4], found[6]
        unit = last or second or first or ("mm" if found[5] is None and _NAME.search(plain) else None)
        if unit is not None:
            return _mm(found[1], first or second or unit), _mm(found[3], second or unit)
    return tuple(_mm(number, unit) for number, unit in _ONE.findall(plain)[:2])


def lesion_named_in(text: str) -> str:
    """The name of a lesion in a text: `TL2`, `target lesion 2`, `Lesion 3`. Empty if it names none."""
    found = _NAME.search(_plain(text))
    return "" if found is None else found[0].strip()


def is_of_no_lesion(text: str) -> bool:
    """Whether a text says that its drawing is a scale, an angle or the size of an organ.

    One that states a length is no angle.
    """
    plain = _plain(text)
    if _CALIBRATION.search(plain) or is_size_of_organ(plain):
        return True
    return _ANGLE.search(plain) is not None and not stated_in_text(text)


def states_intensity_alone(text: str) -> bool:
    """Whether a text states what the voxels of its region hold, and no size: `Mean 45 HU, SD 12`."""
    plain = _plain(text)
    return _INTENSITY.search(plain) is not None and _EXTENT.search(plain) is None and not stated_in_text(text)


def _plain(text: str) -> str:
    """In one script: full-width letters as narrow ones, digits of any alphabet as ours, spaces as spaces."""
    folded = normalize("NFKC", text.translate(_SIGNS))
    return folded if folded.isascii() else "".join(map(_digit, folded))


@cache
def _digit(sign: str) -> str:
    value = decimal(sign, None)
    return sign if value is None else str(int(value))


def _mm(number: str, unit: str) -> float:
    return float(number.replace(",", ".")) * (10.0 if unit.casefold().startswith(_CENTIMETRES) else 1.0)
