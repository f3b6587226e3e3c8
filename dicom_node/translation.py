"""A reader's marks → a report that viewers take up as measurements: the same points, sizes and names. Pure.

Two axes become a Bidirectional, one a Length, a region the RectangleROI around it; each as `report.sr_ohif` writes
them. The document says whose marks they are and of which object it is a copy; it replaces nothing.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import highdicom as hd
from pydicom import Dataset
from pydicom.uid import (
    Comprehensive3DSRStorage,
    CTImageStorage,
    EnhancedCTImageStorage,
    EnhancedMRImageStorage,
    EnhancedPETImageStorage,
    ExplicitVRLittleEndian,
    MRImageStorage,
    PositronEmissionTomographyImageStorage,
)

from db.codes import Code
from db.files import is_valid_uid
from db.geometry import Axis, PixelSpacing
from db.measurement import ImageReference, Measurement
from db.uids import uid_from
from dicom_node.report.concepts import concept
from dicom_node.report.context import LONG_STRING, Identity, InstanceReference, ModelDescription
from dicom_node.report.groups import AREA, LONG_AXIS, MM, MM2, SHORT_AXIS, comment, drawn_number, drawn_on
from dicom_node.report.header import UTF_8, inherit
from dicom_node.report.instance import hierarchy
from dicom_node.report.key_slices import image_item
from dicom_node.report.ko import content_item
from dicom_node.report.library import image_library
from dicom_node.viewer_rules.tree import CORNERSTONE, MEASUREMENTS, groups_of, tool_of

SOP_CLASS_UID = str(Comprehensive3DSRStorage)
SERIES_NUMBER = 9980
LENGTH = Code("410668003", "SCT", "Length")
LONGEST_CODE = 16
"""Characters of a code value (PS3.3 table 8.8-1: SH); OHIF writes longer ones for free text."""
LONGEST_LABEL = 120

PROCEDURES = {
    "CT": Code("25045-6", "LN", "CT unspecified body region"),
    "MR": Code("25056-3", "LN", "MR unspecified body region"),
    "US": Code("25061-3", "LN", "US unspecified body region"),
    "PT": Code("44136-0", "LN", "PET unspecified body region"),
    "CR": Code("43468-8", "LN", "XR unspecified body region"),
    "DX": Code("43468-8", "LN", "XR unspecified body region"),
}
"""PS3.16 CID 100, by the modality of the images."""
SLICES = {
    CTImageStorage,
    EnhancedCTImageStorage,
    MRImageStorage,
    EnhancedMRImageStorage,
    PositronEmissionTomographyImageStorage,
    EnhancedPETImageStorage,
}
IMAGING = Code("363679005", "SCT", "Imaging")


@dataclass(frozen=True, slots=True)
class Original:
    """The document that is copied. reference: None where it is no DICOM object outside of this node (AIM, CSV)."""

    kind: str
    description: str
    reference: InstanceReference | None


@dataclass(frozen=True, slots=True, eq=False)
class Slice:
    """An image that is marked. frame_number: None where it has only one."""

    header: Dataset
    spacing: PixelSpacing
    frame_number: int | None = None


Slices = Mapping[ImageReference, Slice]


def is_taken_up(ds: Dataset) -> bool:
    """Whether viewers take up a report as it is: every group of it names a tool."""
    groups = groups_of(ds)
    templates = [str(item.get("TemplateIdentifier", "")) for item in ds.get("ContentTemplateSequence") or ()]
    return bool(groups) and templates == ["1500"] and all(tool_of(group) for group in groups)


def translation(
    marks: Sequence[Measurement],
    slices: Slices,
    original: Original,
    device: ModelDescription,
    identity: Identity,
    made_at: datetime,
) -> Dataset:
    """The copy of one document's marks, which must lie on `slices`; COMPLETE and UNVERIFIED.

    Source: PS3.16 TID 1500, 1501.
    """
    shown = {mark.image: slices[mark.image] for mark in marks}
    first = next(iter(shown.values())).header
    evidence = [each.header for each in {image.sop_instance_uid: one for image, one in shown.items()}.values()]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of names without a caret, which would be quoted
        content = _content(marks, slices, original, device, first)
        report = hd.sr.Comprehensive3DSR(
            evidence=[_plain(each) for each in evidence],
            content=content,
            series_instance_uid=identity.series_instance_uid,
            series_number=identity.series_number,
            sop_instance_uid=identity.sop_instance_uid,
            instance_number=identity.instance_number,
            manufacturer=device.manufacturer,
            manufacturer_model_name=device.name,
            software_versions=device.software_version,
            device_serial_number=device.device_uid,
            is_complete=True,
            is_final=False,
            is_verified=False,
            previous_versions=[each.as_dataset() for each in identity.predecessors] or None,
            transfer_syntax_uid=ExplicitVRLittleEndian,
            specific_character_set=UTF_8,
        )
    items = list(report.ContentSequence)
    items.insert([_concept_of(item) for item in items].index(MEASUREMENTS), _library(list(shown.values())))
    report.ContentSequence = items
    if original.reference is not None:
        report.PertinentOtherEvidenceSequence = hierarchy([original.reference])
    return _finished(report, first, original, made_at)


def _plain(source: Dataset) -> Dataset:
    """What highdicom reads of evidence; the patient's attributes come by `_finished`, unchecked."""
    plain = Dataset()
    for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPClassUID", "SOPInstanceUID"):
        setattr(plain, keyword, source.get(keyword))
    for keyword in ("PatientID", "PatientName", "PatientBirthDate", "PatientSex", "StudyID", "StudyDate", "StudyTime"):
        setattr(plain, keyword, "")
    plain.AccessionNumber = ""
    return plain


