"""How the same report and segmentation are written with highdicom's classes, as its documentation shows it."""

from collections.abc import Callable, Sequence

import highdicom as hd
import numpy as np
import numpy.typing as npt
from pydicom import Dataset
from pydicom.sr.codedict import codes
from pydicom.uid import ExplicitVRLittleEndian

from db.detection import Detection
from db.geometry import PointPx
from dicom_node.report.concepts import BUILT_IN, concept
from dicom_node.report.context import ModelDescription

MODEL = ModelDescription("Lesion node detector", "0123456789ab", "Lesion node", "1.0", "2.25.1")
UIDS = ("2.25.11", "2.25.12")
"""Series and instance of whatever is built."""

BOUNDED_BY = hd.sr.CodedConcept("75958009", "SCT", "Bounded by")

Group = hd.sr.MeasurementsAndQualitativeEvaluations | hd.sr.PlanarROIMeasurementsAndQualitativeEvaluations
Groups = Callable[[int, Detection, Dataset], Sequence[Group]]
"""Number of a lesion, the lesion, its image → its measurement groups."""


def plain_report(images: Sequence[Dataset], found: Sequence[Detection], groups_of: Groups) -> Dataset:
    by_uid = {str(image.SOPInstanceUID): image for image in images}
    shown = [by_uid[each.image.sop_instance_uid] for each in found]
    groups = [
        group
        for number, (each, image) in enumerate(zip(found, shown, strict=True), start=1)
        for group in groups_of(number, each, image)
    ]
    device = hd.sr.DeviceObserverIdentifyingAttributes(uid=MODEL.device_uid, name=MODEL.name)
    content = hd.sr.MeasurementReport(
        observation_context=hd.sr.ObservationContext(hd.sr.ObserverContext(codes.DCM.Device, device)),
        procedure_reported=codes.LN.CTUnspecifiedBodyRegion,
        imaging_measurements=groups,
        referenced_images=shown,
    )
    return hd.sr.Comprehensive3DSR(
        evidence=images,
        content=content,
        series_instance_uid=UIDS[0],
        series_number=1,
        sop_instance_uid=UIDS[1],
        instance_number=1,
        manufacturer=MODEL.manufacturer,
    )


def drawn_groups(number: int, each: Detection, image: Dataset) -> list[Group]:
    """Two groups by TID 1501: the area with the box below it, and the two axes with their lines."""
    corners, mm = (*each.box.corners, each.box.corners[0]), codes.UCUM.Millimeter
    box = [_drawn(codes.SCT.Area, each.box.area_px, codes.UCUM.SquareMillimeter, corners, image), _certainty(each)]
    axes = [
        _drawn(codes.SCT.LongAxis, each.long_axis_mm, mm, each.long_axis.points, image),
        _drawn(codes.SCT.ShortAxis, each.short_axis_mm, mm, each.short_axis.points, image),
    ]
    groups = []
    for uid, numbers in ((each.tracking_uid, box), (f"{each.tracking_uid}.1", axes)):
        group = hd.sr.MeasurementsAndQualitativeEvaluations(**_common(number, uid, each), measurements=numbers)
        groups.append(_commented(group, number))
    return groups


def planar_groups(number: int, each: Detection, image: Dataset) -> list[Group]:
    """One group by TID 1410: the box as its region, the axes as numbers."""
    group = hd.sr.PlanarROIMeasurementsAndQualitativeEvaluations(
        **_common(number, each.tracking_uid, each),
        referenced_region=hd.sr.ImageRegion(
            hd.sr.GraphicTypeValues.POLYLINE, _scoord((*each.box.corners, each.box.corners[0])), _source(image)
        ),
        geometric_purpose=BOUNDED_BY,
        measurements=[
            hd.sr.Measurement(name=codes.SCT.LongAxis, value=each.long_axis_mm, unit=codes.UCUM.Millimeter),
            hd.sr.Measurement(name=codes.SCT.ShortAxis, value=each.short_axis_mm, unit=codes.UCUM.Millimeter),
            _certainty(each),
        ],
    )
    return [_commented(group, number)]


def _common(number: int, tracking_uid: str, each: Detection) -> dict[str, object]:
    said = BUILT_IN.codes_of(each.category)
    return {
        "tracking_identifier": hd.sr.TrackingIdentifier(uid=tracking_uid, identifier=f"Lesion {number}"),
        "finding_type": concept(said.finding),
        "finding_sites": [hd.sr.FindingSite(concept(said.site))] if said.site else None,
        "algorithm_id": hd.sr.AlgorithmIdentification(MODEL.name, MODEL.model_id, manufacturer=MODEL.manufacturer),
    }


def _commented(group: Group, number: int) -> Group:
    contains = hd.sr.RelationshipTypeValues.CONTAINS
    group[0].ContentSequence.append(hd.sr.TextContentItem(codes.DCM.Comment, f"Lesion {number}", contains))
    return group


def _certainty(each: Detection) -> hd.sr.Measurement:
    return hd.sr.Measurement(
        name=codes.DCM.CertaintyOfFinding, value=round(100 * each.score, 2), unit=codes.UCUM.Percent
    )


def _drawn(
    code: hd.sr.CodedConcept, value: float, unit: hd.sr.CodedConcept, points: Sequence[PointPx], image: Dataset
) -> hd.sr.Measurement:
    region = hd.sr.CoordinatesForMeasurement(hd.sr.GraphicTypeValues.POLYLINE, _scoord(points), _source(image))
    return hd.sr.Measurement(name=code, value=round(value, 4), unit=unit, referenced_coordinates=[region])


def _source(image: Dataset) -> hd.sr.SourceImageForRegion:
    return hd.sr.SourceImageForRegion(image.SOPClassUID, image.SOPInstanceUID)


def _scoord(points: Sequence[PointPx]) -> npt.NDArray[np.float64]:
    return np.array([point.to_scoord() for point in points])


def plain_segmentation(
    images: Sequence[Dataset], volume: npt.NDArray[np.uint8], found: Sequence[Detection]
) -> hd.seg.Segmentation:
    return hd.seg.Segmentation(
        source_images=images,
        pixel_array=volume,
        segmentation_type=hd.seg.SegmentationTypeValues.BINARY,
        segment_descriptions=[
            hd.seg.SegmentDescription(
                segment_number=number,
                segment_label=f"Lesion {number}",
                segmented_property_category=codes.SCT.MorphologicallyAbnormalStructure,
                segmented_property_type=codes.SCT.Lesion,
                algorithm_type=hd.seg.SegmentAlgorithmTypeValues.AUTOMATIC,
                algorithm_identification=hd.AlgorithmIdentificationSequence(
                    MODEL.name, codes.DCM.ArtificialIntelligence, MODEL.model_id
                ),
                tracking_uid=each.tracking_uid,
                tracking_id=f"Lesion {number}",
            )
            for number, each in enumerate(found, start=1)
        ],
        series_instance_uid=UIDS[0],
        series_number=1,
        sop_instance_uid=UIDS[1],
        instance_number=1,
        manufacturer=MODEL.manufacturer,
        manufacturer_model_name=MODEL.name,
        software_versions=MODEL.software_version,
        device_serial_number=MODEL.device_uid,
        transfer_syntax_uid=ExplicitVRLittleEndian,
    )
