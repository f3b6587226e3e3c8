"""From a category's name to the codes that a viewer and a registry understand. Pure.

Categories are clusters that people name, so a name is free text; what no word of it tells stays general. A site adds
words of its own and overrides ours.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import highdicom as hd

from db.codes import Code

MORPHOLOGICALLY_ABNORMAL = Code("49755003", "SCT", "Morphologically Abnormal Structure")
LESION = Code("52988006", "SCT", "Lesion")

# Property types: PS3.16 CID 7151 and the morphologies of CID 6106.
TYPES = {
    "nodule": Code("27925004", "SCT", "Nodule"),
    "cyst": Code("367643001", "SCT", "Cyst"),
    "mass": Code("4147007", "SCT", "Mass"),
    "neoplasm": Code("108369006", "SCT", "Neoplasm"),
    "tumour": Code("108369006", "SCT", "Neoplasm"),
    "tumor": Code("108369006", "SCT", "Neoplasm"),
    "metastasis": Code("128462008", "SCT", "Metastasis"),
    "hemangioma": Code("400210000", "SCT", "Hemangioma"),
    "haemangioma": Code("400210000", "SCT", "Hemangioma"),
}

# Finding sites; the first eight are DeepLesion's types.
SITES = {
    "bone": Code("272673000", "SCT", "Bone"),
    "abdomen": Code("818981001", "SCT", "Abdomen"),
    "mediastinum": Code("72410000", "SCT", "Mediastinum"),
    "liver": Code("10200004", "SCT", "Liver"),
    "lung": Code("39607008", "SCT", "Lung"),
    "kidney": Code("64033007", "SCT", "Kidney"),
    "soft tissue": Code("87784001", "SCT", "Soft tissue"),
    "pelvis": Code("816092008", "SCT", "Pelvis"),
    "lymph node": Code("59441001", "SCT", "Lymph node"),
    "lymph nodes": Code("59441001", "SCT", "Lymph node"),
    "spleen": Code("78961009", "SCT", "Spleen"),
    "adrenal": Code("23451007", "SCT", "Adrenal gland"),
    "pancreas": Code("15776009", "SCT", "Pancreas"),
    "thyroid": Code("69748006", "SCT", "Thyroid"),
    "chest": Code("816094009", "SCT", "Chest"),
    "neck": Code("45048000", "SCT", "Neck"),
    "brain": Code("12738006", "SCT", "Brain"),
    "breast": Code("76752008", "SCT", "Breast"),
}


@dataclass(frozen=True, slots=True)
class CategoryCodes:
    """finding: what it is; `LESION` if the name does not tell. site: where it is, or None."""

    finding: Code
    site: Code | None


@dataclass(frozen=True, slots=True)
class CodeTable:
    """Words → codes: what a lesion is, and where it is. A word is lower case, its parts are apart by one blank."""

    findings: Mapping[str, Code]
    sites: Mapping[str, Code]

    def extended(self, findings: Mapping[str, Code], sites: Mapping[str, Code]) -> CodeTable:
        """With these words over those of the table, in any case."""
        return CodeTable(
            {**self.findings, **{_plain(word): code for word, code in findings.items()}},
            {**self.sites, **{_plain(word): code for word, code in sites.items()}},
        )

    def codes_of(self, category: str) -> CategoryCodes:
        """The codes of the first known word of each kind in the name, in the order of the name."""
        name = _plain(category)
        return CategoryCodes(_first_in(name, self.findings) or LESION, _first_in(name, self.sites))


BUILT_IN = CodeTable(TYPES, SITES)


def _plain(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.lower()))


def _first_in(name: str, table: Mapping[str, Code]) -> Code | None:
    found = [
        (match.start(), -len(word), code) for word, code in table.items() if (match := re.search(rf"\b{word}\b", name))
    ]
    return min(found, key=lambda hit: hit[:2])[2] if found else None


def concept(code: Code) -> hd.sr.CodedConcept:
    """The code as highdicom takes it."""
    return hd.sr.CodedConcept(code.value, code.scheme, code.meaning)