def _finished(report: Dataset, first: Dataset, original: Original, made_at: datetime) -> Dataset:
    inherit(report, first, made_at)
    described = _one_value(f"Copy of {original.kind}: {original.description}")
    report.SeriesDescription = described[:LONG_STRING].rstrip(": ")
    return report


def _content(
    marks: Sequence[Measurement], slices: Slices, original: Original, device: ModelDescription, first: Dataset
) -> Dataset:
    """TID 1500; the reader is the person observer if all marks are of one."""
    readers = {_one_value(mark.reader) for mark in marks}
    reader = next(iter(readers)) if len(readers) == 1 else ""
    return hd.sr.MeasurementReport(
        observation_context=hd.sr.ObservationContext(
            observer_person_context=_person(reader) if reader else None,
            observer_device_context=hd.sr.ObserverContext(
                observer_type=concept(Code("121007", "DCM", "Device")),
                observer_identifying_attributes=hd.sr.DeviceObserverIdentifyingAttributes(
                    uid=device.device_uid, name=device.name, manufacturer_name=device.manufacturer
                ),
            ),
        ),
        procedure_reported=concept(PROCEDURES.get(str(first.get("Modality")), IMAGING)),
        imaging_measurements=_groups(marks, slices, original, tell_reader=not reader),
        title=concept(Code("126000", "DCM", "Imaging Measurement Report")),
    )[0]


