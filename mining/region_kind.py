"""Whether a drawn region is a lesion at all: what no one meant as a lesion must never become truth. Pure.

Segmentations and structure sets hold organs, targets of treatment and helping structures beside lesions. The rule, the
same for both, in this order; the first that says something counts:

1. the coded type: a neoplasm, nodule, lymph node …, or any code of morphology (SRT M-…), is a lesion, a target volume
   is a margin;
2. the coded category: Morphologically Altered Structure (SCT 49755003, SRT M-01000) is a lesion;
3. the name that a person gave: "GTV", "Lesion 2", "Rundherd", "tumour left" are lesions, "PTV" and "CTV" are a lesion
   with the margin that its treatment needs; "liver without tumor", "tumor bed" and "Lungs-GTV" are not;
4. the coded category: anatomy, tissue, substance, device or a spatial concept is no lesion;
5. the coded type: the code of an anatomical structure (SRT T-…, or an organ's name) is no lesion; a name that was typed
   is not enough, for people label a lesion by where it lies;
6. all else is unclear, and so are Tissue of the type Tissue, which tools write when nobody chose, and names that
   subtract one region from another.
"""

from __future__ import annotations

import re
import unicodedata
from enum import Enum

from db.codes import Code


class RegionKind(Enum):
    LESION = "lesion"
    ANATOMY = "anatomy"
    MARGIN = "margin"
    UNCLEAR = "unclear"


ALTERED = {"49755003", "M-01000"}
"""Morphologically Altered Structure of CID 7150 Segmentation Property Categories."""

NOT_ALTERED = {
    "123037004", "91723000", "T-D000A",  # Anatomical Structure
    "85756007", "T-D0050",  # Tissue
    "260787004", "A-00004",  # Physical Object
    "105590001", "F-61002", "91720002", "T-D0080",  # Substance, Body Substance
    "246464006", "309825002", "R-42018",  # Function, Spatial and Relational Concept
}  # fmt: skip

TISSUE = {"85756007", "T-D0050"}

_NOT_ALTERED_WORDS = re.compile(r"\b(anatomic|tissue|organ|body|physical object|substance|function|spatial)")

LESION_CODES = {
    "27925004", "4147007", "52988006", "108369006", "86049000", "14799000", "79654002",
    "59441001", "T-C4000", "126601007",
}  # fmt: skip
"""Nodule, mass, lesion, neoplasm, its first and second kind, edema; lymph node, a lesion once somebody outlines it."""

_MORPHOLOGY = re.compile(r"^M-\d{5}$")

_TOPOGRAPHY = re.compile(r"^T-[0-9A-F]{4,5}$")

_ORGAN = re.compile(
    r"(?:(?:entire|left|right|structure of|abdominal|thoracic|ascending|descending|urinary) )*"
    r"(?:aorta|kidney|liver|spleen|pancreas|heart|lung|brain|prostate|uterus|ovary|bladder|thyroid(?: gland)?"
    r"|gallbladder|stomach|adrenal(?: gland)?|vertebra|spine|spinal cord|femur|ventricle|atrium|portal vein|trachea"
    r"|esophagus|pulmonary (?:artery|trunk)|common bile duct|appendix|rib)(?: structure)?"
)

_LESION_WORDS = re.compile(
    r"\b(?:gtv|nodul|lesion|laesion|lasion|tumou?r|tumeur|mass(?:es|a|e|en)?\b|cysts?\b|zyste|kyste|quiste|metasta|adenopath"
    r"|lymphadenopath|lymph ?nod|lymphknoten|ganglion lymph|ganglios?\b|linfonod|neoplas|malignan"
    r"|carcinom|karzinom|sarcom|lymphom"
    r"|adenom|haemangiom|hemangiom|angioma|gliom|glioblastom|meningiom|hepatom|hcc\b|nscl|abscess|abszess|rundherd"
    r"|herd\b|polyps?\b|recist|target\b(?! volume)|granulom)"
)

_MARGIN_WORDS = re.compile(
    r"\b(?:p ?tv|c ?tv|i ?tv|igtv|i gtv|target volume|zielvolumen|boost)"
    r"|\b(?:gtv|tumou?r|lesion|mass|nodule) (?:ring|shell|rind|margin|exp(?:an\w*)?)\b"
    r"|\b(?:ring|shell|rind|margin)(?: of| around)? (?:the )?(?:gtv|tumou?r|lesion)"
)

