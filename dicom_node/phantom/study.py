"""One phantom study: images, the reports of its simulated reader, and the truth. Pure.

Its promise: `make_study` gives the same bytes for the same arguments, whatever was made before.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from pydicom.dataset import Dataset
from scipy import ndimage

from db.geometry import Axis, BoxPx, PointMm, PointPx
from dicom_node.phantom.acquisition import Acquisition, draw_acquisition
from dicom_node.phantom.axes import recist_axes
from dicom_node.phantom.body import paint_body, scan
from dicom_node.phantom.canvas import Canvas, Field, Place
from dicom_node.phantom.lesions import PlacedLesion, grow_lesions
from dicom_node.phantom.physique import draw_physique
from dicom_node.phantom.series import ct_series
from dicom_node.phantom.settings import PhantomSettings, Visit, visit_of


@dataclass(frozen=True, slots=True)
class PhantomLesion:
    """The truth about one lesion.

    number: the same in both studies of a patient. The key slice is where the lesion is largest; `long_axis` and
    `short_axis` lie on it. contrast_hu: inside minus a ring around, before noise. box: the axes' extent and 5 px,
    not clipped. boxes: the same for each slice it touches, by SOP Instance UID.
    """

    number: int
    kind: str
    organ: str
    centre_mm: PointMm
    long_axis: Axis
    short_axis: Axis
    long_axis_mm: float
    short_axis_mm: float
    contrast_hu: float
    marked: bool
    key_sop_instance_uid: str
    box: BoxPx
    boxes: dict[str, BoxPx]


@dataclass(frozen=True, slots=True)
class PhantomLookalike:
    """Something normal that looks like a lesion on one slice."""

    kind: str
    centre_mm: PointMm
    sop_instance_uid: str


@dataclass(frozen=True, slots=True)
class PhantomStudy:
    """`images` in the order of their Instance Number; `reports` is empty where nothing was measured."""

    patient_id: str
    study_instance_uid: str
    dialect: str
    images: list[Dataset]
    reports: list[Dataset]
    lesions: tuple[PhantomLesion, ...]
    lookalikes: tuple[PhantomLookalike, ...]


def make_study(seed: int, index: int, settings: PhantomSettings | None = None) -> PhantomStudy:
    """Study `index` of the run `seed`; raises ValueError for negative numbers."""
    settings = settings or PhantomSettings()
    visit = visit_of(seed, index)
    physique = draw_physique(visit)
    acquisition = draw_acquisition(visit, physique, settings)
    canvas = paint_body(acquisition.grid, physique)
    wanted = int(visit.patient_rng("count").integers(settings.lesions[0], settings.lesions[1] + 1))
    placed = grow_lesions(canvas, visit, wanted)
    marked = _marked(visit, placed, settings)
    lesions = tuple(
        truth for lesion in placed if (truth := _truth(canvas, visit, acquisition, lesion, lesion.number in marked))
    )
    images = ct_series(scan(canvas, acquisition.kernel, visit.study_rng("scan")), visit, physique, acquisition)
    return PhantomStudy(
        patient_id=visit.patient_id,
        study_instance_uid=visit.uid("study"),
        dialect="",
        images=sorted(images, key=lambda ds: int(ds.InstanceNumber)),
        reports=[],
        lesions=lesions,
        lookalikes=(),
    )


def _marked(visit: Visit, placed: list[PlacedLesion], settings: PhantomSettings) -> set[int]:
    """Numbers of the lesions that the reader measures; the same in both studies of a patient."""
    rng = visit.patient_rng("marked")
    if not placed or settings.marked_share == 0 or rng.random() < settings.unread_share:
        return set()
    expected = settings.marked_share * len(placed)
    count = max(1, int(expected) + int(rng.random() < expected % 1))
    return {placed[i].number for i in rng.permutation(len(placed))[:count]}


def _truth(
    canvas: Canvas, visit: Visit, acquisition: Acquisition, lesion: PlacedLesion, marked: bool
) -> PhantomLesion | None:
    """None if the lesion covers no pixel to one half."""
    first, top, left = (span.start for span in lesion.window)
    spacing = acquisition.grid.spacing
    axes = {}
    for s, coverage in enumerate(lesion.coverage):
        found = recist_axes(coverage, spacing)
        if found:
            axes[first + s] = tuple(_moved(axis, left, top) for axis in found)
    if not axes:
        return None
    area = (lesion.coverage > 0.5).sum(axis=(1, 2))
    key = first + int(area.argmax())
    if key not in axes:
        return None
    long_axis, short_axis = axes[key]
    boxes = {visit.uid("image", s): BoxPx.around(a.points + b.points) for s, (a, b) in axes.items()}
    return PhantomLesion(
        number=lesion.number,
        kind=lesion.kind.name,
        organ=lesion.kind.organ,
        centre_mm=_to_patient(acquisition, lesion.centre),
        long_axis=long_axis,
        short_axis=short_axis,
        long_axis_mm=long_axis.length_mm(spacing),
        short_axis_mm=short_axis.length_mm(spacing),
        contrast_hu=_contrast_hu(canvas, lesion, key),
        marked=marked,
        key_sop_instance_uid=visit.uid("image", key),
        box=boxes[visit.uid("image", key)],
        boxes=boxes,
    )


def _moved(axis: Axis, left: int, top: int) -> Axis:
    a, b = (PointPx(p.col + left, p.row + top) for p in axis.points)
    return Axis(a, b)


def _to_patient(acquisition: Acquisition, place: Place) -> PointMm:
    x, y, z = np.asarray(place) @ np.array(acquisition.axes) + acquisition.table_mm
    return PointMm(float(x), float(y), float(z))


def _contrast_hu(canvas: Canvas, lesion: PlacedLesion, key: int) -> float:
    """Mean inside minus mean of a ring from 2 to 5 px outside, on the key slice, before noise."""
    grid = canvas.grid
    full: Field = np.zeros((grid.rows, grid.columns), dtype=np.float32)
    full[lesion.window[1:]] = lesion.coverage[key - lesion.window[0].start]
    inside = full > 0.5
    near, far = (ndimage.binary_dilation(full > 0.01, iterations=n) for n in (1, 4))
    hu = canvas.hu[key]
    return float(hu[inside].mean() - hu[far & ~near].mean())