def _one_value(text: str) -> str:
    """A text of others as a value of DICOM holds it: a backslash would begin another value, as in DOMAIN\\name."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).replace("\\", "/").split())


def _library(shown: Sequence[Slice]) -> Dataset:
    """With what is known of slices (PS3.16 TID 1604); of projections and other images without a description."""
    if all(str(each.header.SOPClassUID) in SLICES for each in shown):
        return image_library([(each.header, each.frame_number) for each in shown])
    library = _container(Code("111028", "DCM", "Image Library"))
    group = _container(Code("126200", "DCM", "Image Library Group"))
    group.ContentSequence = [_entry(each) for each in shown]
    library.ContentSequence = [group]
    return library


def _container(code: Code) -> Dataset:
    return content_item("CONTAINS", "CONTAINER", code, ContinuityOfContent="SEPARATE")


def _entry(shown: Slice) -> Dataset:
    named = image_item(shown.header, shown.frame_number)
    return content_item("CONTAINS", "IMAGE", None, ReferencedSOPSequence=[named])


def _concept_of(item: Dataset) -> str:
    return str(item.ConceptNameCodeSequence[0].CodeValue)


def _person(reader: str) -> hd.sr.ObserverContext:
    return hd.sr.ObserverContext(
        observer_type=concept(Code("121006", "DCM", "Person")),
        observer_identifying_attributes=hd.sr.PersonObserverIdentifyingAttributes(name=reader[:LONG_STRING]),
    )


# --- one mark ---------------------------------------------------------------------------------------------------


def _groups(
    marks: Sequence[Measurement], slices: Slices, original: Original, tell_reader: bool
) -> list[hd.sr.MeasurementsAndQualitativeEvaluations]:
    taken: set[str] = set()
    groups = []
    for number, mark in enumerate(marks, start=1):
        tool, numbers = _drawn(mark, slices[mark.image])
        uid = mark.tracking_uid
        if not is_valid_uid(uid) or uid in taken:  # a viewer shows one group for each
            uid = uid_from("translated mark", mark.lesion_id)
        taken.add(uid)
        named = _own_name(mark.tracking_id) or f"Mark {number}"
        group = hd.sr.MeasurementsAndQualitativeEvaluations(
            tracking_identifier=hd.sr.TrackingIdentifier(uid=uid, identifier=f"{CORNERSTONE}{tool}:{named}"),
            finding_type=_usable(mark.finding),
            finding_sites=[hd.sr.FindingSite(site)] if (site := _usable(mark.site)) else None,
            measurements=numbers,
        )
        group[0].ContentSequence.append(comment(_label(mark, number, original, tell_reader)))
        groups.append(group)
    return groups


def _own_name(identifier: str) -> str:
    """What a reader or a program called the mark, without the tool that a viewer puts before it."""
    known = identifier.startswith(CORNERSTONE)
    return identifier.removeprefix(CORNERSTONE).partition(":")[2] if known else identifier


def _drawn(mark: Measurement, on: Slice) -> tuple[str, list[hd.sr.Measurement]]:
    """The tool that takes it up, and its drawn numbers."""
    if mark.outline is not None:
        box, corners = mark.outline, mark.outline.corners
        area_mm2 = box.width_px * on.spacing.col_mm * box.height_px * on.spacing.row_mm
        return "RectangleROI", [
            drawn_number(AREA, area_mm2, MM2, (*corners, corners[0]), drawn_on(on.header, on.frame_number))
        ]
    if mark.short_axis is None:
        return "Length", [_line(LENGTH, mark.long_axis, on)]
    return "Bidirectional", [_line(LONG_AXIS, mark.long_axis, on), _line(SHORT_AXIS, mark.short_axis, on)]


def _line(code: Code, axis: Axis, on: Slice) -> hd.sr.Measurement:
    return drawn_number(code, axis.length_mm(on.spacing), MM, axis.points, drawn_on(on.header, on.frame_number))


def _usable(code: Code | None) -> hd.sr.CodedConcept | None:
    """None for what was typed, and for codes that no code sequence takes: the label says them."""
    if code is None or not code.value or not code.scheme or not code.meaning:
        return None
    fits = len(code.value) <= LONGEST_CODE and len(code.scheme) <= LONGEST_CODE and len(code.meaning) <= LONG_STRING
    is_one = "\\" not in code.value + code.scheme + code.meaning
    return concept(code) if fits and is_one else None


def _label(mark: Measurement, number: int, original: Original, tell_reader: bool) -> str:
    """What stands beside it in the viewer: the reader's own words, and that it is a copy."""
    finding = mark.finding.meaning if mark.finding is not None else ""
    own = mark.comment or _own_name(mark.tracking_id) or finding or f"Mark {number}"
    by = f", {mark.reader}" if tell_reader and mark.reader else ""
    return f"{' '.join(own.split())[:LONGEST_LABEL]} (copy of {original.kind}{by})"
