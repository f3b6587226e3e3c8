"""What viewers want of a segmentation. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from pydicom import Dataset

from dicom_node.viewer_rules.rule import Expected
from dicom_node.viewer_rules.voxels import frames_of_segment

MOST_FRAMES = 400
"""Weasis 4.6 leaves segmentations of more frames switched off."""


def too_many_frames(ds: Dataset, expected: Expected) -> Iterator[str]:
    if int(ds.NumberOfFrames) > MOST_FRAMES:
        yield f"it has {ds.NumberOfFrames} frames"


def empty_segment(ds: Dataset, expected: Expected) -> Iterator[str]:
    for segment in ds.SegmentSequence:
        if next(frames_of_segment(ds, int(segment.SegmentNumber)), None) is None:
            yield f"segment {segment.SegmentNumber} has no voxel"


def gaps_between_segments(ds: Dataset, expected: Expected) -> Iterator[str]:
    numbers = [int(segment.SegmentNumber) for segment in ds.SegmentSequence]
    if numbers != list(range(1, len(numbers) + 1)):
        yield "its segments are not numbered from 1 without gaps"


def no_label(ds: Dataset, expected: Expected) -> Iterator[str]:
    labels = Counter(str(segment.get("SegmentLabel") or "") for segment in ds.SegmentSequence)
    if "" in labels:
        yield "a segment has no label"
    yield from (f"{count} segments have one label" for label, count in labels.items() if label and count > 1)


def not_by_an_algorithm(ds: Dataset, expected: Expected) -> Iterator[str]:
    for segment in ds.SegmentSequence:
        if segment.get("SegmentAlgorithmType") != "AUTOMATIC" or not segment.get("SegmentAlgorithmName"):
            yield f"segment {segment.SegmentNumber} does not say that an algorithm made it, and which"


def not_tracked(ds: Dataset, expected: Expected) -> Iterator[str]:
    uids = [str(segment.get("TrackingUID") or "") for segment in ds.SegmentSequence]
    if "" in uids or len(set(uids)) != len(uids):
        yield "its segments have no Tracking UID of their own each"


def not_binary(ds: Dataset, expected: Expected) -> Iterator[str]:
    if ds.get("SegmentationType") != "BINARY":
        yield "it is not BINARY"


def not_a_labelmap(ds: Dataset, expected: Expected) -> Iterator[str]:
    if ds.get("SegmentationType") != "LABELMAP":
        yield "it is no LABELMAP"


def other_frame(ds: Dataset, expected: Expected) -> Iterator[str]:
    """Its frames lie over the images: same frame of reference, rows and columns."""
    for keyword in ("FrameOfReferenceUID", "Rows", "Columns"):
        if ds.get(keyword) != expected.images[0].get(keyword):
            yield f"its {keyword} is not that of the images"


def names_no_images(ds: Dataset, expected: Expected) -> Iterator[str]:
    """OHIF and MONAI Label find the images by the Referenced Series Sequence."""
    series = [str(item.get("SeriesInstanceUID", "")) for item in ds.get("ReferencedSeriesSequence") or ()]
    if series != [str(expected.images[0].SeriesInstanceUID)]:
        yield "it does not name the series of the images"
