"""What an AIM annotation says beside its markups: who, when, what, where, and the lengths it states. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from db.codes import Code
from mining.readers.aim_xml import Element
from mining.written import number_in

_MM = {"mm": 1.0, "millimeter": 1.0, "millimeters": 1.0, "cm": 10.0, "centimeter": 10.0, "centimeters": 10.0}
_SHORT_CODES = {"103340004", "G-A186", "shortaxis"}
_LONG_CODES = {"103339001", "G-A185", "410668003", "G-D7FE", "RID39123", "121206", "longaxis", "length"}
_SHORT_WORDS = re.compile(r"\b(?:short|minor)[\s_-]*(?:axis|diameter)|\bperpendicular", re.IGNORECASE)
_LONG_WORDS = re.compile(
    r"\b(?:long|longest|major)[\s_-]*(?:axis|diameter)|^\s*length\b|^\s*(?:line|linear)\b", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Stated:
    """One length in mm. about: unique identifiers of the markups it was computed from; empty if nothing says so."""

    mm: float
    short: bool
    about: frozenset[str]


def code_in(holder: Element | None) -> Code | None:
    """typeCode of an AIM 4 entity, or the code attributes of AIM 3."""
    if holder is None:
        return None
    coded = holder.child("typecode")
    if coded is not None:
        value, scheme = coded.says("code"), coded.says("codesystemname") or coded.says("codesystem")
        meaning = coded.says("displayname") or _meaning(coded.says("codesystem"))
    else:
        value, scheme = holder.says("codevalue"), holder.says("codingschemedesignator")
        meaning = holder.says("codemeaning")
    meaning = meaning or holder.says("label")
    return Code(value, scheme, meaning) if value or meaning else None


def _meaning(code_system: str) -> str:
    """Viewers put the meaning where ISO 21090 has the identifier of the scheme."""
    return "" if re.fullmatch(r"[\d.]+", code_system) else code_system


def user_of(*holders: Element) -> str:
    """The first person who is named as the user; the login name where there is no other."""
    for holder in holders:
        for user in holder.all("user"):
            if name := user.says("name") or user.says("loginname"):
                return name
    return ""


def algorithm_of(annotation: Element) -> str:
    """The name of an algorithm that the annotation holds."""
    return next((name for each in annotation.all("algorithm") if (name := each.says("name"))), "")


def stated_by(annotation: Element) -> list[Stated]:
    """Every length of its calculations, in the order of the document."""
    about: dict[str, set[str]] = {}
    for statement in annotation.all("imageannotationstatement"):
        subject, about_uid = statement.says("subjectuniqueidentifier"), statement.says("objectuniqueidentifier")
        about.setdefault(subject, set()).add(about_uid)
    found = []
    for calculation in annotation.all("calculationentity", "calculation"):
        short = _is_short(calculation)
        if short is None:
            continue
        mm = _length_mm(calculation)
        if mm is not None:
            uid = calculation.says("uniqueidentifier") or calculation.says("uid")
            shapes = {each.says("referencedgeometricshape") for each in calculation.all("referencedgeometricshape")}
            found.append(Stated(mm, short, frozenset((about.get(uid, set()) | shapes) - {""})))
    return found


def of_drawings(stated: Sequence[Stated], uids: Collection[str], two_axes: bool) -> tuple[float | None, float | None]:
    """Long and short axis in mm, as stated of the drawings with these identifiers."""
    own = [one for one in stated if not one.about or one.about & set(uids)]
    shorts = [one.mm for one in own if one.short]
    longs = sorted((one.mm for one in own if not one.short), reverse=True)
    long_mm = longs[0] if longs else None
    short_mm = shorts[0] if shorts else longs[1] if two_axes and len(longs) > 1 else None
    return long_mm, short_mm if two_axes else None


def _is_short(calculation: Element) -> bool | None:
    """Whether it is a short axis; None for what is no length: an area, a mean, an angle."""
    code = code_in(calculation)
    words = [calculation.says("description"), "" if code is None else code.meaning]
    value = "" if code is None else code.value
    if value in _SHORT_CODES or value.lower() in _SHORT_CODES or any(map(_SHORT_WORDS.search, words)):
        return True
    if value in _LONG_CODES or value.lower() in _LONG_CODES or any(map(_LONG_WORDS.search, words)):
        return False
    return None


def _length_mm(calculation: Element) -> float | None:
    for result in calculation.all("calculationresult"):
        factor = _MM.get(result.says("unitofmeasure").lower())
        holders = [result, *result.all("calculationdata")]
        value = next((text for holder in holders if (text := holder.says("value"))), "")
        number = number_in(value)
        if factor is not None and number is not None and number > 0:
            return number * factor
    return None
