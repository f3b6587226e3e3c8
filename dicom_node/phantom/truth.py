"""What is really on a phantom's images: lesions with their axes and boxes, and look-alikes. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from db.geometry import Axis, BoxPx, PointMm, PointPx
from dicom_node.phantom.acquisition import Acquisition
from dicom_node.phantom.axes import hull_px, recist_axes
from dicom_node.phantom.canvas import Canvas, Field, Place
from dicom_node.phantom.lesions import PlacedLesion
from dicom_node.phantom.lookalikes import PlacedLookalike
from dicom_node.phantom.settings import Visit


@dataclass(frozen=True, slots=True)
class PhantomLesion:
    """The truth about one lesion.

    number: the same in both studies of a patient. centre_mm: LPS. The key slice is where the lesion is largest;
    `long_axis`, `short_axis` and `outline` (its convex hull, a ring) lie on it. contrast_hu: inside minus a ring
    around, before noise. box: the axes' extent and 5 px, not clipped. boxes: the same on each slice that the lesion
    touches, by SOP Instance UID.
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
    outline: tuple[PointPx, ...]


@dataclass(frozen=True, slots=True)
class PhantomLookalike:
    """Something normal that looks like a lesion on one slice: `point` (px) on the image nearest to `centre_mm`."""

    kind: str
    centre_mm: PointMm
    sop_instance_uid: str
    point: PointPx


def truth_of_lesion(
    canvas: Canvas, visit: Visit, acquisition: Acquisition, lesion: PlacedLesion, marked: bool
) -> PhantomLesion | None:
    """None if the lesion fills too few pixels to have two axes."""
    first, top, left = (span.start for span in lesion.window)
    spacing = acquisition.grid.spacing
    axes: dict[int, tuple[Axis, Axis]] = {}
    for s, coverage in enumerate(lesion.coverage):
        found = recist_axes(coverage, spacing)
        if found:
            axes[first + s] = (_moved(found[0], left, top), _moved(found[1], left, top))
    if not axes:
        return None
    area = (lesion.coverage > 0.5).sum(axis=(1, 2))
    key = max(axes, key=lambda s: int(area[s - first]))
    hull = hull_px(lesion.coverage[key - first], spacing)
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
        outline=tuple(PointPx(float(col) + left, float(row) + top) for col, row in ([] if hull is None else hull)),
    )


def truth_of_lookalike(visit: Visit, acquisition: Acquisition, lookalike: PlacedLookalike) -> PhantomLookalike:
    grid = acquisition.grid
    s = round(float(np.clip((lookalike.centre[2] - grid.z_first_mm) / grid.interval_mm, 0, grid.slices - 1)))
    centre = _to_patient(acquisition, lookalike.centre)
    return PhantomLookalike(lookalike.kind, centre, visit.uid("image", s), acquisition.plane(s).to_px(centre)[0])


def _moved(axis: Axis, left: int, top: int) -> Axis:
    a, b = (PointPx(p.col + left, p.row + top) for p in axis.points)
    return Axis(a, b)


def _to_patient(acquisition: Acquisition, place: Place) -> PointMm:
    x, y, z = np.asarray(place) @ np.array(acquisition.axes) + acquisition.table_mm
    return PointMm(float(x), float(y), float(z))


def _contrast_hu(canvas: Canvas, lesion: PlacedLesion, key: int) -> float:
    """Median inside minus median of a ring from 1 to 4 px outside, on the key slice, before noise."""
    grid = canvas.grid
    full: Field = np.zeros((grid.rows, grid.columns), dtype=np.float32)
    full[lesion.window[1:]] = lesion.coverage[key - lesion.window[0].start]
    near, far = (ndimage.binary_dilation(full > 0.01, iterations=n) for n in (1, 4))
    hu = canvas.hu[key]
    return float(np.median(hu[full > 0.5]) - np.median(hu[far & ~near]))
