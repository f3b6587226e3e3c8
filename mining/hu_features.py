"""A lesion as numbers without any network: Hounsfield histograms of it and of its ring, its sizes and shape. Pure.

What stands in where no pretrained weights are installed, and the baseline that they have to beat.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import log

import numpy as np
import numpy.typing as npt

from mining.patches import RATIO_WITHOUT_SHORT_AXIS, LesionPatch

EDGES_HU = (-900, -700, -500, -300, -150, -100, -60, -30, -10, 10, 30, 50, 70, 90, 120, 160, 220, 320, 500)
"""Fine where soft tissues differ, coarse in lung and bone; below the first and above the last edge is a bin each."""
BINS = len(EDGES_HU) + 1
LOWEST_HU, HIGHEST_HU = -1000, 1500
"""Where the first bin is taken to begin and the last to end, for a median that falls into one of them."""

Blocks = tuple[npt.NDArray[np.float32], ...]
"""Feature blocks of N lesions, each (N, its width): blocks weigh the same, whatever their width."""


def hu_blocks(patches: Sequence[LesionPatch]) -> Blocks:
    """Histogram inside, (N, 20), and histogram of the ring, (N, 20)."""
    inside = np.array([_histogram(patch.hu[patch.inside]) for patch in patches], np.float32).reshape(-1, BINS)
    ring = np.array([_histogram(patch.hu[patch.ring]) for patch in patches], np.float32).reshape(-1, BINS)
    return inside, ring


def size_block(patches: Sequence[LesionPatch]) -> npt.NDArray[np.float32]:
    """Logarithm of long and short axis in mm, and short over long: (N, 3)."""
    sizes = [_sizes(patch) for patch in patches]
    return np.array(sizes, np.float32).reshape(-1, 3)


def median_hu(inside: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """The median that each histogram tells, (N,) from (N, BINS): within its bin in proportion; 0 for one of zeros."""
    bounds = np.array([LOWEST_HU, *EDGES_HU, HIGHEST_HU], np.float64)
    whole = np.maximum(inside.sum(axis=1, keepdims=True), 1e-9)
    below = np.concatenate([np.zeros((len(inside), 1)), np.cumsum(inside / whole, axis=1)], axis=1)  # (N, BINS + 1)
    return np.array([np.interp(0.5, row, bounds) if row[-1] > 0 else 0.0 for row in below], np.float64)


def _sizes(patch: LesionPatch) -> tuple[float, float, float]:
    long_mm = max(patch.long_axis_mm, 0.1)
    short_mm = long_mm * RATIO_WITHOUT_SHORT_AXIS if patch.short_axis_mm is None else max(patch.short_axis_mm, 0.1)
    return log(long_mm), log(short_mm), short_mm / long_mm


def _histogram(hu: npt.NDArray[np.int16]) -> npt.NDArray[np.float32]:
    """Shares of the bins, (BINS,), smoothed over neighbours so that noise at an edge counts little; zeros for none."""
    counts = np.bincount(np.searchsorted(EDGES_HU, hu), minlength=BINS).astype(np.float32)
    shares = counts / max(counts.sum(), 1.0)
    return np.convolve(shares, np.array([0.25, 0.5, 0.25], np.float32), mode="same").astype(np.float32)
