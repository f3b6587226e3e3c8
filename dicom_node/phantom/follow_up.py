"""A later study of a phantom patient, scanned and grown as one wants it. Pure; same arguments, same bytes.

`make_study` has follow-ups, too, but of one kind: same coverage, everything larger. Here a lesion may shrink, go or
come, stand close to another, and the scanner may do as scanners do.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, field, replace
from datetime import timedelta

import numpy as np
from pydicom.dataset import Dataset

from db.geometry import Axis, BoxPx, PixelSpacing, PointPx
from dicom_node.phantom.acquisition import Acquisition, draw_acquisition
from dicom_node.phantom.body import KERNELS, paint_body, scan
from dicom_node.phantom.canvas import Canvas, Grid
from dicom_node.phantom.lesions import PlacedLesion, grow_lesions, paint_lesion
from dicom_node.phantom.lookalikes import add_lookalikes
from dicom_node.phantom.physique import draw_physique
from dicom_node.phantom.series import ct_series, frame_of_reference_uid
from dicom_node.phantom.settings import PhantomSettings, Visit, visit_of
from dicom_node.phantom.study import DEFAULT, PhantomStudy
from dicom_node.phantom.truth import PhantomLesion, truth_of_lesion

TWINS_FROM = 100
"""A twin's number is that of its lesion and this."""


@dataclass(frozen=True, slots=True)
class FollowUp:
    """What is otherwise at a later visit; by default table, kernel and noise alone.

    number: 1 and more. growth: of the diameter, by a lesion's number; 1 for those not named. gone: not there (any
    more, or yet). twin_mm: every lesion has a second one of its kind beside it, at this distance of the centres.
    """

    number: int = 1
    days: int = 90
    moved_mm: float = 0.0
    """How far the stack lies towards the head of the first one."""
    longer: float = 1.0
    """Length of the stack, as a share of the first one's; it grows on both sides."""
    interval: float = 1.0
    """Slice distance, as a share of the first one's."""
    pixels: tuple[float, float] = (1.0, 1.0)
    """Row and column spacing, as shares of the first ones; the field of view stays."""
    turned: bool = False
    """Rows run the other way, and so does the normal."""
    fatter_mm: float = 0.0
    """More fat under the skin, which moves the inner organs' walls."""
    same_frame: bool = False
    """The patient still lies on the table: same Frame of Reference, same coordinates."""
    growth: Mapping[int, float] = field(default_factory=dict)
    gone: frozenset[int] = frozenset()
    twin_mm: float | None = None


def make_follow_up(seed: int, index: int, change: FollowUp, settings: PhantomSettings = DEFAULT) -> PhantomStudy:
    """A later study of the patient whose first one is `make_study(seed, index, settings)`; nobody has read it.

    A lesion's `number` is that of the first study. Raises ValueError if the index is not of a first study.
    """
    first = visit_of(seed, index)
    if first.number or change.number < 1:
        raise ValueError(f"a follow-up is a visit from 1 on of a first study, got {change.number} of index {index}")
    visit = Visit(seed, 1_000_000 * change.number + index, index, change.number)
    physique = draw_physique(first)
    before = draw_acquisition(first, physique, settings)
    lesions = list(_lesions_of(first, before, settings, change))
    now = replace(physique, fat_mm=physique.fat_mm + change.fatter_mm)
    acquisition = _acquired(visit, before, change)
    canvas = paint_body(acquisition.grid, now)
    add_lookalikes(canvas, now, first)
    placed = [_painted_again(canvas, lesion, change) for lesion in lesions if lesion.number not in change.gone]
    truths = [truth_of_lesion(canvas, visit, acquisition, lesion, False) for lesion in placed if lesion is not None]
    images = ct_series(scan(canvas, acquisition.kernel, visit.study_rng("scan")), visit, physique, acquisition)
    if change.same_frame:
        _name_frame(images, first)
    study = PhantomStudy(
        patient_id=visit.patient_id,
        study_instance_uid=visit.uid("study"),
        dialect=None,
        images=sorted(images, key=lambda ds: int(ds.InstanceNumber)),
        reports=[],
        lesions=tuple(truth for truth in truths if truth is not None),
        lookalikes=(),
    )
    return turned(study) if change.turned else study


