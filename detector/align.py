"""Two overviews of one body → the shift between them, or none that can be relied on. Pure.

A translation along all three axes, by the normalised cross-correlation of what both series show; nothing turns and
nothing bends. Breathing, another posture of the arms and lost weight stay in it as an error.
Source: D. Padfield, Masked object registration in the Fourier domain, IEEE Trans. Image Process. 21 (2012).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import fft

from db.geometry import PointMm, Vector
from detector.overview import STEP_MM, Overview

Floats = npt.NDArray[np.float64]
NOTHING = -1.0
"""The correlation where too little lies over each other."""


@dataclass(frozen=True, slots=True)
class AlignSettings:
    """When a shift is relied on."""

    least_overlap: float = 0.3
    """Of the smaller series, in cells that both reach. A best place at this border is none: it may lie beyond."""
    least_correlation: float = 0.85
    least_distinct: float = 1.5
    """How many times as far from 1 the best correlation elsewhere along the body is: a trunk is much like itself."""
    least_lead: float = 0.002
    """And by how much farther, for where both are next to 1."""
    elsewhere_mm: float = 30.0


def shift_between(prior: Overview, current: Overview, settings: AlignSettings) -> Vector | None:
    """What to add to a place (x, y, z mm, LPS) in the prior series to have it in the current one; None if unsure."""
    surface = correlations(prior, current, settings.least_overlap)
    best = np.unravel_index(int(surface.argmax()), surface.shape)
    along = surface.max(axis=(1, 2))
    z = int(best[0])
    if surface[best] < settings.least_correlation or not 0 < z < len(along) - 1:
        return None
    if min(along[z - 1], along[z + 1]) == NOTHING:
        return None
    elsewhere = np.abs(np.arange(len(along)) - z) * STEP_MM >= settings.elsewhere_mm
    second = float(along[elsewhere].max(initial=NOTHING))
    if 1.0 - second < settings.least_distinct * (1.0 - float(surface[best])) + settings.least_lead:
        return None
    lags = [int(at) + _beside(surface, best, axis) - (prior.levels.shape[axis] - 1) for axis, at in enumerate(best)]
    dz, dy, dx = (
        float(c - p + STEP_MM * lag) for c, p, lag in zip(current.first_mm, prior.first_mm, lags, strict=True)
    )
    return dx, dy, dz


def correlations(prior: Overview, current: Overview, least_overlap: float) -> Floats:
    """-1 to 1 for every lag of whole cells: (Z, Y, X), the lag of 0 at the prior's shape less one."""
    shape = [a + b - 1 for a, b in zip(current.levels.shape, prior.levels.shape, strict=True)]
    size = [int(fft.next_fast_len(n, True)) for n in shape]
    a, a_squared, a_there = (fft.rfftn(part, size) for part in _parts(current))
    b, b_squared, b_there = (np.conj(fft.rfftn(part, size)) for part in _parts(prior))

    def summed(spectrum: npt.NDArray[np.complex128]) -> Floats:
        lags = np.roll(fft.irfftn(spectrum, size), [n - 1 for n in prior.levels.shape], (0, 1, 2))
        return np.asarray(lags[: shape[0], : shape[1], : shape[2]])

    cells = np.maximum(summed(a_there * b_there), 1.0)
    a_sum, b_sum = summed(a * b_there), summed(a_there * b)
    a_spread = summed(a_squared * b_there) - a_sum**2 / cells
    b_spread = summed(a_there * b_squared) - b_sum**2 / cells
    common = summed(a * b) - a_sum * b_sum / cells
    least = least_overlap * min(int((one.levels > 0).sum()) for one in (prior, current))
    told = (cells >= least) & (a_spread > 1e-3 * cells) & (b_spread > 1e-3 * cells)
    return np.where(told, common / np.sqrt(np.where(told, a_spread * b_spread, 1.0)), NOTHING)


def _parts(overview: Overview) -> tuple[Floats, Floats, Floats]:
    """The levels about their mean, their squares, and where there are any."""
    there = (overview.levels > 0).astype(np.float64)
    levels = (overview.levels - (overview.levels.sum() / max(there.sum(), 1.0))) * there
    return levels, levels**2, there


def _beside(surface: Floats, best: tuple[np.intp, ...], axis: int) -> float:
    """How far the top of a parabola through the best cell and its neighbours lies from it: -0.5 to 0.5 cells."""
    at = int(best[axis])
    line = surface[tuple(slice(None) if a == axis else int(n) for a, n in enumerate(best))]
    if not 0 < at < len(line) - 1:
        return 0.0
    before, here, after = (float(value) for value in line[at - 1 : at + 2])
    bend = before - 2 * here + after
    if bend >= 0 or NOTHING in (before, after):
        return 0.0
    return float(np.clip((before - after) / (2 * bend), -0.5, 0.5))


def moved(place: PointMm, shift: Vector) -> PointMm:
    return PointMm(place.x + shift[0], place.y + shift[1], place.z + shift[2])
