"""What the measurement groups of all structured reports are made of (PS3.16 TID 1501, 1410). Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import highdicom as hd
import numpy as np
from pydicom import Dataset

from db.codes import Code
from db.geometry import PointPx
from dicom_node.report.concepts import concept
from dicom_node.report.context import Context
from dicom_node.report.subject import Lesion

AREA = Code("42798000", "SCT", "Area")
LONG_AXIS = Code("103339001", "SCT", "Long Axis")
SHORT_AXIS = Code("103340004", "SCT", "Short Axis")
CERTAINTY = Code("111012", "DCM", "Certainty of Finding")
COMMENT = Code("121106", "DCM", "Comment")
MM = Code("mm", "UCUM", "millimeter")
MM2 = Code("mm2", "UCUM", "square millimeter")
PERCENT = Code("%", "UCUM", "percent")

Group = hd.sr.MeasurementsAndQualitativeEvaluations | hd.sr.PlanarROIMeasurementsAndQualitativeEvaluations


def tracking(uid: str, identifier: str) -> hd.sr.TrackingIdentifier:
    return hd.sr.TrackingIdentifier(uid=uid, identifier=identifier)


def algorithm(context: Context) -> hd.sr.AlgorithmIdentification:
    """PS3.16 TID 4019."""
    model = context.model
    return hd.sr.AlgorithmIdentification(name=model.name, version=model.model_id, manufacturer=model.manufacturer)


def site(code: Code) -> hd.sr.FindingSite:
    return hd.sr.FindingSite(concept(code))


def sites(lesion: Lesion) -> list[hd.sr.FindingSite] | None:
    """None where the category does not tell."""
    return [site(lesion.codes.site)] if lesion.codes.site else None


def number(code: Code, value: float, unit: Code) -> hd.sr.Measurement:
    """A NUM that nothing is drawn for."""
    return hd.sr.Measurement(name=concept(code), value=round(value, 4), unit=concept(unit))


def certainty(lesion: Lesion) -> hd.sr.Measurement:
    """The score, which is no probability that anybody has measured: the scale of 0 to 100 % is the template's."""
    return number(CERTAINTY, round(100 * lesion.detection.score, 2), PERCENT)


def drawn_number(
    code: Code, value: float, unit: Code, points: Sequence[PointPx], on: hd.sr.SourceImageForRegion
) -> hd.sr.Measurement:
    """A NUM whose only child is the polyline that it was inferred from."""
    region = hd.sr.CoordinatesForMeasurement(
        graphic_type=hd.sr.GraphicTypeValues.POLYLINE, graphic_data=_scoord(points), source_image=on
    )
    return hd.sr.Measurement(
        name=concept(code), value=round(value, 4), unit=concept(unit), referenced_coordinates=[region]
    )


def drawn_axes(lesion: Lesion) -> list[hd.sr.Measurement]:
    """Long axis, then short axis."""
    detection = lesion.detection
    return [
        drawn_number(LONG_AXIS, detection.long_axis_mm, MM, detection.long_axis.points, key_slice(lesion)),
        drawn_number(SHORT_AXIS, detection.short_axis_mm, MM, detection.short_axis.points, key_slice(lesion)),
    ]


def outline(lesion: Lesion) -> hd.sr.ImageRegion:
    """The box as the region of a group by TID 1410."""
    return hd.sr.ImageRegion(
        graphic_type=hd.sr.GraphicTypeValues.POLYLINE,
        graphic_data=_scoord(lesion.ring),
        source_image=key_slice(lesion),
    )


def key_slice(lesion: Lesion) -> hd.sr.SourceImageForRegion:
    return drawn_on(lesion.header, lesion.frame_number)


def drawn_on(header: Dataset, frame_number: int | None) -> hd.sr.SourceImageForRegion:
    """The image of a graphic; frame_number: None where it has only one frame."""
    return hd.sr.SourceImageForRegion(
        referenced_sop_class_uid=header.SOPClassUID,
        referenced_sop_instance_uid=header.SOPInstanceUID,
        referenced_frame_numbers=None if frame_number is None else [frame_number],
    )


def labelled(group: Group, lesion: Lesion) -> hd.sr.ContentItem:
    """The group, with what viewers write beside the lesion."""
    item = cast(hd.sr.ContentItem, group[0])
    item.ContentSequence.append(comment(lesion.label))
    return item


def comment(text: str) -> hd.sr.TextContentItem:
    return hd.sr.TextContentItem(
        name=concept(COMMENT), value=text, relationship_type=hd.sr.RelationshipTypeValues.CONTAINS
    )


def _scoord(points: Sequence[PointPx]) -> np.ndarray:
    """(N, 2) columns and rows in DICOM's pixel frame."""
    return np.array([point.to_scoord() for point in points])
