"""Detections → a Comprehensive 3D SR by TID 1500 that OHIF shows and hydrates. Pure.

Per lesion two measurement groups (TID 1501): the box, then the two axes. What the viewers ask for beyond the
standard, each point measured with OHIF 3.13:
- Tracking Identifier and a Tracking Unique Identifier of its own in every group;
- every group has a 2-D SCOORD, the first NUM of a group carries one, numbers without come after it;
- a NUM has no child but its SCOORD, so algorithm and site stand at the group;
- the meanings "Long Axis" and "Short Axis", to the letter;
- an Image Library.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import highdicom as hd
import numpy as np
from pydicom import Dataset
from pydicom.uid import Comprehensive3DSRStorage, ExplicitVRLittleEndian

from db.codes import Code
from db.detection import Detection, axes_tracking_uid
from db.geometry import Axis, BoxPx, PointPx
from dicom_node.report.concepts import codes_of, concept
from dicom_node.report.context import RESEARCH_ONLY, Context
from dicom_node.report.header import UTF_8, finish
from dicom_node.report.library import image_library
from dicom_node.report.source import plane_of, references, source_images

SOP_CLASS_UID = str(Comprehensive3DSRStorage)

RECTANGLE = "Cornerstone3DTools@^0.1.0:RectangleROI"
BIDIRECTIONAL = "Cornerstone3DTools@^0.1.0:Bidirectional"

AREA = Code("42798000", "SCT", "Area")
LONG_AXIS = Code("103339001", "SCT", "Long Axis")
SHORT_AXIS = Code("103340004", "SCT", "Short Axis")
CERTAINTY = Code("111012", "DCM", "Certainty of Finding")
COMMENT = Code("121106", "DCM", "Comment")
FINDING = Code("121071", "DCM", "Finding")
NO_FINDING = Code("373572006", "SCT", "Clinical finding absent")
QUALITATIVE_EVALUATIONS = Code("C0034375", "UMLS", "Qualitative Evaluations")
CT_UNSPECIFIED = Code("25045-6", "LN", "CT unspecified body region")
MM = Code("mm", "UCUM", "millimeter")
MM2 = Code("mm2", "UCUM", "square millimeter")
PERCENT = Code("%", "UCUM", "percent")

MEASUREMENTS_TITLE = Code("126000", "DCM", "Imaging Measurement Report")
TEXT_TITLE = Code("126001", "DCM", "Oncology Measurement Report")
"""OHIF shows this one as text; under the other title it looks for drawings, and stays black where there are none."""

NOTHING_FOUND = f"No lesion found above the operating point ({RESEARCH_ONLY})"


def measurement_report(detections: Sequence[Detection], context: Context) -> Dataset:
    """The report of the lesions, in the order given; of nothing found if there is none.

    UNVERIFIED. Evidence: all analysed images, and the segmentation if there is one. Boxes are clipped to the image.
    Raises ContentError if a detection lies outside the sources, GeometryError if one is drawn in a source without
    usable geometry. Source: PS3.16 TID 1500, 1501, 1600, 4019; PS3.3 A.35.13.
    """
    if not detections:
        return _without_lesions(context, NOTHING_FOUND, NO_FINDING)
    sources = source_images(context)
    groups = []
    for number, detection in enumerate(detections, start=1):
        header = sources.header(detection.image)
        groups.append(_rectangle_group(number, detection, header, context))
        groups.append(_axes_group(number, detection, header, context))
    shown = dict.fromkeys(sources.place[detection.image.sop_instance_uid] for detection in detections)
    content = _content(MEASUREMENTS_TITLE, groups, [sources.headers[index] for index in shown], context)
    return _document(content, sources.headers, context)


def failure_report(reason: str, context: Context) -> Dataset:
    """A report that the analysis failed. `reason` holds no patient's data."""
    return _without_lesions(context, f"Analysis failed: {reason} ({RESEARCH_ONLY})", None)


def drawn_box(box: BoxPx, rows: int, columns: int) -> tuple[PointPx, ...]:
    """The closed ring of corners as the report draws it: (5,), clipped to the image."""
    corners = box.clipped(rows, columns).corners
    return (*corners, corners[0])


def _rectangle_group(number: int, detection: Detection, header: Dataset, context: Context) -> hd.sr.ContentItem:
    ring = drawn_box(detection.box, int(header.Rows), int(header.Columns))
    spacing = plane_of(header).spacing
    area_mm2 = (ring[2].col - ring[0].col) * spacing.col_mm * (ring[2].row - ring[0].row) * spacing.row_mm
    numbers = [
        _number(AREA, area_mm2, MM2, ring, header),
        hd.sr.Measurement(name=concept(CERTAINTY), value=round(100 * detection.score, 2), unit=concept(PERCENT)),
    ]
    return _group(number, detection, context, RECTANGLE, detection.tracking_uid, numbers)


def _axes_group(number: int, detection: Detection, header: Dataset, context: Context) -> hd.sr.ContentItem:
    axes: tuple[tuple[Code, float, Axis], ...] = (
        (LONG_AXIS, detection.long_axis_mm, detection.long_axis),
        (SHORT_AXIS, detection.short_axis_mm, detection.short_axis),
    )
    numbers = [_number(code, length_mm, MM, axis.points, header) for code, length_mm, axis in axes]
    return _group(number, detection, context, BIDIRECTIONAL, axes_tracking_uid(detection.tracking_uid), numbers)


