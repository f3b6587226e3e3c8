"""Results of ours in a node of the tests: an analysis, its detections with masks, and the report that told of them."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from builders import COLUMNS, COMPREHENSIVE_3D_SR, ROWS, SERIES, STUDY, Line, ct_series
from builders_answers import ohif_axes, ohif_box
from harvest_node import NOW, Node
from pydicom.dataset import Dataset
from sqlalchemy import select

from db.analyses import mask_bytes
from db.detection import Mask
from db.geometry import Axis, BoxPx, PixelSpacing, PointPx
from db.indexing import planes_of
from db.models import Image
from db.outcomes import Analysis, Assessment, DetectionRow, Result

Corners = tuple[float, float, float, float]


@dataclass(frozen=True)
class Ours:
    """One finding as the tests draw it. box: with the margin; mask: on slices from `first`, in pixels of the image."""

    name: str
    image: str
    long: Line
    short: Line
    mask: np.ndarray | None = None
    first: int = 0

    @property
    def box(self) -> Corners:
        points = [PointPx(*end) for line in (self.long, self.short) for end in line]
        box = BoxPx.around(points)
        return box.x1, box.y1, box.x2, box.y2

    @property
    def uid(self) -> str:
        return f"1.9.{self.name}"


def at(name: str, col: float, row: float, image: int = 1) -> Ours:
    """A lesion of 12 by 16 pixels, upright in the patient."""
    long, short = ((col, row), (col + 12.0, row + 16.0)), ((col + 12.0, row + 6.0), (col, row + 9.515625))
    return Ours(name, f"{SERIES}.{image}", long, short)


def report_findings(
    node: Node,
    *findings: Ours,
    analysis: str = "one",
    report: str = "1.8.1",
    series: str = "1.8",
    made_at: datetime = NOW - timedelta(days=1),
    model: str | None = None,
    study: str = STUDY,
    reported: bool = True,
) -> None:
    """As if the study had been analysed, and the report sent."""
    session = node.session
    revision = 1 + len(list(session.scalars(select(Analysis).where(Analysis.study_instance_uid == study))))
    session.add(
        Analysis(
            analysis_id=analysis, study_instance_uid=study, study_revision=revision, series_instance_uid=SERIES,
            state="found", model_id=model, started_at=made_at, finished_at=made_at,
        )
    )  # fmt: skip
    session.flush()
    for one in findings:
        (x1, y1), (x2, y2) = one.long
        (u1, v1), (u2, v2) = one.short
        b = one.box
        spacing = PixelSpacing(0.8, 0.5)
        session.add(
            DetectionRow(
                detection_id=f"{analysis} {one.name}", analysis_id=analysis, sop_instance_uid=one.image, box_x1=b[0],
                box_y1=b[1], box_x2=b[2], box_y2=b[3], long_x1=x1, long_y1=y1, long_x2=x2, long_y2=y2, short_x1=u1,
                short_y1=v1, short_x2=u2, short_y2=v2, score=0.9, tracking_uid=one.uid, created_at=made_at,
                long_axis_mm=Axis(PointPx(x1, y1), PointPx(x2, y2)).length_mm(spacing),
                short_axis_mm=Axis(PointPx(u1, v1), PointPx(u2, v2)).length_mm(spacing),
                reported=reported, **_masked(node, one),
            )
        )  # fmt: skip
    session.add(
        Result(
            result_sop_instance_uid=report, analysis_id=analysis, kind="SR", profile="ohif",
            sop_class_uid=COMPREHENSIVE_3D_SR, series_instance_uid=series, file_name="x", created_at=made_at,
        )
    )  # fmt: skip
    session.flush()


def _masked(node: Node, one: Ours) -> dict[str, object]:
    if one.mask is None:
        return {"z_first": 0, "z_last": 0}
    name, last = f"{one.name}.npz", one.first + len(one.mask) - 1
    node.files.write(name, mask_bytes(Mask(one.first, 0, 0, one.mask)))
    images = node.session.scalars(select(Image).where(Image.series_instance_uid == SERIES))
    positions = sorted(plane.position_mm for image in images for plane in planes_of(image))
    return {
        "z_first": one.first, "z_last": last, "z_first_mm": positions[one.first], "z_last_mm": positions[last],
        "mask_name": name,
    }  # fmt: skip


def ball(*radii: int, centre: tuple[int, int] = (30, 22)) -> np.ndarray:
    """A mask of as many slices as radii, (S, rows, columns): discs in the patient, so ellipses in pixels."""
    row, col = np.ogrid[:ROWS, :COLUMNS]
    off = ((col - centre[0]) * 0.5) ** 2 + ((row - centre[1]) * 0.8) ** 2
    return np.stack([off <= (radius * 0.5) ** 2 for radius in radii])


def answers(node: Node) -> list[tuple[str | None, str, str, float | None]]:
    """(finding, verdict, reader, shift in px) of what documents say, in order."""
    query = select(Assessment).where(Assessment.source_sop_instance_uid != "")
    rows = node.session.scalars(query.execution_options(populate_existing=True))
    said = [(row.detection_id, row.verdict, row.reader, row.shift_px) for row in rows]
    return sorted(said, key=lambda one: (one[0] is None, str(one[0]), one[1:3]))


def verdicts(node: Node) -> dict[str, str]:
    """finding → verdict; of what was added, under its lesion_id."""
    query = select(Assessment).where(Assessment.source_sop_instance_uid != "")
    rows = node.session.scalars(query.execution_options(populate_existing=True))
    return {str(row.detection_id or row.lesion_id): row.verdict for row in rows}


# --- three of them, and what a reader makes of them ---------------------------------------------------------------

A, B, C = at("a", 20.0, 10.0), at("b", 40.0, 26.0), at("c", 14.0, 22.0, image=2)
OURS = ("1.8", "1.8.1")
"""Series and report."""


def moved(line: Line, dx: float, dy: float) -> Line:
    (x1, y1), (x2, y2) = line
    return (x1 + dx, y1 + dy), (x2 + dx, y2 + dy)


def axes(of: Ours, uid: str, dx: float = 0.0, dy: float = 0.0, **shape: bool) -> Dataset:
    return ohif_axes(of.image, moved(of.long, dx, dy), moved(of.short, dx, dy), uid, **shape)


def box(of: Ours, uid: str, dx: float = 0.0, dy: float = 0.0) -> Dataset:
    x1, y1, x2, y2 = of.box
    return ohif_box(of.image, (x1 + dx, y1 + dy, x2 + dx, y2 + dy), uid)


def edited() -> list[Dataset]:
    """Of three lesions the first was deleted, the axes of the last moved."""
    return [
        box(B, "2.25.1"), axes(B, "2.25.2"), box(C, "2.25.3"), axes(C, "2.25.4", dx=3.25, dy=2.125, text_moved=True),
    ]  # fmt: skip


def with_ours(node: Node, *documents: Dataset) -> None:
    node.receive(*ct_series(), *documents)
    report_findings(node, A, B, C)
    node.harvest()
