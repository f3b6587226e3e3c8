"""Segmentations and structure sets of other writers, held against dcmqi and dcmdump."""

import gzip
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from scipy import ndimage
from scipy.spatial.distance import pdist

from db.geometry import PixelSpacing, Plane, PointMm
from db.measurement import ImageReference, Measurement, Rejected
from mining.known_images import KnownImage, NoImages
from mining.plane_stack import PlaneStack
from mining.readers.rtstruct import read_rtstruct
from mining.readers.seg import Segmentation, read_seg
from mining.readers.seg_pixels import SegmentPixels, pixels_of
from mining.region_slices import Region

SHARED = Path(__file__).parents[4] / "shared" / "data"
PROGRAMS = Path(sys.executable).parent
pytestmark = [
    pytest.mark.skipif(not SHARED.is_dir(), reason="../shared/data is not here"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]

TUMOR = "dcmjs-org__dcmjs/data__QIICR_Test3__tumor_User1_Manual_Trial1.dcm"
SEGMENTS = [
    (TUMOR, 2),
    ("QIICR__dcmqi/data__segmentations__liver.dcm", 1),
    ("QIICR__dcmqi/data__segmentations__partial_overlaps.dcm", 5),
    ("QIICR__dcmqi/23x38x3__seg__label.seg", 1),
    ("QIICR__dcmqi/24x38x3__seg__label.seg", 1),
    ("ImagingDataCommons__highdicom/data__test_files__seg_image_ct_binary.dcm", 1),
    ("ImagingDataCommons__highdicom/data__test_files__seg_image_ct_binary_overlap.dcm", 2),
    ("ImagingDataCommons__highdicom/data__test_files__seg_image_ct_binary_single_frame.dcm", 1),
    ("ImagingDataCommons__highdicom/data__test_files__seg_image_ct_binary_fractional.dcm", 1),
    ("ImagingDataCommons__highdicom/data__test_files__seg_image_ct_true_fractional.dcm", 1),
    ("QIICR__dcmqi/data__segmentations__sparse-labelmap-noppv.dcm", 1),
    ("QIICR__dcmqi/data__segmentations__sparse-labelmap-ppv5.dcm", 1),
]
"""File, and how many segments dcmqi finds in it."""

NRRD_TYPES = {"short": "<i2", "unsigned char": "u1"}


class OnePlaneEach(NoImages):
    """The images that a segmentation is derived from, each where the frame lies that names it."""

    def __init__(self, ds: Dataset) -> None:
        shared = ds.SharedFunctionalGroupsSequence[0]
        row_mm, col_mm = (float(v) for v in shared.PixelMeasuresSequence[0].PixelSpacing)
        cosines = [float(v) for v in shared.PlaneOrientationSequence[0].ImageOrientationPatient]
        self.spacing = PixelSpacing(row_mm, col_mm)
        self.known: dict[ImageReference, KnownImage] = {}
        for frame in ds.PerFrameFunctionalGroupsSequence:
            source = frame.DerivationImageSequence[0].SourceImageSequence[0]
            origin = PointMm(*(float(v) for v in frame.PlanePositionSequence[0].ImagePositionPatient))
            plane = Plane(origin, tuple(cosines[:3]), tuple(cosines[3:]), self.spacing)
            number = int(source.get("ReferencedFrameNumber", 1))
            at = ImageReference(str(source.ReferencedSOPInstanceUID), number)
            self.known[at] = KnownImage(ds.Rows, ds.Columns, self.spacing, plane)

    def find(self, image: ImageReference) -> KnownImage | None:
        return self.known.get(image)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "count"), SEGMENTS, ids=lambda value: Path(str(value)).stem)
def test_dcmqi_finds_the_same_longest_axis_on_the_same_slice(name: str, count: int, tmp_path: Path) -> None:
    path = SHARED / name
    command = [PROGRAMS / "segimage2itkimage", "--inputDICOM", path, "--outputDirectory", tmp_path]
    subprocess.run([*command, "--outputType", "nrrd"], capture_output=True, check=True)
    ds = dcmread(path)
    images = OnePlaneEach(ds)
    segmentation = Segmentation(ds, images)
    volumes = sorted(tmp_path.glob("*.nrrd"))
    assert len(volumes) == count
    for volume in volumes:
        voxels, fields = read_nrrd(volume)
        position = next(p for p in range(len(segmentation.segments)) if str(segmentation.number(p)) == volume.stem)
        region = segmentation.region(position)
        assert isinstance(region, Region)
        inside = voxels > 0
        if "fractional" in name:
            inside = voxels * 2 >= ds.MaximumFractionalValue
        elif "labelmap" in name:  # where frames are missing, dcmqi fills in padding
            inside = voxels == int(volume.stem)
        lengths = [longest_mm(mask, images.spacing) for mask in inside]
        found_mm = region.outlined.shape.long_axis.length_mm(images.spacing)
        assert found_mm == pytest.approx(max(lengths), abs=1e-3)
        plane = images.known[region.on.image].plane
        assert plane is not None
        origin, step = np.array(fields["space origin"]), np.array(fields["space directions"])[6:]
        at = np.array([plane.origin.x, plane.origin.y, plane.origin.z])
        number = round(float((at - origin) @ step / (step @ step)))
        assert lengths[number] == pytest.approx(max(lengths), abs=1e-3)