def _number(code: Code, value: float, unit: Code, points: Sequence[PointPx], header: Dataset) -> hd.sr.Measurement:
    """A NUM whose only child is the polyline that it was inferred from."""
    region = hd.sr.CoordinatesForMeasurement(
        graphic_type=hd.sr.GraphicTypeValues.POLYLINE,
        graphic_data=np.array([point.to_scoord() for point in points]),
        source_image=hd.sr.SourceImageForRegion(
            referenced_sop_class_uid=header.SOPClassUID, referenced_sop_instance_uid=header.SOPInstanceUID
        ),
    )
    return hd.sr.Measurement(
        name=concept(code), value=round(value, 4), unit=concept(unit), referenced_coordinates=[region]
    )


def _group(
    number: int,
    detection: Detection,
    context: Context,
    tool: str,
    tracking_uid: str,
    numbers: Sequence[hd.sr.Measurement],
) -> hd.sr.ContentItem:
    codes = codes_of(detection.category)
    group = hd.sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=hd.sr.TrackingIdentifier(uid=tracking_uid, identifier=f"{tool}:Lesion {number}"),
        finding_type=concept(codes.finding),
        finding_sites=[hd.sr.FindingSite(concept(codes.site))] if codes.site else None,
        algorithm_id=hd.sr.AlgorithmIdentification(
            name=context.model.name, version=context.model.model_id, manufacturer=context.model.manufacturer
        ),
        measurements=numbers,
    )
    item = cast(hd.sr.ContentItem, group[0])
    item.ContentSequence.append(_comment(label_of(number, detection)))
    return item


def label_of(number: int, detection: Detection) -> str:
    """What stands beside the lesion in the viewer."""
    what = f"Lesion {number}" + (f": {detection.category}" if detection.category else "")
    return f"{what} {detection.score:.2f} ({RESEARCH_ONLY})"


def _comment(text: str) -> hd.sr.TextContentItem:
    return hd.sr.TextContentItem(
        name=concept(COMMENT), value=text, relationship_type=hd.sr.RelationshipTypeValues.CONTAINS
    )


def _without_lesions(context: Context, statement: str, finding: Code | None) -> Dataset:
    """An empty Imaging Measurements container for the viewer, and the statement as a qualitative evaluation.

    It draws nothing, so its images need no geometry: that may be why the analysis failed.
    """
    images = references(context)
    evaluations: list[hd.sr.ContentItem] = [_comment(statement)]
    if finding is not None:
        contains = hd.sr.RelationshipTypeValues.CONTAINS
        coded = hd.sr.CodeContentItem(name=concept(FINDING), value=concept(finding), relationship_type=contains)
        evaluations.insert(0, coded)
    middle = images[len(images) // 2]
    content = _content(TEXT_TITLE, [], [middle], context)
    content.ContentSequence.append(_container(QUALITATIVE_EVALUATIONS, evaluations))
    return _document(content, images, context)


def _container(code: Code, content: Sequence[hd.sr.ContentItem]) -> hd.sr.ContainerContentItem:
    """An empty one has no Content Sequence: the attribute is of type 1C (PS3.3 C.17.3)."""
    container = hd.sr.ContainerContentItem(name=concept(code), relationship_type=hd.sr.RelationshipTypeValues.CONTAINS)
    if content:
        container.ContentSequence = hd.sr.ContentSequence(content)
    return container


def _content(
    title: Code, groups: Sequence[hd.sr.ContentItem], shown: Sequence[Dataset], context: Context
) -> hd.sr.ContainerContentItem:
    """The root container of TID 1500, rows 1 to 6; the title is of CID 7021."""
    model = context.model
    root = hd.sr.ContainerContentItem(name=concept(title), template_id="1500")
    root.ContentSequence = hd.sr.ContentSequence()
    root.ContentSequence.extend(
        hd.sr.LanguageOfContentItemAndDescendants(concept(Code("en-US", "RFC5646", "English (United States)")))
    )
    root.ContentSequence.extend(
        hd.sr.ObserverContext(
            observer_type=concept(Code("121007", "DCM", "Device")),
            observer_identifying_attributes=hd.sr.DeviceObserverIdentifyingAttributes(
                uid=model.device_uid,
                name=model.name,
                manufacturer_name=model.manufacturer,
                model_name=f"{model.name} {model.model_id}",
            ),
        )
    )
    root.ContentSequence.append(
        hd.sr.CodeContentItem(
            name=concept(Code("121058", "DCM", "Procedure reported")),
            value=concept(CT_UNSPECIFIED),
            relationship_type=hd.sr.RelationshipTypeValues.HAS_CONCEPT_MOD,
        )
    )
    root.ContentSequence.append(image_library(shown))
    root.ContentSequence.append(_container(Code("126010", "DCM", "Imaging Measurements"), groups))
    return root


def _document(content: Dataset, images: Sequence[Dataset], context: Context) -> Dataset:
    evidence = [*images]
    if context.segmentation is not None:
        evidence.append(context.segmentation.as_dataset())
    model = context.model
    result = hd.sr.Comprehensive3DSR(
        evidence=evidence,
        content=content,
        series_instance_uid=context.series_instance_uid,
        series_number=context.series_number,
        sop_instance_uid=context.sop_instance_uid,
        instance_number=context.instance_number,
        manufacturer=model.manufacturer,
        manufacturer_model_name=model.name,
        software_versions=model.software_version,
        device_serial_number=model.device_uid,
        is_complete=True,
        is_final=False,
        is_verified=False,
        previous_versions=[document.as_dataset() for document in context.predecessors] or None,
        transfer_syntax_uid=ExplicitVRLittleEndian,
        specific_character_set=UTF_8,
    )
    return finish(result, context, "lesions, SR")
