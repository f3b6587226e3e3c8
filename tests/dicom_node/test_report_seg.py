"""The segmentation, read back voxel by voxel and by programs of others."""

from __future__ import annotations

import gzip
import subprocess
import sys
from dataclasses import replace
from functools import cache
from io import BytesIO
from pathlib import Path

import highdicom as hd
import numpy as np
import pytest
from dciodvfy import errors_of
from pydicom import Dataset
from report_sources import MODEL, SERIES, SHAPES, TRACKING, context, ct_headers, lesion, lesions, segmentation

from db.detection import Detection, Mask
from db.errors import ContentError
from dicom_node.report import rtstruct, seg
from dicom_node.report.profiles import PROFILES
from dicom_node.report.subject import describe

PROGRAMS = Path(sys.executable).parent


def read_back(detections: list[Detection], shape: str = "anisotropic") -> hd.seg.Segmentation:
    result = segmentation(detections, context(ct_headers(shape)))
    assert result is not None
    buffer = BytesIO()
    result.save_as(buffer, enforce_file_format=True)
    return hd.seg.segread(BytesIO(buffer.getvalue()))


@cache
def standard() -> hd.seg.Segmentation:
    """The segmentation of three lesions, built and read once; the tests only read it."""
    return read_back(lesions())


def voxels_of(mask: Mask, shape: tuple[int, int, int]) -> np.ndarray:
    whole = np.zeros(shape, bool)
    slices, height, width = mask.voxels.shape
    whole[mask.z : mask.z + slices, mask.row : mask.row + height, mask.col : mask.col + width] = mask.voxels
    return whole


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("overlapping", [False, True])
def test_every_voxel_comes_back(shape: str, overlapping: bool) -> None:
    rows, columns = SHAPES[shape][:2]
    detections = [lesion(1), lesion(2, z=4, row=15, col=24) if overlapping else lesion(2, z=6, row=40)]
    read = read_back(detections, shape)
    uids = [str(header.SOPInstanceUID) for header in ct_headers(shape)]
    pixels = read.get_pixels_by_source_instance(uids, assert_missing_frames_are_empty=True)
    assert pixels.shape == (len(uids), rows, columns, 2)
    for index, detection in enumerate(detections):
        assert detection.mask is not None
        np.testing.assert_array_equal(pixels[..., index], voxels_of(detection.mask, (len(uids), rows, columns)))


@pytest.mark.parametrize("shape", SHAPES)
def test_frames_lie_where_the_source_images_lie(shape: str) -> None:
    headers = {str(header.SOPInstanceUID): header for header in ct_headers(shape)}
    read = read_back(lesions(), shape)
    shared = read.SharedFunctionalGroupsSequence[0]
    first = next(iter(headers.values()))
    np.testing.assert_allclose(shared.PixelMeasuresSequence[0].PixelSpacing, first.PixelSpacing)
    np.testing.assert_allclose(
        shared.PlaneOrientationSequence[0].ImageOrientationPatient, first.ImageOrientationPatient, atol=1e-6
    )
    assert (read.Rows, read.Columns, read.FrameOfReferenceUID) == (
        first.Rows,
        first.Columns,
        first.FrameOfReferenceUID,
    )
    for frame in read.PerFrameFunctionalGroupsSequence:
        source = frame.DerivationImageSequence[0].SourceImageSequence[0].ReferencedSOPInstanceUID
        np.testing.assert_allclose(
            frame.PlanePositionSequence[0].ImagePositionPatient, headers[source].ImagePositionPatient, atol=1e-4
        )


def test_frames_without_a_voxel_are_left_out() -> None:
    assert int(read_back([lesion(1), lesion(3, z=5, row=40, col=40)]).NumberOfFrames) == 6


def test_one_segment_for_each_lesion_that_has_voxels_with_its_number_and_uid() -> None:
    segments = standard().SegmentSequence
    assert [(s.SegmentNumber, s.SegmentLabel) for s in segments] == [(1, "Lesion 1: liver cyst"), (2, "Lesion 3")]
    assert [s.TrackingUID for s in segments] == [TRACKING[0], TRACKING[2]]
    later = segmentation([lesion(3)], context())
    assert later is not None
    assert later.SegmentSequence[0].TrackingID == segments[1].TrackingID, "a name for ever, unlike the number"
    for segment in segments:
        assert segment.SegmentAlgorithmType == "AUTOMATIC"
        algorithm = segment.SegmentationAlgorithmIdentificationSequence[0]
        assert (algorithm.AlgorithmName, algorithm.AlgorithmVersion) == (MODEL.name, MODEL.model_id)
        assert segment.SegmentedPropertyCategoryCodeSequence[0].CodeValue == "49755003"
    assert segments[0].SegmentedPropertyTypeCodeSequence[0].CodeMeaning == "Cyst"
    assert segments[0].AnatomicRegionSequence[0].CodeMeaning == "Liver"
    assert segments[1].SegmentedPropertyTypeCodeSequence[0].CodeMeaning == "Lesion"


def test_nothing_to_segment_gives_no_object() -> None:
    empty = replace(lesion(), mask=Mask(2, 3, 4, np.zeros((2, 5, 6), bool)))
    assert segmentation([], context()) is None
    assert segmentation([lesion(mask=False)], context()) is None
    assert segmentation([empty], context()) is None