def _lesions_of(
    first: Visit, before: Acquisition, settings: PhantomSettings, change: FollowUp
) -> Iterator[PlacedLesion]:
    """The lesions of the first study, as they were painted there, each followed by its twin if twins are wanted."""
    physique = draw_physique(first)
    canvas = paint_body(before.grid, physique)
    add_lookalikes(canvas, physique, first)
    wanted = int(first.patient_rng("count").integers(settings.lesions[0], settings.lesions[1] + 1))
    for lesion in grow_lesions(canvas, first, physique.phase, wanted):
        yield lesion
        if change.twin_mm is not None:
            turn = float(first.patient_rng(f"twin {lesion.number}").uniform(0, 2 * np.pi))
            x, y, z = lesion.centre
            beside = (x + change.twin_mm * np.cos(turn), y + change.twin_mm * np.sin(turn), z)
            yield replace(lesion, number=lesion.number + TWINS_FROM, centre=beside)


def _painted_again(canvas: Canvas, lesion: PlacedLesion, change: FollowUp) -> PlacedLesion | None:
    """None where it lies outside the stack."""
    grid, z = canvas.grid, lesion.centre[2]
    if not grid.z_first_mm < z < grid.z_last_mm:
        return None
    painted = paint_lesion(canvas, lesion.plan, lesion.centre, change.growth.get(lesion.number, 1.0))
    return None if painted is None else replace(painted, number=lesion.number)


def _acquired(visit: Visit, before: Acquisition, change: FollowUp) -> Acquisition:
    own, grid = visit.study_rng("acquisition"), before.grid
    interval = grid.interval_mm * change.interval
    slices = max(round(grid.slices * change.longer / change.interval), 8)
    middle = (grid.z_first_mm + grid.z_last_mm) / 2 + change.moved_mm
    row_mm, col_mm = grid.spacing.row_mm * change.pixels[0], grid.spacing.col_mm * change.pixels[1]
    scanned = Grid(
        slices, round(grid.rows / change.pixels[0]), round(grid.columns / change.pixels[1]),
        PixelSpacing(round(row_mm, 4), round(col_mm, 4)), interval, middle - (slices - 1) / 2 * interval,
    )  # fmt: skip
    table = tuple(float(own.uniform(*ends)) for ends in ((-8, 8), (-20, 20), (-900, -200)))
    return replace(
        before,
        grid=scanned,
        kernel=KERNELS[int(own.integers(len(KERNELS)))],
        table_mm=before.table_mm if change.same_frame else (table[0], table[1], table[2]),
        started_at=before.started_at + timedelta(days=change.days),
    )


def _name_frame(images: list[Dataset], first: Visit) -> None:
    name = frame_of_reference_uid(first.uid("series", "ct"))
    for image in images:
        image.FrameOfReferenceUID = name


# --- the other way round ----------------------------------------------------------------------------------------


def turned(study: PhantomStudy) -> PhantomStudy:
    """The same study with its rows in the opposite order: another normal, the same patient coordinates."""
    return replace(
        study,
        images=[_turned_image(image) for image in study.images],
        lesions=tuple(_turned_lesion(lesion, int(study.images[0].Rows)) for lesion in study.lesions),
    )


def _turned_image(image: Dataset) -> Dataset:
    ds = deepcopy(image)
    down = np.array([float(v) for v in ds.ImageOrientationPatient[3:]])
    reach = (ds.Rows - 1) * float(ds.PixelSpacing[0])
    corner = np.array([float(v) for v in ds.ImagePositionPatient]) + reach * down
    ds.ImagePositionPatient = [f"{v:.4f}" for v in corner]
    ds.ImageOrientationPatient = [*ds.ImageOrientationPatient[:3], *(f"{-v:.8f}" for v in down)]
    pixels = np.frombuffer(ds.PixelData, "<u2").reshape(ds.Rows, ds.Columns)
    ds.PixelData = pixels[::-1].tobytes()
    return ds


def _turned_lesion(lesion: PhantomLesion, rows: int) -> PhantomLesion:
    def point(p: PointPx) -> PointPx:
        return PointPx(p.col, rows - 1 - p.row)

    def box(b: BoxPx) -> BoxPx:
        return BoxPx(b.x1, rows - 1 - b.y2, b.x2, rows - 1 - b.y1)

    return replace(
        lesion,
        long_axis=Axis(*(point(p) for p in lesion.long_axis.points)),
        short_axis=Axis(*(point(p) for p in lesion.short_axis.points)),
        box=box(lesion.box),
        boxes={uid: box(b) for uid, b in lesion.boxes.items()},
        outline=tuple(point(p) for p in lesion.outline),
    )