def read_nrrd(path: Path) -> tuple[np.ndarray, Mapping[str, list[float]]]:
    """Voxels (S, H, W), and the numbers of the header's fields."""
    header, _, body = path.read_bytes().partition(b"\n\n")
    fields = dict(line.split(": ", 1) for line in header.decode().splitlines() if ": " in line)
    columns, rows, slices = (int(size) for size in fields["sizes"].split())
    assert (fields["encoding"], fields["space"]) == ("gzip", "left-posterior-superior")
    voxels = np.frombuffer(gzip.decompress(body), NRRD_TYPES[fields["type"]]).reshape(slices, rows, columns)
    return voxels, {key: [float(v) for v in re.findall(r"-?[\d.]+(?:e-?\d+)?", fields[key])] for key in fields}


def longest_mm(mask: np.ndarray, spacing: PixelSpacing) -> float:
    """By comparing all edges of the border of every piece; 0 for an empty mask."""
    pieces, count = ndimage.label(mask, np.ones((3, 3)))
    longest = 0.0
    for piece in range(1, count + 1):
        inside = pieces == piece
        rows, cols = np.nonzero(inside & ~ndimage.binary_erosion(inside))
        edges = [(cols + x, rows + y) for x, y in ((0.5, 0), (-0.5, 0), (0, 0.5), (0, -0.5))]
        points = np.concatenate([np.column_stack(edge) for edge in edges]) * (spacing.col_mm, spacing.row_mm)
        longest = max(longest, float(pdist(points).max()))
    return longest


def test_a_tumor_and_a_node_of_a_pet_become_measurements() -> None:
    ds = dcmread(SHARED / TUMOR)
    found = list(read_seg(ds, OnePlaneEach(ds)))
    assert all(isinstance(one, Measurement) for one in found)
    tumor, node = (one for one in found if isinstance(one, Measurement))
    assert (tumor.finding and tumor.finding.meaning, tumor.site and tumor.site.meaning) == (
        "Neoplasm, Primary",
        "base of tongue",
    )
    assert node.site is not None and node.site.meaning == "lymph node of head and neck"
    assert (tumor.reader, tumor.by_algorithm, tumor.derived) == ("User1", "", True)


@pytest.mark.parametrize("name", ["liver_1frame", "liver_expb_1frame"])
def test_bits_are_those_that_pydicom_reads_in_both_byte_orders(name: str) -> None:
    ds = dcmread(SHARED / f"pydicom__pydicom/data__test_files__{name}.dcm")
    pixels = pixels_of(ds)
    assert isinstance(pixels, SegmentPixels)
    extents = pixels.extents_on(1, [0])
    assert isinstance(extents, list)
    (extent,) = extents
    found = np.zeros((ds.Rows, ds.Columns), np.bool_)
    found[extent.rows, extent.columns] = pixels.mask(extent, 1)
    np.testing.assert_array_equal(found, ds.pixel_array.astype(bool))


def test_organs_of_other_writers_are_rejected() -> None:
    codes = {}
    for name, _ in SEGMENTS:
        ds = dcmread(SHARED / name)
        codes[Path(name).stem] = {r.reason_code for r in read_seg(ds) if isinstance(r, Rejected)}
    assert codes.pop(Path(TUMOR).stem) == {"no_plane"}  # lesions, whose images are not here
    assert codes.pop("data__segmentations__partial_overlaps") == {"anatomy_not_lesion", "unclear_segment", "no_plane"}
    assert set().union(*codes.values()) == {"anatomy_not_lesion"}


STRUCTURE_SETS = sorted(SHARED.glob("qurit__rt-utils/*rt.dcm"))
AXIAL = PixelSpacing(0.7, 0.4)


class EverySlice(NoImages):
    """An axial image at the height of every contour."""

    def __init__(self, regions: list[list[np.ndarray]]) -> None:
        heights = sorted({float(points[0, 2]) for contours in regions for points in contours})
        self.planes = {
            ImageReference(f"1.{n}"): Plane(PointMm(-200.0, -150.0, z), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), AXIAL)
            for n, z in enumerate(heights)
        }

    def find(self, image: ImageReference) -> KnownImage | None:
        return KnownImage(900, 1200, AXIAL, self.planes[image]) if image in self.planes else None

    def in_frame_of_reference(self, frame_of_reference_uid: str) -> PlaneStack:
        return PlaneStack(list(self.planes.items()))


@pytest.mark.slow
@pytest.mark.parametrize("path", STRUCTURE_SETS, ids=lambda path: path.stem)
def test_the_longest_axes_are_those_of_the_numbers_that_dcmdump_prints(path: Path) -> None:
    """The names say nothing, so the regions are called lesions here; their images are not at hand."""
    regions = contours_of(subprocess.run(["dcmdump", "+L", path], capture_output=True, text=True, check=True).stdout)
    ds = dcmread(path)
    assert {one.reason_code for one in read_rtstruct(ds) if isinstance(one, Rejected)} == {"unclear_region"}
    for roi, contours in zip(ds.StructureSetROISequence, ds.ROIContourSequence, strict=True):
        roi.ROIName = "Lesion"
        for contour in contours.ContourSequence:
            del contour.ContourImageSequence
    found = [one for one in read_rtstruct(ds, EverySlice(regions)) if isinstance(one, Measurement)]
    longest = [max(float(pdist(points).max()) for points in contours) for contours in regions]
    assert [one.long_axis.length_mm(AXIAL) for one in found] == pytest.approx(longest, abs=1e-6)


def contours_of(dump: str) -> list[list[np.ndarray]]:
    """The contours (P, 3) of each region, from what dcmdump prints of Contour Sequence and Contour Data."""
    regions: list[list[np.ndarray]] = []
    for line in dump.splitlines():
        if "(3006,0040) SQ" in line:
            regions.append([])
        numbers = re.search(r"\(3006,0050\) DS \[(.*)\]", line)
        if numbers is not None:
            regions[-1].append(np.array(numbers[1].split("\\"), dtype=float).reshape(-1, 3))
    return regions
