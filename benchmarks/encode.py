"""One analysis of ten lesions in 300 slices: all its encodings, against highdicom's plain way, in the same run.

The plain way (`plain_highdicom`) builds the same measurement groups, a MeasurementReport and the document with
highdicom's classes, and a Segmentation from the whole volume. Each of our reports is charged with what all encodings
share, too: reading the sources and describing the lesions. Times are of the processor, for nothing here waits for
anything.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from io import BytesIO
from time import process_time

import numpy as np
import numpy.typing as npt
from pydicom import Dataset
from pydicom.uid import CTImageStorage

from benchmarks.plain_highdicom import MODEL, UIDS, drawn_groups, plain_report, plain_segmentation, planar_groups
from benchmarks.read_sr import medians_ms
from db.detection import Detection, Mask
from db.geometry import Axis, BoxPx, PixelSpacing, PointPx
from db.measurement import ImageReference
from dicom_node.report.context import Context, Identity
from dicom_node.report.profiles import PROFILES
from dicom_node.report.subject import describe

SLICES, SIDE_PX, LESIONS = 300, 512, 10
SPACING = PixelSpacing(0.7, 0.7)
REPORTS = {"ohif": drawn_groups, "slicer": planar_groups, "air": planar_groups}
"""Profile → the groups of the same tree in the plain way, which cannot draw the axes of `air`."""
PICTURES = ("gsps", "sc", "ko")
SEGMENTATIONS = ("seg", "seg-labelmap")
MOST_OF_A_REPORT, MOST_OF_ITS_PICTURES, MOST_OF_A_SEGMENTATION = 1.2, 0.5, 0.8
"""Of the plain way's time: for each report, for the pictures together, and for each segmentation."""
LARGEST_BYTES = 2_000_000
ROUNDS = 9


def main() -> None:
    images, found = ct_headers(), lesions()
    volume = whole_volume(found)
    context = Context(images, MODEL, datetime(2026, 11, 24, tzinfo=UTC), pixels=soft_tissue)

    def ours(*names: str) -> Callable[[], list[Dataset]]:
        return lambda: build(names, found, context)

    print(f"{LESIONS} lesions in {SLICES} x {SIDE_PX} x {SIDE_PX}")
    plain = {groups: f"plain, {groups.__name__}" for groups in REPORTS.values()}
    runs: dict[str, Callable[[], object]] = {
        name: lambda groups=groups: plain_report(images, found, groups) for groups, name in plain.items()
    }
    runs |= {name: ours(name) for name in REPORTS}
    runs |= {"these three at once": ours(*REPORTS), "gsps, sc and ko": ours(*PICTURES)}
    took = medians_ms(runs, ROUNDS, process_time)
    for groups, peer in plain.items():
        same = {name: took[name] for name, tree in REPORTS.items() if tree is groups}
        show({peer: took[peer]} | same, dict.fromkeys(REPORTS, MOST_OF_A_REPORT))
    peer = plain[drawn_groups]
    together = {name: took[name] for name in ("these three at once", "gsps, sc and ko")}
    show({peer: took[peer]} | together, {"gsps, sc and ko": MOST_OF_ITS_PICTURES})
    masks: dict[str, Callable[[], object]] = {"plain segmentation": lambda: plain_segmentation(images, volume, found)}
    masks |= {name: ours(name) for name in SEGMENTATIONS}
    show(medians_ms(masks, ROUNDS, process_time), dict.fromkeys(SEGMENTATIONS, MOST_OF_A_SEGMENTATION))
    for name in SEGMENTATIONS:
        (made,) = ours(name)()
        size, is_bits = size_of(made), made.BitsAllocated == 1
        too_large = size > LARGEST_BYTES and not is_bits
        print(f"{name:22} {size / 1e6:7.2f} MB{', bits have no compression' if is_bits else '  too large' * too_large}")


