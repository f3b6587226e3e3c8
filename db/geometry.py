"""Points, axes, boxes and image planes, with their unit and frame in the type. Pure.

Pixel frame of this project: `col` grows to the right, `row` grows downwards, and (0, 0) is the CENTRE of the
first pixel, as in an array's index. DICOM's SCOORD and GSPS PIXEL coordinates put (0, 0) at the outer corner of
that pixel, so its centre is (0.5, 0.5) (PS3.3 C.18.6.1 and C.10.5); DL_info.csv counts pixel centres from 1.
One function leads each way; nothing else adds a half or a one.

Millimetres are in the patient frame of PS3.3 C.7.6.2.1.1 (LPS).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import acos, degrees, hypot, isfinite, sqrt

from db.errors import GeometryError

DEEPLESION_MARGIN_PX = 5.0
"""DeepLesion's boxes are the extent of the four axis ends and this much more on each side (paper, section 2)."""


@dataclass(frozen=True, slots=True)
class PointPx:
    """A place on an image; may lie outside it."""

    col: float
    row: float

    @classmethod
    def from_scoord(cls, x: float, y: float) -> PointPx:
        """From a SCOORD or a GSPS graphic in PIXEL units (PS3.3 C.18.6.1, C.10.5)."""
        return cls(x - 0.5, y - 0.5)

    def to_scoord(self) -> tuple[float, float]:
        return self.col + 0.5, self.row + 0.5

    def distance_px(self, other: PointPx) -> float:
        return hypot(other.col - self.col, other.row - self.row)


@dataclass(frozen=True, slots=True)
class PixelSpacing:
    """Distance between pixel centres; both are > 0.

    `row_mm` is the distance between rows, so it scales a step along `row`; it is the FIRST value of Pixel Spacing
    (PS3.3 10.7.1.3).
    """

    row_mm: float
    col_mm: float

    def __post_init__(self) -> None:
        if not (isfinite(self.row_mm) and isfinite(self.col_mm) and self.row_mm > 0 and self.col_mm > 0):
            raise GeometryError("pixel spacing must be two positive numbers", row_mm=self.row_mm, col_mm=self.col_mm)


def length_mm(a: PointPx, b: PointPx, spacing: PixelSpacing) -> float:
    """Distance between two points of one image."""
    return hypot((b.col - a.col) * spacing.col_mm, (b.row - a.row) * spacing.row_mm)


@dataclass(frozen=True, slots=True)
class Axis:
    """A straight line that a reader drew or the detector derived: one of the two RECIST diameters."""

    a: PointPx
    b: PointPx

    @property
    def points(self) -> tuple[PointPx, PointPx]:
        return self.a, self.b

    @property
    def length_px(self) -> float:
        return self.a.distance_px(self.b)

    def length_mm(self, spacing: PixelSpacing) -> float:
        return length_mm(self.a, self.b, spacing)

    def moved(self, cols: float, rows: float) -> Axis:
        """The same line so many pixels farther on."""
        a, b = self.points
        return Axis(PointPx(a.col + cols, a.row + rows), PointPx(b.col + cols, b.row + rows))

    @property
    def middle(self) -> PointPx:
        return PointPx((self.a.col + self.b.col) / 2, (self.a.row + self.b.row) / 2)

    def angle_to_deg(self, other: Axis, spacing: PixelSpacing) -> float:
        """Angle between the two lines in the patient, 0 to 90 degrees; 0 if one has no length."""
        u = ((self.b.col - self.a.col) * spacing.col_mm, (self.b.row - self.a.row) * spacing.row_mm)
        v = ((other.b.col - other.a.col) * spacing.col_mm, (other.b.row - other.a.row) * spacing.row_mm)
        lengths = hypot(*u) * hypot(*v)
        return degrees(acos(min(1.0, abs(u[0] * v[0] + u[1] * v[1]) / lengths))) if lengths else 0.0


