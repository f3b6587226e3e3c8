"""Arrays and curves → pictures that can stand inside a page: data URIs. Pure."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image as Picture

from dicom_node.showcase_facts import FrocCurve, Scene, Shape
from dicom_node.web.figures import Crop, crop_around, window_hu
from mining.pixels import window

COLOURS = {"truth": "#39b36b", "measured": "#f5c542", "detected": "#4d9fec", "missed": "#e5544b", "false": "#4d9fec"}
"""The same on every picture; `false` is the detector's blue, dashed."""
CURVES = {
    "all": ("#39b36b", "every lesion of the phantom"),
    "large": ("#2b7a4b", "those of ≥ 10 mm and ≥ 40 HU"),
    "marked": ("#d9a514", "the lesions a reader marked"),
}
INK, QUIET, LINE = "#1d2733", "#5d6b7a", "#dfe4ea"


@dataclass(frozen=True, slots=True)
class Stage:
    """A scene ready to be drawn: its pixels as a data URI, the part of the image they are, the size on the page."""

    uri: str
    crop: Crop
    width: float
    height: float
    shapes: tuple[Shape, ...]
    caption: str


def data_uri(content: bytes, media_type: str) -> str:
    return f"data:{media_type};base64,{b64encode(content).decode('ascii')}"


def stage(scene: Scene, width: float) -> Stage:
    """The scene at a width in CSS pixels; a millimetre is as long in both directions."""
    rows, columns = scene.hu.shape
    focus = scene.focus
    crop = Crop(0, 0, columns, rows) if focus is None else crop_around(focus, rows, columns, scene.spacing)
    part = scene.hu[crop.y : crop.y + crop.height, crop.x : crop.x + crop.width]
    seen = part if focus is None else _inside(scene, crop)
    content = BytesIO()
    Picture.fromarray(window(part, *window_hu(seen))).save(content, "PNG", optimize=True)
    height = width * (crop.height * scene.spacing.row_mm) / (crop.width * scene.spacing.col_mm)
    return Stage(data_uri(content.getvalue(), "image/png"), crop, width, height, scene.shapes, scene.caption)


def _inside(scene: Scene, crop: Crop) -> np.ndarray:
    """The middle half of the crop: the window should suit the lesion, not the air beside the patient."""
    y, x = crop.y + crop.height // 4, crop.x + crop.width // 4
    return scene.hu[y : y + max(1, crop.height // 2), x : x + max(1, crop.width // 2)]


def loss_curve(losses: Sequence[tuple[int, float]]) -> str:
    """The training curve as an SVG data URI."""
    with rc_context({"svg.hashsalt": "loss", "font.family": "DejaVu Sans"}):
        figure, axes = _figure(5.4, 3.3)
        steps, values = zip(*losses, strict=True)
        axes.plot(steps, values, color="#9fb8d1", linewidth=1, label="mean loss")
        if len(values) >= 10:
            size = max(3, len(values) // 12)
            smooth = np.convolve(values, np.ones(size) / size, mode="valid")
            axes.plot(steps[size - 1 :], smooth, color="#2f7fd6", linewidth=2.2, label=f"mean of {size}")
            axes.legend(frameon=False, fontsize=9, labelcolor=QUIET)
        axes.set_xlabel("training step")
        axes.set_ylabel("loss")
        axes.set_ylim(bottom=0)
        return _svg(figure)


def froc_curve(curves: Sequence[FrocCurve]) -> str:
    """Sensitivity against false positives a scan as an SVG data URI, one line for each kind of truth."""
    with rc_context({"svg.hashsalt": "froc", "font.family": "DejaVu Sans"}):
        figure, axes = _figure(5.4, 3.3)
        for curve in curves:
            colour, name = CURVES[curve.against]
            if curve.low and curve.high:
                axes.fill_between(curve.fp_per_scan, curve.low, curve.high, color=colour, alpha=0.14, linewidth=0)
            axes.plot(
                curve.fp_per_scan,
                curve.sensitivity,
                color=colour,
                linewidth=2.2,
                marker="o",
                markersize=5,
                label=f"{name} ({curve.lesions})",
            )
        axes.set_xscale("log", base=2)
        ticks = sorted({point for curve in curves for point in curve.fp_per_scan if point > 0})
        axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks], minor=False)
        axes.set_ylim(0, 1.02)
        axes.set_yticks([0, 0.25, 0.5, 0.75, 1], ["0 %", "25 %", "50 %", "75 %", "100 %"])
        axes.set_xlabel("false positives a scan")
        axes.set_ylabel("sensitivity")
        axes.legend(frameon=False, fontsize=9, loc="upper left", labelcolor=QUIET)
        return _svg(figure)


def _figure(width_in: float, height_in: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width_in, height_in), layout="constrained", facecolor="none")
    axes = figure.add_subplot(facecolor="none")
    axes.grid(axis="y", color=LINE, linewidth=1)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(LINE)
    axes.tick_params(colors=QUIET, labelsize=9, length=0)
    axes.xaxis.label.set_color(QUIET)
    axes.yaxis.label.set_color(QUIET)
    return figure, axes


def _svg(figure: Figure) -> str:
    content = BytesIO()
    figure.savefig(content, format="svg", transparent=True, metadata={"Date": None})
    return data_uri(content.getvalue(), "image/svg+xml")
