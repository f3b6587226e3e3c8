"""Lesions → a segmentation, a segment for each: as bits (BINARY), or as numbers (LABELMAP). Pure.

Built attribute by attribute from the masks as they are, cropped: only the slices that a lesion touches become frames,
and the volume between them is never made.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations

import numpy as np
import numpy.typing as npt
from pydicom import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import RLELossless, SegmentationStorage

from db.detection import Mask
from db.errors import ContentError
from db.uids import uid_from
from dicom_node.report.captions import name_of
from dicom_node.report.colours import cielab_of
from dicom_node.report.concepts import MORPHOLOGICALLY_ABNORMAL
from dicom_node.report.context import RESEARCH_ONLY, Context, Identity
from dicom_node.report.header import finish
from dicom_node.report.instance import algorithm_item, carry_losses, coded, new_instance
from dicom_node.report.run_lengths import run_lengths
from dicom_node.report.segment_frames import Frame, describe_frames
from dicom_node.report.source import SourceImages
from dicom_node.report.subject import Lesion, Subject

SOP_CLASS_UID = str(SegmentationStorage)
LABEL_MAP_SOP_CLASS_UID = "1.2.840.10008.5.1.4.1.1.66.7"
"""Label Map Segmentation Storage, which pydicom 3.0 has no name for."""

BITS_A_BYTE = 8
MOST_LABELS_OF_A_BYTE = 255

Masked = tuple[Lesion, Mask]
"""A lesion, and its mask, not empty and inside the series."""


def segmentation(subject: Subject, identity: Identity) -> Dataset | None:
    """A BINARY Segmentation with the frames and geometry of the source images, or None if no detection has a voxel.

    A frame for each segment and slice that has a voxel. Segments count from 1 without gaps; the label keeps the number
    that the lesion has in all encodings. Segments may overlap.
    Raises ContentError if a mask leaves the series. Source: PS3.3 A.51, C.8.20.2.
    """
    sources = subject.sources
    lesions = [] if sources is None else _with_voxels(subject.lesions, sources)
    if sources is None or not lesions:
        return None
    frames = [
        (Frame(mask.z + offset, number), mask, offset)
        for number, (_, mask) in enumerate(lesions, start=1)
        for offset in range(len(mask.voxels))
        if mask.voxels[offset].any()
    ]
    ds = _segmentation(SOP_CLASS_UID, "BINARY", lesions, subject, identity)
    describe_frames(ds, [frame for frame, _, _ in frames], sources, _organization(identity))
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = 1, 1, 0
    overlapping = any(_share_a_voxel(a, b) for (_, a), (_, b) in combinations(lesions, 2))
    ds.SegmentsOverlap = "YES" if overlapping else "NO"
    content = b"".join(_packed([(mask, offset) for _, mask, offset in frames], int(ds.Rows), int(ds.Columns)))
    ds.PixelData = content + b"\0" * (len(content) % 2)
    return finish(ds, subject.context, "lesions, SEG")


def label_map(subject: Subject, identity: Identity) -> Dataset | None:
    """A Label Map Segmentation, one frame for each slice with a voxel, run-length encoded; None as `segmentation`.

    A pixel has one number: of two lesions that share it the smaller one keeps it, and one that keeps none has no
    segment. Raises ContentError as `segmentation`. Source: PS3.3 A.51, C.8.20.2; background is the padding value.
    """
    sources = subject.sources
    lesions = [] if sources is None else _with_voxels(subject.lesions, sources)
    if sources is None or not lesions:
        return None
    first = sources.headers[0]
    touched, labels, kept = _labels(lesions, int(first.Rows), int(first.Columns))
    ds = _segmentation(LABEL_MAP_SOP_CLASS_UID, "LABELMAP", kept, subject, identity)
    describe_frames(ds, [Frame(index, None) for index in touched], sources, _organization(identity))
    bits = labels.dtype.itemsize * BITS_A_BYTE
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = bits, bits, bits - 1
    ds.PixelPaddingValue = 0
    ds.SegmentsOverlap = "NO"
    ds.file_meta.TransferSyntaxUID = RLELossless
    ds.PixelData = encapsulate([run_lengths(frame) for frame in labels])
    ds["PixelData"].is_undefined_length = True
    return finish(ds, subject.context, "lesions, SEG label map")


def _with_voxels(lesions: Sequence[Lesion], sources: SourceImages) -> list[Masked]:
    found = [(each, mask) for each in lesions if (mask := each.detection.mask) is not None and mask.voxels.any()]
    for lesion, mask in found:
        if not _is_inside(mask, sources):
            detection_id = lesion.detection.detection_id
            raise ContentError("a mask leaves the series it was made on", detection_id=detection_id)
    return found


def _is_inside(mask: Mask, sources: SourceImages) -> bool:
    size = (len(sources.headers), int(sources.headers[0].Rows), int(sources.headers[0].Columns))
    corner = (mask.z, mask.row, mask.col)
    return all(0 <= at <= at + some <= all_ for at, some, all_ in zip(corner, mask.voxels.shape, size, strict=True))


def _segmentation(
    sop_class_uid: str, kind: str, lesions: Sequence[Masked], subject: Subject, identity: Identity
) -> Dataset:
    """All but the frames. Source: PS3.3 C.7.6.3, C.8.20.2, C.12.1.1.9."""
    context, sources = subject.context, subject.sources
    assert sources is not None  # noqa: S101  (lesions with voxels have them)
    first = sources.headers[0]
    ds = new_instance(sop_class_uid, "SEG", context, identity)
    ds.ImageType = ["DERIVED", "PRIMARY"]
    ds.FrameOfReferenceUID = first.FrameOfReferenceUID
    ds.PositionReferenceIndicator = first.get("PositionReferenceIndicator", "")
    ds.SamplesPerPixel, ds.PhotometricInterpretation, ds.PixelRepresentation = 1, "MONOCHROME2", 0
    ds.Rows, ds.Columns = first.Rows, first.Columns
    ds.PresentationLUTShape = "IDENTITY"
    carry_losses(ds, first)
    ds.SegmentationType = kind
    ds.ContentLabel, ds.ContentDescription = "AI_RESEARCH_ONLY", f"{RESEARCH_ONLY}: lesions"
    ds.ContentCreatorName = None
    ds.SegmentSequence = [_segment(number, lesion, context) for number, (lesion, _) in enumerate(lesions, start=1)]
    return ds


def _segment(number: int, lesion: Lesion, context: Context) -> Dataset:
    detection, model = lesion.detection, context.model
    segment = Dataset()
    segment.SegmentNumber = number
    segment.SegmentLabel = name_of(lesion)
    segment.SegmentDescription = lesion.label
    segment.SegmentAlgorithmType, segment.SegmentAlgorithmName = "AUTOMATIC", model.name
    segment.SegmentationAlgorithmIdentificationSequence = [algorithm_item(model)]
    segment.SegmentedPropertyCategoryCodeSequence = [coded(MORPHOLOGICALLY_ABNORMAL)]
    segment.SegmentedPropertyTypeCodeSequence = [coded(lesion.codes.finding)]
    if lesion.codes.site:
        segment.AnatomicRegionSequence = [coded(lesion.codes.site)]
    segment.TrackingID, segment.TrackingUID = lesion.identifier, detection.tracking_uid
    segment.RecommendedDisplayCIELabValue = cielab_of(lesion.number)
    return segment


def _organization(identity: Identity) -> str:
    return uid_from("dimensions", identity.sop_instance_uid)


# --- pixels


def _packed(slices: Sequence[tuple[Mask, int]], rows: int, columns: int) -> Iterator[bytes]:
    """The bits of the frames, the first pixel lowest (PS3.5 8.1.1); slices: a mask and which of its slices.

    Bits of one frame follow those of the one before it without a gap, so bytes are full after eight frames.
    """
    for first in range(0, len(slices), BITS_A_BYTE):
        some = slices[first : first + BITS_A_BYTE]
        pixels = np.zeros((len(some), rows, columns), np.bool_)
        for frame, (mask, offset) in zip(pixels, some, strict=True):
            frame[_rows_and_columns(mask)] = mask.voxels[offset]
        yield np.packbits(pixels, bitorder="little").tobytes()


def _rows_and_columns(mask: Mask) -> tuple[slice, slice]:
    _, height, width = mask.voxels.shape
    return slice(mask.row, mask.row + height), slice(mask.col, mask.col + width)


def _share_a_voxel(a: Mask, b: Mask) -> bool:
    starts, ends = [], []
    corners = ((a.z, a.row, a.col), (b.z, b.row, b.col))
    for axis in range(3):
        starts.append(max(corners[0][axis], corners[1][axis]))
        ends.append(min(corners[0][axis] + a.voxels.shape[axis], corners[1][axis] + b.voxels.shape[axis]))
    if any(end <= start for start, end in zip(starts, ends, strict=True)):
        return False
    parts = [
        mask.voxels[tuple(slice(s - c, e - c) for s, e, c in zip(starts, ends, corner, strict=True))]
        for mask, corner in zip((a, b), corners, strict=True)
    ]
    return bool((parts[0] & parts[1]).any())


def _labels(
    lesions: Sequence[Masked], rows: int, columns: int
) -> tuple[list[int], npt.NDArray[np.unsignedinteger], list[Masked]]:
    """The slices that any lesion touches, their pixels (S, H, W), and the lesions that these show, by number from 1."""
    touched = sorted({mask.z + n for _, mask in lesions for n in range(len(mask.voxels)) if mask.voxels[n].any()})
    place = {z: index for index, z in enumerate(touched)}
    kind = np.uint8 if len(lesions) <= MOST_LABELS_OF_A_BYTE else np.uint16
    labels = np.zeros((len(touched), rows, columns), kind)
    numbered = list(enumerate(lesions, start=1))
    for number, (_, mask) in sorted(numbered, key=lambda one: -int(one[1][1].voxels.sum())):
        for region, voxels in _regions(labels, mask, place):
            region[voxels] = number
    shown = [
        one
        for number, one in numbered
        if any((region[voxels] == number).any() for region, voxels in _regions(labels, one[1], place))
    ]
    return (touched, labels, shown) if len(shown) == len(lesions) else _labels(shown, rows, columns)


def _regions(
    labels: npt.NDArray[np.unsignedinteger], mask: Mask, place: dict[int, int]
) -> Iterator[tuple[npt.NDArray[np.unsignedinteger], npt.NDArray[np.bool_]]]:
    """What a mask covers on each of its slices, and its voxels there."""
    for offset, voxels in enumerate(mask.voxels):
        if voxels.any():
            yield labels[place[mask.z + offset]][_rows_and_columns(mask)], voxels
