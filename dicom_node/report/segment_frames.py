"""The frames of a segmentation: which slice and which segment each shows, and what is said of it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pydicom import Dataset
from pydicom.datadict import tag_for_keyword

from db.codes import Code
from dicom_node.report.instance import coded
from dicom_node.report.key_slices import image_item
from dicom_node.report.source import SourceImages

SEGMENTATION = Code("113076", "DCM", "Segmentation")
SOURCE_IMAGE = Code("121322", "DCM", "Source image for image processing operation")


@dataclass(frozen=True, slots=True)
class Frame:
    """index: of the slice among the sources. segment: number of the one it shows; None where it shows all."""

    index: int
    segment: int | None


def describe_frames(ds: Dataset, frames: Sequence[Frame], sources: SourceImages, organization_uid: str) -> None:
    """The modules Multi-frame Functional Groups, Multi-frame Dimension and Common Instance Reference.

    Source: PS3.3 C.7.6.16, C.7.6.17, C.12.2. frames: at least one.
    """
    ds.NumberOfFrames = len(frames)
    shared = Dataset()
    shared.PixelMeasuresSequence = [_pixel_measures(sources)]
    shared.PlaneOrientationSequence = [_of(ImageOrientationPatient=sources.headers[0].ImageOrientationPatient)]
    ds.SharedFunctionalGroupsSequence = [shared]
    shown = sorted({frame.index for frame in frames})
    rank = {index: number for number, index in enumerate(shown, start=1)}
    images = list(sources.place)
    codes = _of(DerivationCodeSequence=[coded(SEGMENTATION)], PurposeOfReferenceCodeSequence=[coded(SOURCE_IMAGE)])
    ds.PerFrameFunctionalGroupsSequence = [
        _groups(frame, rank[frame.index], sources, images[frame.index].frame_number, codes) for frame in frames
    ]
    _dimensions(ds, organization_uid, by_segment=frames[0].segment is not None)
    _references(ds, shown, sources)


def _groups(frame: Frame, rank: int, sources: SourceImages, frame_number: int, codes: Dataset) -> Dataset:
    """What is said of one frame; rank: of its slice among those that are shown, from 1."""
    header, groups = sources.headers[frame.index], Dataset()
    groups.DerivationImageSequence = [_derivation(header, frame_number if sources.multi_frame else None, codes)]
    at = [rank] if frame.segment is None else [frame.segment, rank]
    groups.FrameContentSequence = [_of(DimensionIndexValues=at)]
    position = Dataset()
    position["ImagePositionPatient"] = header["ImagePositionPatient"]
    groups.PlanePositionSequence = [position]
    if frame.segment is not None:
        groups.SegmentIdentificationSequence = [_of(ReferencedSegmentNumber=frame.segment)]
    return groups


def _derivation(header: Dataset, frame_number: int | None, codes: Dataset) -> Dataset:
    """codes: the same for all frames, of which there may be hundreds, so they are made once."""
    source, derivation = image_item(header, frame_number), Dataset()
    source.SpatialLocationsPreserved = "YES"
    source["PurposeOfReferenceCodeSequence"] = codes["PurposeOfReferenceCodeSequence"]
    derivation.SourceImageSequence = [source]
    derivation["DerivationCodeSequence"] = codes["DerivationCodeSequence"]
    return derivation


def _pixel_measures(sources: SourceImages) -> Dataset:
    """An unknown thickness, which a mask may not leave out, is the distance of the slices, of a single one that of its
    rows.
    """
    first, interval_mm = sources.headers[0], sources.interval_mm
    measures = _of(PixelSpacing=first.PixelSpacing)
    thickness_mm = float(first.get("SliceThickness") or interval_mm or first.PixelSpacing[0])
    measures.SliceThickness = f"{thickness_mm:.8g}"
    if interval_mm:
        measures.SpacingBetweenSlices = f"{interval_mm:.8g}"
    return measures


def _dimensions(ds: Dataset, organization_uid: str, *, by_segment: bool) -> None:
    pointers = [("ImagePositionPatient", "PlanePositionSequence", "Image Position Patient")]
    if by_segment:
        pointers.insert(0, ("ReferencedSegmentNumber", "SegmentIdentificationSequence", "Referenced Segment Number"))
    ds.DimensionOrganizationSequence = [_of(DimensionOrganizationUID=organization_uid)]
    ds.DimensionIndexSequence = [
        _of(
            DimensionOrganizationUID=organization_uid,
            DimensionIndexPointer=tag_for_keyword(keyword),
            FunctionalGroupPointer=tag_for_keyword(group),
            DimensionDescriptionLabel=label,
        )
        for keyword, group, label in pointers
    ]


def _references(ds: Dataset, shown: Sequence[int], sources: SourceImages) -> None:
    headers = {str(sources.headers[index].SOPInstanceUID): sources.headers[index] for index in shown}
    series = _of(
        SeriesInstanceUID=sources.headers[0].SeriesInstanceUID,
        ReferencedInstanceSequence=[image_item(header, None) for header in headers.values()],
    )
    ds.ReferencedSeriesSequence = [series]


def _of(**values: object) -> Dataset:
    """A data set of these attributes, by keyword."""
    item = Dataset()
    for keyword, value in values.items():
        setattr(item, keyword, value)
    return item
