"""What every viewer and archive wants of any of our objects. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from pydicom import Dataset
from pydicom.dataelem import DataElement

from dicom_node.viewer_rules.rule import Expected

LONGEST = {"SH": 16, "CS": 16, "LO": 64}
"""Characters (PS3.5 table 6.2-1)."""

SAME_PATIENT = ("PatientID", "PatientName", "PatientBirthDate", "PatientSex")


def other_study(ds: Dataset, expected: Expected) -> Iterator[str]:
    if str(ds.get("StudyInstanceUID", "")) != str(expected.images[0].StudyInstanceUID):
        yield "its Study Instance UID is not that of the images"


def other_patient(ds: Dataset, expected: Expected) -> Iterator[str]:
    for keyword in SAME_PATIENT:
        if str(ds.get(keyword) or "") != str(expected.images[0].get(keyword) or ""):
            yield f"its {keyword} is not that of the images"


def shared_series(ds: Dataset, expected: Expected) -> Iterator[str]:
    others = {str(each.SeriesInstanceUID) for each in (*expected.images, *expected.beside)}
    if str(ds.get("SeriesInstanceUID", "")) in others:
        yield "it lies in the series of another object"


def other_character_set(ds: Dataset, expected: Expected) -> Iterator[str]:
    if ds.get("SpecificCharacterSet") != "ISO_IR 192":
        yield "its Specific Character Set is not ISO_IR 192"


def no_description(ds: Dataset, expected: Expected) -> Iterator[str]:
    if not str(ds.get("SeriesDescription") or "").strip():
        yield "its series has no description"


def too_long(ds: Dataset, expected: Expected) -> Iterator[str]:
    """Texts over the length of their type, at any depth. What is copied from the images stays as it is."""
    copied = {element.tag for element in expected.images[0]}
    for element in ds:
        if element.tag not in copied:
            yield from _too_long(element)


def _too_long(element: DataElement) -> Iterator[str]:
    if element.VR == "SQ":
        for item in element.value:
            for child in item:
                yield from _too_long(child)
        return
    longest = LONGEST.get(element.VR)
    values = element.value if element.VM > 1 else [element.value]
    for value in values if longest is not None else ():
        if len(str(value or "")) > (longest or 0):
            yield f"{element.keyword or element.tag} has {len(str(value))} characters, {element.VR} takes {longest}"


def no_equipment(ds: Dataset, expected: Expected) -> Iterator[str]:
    for keyword in ("Manufacturer", "ManufacturerModelName", "SoftwareVersions", "DeviceSerialNumber"):
        if not ds.get(keyword):
            yield f"{keyword} is missing"