def show(took: Mapping[str, float], limits: Mapping[str, float]) -> None:
    """The first one is the plain way."""
    plain = next(iter(took.values()))
    for name, ms in took.items():
        too_slow = ms / plain > limits.get(name, np.inf)
        print(f"{name:22} {ms:7.1f} ms  ratio {ms / plain:.2f}{'  too slow' if too_slow else ''}")


def build(names: Collection[str], found: list[Detection], context: Context) -> list[Dataset]:
    """From the detections on, nothing kept from the last time."""
    subject = describe(found, context)
    made = [PROFILES[name].build(subject, Identity(*UIDS, 1)) for name in names]
    return [each for each in made if each is not None]


def size_of(dataset: Dataset) -> int:
    buffer = BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return len(buffer.getvalue())


# --- what is encoded ----------------------------------------------------------------------------------------------


def ct_headers() -> tuple[Dataset, ...]:
    headers = []
    for index in range(SLICES):
        header = Dataset()
        header.SOPClassUID, header.SOPInstanceUID = CTImageStorage, f"2.25.3.{index + 1}"
        header.StudyInstanceUID, header.SeriesInstanceUID = "2.25.1", "2.25.2"
        header.FrameOfReferenceUID, header.PositionReferenceIndicator = "2.25.4", ""
        header.PatientName, header.PatientID = "Bench^Mark", "B-1"
        header.PatientBirthDate, header.PatientSex = "19700101", "O"
        header.StudyDate, header.StudyTime, header.StudyID = "20261124", "101112", "1"
        header.AccessionNumber, header.ReferringPhysicianName = "A-1", ""
        header.Modality, header.InstanceNumber = "CT", index + 1
        header.Rows = header.Columns = SIDE_PX
        header.PixelSpacing, header.SliceThickness = [SPACING.row_mm, SPACING.col_mm], 1.0
        header.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        header.ImagePositionPatient = [-180.0, -180.0, float(index)]
        headers.append(header)
    return tuple(headers)


def lesions() -> list[Detection]:
    """Balls of 21 pixels, 29 slices apart, that share no voxel."""
    z, row, col = np.ogrid[-10:11, -10:11, -10:11]
    ball = z**2 + row**2 + col**2 <= 10**2
    one = Detection(
        "", ImageReference(""), BoxPx(0, 0, 0, 0), 0, 0, *(Axis(PointPx(0, 0), PointPx(0, 0)),) * 2, 14.0, 9.8, 0.93,
        "liver cyst", "",
    )  # fmt: skip
    found = []
    for number in range(LESIONS):
        key, left, top = 14 + 29 * number, 40 + 40 * number, 60 + 30 * number
        found.append(
            replace(
                one,
                detection_id=f"d{number}",
                image=ImageReference(f"2.25.3.{key + 1}"),
                box=BoxPx(left, top, left + 20, top + 20),
                z_first=key - 10,
                z_last=key + 10,
                long_axis=Axis(PointPx(left, top + 10), PointPx(left + 20, top + 10)),
                short_axis=Axis(PointPx(left + 10, top + 3), PointPx(left + 10, top + 17)),
                tracking_uid=f"2.25.9.{number + 1}",
                mask=Mask(key - 10, top, left, ball),
            )
        )
    return found


def whole_volume(found: list[Detection]) -> npt.NDArray[np.uint8]:
    """(S, H, W) number of the lesion at each voxel."""
    volume = np.zeros((SLICES, SIDE_PX, SIDE_PX), np.uint8)
    for number, each in enumerate(found, start=1):
        assert each.mask is not None
        depth, height, width = each.mask.voxels.shape
        part = volume[
            each.mask.z : each.mask.z + depth,
            each.mask.row : each.mask.row + height,
            each.mask.col : each.mask.col + width,
        ]
        part[each.mask.voxels] = number
    return volume


def soft_tissue(image: ImageReference) -> npt.NDArray[np.float32]:
    """A frame to draw on, (H, W) HU."""
    row, col = np.ogrid[:SIDE_PX, :SIDE_PX]
    return (40 * np.sin(row / 9) * np.cos(col / 7)).astype(np.float32)


if __name__ == "__main__":
    main()