_GROWN = re.compile(
    r"(?:(?:gtv|tumou?r|lesion|nodule)\w*?\s*\+|gtv\w*?\s*-)\s*\d+(?:[.,]\d+)?\s*[mc]m(?![a-z])", re.IGNORECASE
)
"""A lesion made larger or smaller, as planning systems name it: "GTV+5mm"; "lesion - 5 mm" states its size."""

_NEGATED = re.compile(
    r"\b(?:without|free of|no|non|minus|excluding|excl|except|healthy|normal|outside|ohne|sans|sin|less|not)"
    r"(?: any| the)? (?:gtv|nodul|lesion|tumou?r|tumeur|mass|cyst|metasta|neoplas)"
    r"|\b(?:tumou?r|lesion|gtv|mass|nodule) ?(?:free|bed|bett|loge|avoid\w*|effect)\b|\boff target\b"
    r"|\b(?:sub|near|background|avoid\w*|elective)\b.*\b(?:gtv|tumou?r|lesion|lymph ?node)"
    r"|\b(?:lymph ?nodes?|lymphknoten) (?:elective|elektiv|levels?)\b"
)

_SUBTRACTED = re.compile(r"[a-z]{2,}\s*-\s*(?:i?gtv|ptv|ctv|itv)", re.IGNORECASE)
"""A structure less the target, as planning systems name it; "GTV-1" and "lesion-2" are none."""

LONGEST_NAME = 256


def kind_of_region(category: Code | None, coded: Code | None, name: str = "") -> RegionKind:
    """What a region is by its coded category, its coded type and the name that a person gave it."""
    if coded is not None:
        meant = RegionKind.LESION if _is_lesion_code(coded) else kind_of_name(coded.meaning)
        if meant is not RegionKind.UNCLEAR:
            return meant
    if category is not None and (category.value in ALTERED or "morpholog" in _plain(category.meaning)):
        return RegionKind.LESION
    named = kind_of_name(name)
    if named is not RegionKind.UNCLEAR:
        return named
    if _SUBTRACTED.search(name[:LONGEST_NAME]):
        return RegionKind.UNCLEAR
    if category is None:
        return RegionKind.ANATOMY if coded is not None and _is_organ_code(coded) else RegionKind.UNCLEAR
    if category.value in TISSUE and coded is not None and coded.value in TISSUE:
        return RegionKind.UNCLEAR
    anatomy = category.value in NOT_ALTERED or _NOT_ALTERED_WORDS.search(_plain(category.meaning)) is not None
    return RegionKind.ANATOMY if anatomy else RegionKind.UNCLEAR


def kind_of_name(name: str) -> RegionKind:
    """What a free name says: a lesion, a margin around one, or nothing certain."""
    if _SUBTRACTED.search(name[:LONGEST_NAME]):
        return RegionKind.UNCLEAR
    plain = _plain(name)
    if _NEGATED.search(plain):
        return RegionKind.UNCLEAR
    if _MARGIN_WORDS.search(plain) or _GROWN.search(name[:LONGEST_NAME]):
        return RegionKind.MARGIN
    return RegionKind.LESION if _LESION_WORDS.search(plain) else RegionKind.UNCLEAR


def _is_lesion_code(coded: Code) -> bool:
    return coded.value in LESION_CODES or _MORPHOLOGY.match(coded.value) is not None


def _is_organ_code(coded: Code) -> bool:
    """A typed name has no value; a code of a site's own scheme (99…, PS3.16 8.2) is one of its labels."""
    if not coded.value or coded.scheme.startswith("99"):
        return False
    return _TOPOGRAPHY.match(coded.value) is not None or _ORGAN.fullmatch(_plain(coded.meaning)) is not None


def _plain(text: str) -> str:
    """Words in small letters without accents, digits and signs; humps of CamelCase are words."""
    text = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text[:LONGEST_NAME])
    letters = unicodedata.normalize("NFKD", text).casefold()
    return re.sub(r"[^a-z]+", " ", "".join(c for c in letters if not unicodedata.combining(c))).strip()