def test_an_empty_mask_beside_a_full_one_gives_no_segment() -> None:
    empty = replace(lesion(2), mask=Mask(2, 3, 4, np.zeros((2, 5, 6), bool)))
    assert len(read_back([empty, lesion(1)]).SegmentSequence) == 1


def test_it_is_binary_and_says_what_it_is() -> None:
    read = standard()
    assert read.SegmentationType == "BINARY"
    assert read.SeriesDescription.startswith("AI, research only")
    assert read.ContentDescription.startswith("AI, research only")
    assert read.ContentLabel == "AI_RESEARCH_ONLY"
    assert read.SpecificCharacterSet == "ISO_IR 192"
    assert str(read.SOPClassUID) == PROFILES["seg"].sop_class_uid
    assert str(read.file_meta.TransferSyntaxUID) == PROFILES["seg"].transfer_syntax_uid
    assert {str(item.SeriesInstanceUID) for item in read.ReferencedSeriesSequence} == {SERIES}


def test_a_long_category_is_cut_to_what_a_label_may_hold() -> None:
    label = read_back([lesion(category="suspicious " * 9)]).SegmentSequence[0].SegmentLabel
    assert len(label) <= 64
    assert label.startswith("Lesion 1: suspicious suspicious")


@pytest.mark.parametrize("place", [(7, 12, 20), (3, 55, 20), (3, 12, 60), (-1, 12, 20), (3, -2, 20)])
def test_a_mask_that_leaves_the_series_is_refused(place: tuple[int, int, int]) -> None:
    mask = lesion().mask
    assert mask is not None
    z, row, col = place
    with pytest.raises(ContentError, match="leaves the series"):
        segmentation([replace(lesion(), mask=replace(mask, z=z, row=row, col=col))], context())


def test_a_lossy_source_is_told() -> None:
    headers = ct_headers()
    for header in headers:
        header.LossyImageCompression = "01"
        header.LossyImageCompressionRatio = "8.5"
        header.LossyImageCompressionMethod = "ISO_10918_1"
    result = segmentation([lesion()], context(headers))
    assert isinstance(result, Dataset)
    assert (result.LossyImageCompression, float(result.LossyImageCompressionRatio)) == ("01", 8.5)


def test_without_slice_thickness_the_distance_of_the_slices_stands_in() -> None:
    headers = ct_headers()
    for header in headers:
        del header.SliceThickness
    result = segmentation([lesion()], context(headers))
    assert result is not None
    measures = result.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0]
    assert float(measures.SliceThickness) == pytest.approx(2.5)


@pytest.mark.slow
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("overlapping", [False, True])
def test_dciodvfy_finds_no_error(shape: str, overlapping: bool, tmp_path: Path) -> None:
    detections = [lesion(1), lesion(2, z=4, row=15, col=24)] if overlapping else lesions()
    result = segmentation(detections, context(ct_headers(shape)))
    assert result is not None
    assert errors_of(result, tmp_path, "Segmentation") == []


@pytest.mark.slow
def test_dcmqi_reads_the_same_voxels(tmp_path: Path) -> None:
    result = segmentation([lesion()], context(ct_headers("square")))
    assert result is not None
    path = tmp_path / "seg.dcm"
    result.save_as(path, enforce_file_format=True)
    subprocess.run(
        [PROGRAMS / "segimage2itkimage", "--inputDICOM", path, "--outputDirectory", tmp_path, "--outputType", "nrrd"],
        capture_output=True,
        check=True,
    )
    voxels, origin = read_nrrd(tmp_path / "1.nrrd")
    mask = lesion().mask
    assert mask is not None
    slices = mask.voxels.shape[0]
    np.testing.assert_array_equal(voxels != 0, voxels_of(replace(mask, z=0), (slices, 64, 64)))
    assert set(np.unique(voxels)) == {0, 1}
    first = ct_headers("square")[mask.z]
    assert origin == pytest.approx([float(value) for value in first.ImagePositionPatient])


def read_nrrd(path: Path) -> tuple[np.ndarray, list[float]]:
    """Voxels (S, H, W) and the place of the first one in mm, of the 16-bit, compressed volumes that dcmqi writes."""
    header, _, body = path.read_bytes().partition(b"\n\n")
    fields = dict(line.split(": ", 1) for line in header.decode().splitlines() if ": " in line)
    assert (fields["type"], fields["encoding"], fields["space"]) == ("short", "gzip", "left-posterior-superior")
    columns, rows, slices = (int(size) for size in fields["sizes"].split())
    voxels = np.frombuffer(gzip.decompress(body), "<i2").reshape(slices, rows, columns)
    return voxels, [float(value) for value in fields["space origin"].strip("()").split(",")]


def test_a_lesion_has_one_colour_in_all_encodings() -> None:
    whole = context()
    subject = describe(lesions(), whole.context)
    masks, structures = seg.segmentation(subject, whole.identity), rtstruct.structure_set(subject, whole.identity)
    assert masks is not None and structures is not None
    contours = {item.ReferencedROINumber: item.ROIDisplayColor for item in structures.ROIContourSequence}
    for segment, number in zip(masks.SegmentSequence, (1, 3), strict=True):  # the second has no mask
        colour = hd.color.CIELabColor.from_dicom_value(segment.RecommendedDisplayCIELabValue).to_rgb()
        assert np.abs(np.subtract(colour, contours[number])).max() <= 2
    assert contours[1] != contours[3]
