"""Lesions → one BINARY Segmentation, a segment per lesion. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import highdicom as hd
import numpy as np
import numpy.typing as npt
from pydicom import Dataset
from pydicom.uid import ExplicitVRLittleEndian, SegmentationStorage

from db.codes import Code
from db.detection import Mask
from db.errors import ContentError
from dicom_node.report.concepts import MORPHOLOGICALLY_ABNORMAL, concept
from dicom_node.report.context import LONG_STRING, RESEARCH_ONLY, Context, Identity
from dicom_node.report.header import UTF_8, finish
from dicom_node.report.source import SourceImages, with_thickness
from dicom_node.report.subject import Lesion, Subject

SOP_CLASS_UID = str(SegmentationStorage)
ALGORITHM_FAMILY = Code("123110", "DCM", "Artificial Intelligence")

Masked = tuple[Lesion, Mask]
"""A lesion, and its mask, not empty."""


def segmentation(subject: Subject, identity: Identity) -> Dataset | None:
    """A Segmentation with the frames and geometry of the source images, or None if no detection has a voxel.

    Frames without a voxel are left out. Segments count from 1 without gaps; the label keeps the number that the
    lesion has in all encodings. Segments may overlap.
    Raises ContentError if a mask leaves the series. Source: PS3.3 A.51, C.8.20.2.
    """
    context, sources, lesions = subject.context, subject.sources, _with_voxels(subject.lesions)
    if sources is None or not lesions:
        return None
    touched, pixels = _pixels(lesions, sources)
    model = context.model
    result = hd.seg.Segmentation(
        source_images=[with_thickness(sources.headers[index], sources.interval_mm or 0.0) for index in touched],
        pixel_array=pixels,
        segmentation_type=hd.seg.SegmentationTypeValues.BINARY,
        segment_descriptions=[_segment(place, masked, context) for place, masked in enumerate(lesions, start=1)],
        series_instance_uid=identity.series_instance_uid,
        series_number=identity.series_number,
        sop_instance_uid=identity.sop_instance_uid,
        instance_number=identity.instance_number,
        manufacturer=model.manufacturer,
        manufacturer_model_name=model.name,
        software_versions=model.software_version,
        device_serial_number=model.device_uid,
        content_label="AI_RESEARCH_ONLY",
        content_description=f"{RESEARCH_ONLY}: lesions",
        pixel_measures=_pixel_measures(sources),
        omit_empty_frames=True,
        transfer_syntax_uid=ExplicitVRLittleEndian,
        specific_character_set=UTF_8,
    )
    return finish(result, context, "lesions, SEG")


def _with_voxels(lesions: Sequence[Lesion]) -> list[Masked]:
    return [(each, mask) for each in lesions if (mask := each.detection.mask) is not None and mask.voxels.any()]


def _pixels(lesions: Sequence[Masked], sources: SourceImages) -> tuple[list[int], npt.NDArray[np.unsignedinteger]]:
    """The slices that any lesion touches, and their pixels.

    (S, H, W) numbers of segments where no two lesions share a voxel; else one plane a segment, (S, H, W, N), which
    takes N times the memory.
    """
    rows, columns = int(sources.headers[0].Rows), int(sources.headers[0].Columns)
    touched = sorted({mask.z + offset for _, mask in lesions for offset in range(mask.voxels.shape[0])})
    for lesion, mask in lesions:
        _, height, width = mask.voxels.shape
        inside = mask.row >= 0 and mask.col >= 0 and mask.row + height <= rows and mask.col + width <= columns
        if not inside or touched[0] < 0 or touched[-1] >= len(sources.headers):
            raise ContentError("a mask leaves the series it was made on", detection_id=lesion.detection.detection_id)
    place = {z: index for index, z in enumerate(touched)}
    labels = np.zeros((len(touched), rows, columns), np.uint16)
    for number, (_, mask) in enumerate(lesions, start=1):
        region = labels[_where(mask, place)]
        if region[mask.voxels].any():
            return touched, _stacked(lesions, place, (len(touched), rows, columns))
        region[mask.voxels] = number
    return touched, labels


def _where(mask: Mask, place: dict[int, int]) -> tuple[slice, slice, slice]:
    slices, height, width = mask.voxels.shape
    first = place[mask.z]  # the slices of a mask are all touched, so they stay neighbours
    return (
        slice(first, first + slices),
        slice(mask.row, mask.row + height),
        slice(mask.col, mask.col + width),
    )


def _stacked(
    lesions: Sequence[Masked], place: dict[int, int], shape: tuple[int, int, int]
) -> npt.NDArray[np.unsignedinteger]:
    pixels = np.zeros((*shape, len(lesions)), np.uint8)
    for index, (_, mask) in enumerate(lesions):
        pixels[(*_where(mask, place), index)] = mask.voxels
    return pixels


def _segment(place: int, masked: Masked, context: Context) -> hd.seg.SegmentDescription:
    lesion, _ = masked
    number, detection, codes = lesion.number, lesion.detection, lesion.codes
    label = f"Lesion {number}: {detection.category}" if detection.category else f"Lesion {number}"
    return hd.seg.SegmentDescription(
        segment_number=place,
        segment_label=label[:LONG_STRING].rstrip(),
        segmented_property_category=concept(MORPHOLOGICALLY_ABNORMAL),
        segmented_property_type=concept(codes.finding),
        anatomic_regions=[concept(codes.site)] if codes.site else None,
        algorithm_type=hd.seg.SegmentAlgorithmTypeValues.AUTOMATIC,
        algorithm_identification=hd.AlgorithmIdentificationSequence(
            name=context.model.name, family=concept(ALGORITHM_FAMILY), version=context.model.model_id
        ),
        tracking_uid=detection.tracking_uid,
        tracking_id=f"Lesion {number}",
    )


def _pixel_measures(sources: SourceImages) -> hd.PixelMeasuresSequence:
    """The distance of the slices stands in for an unknown thickness, which a volume may not leave out."""
    first = sources.headers[0]
    thickness = first.get("SliceThickness")
    return hd.PixelMeasuresSequence(
        pixel_spacing=[float(value) for value in first.PixelSpacing],
        slice_thickness=float(thickness) if thickness else sources.interval_mm,
        spacing_between_slices=sources.interval_mm,
    )
