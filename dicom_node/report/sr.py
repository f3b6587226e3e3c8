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

from db.codes import Code
from db.detection import axes_tracking_uid
from db.geometry import Axis, PointPx
from dicom_node.report.concepts import concept
from dicom_node.report.context import Context, Identity
from dicom_node.report.document import comment, measurements_document, statement_document
from dicom_node.report.subject import Lesion, Subject

RECTANGLE = "Cornerstone3DTools@^0.1.0:RectangleROI"
BIDIRECTIONAL = "Cornerstone3DTools@^0.1.0:Bidirectional"

AREA = Code("42798000", "SCT", "Area")
LONG_AXIS = Code("103339001", "SCT", "Long Axis")
SHORT_AXIS = Code("103340004", "SCT", "Short Axis")
CERTAINTY = Code("111012", "DCM", "Certainty of Finding")
MM = Code("mm", "UCUM", "millimeter")
MM2 = Code("mm2", "UCUM", "square millimeter")
PERCENT = Code("%", "UCUM", "percent")


def measurement_report(subject: Subject, identity: Identity) -> Dataset:
    """The report of the lesions; of the statement if there is none. Source: PS3.16 TID 1500, 1501, 4019."""
    if not subject.lesions:
        return statement_document(subject, identity)
    groups = []
    for lesion in subject.lesions:
        groups.append(_rectangle_group(lesion, subject.context))
        groups.append(_axes_group(lesion, subject.context))
    return measurements_document(groups, subject, identity)


def _rectangle_group(lesion: Lesion, context: Context) -> hd.sr.ContentItem:
    certainty = round(100 * lesion.detection.score, 2)
    numbers = [
        _number(AREA, lesion.area_mm2, MM2, lesion.ring, lesion.header),
        hd.sr.Measurement(name=concept(CERTAINTY), value=certainty, unit=concept(PERCENT)),
    ]
    return _group(lesion, context, RECTANGLE, lesion.detection.tracking_uid, numbers)


def _axes_group(lesion: Lesion, context: Context) -> hd.sr.ContentItem:
    detection = lesion.detection
    axes: tuple[tuple[Code, float, Axis], ...] = (
        (LONG_AXIS, detection.long_axis_mm, detection.long_axis),
        (SHORT_AXIS, detection.short_axis_mm, detection.short_axis),
    )
    numbers = [_number(code, length_mm, MM, axis.points, lesion.header) for code, length_mm, axis in axes]
    return _group(lesion, context, BIDIRECTIONAL, axes_tracking_uid(detection.tracking_uid), numbers)


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
    lesion: Lesion, context: Context, tool: str, tracking_uid: str, numbers: Sequence[hd.sr.Measurement]
) -> hd.sr.ContentItem:
    codes = lesion.codes
    group = hd.sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=hd.sr.TrackingIdentifier(uid=tracking_uid, identifier=f"{tool}:Lesion {lesion.number}"),
        finding_type=concept(codes.finding),
        finding_sites=[hd.sr.FindingSite(concept(codes.site))] if codes.site else None,
        algorithm_id=hd.sr.AlgorithmIdentification(
            name=context.model.name, version=context.model.model_id, manufacturer=context.model.manufacturer
        ),
        measurements=numbers,
    )
    item = cast(hd.sr.ContentItem, group[0])
    item.ContentSequence.append(comment(lesion.label))
    return item