@dataclass(frozen=True, slots=True)
class BoxPx:
    """x is a column, y is a row; x1 <= x2 and y1 <= y2; both corners are pixel centres that the box contains."""

    x1: float
    y1: float
    x2: float
    y2: float

    @classmethod
    def around(cls, points: Iterable[PointPx], margin_px: float = DEEPLESION_MARGIN_PX) -> BoxPx:
        """The extent of the points and a margin; not clipped to the image, as in DL_info.csv."""
        cols, rows = zip(*((p.col, p.row) for p in points), strict=True)
        return cls(min(cols) - margin_px, min(rows) - margin_px, max(cols) + margin_px, max(rows) + margin_px)

    @property
    def width_px(self) -> float:
        return self.x2 - self.x1

    @property
    def height_px(self) -> float:
        return self.y2 - self.y1

    @property
    def area_px(self) -> float:
        return self.width_px * self.height_px

    @property
    def centre(self) -> PointPx:
        return PointPx((self.x1 + self.x2) / 2, (self.y1 + self.y2) / 2)

    @property
    def corners(self) -> tuple[PointPx, PointPx, PointPx, PointPx]:
        """Upper left, upper right, lower right, lower left."""
        return (
            PointPx(self.x1, self.y1),
            PointPx(self.x2, self.y1),
            PointPx(self.x2, self.y2),
            PointPx(self.x1, self.y2),
        )

    def clipped(self, rows: int, columns: int) -> BoxPx:
        """The part inside an image of that size."""
        return BoxPx(
            min(max(self.x1, 0.0), columns - 1.0),
            min(max(self.y1, 0.0), rows - 1.0),
            min(max(self.x2, 0.0), columns - 1.0),
            min(max(self.y2, 0.0), rows - 1.0),
        )

    def iou(self, other: BoxPx) -> float:
        """Intersection over union, 0 to 1."""
        width = min(self.x2, other.x2) - max(self.x1, other.x1)
        height = min(self.y2, other.y2) - max(self.y1, other.y1)
        common = max(width, 0.0) * max(height, 0.0)
        union = self.area_px + other.area_px - common
        return common / union if union > 0 else 0.0


@dataclass(frozen=True, slots=True)
class PointMm:
    """A place in the patient (LPS)."""

    x: float
    y: float
    z: float


Vector = tuple[float, float, float]


def _dot(a: Vector, b: Vector) -> float:
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


@dataclass(frozen=True, slots=True)
class Plane:
    """Where one image lies in the patient: PS3.3 C.7.6.2.1.1, in any orientation.

    origin: centre of the first pixel. along_row: unit vector of growing `col` (the first three values of Image
    Orientation); along_column: unit vector of growing `row`.
    """

    origin: PointMm
    along_row: Vector
    along_column: Vector
    spacing: PixelSpacing

    def __post_init__(self) -> None:
        if not all(map(isfinite, (self.origin.x, self.origin.y, self.origin.z, *self.along_row, *self.along_column))):
            raise GeometryError("image position and orientation must be finite numbers")
        for vector in (self.along_row, self.along_column):
            if not abs(sqrt(_dot(vector, vector)) - 1.0) < 1e-2:
                raise GeometryError("image orientation is not made of unit vectors", vector=vector)
        if abs(_dot(self.along_row, self.along_column)) > 1e-2:
            raise GeometryError("image orientation is not orthogonal")

    @property
    def normal(self) -> Vector:
        r, c = self.along_row, self.along_column
        return (r[1] * c[2] - r[2] * c[1], r[2] * c[0] - r[0] * c[2], r[0] * c[1] - r[1] * c[0])

    @property
    def position_mm(self) -> float:
        """Position of the plane along its own normal: what slices are sorted by."""
        return _dot((self.origin.x, self.origin.y, self.origin.z), self.normal)

    def to_mm(self, point: PointPx) -> PointMm:
        u, v = point.col * self.spacing.col_mm, point.row * self.spacing.row_mm
        r, c = self.along_row, self.along_column
        return PointMm(
            self.origin.x + u * r[0] + v * c[0],
            self.origin.y + u * r[1] + v * c[1],
            self.origin.z + u * r[2] + v * c[2],
        )

    def to_px(self, point: PointMm) -> tuple[PointPx, float]:
        """The foot of a point on this plane, and the signed distance in mm from the plane."""
        d = (point.x - self.origin.x, point.y - self.origin.y, point.z - self.origin.z)
        foot = PointPx(_dot(d, self.along_row) / self.spacing.col_mm, _dot(d, self.along_column) / self.spacing.row_mm)
        return foot, _dot(d, self.normal)
