"""Each of our encodings, saved again under other UIDs, is known: on oblique, anisotropic, non-square images."""

from collections.abc import Iterator
from copy import deepcopy
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from builders import COLUMNS, ROWS, SERIES, STUDY, ct_series
from harvest_node import NOW, Folder, Node
from pydicom.dataset import Dataset
from reported import verdicts

from db import analyses
from db.detection import Detection, Mask
from db.engine import Sessions
from db.geometry import BoxPx, PixelSpacing
from db.measurement import ImageReference
from db.models import Study
from detector.segment import axes_on
from dicom_node.report.context import Context, Identity, ModelDescription
from dicom_node.report.profiles import PROFILES
from dicom_node.report.subject import describe

SPACING = PixelSpacing(0.8, 0.5)
MODEL = ModelDescription("Lesion node", "0123456789ab", "Lesion node project", "0.1.0", "2.25.4711")
DRAWN = [name for name, profile in PROFILES.items() if profile.kind in ("SR", "SEG", "PR", "RTSTRUCT")]


@pytest.fixture
def node(sessions: Sessions, tmp_path: Path) -> Iterator[Node]:
    with sessions() as session:
        yield Node(session, Folder(tmp_path))


def blob(col: int, row: int, *radii: tuple[float, float]) -> np.ndarray:
    """(S, rows, columns): an uneven shape on each slice, aslant, radii in pixels along and across."""
    y, x = np.mgrid[:ROWS, :COLUMNS]
    u, v = (x - col) * 0.8 + (y - row) * 0.6, (y - row) * 0.8 - (x - col) * 0.6
    bump = (x - col - 3) ** 2 + (y - row + 3) ** 2 <= 9
    return np.stack([((u / along) ** 2 + (v / across) ** 2 <= 1) | bump for along, across in radii])


def detection(number: int, flags: np.ndarray, key: int, first: int, mask: bool = True) -> Detection:
    """As the detector makes them: axes of the mask on the key slice, a box with a margin, clipped to the image."""
    rows, cols = np.nonzero(flags[key - first])
    box = BoxPx(cols.min() - 5.25, rows.min() - 5.5, cols.max() + 5.0, rows.max() + 5.75)
    box = box.clipped(ROWS, COLUMNS)
    long_axis, short_axis = axes_on(flags[key - first], box, SPACING)
    return Detection(
        detection_id=f"00000000-0000-4000-8000-{number:012d}", image=ImageReference(f"{SERIES}.{key + 1}"), box=box,
        z_first=first, z_last=first + len(flags) - 1, long_axis=long_axis, short_axis=short_axis,
        long_axis_mm=long_axis.length_mm(SPACING), short_axis_mm=short_axis.length_mm(SPACING), score=0.9,
        category="lung nodule", tracking_uid=f"2.25.10{number}", mask=Mask(first, 0, 0, flags) if mask else None,
    )  # fmt: skip


LONGEST_ELSEWHERE = detection(1, blob(18, 20, (6.0, 4.0), (9.5, 6.2), (7.0, 5.0)), key=1, first=1)
AT_THE_BORDER = detection(2, blob(58, 40, (5.0, 3.2), (4.0, 3.0)), key=3, first=3)
OURS = [LONGEST_ELSEWHERE, AT_THE_BORDER]


def images() -> list[Dataset]:
    return ct_series(6)


def encoded(profile: str, detections: list[Detection]) -> Dataset:
    context = Context(images=tuple(images()), model=MODEL, created_at=NOW)  # type: ignore[call-arg]
    ds = PROFILES[profile].build(describe(detections, context), Identity("2.25.500", "2.25.501", 901))
    assert ds is not None
    return ds


def saved_again(ds: Dataset) -> Dataset:
    """By a viewer that asks a person: fresh UIDs, and none of our names."""
    copy = deepcopy(ds)
    copy.SOPInstanceUID = copy.file_meta.MediaStorageSOPInstanceUID = "1.5.1"
    copy.SeriesInstanceUID = "1.5.2"
    return copy


def known(node: Node) -> None:
    """An analysis with our detections, as the detector saves them, of images that have arrived."""
    node.receive(*images())
    names = []
    for one in OURS:
        name = f"{one.detection_id}.npz"
        node.files.write(name, analyses.mask_bytes(one.mask))  # type: ignore[arg-type]
        names.append(name)
    planes = sorted(_position(image) for image in images())
    analyses.save(
        node.session, study_instance_uid=STUDY, study_revision=node.session.get_one(Study, STUDY).revision,
        series_instance_uid=SERIES, model_id=None, started_at=NOW,  # type: ignore[arg-type]
        detections=[(one, True, name) for one, name in zip(OURS, names, strict=True)],
        now=NOW - timedelta(days=1), positions_mm=planes,
    )  # fmt: skip


def _position(image: Dataset) -> float:
    row, column = np.array(image.ImageOrientationPatient[:3]), np.array(image.ImageOrientationPatient[3:])
    return float(np.cross(row, column) @ np.array(image.ImagePositionPatient))


def test_the_findings_are_a_hard_case() -> None:
    first = LONGEST_ELSEWHERE.mask
    assert first is not None and first.voxels[1].sum() > first.voxels[0].sum(), "its key slice is not its longest"
    assert AT_THE_BORDER.box.x2 == COLUMNS - 1 and AT_THE_BORDER.box.y2 == ROWS - 1


@pytest.mark.parametrize("profile", DRAWN)
def test_a_copy_of_any_encoding_is_accepted_and_gives_no_row_of_truth(node: Node, profile: str) -> None:
    known(node)
    node.receive(saved_again(encoded(profile, OURS)))
    node.harvest()
    assert verdicts(node) == {one.detection_id: "accepted" for one in OURS}
    assert node.truth() == []


@pytest.mark.parametrize("profile", [name for name in DRAWN if PROFILES[name].kind in ("SEG", "RTSTRUCT")])
def test_a_changed_mask_is_modified_whatever_it_comes_as(node: Node, profile: str) -> None:
    known(node)
    flags = blob(18, 20, (6.0, 4.0), (12.5, 6.2), (7.0, 5.0))
    changed = saved_again(encoded(profile, [detection(1, flags, key=1, first=1), AT_THE_BORDER]))
    node.receive(changed)
    node.harvest()
    assert verdicts(node) == {OURS[0].detection_id: "modified", OURS[1].detection_id: "accepted"}
