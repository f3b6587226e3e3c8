"""What an image was made for, if not to show a patient's lesions: said by its header. Pure.

Only what the object says of itself counts. Names of patients and of scanners that mean a test are a site's list
(`mining.settings`), for every site has its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from pydicom.dataset import Dataset
from pydicom.multival import MultiValue

from mining.elements import UNREADABLE, items_of, text_of, value_of

PURPOSES = ("quality control", "phantom", "localizer", "dose screen", "burned in", "secondary capture")
"""Never truth, unless a site lets one in."""

SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
"""And its multi-frame classes, `.1` to `.4` (PS3.4 B.5)."""

PATIENTS_IMAGES = ("DI", "DF", "DV")
"""Conversion Types (PS3.3 C.8.6.1) of secondary captures that are a patient's image: taken over a digital interface,
digitized film, digitized video. Scanned documents, drawings, synthetic images and screens of workstations are not."""

_LOCALIZER = re.compile(
    r"(?<![a-z])(?:locali[sz]ers?|scouts?|topogramm?(?:e|s)?|surviews?|scanograms?|lokalizer"
    r"|cuadro ?de ?localizaci[óo]n|(?:3|three)[ -]?(?:plane|pl)[ -]?loc)(?![a-z])",
    re.IGNORECASE,
)
_MR_LOCALIZER = re.compile(r"(?<![a-z])(?:survey|pilot|loc)(?![a-z])", re.IGNORECASE)
"""Words that mean something else on other machines: a skeletal survey is an X-ray."""
_DOSE_SCREEN = re.compile(
    r"(?<![a-z])(?:screen ?save|dose ?(?:info\w*|reports?|records?|summary|sheet)|patient ?protocol"
    r"|dosis(?:bericht|protokoll)|patientenprotokoll|rapport de dose)(?![a-z])",
    re.IGNORECASE,
)
_PHANTOM = re.compile(r"(?<![a-z])(?:phantom|qc ?phantom)(?![a-z])", re.IGNORECASE)


def purpose_of(ds: Dataset) -> str:
    """One of PURPOSES, the first that applies in their order; empty for an ordinary image of a patient."""
    return next((purpose for purpose, applies in zip(PURPOSES, _tests(ds), strict=True) if applies), "")


def _tests(ds: Dataset) -> Iterator[bool]:
    """Whether it was made for each purpose, in the order of PURPOSES."""
    kinds, described = " ".join(_kinds(ds)), _words(text_of(ds, "SeriesDescription"))
    yield _yes(ds, "QualityControlImage")  # PS3.3 C.7.6.1; BOTH, the material beside the patient, is a patient's image
    yield _is_phantom(ds)
    words = f"{kinds} {described}"
    yield bool(_LOCALIZER.search(words)) or (text_of(ds, "Modality") == "MR" and bool(_MR_LOCALIZER.search(described)))
    yield _DOSE_SCREEN.search(words) is not None
    yield _yes(ds, "BurnedInAnnotation")
    sop_class_uid = text_of(ds, "SOPClassUID")
    captured = sop_class_uid == SECONDARY_CAPTURE or sop_class_uid.startswith(SECONDARY_CAPTURE + ".")
    yield captured and text_of(ds, "ConversionType").upper() not in PATIENTS_IMAGES


def _is_phantom(ds: Dataset) -> bool:
    """Quality Control Subject (PS3.3 C.7.1.1), its type, or a body part that is none."""
    if _yes(ds, "QualityControlSubject"):
        return True
    if text_of(ds, "QualityControlSubject").upper() != "NO" and items_of(ds, "QualityControlSubjectTypeCodeSequence"):
        return True
    return _PHANTOM.search(_words(text_of(ds, "BodyPartExamined"))) is not None


def _kinds(ds: Dataset) -> Iterator[str]:
    """The values of Image Type from the third on (PS3.3 C.7.6.1.1.2), where the modality says what it is."""
    try:
        value = value_of(ds, "ImageType")
        values = [str(one) for one in value] if isinstance(value, MultiValue | list | tuple) else []
    except UNREADABLE:
        return
    yield from (_words(one) for one in values[2:12])


def _words(text: str) -> str:
    return text[:256].replace("_", " ")


def _yes(ds: Dataset, keyword: str) -> bool:
    return text_of(ds, keyword).upper() == "YES"
