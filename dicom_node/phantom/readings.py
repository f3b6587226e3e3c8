"""What a simulated reader measures on a study: axes drawn by hand, with the numbers the viewer shows. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

import numpy as np
from pydicom.dataset import Dataset

from db.codes import Code
from db.geometry import Axis, PixelSpacing, PointPx
from dicom_node.phantom.settings import Visit
from dicom_node.phantom.truth import PhantomLesion

HAND_JITTER_PX = 0.5
"""One standard deviation of how far an end of an axis lies from where it should, in each direction."""


class Dialect(StrEnum):
    """The form in which a reader's workplace writes measurements."""

    OHIF = "TID 1500 as OHIF writes it"
    AXES = "TID 1500 with axes"
    REGION = "TID 1500 with a planar region"
    GSPS = "GSPS"


_SHARES = {Dialect.OHIF: 0.4, Dialect.AXES: 0.15, Dialect.REGION: 0.15, Dialect.GSPS: 0.3}


@dataclass(frozen=True, slots=True)
class Reader:
    """A person, and the decimal sign of the workplace's language."""

    name: str
    decimal_sign: str


READERS = (Reader("Reader^A", "."), Reader("Reader^B", ","), Reader("Reader^C", "."), Reader("Reader^D", "."))


@dataclass(frozen=True, slots=True)
class Reading:
    """One lesion as drawn; long_axis_mm >= short_axis_mm, both with one decimal as shown on the screen."""

    lesion: PhantomLesion
    image: Dataset
    long_axis: Axis
    short_axis: Axis
    outline: tuple[PointPx, ...]
    long_axis_mm: float
    short_axis_mm: float
    finding: Code
    site: Code


@dataclass(frozen=True, slots=True)
class Session:
    """One reader's sitting over one study; never without a reading."""

    visit: Visit
    reader: Reader
    dialect: Dialect
    read_at: datetime
    readings: tuple[Reading, ...]

    @property
    def images(self) -> list[Dataset]:
        """The images that were drawn on, each once."""
        return list({reading.image.SOPInstanceUID: reading.image for reading in self.readings}.values())


def read_study(
    visit: Visit, images: Sequence[Dataset], lesions: Sequence[PhantomLesion], scanned_at: datetime
) -> Session | None:
    """The reader's session on the marked lesions; None if there are none."""
    rng = visit.study_rng("reader")
    reader = READERS[int(rng.integers(len(READERS)))]
    dialect = list(_SHARES)[int(rng.choice(len(_SHARES), p=list(_SHARES.values())))]
    read_at = scanned_at + timedelta(minutes=int(rng.integers(20, 600)), seconds=int(rng.integers(60)))
    by_uid = {str(image.SOPInstanceUID): image for image in images}
    readings = tuple(_draw(by_uid[lesion.key_sop_instance_uid], lesion, rng) for lesion in lesions if lesion.marked)
    return Session(visit, reader, dialect, read_at, readings) if readings else None


def _draw(image: Dataset, lesion: PhantomLesion, rng: np.random.Generator) -> Reading:
    spacing = PixelSpacing(*(float(v) for v in image.PixelSpacing))
    first, second = (Axis(*(_by_hand(p, rng) for p in axis.points)) for axis in (lesion.long_axis, lesion.short_axis))
    if first.length_mm(spacing) < second.length_mm(spacing):
        first, second = second, first
    finding, site = _CODES[lesion.kind]
    return Reading(
        lesion=lesion,
        image=image,
        long_axis=first,
        short_axis=second,
        outline=tuple(_by_hand(p, rng) for p in lesion.outline),
        long_axis_mm=round(first.length_mm(spacing), 1),
        short_axis_mm=round(second.length_mm(spacing), 1),
        finding=finding,
        site=site,
    )


def _by_hand(point: PointPx, rng: np.random.Generator) -> PointPx:
    dx, dy = np.clip(rng.normal(scale=HAND_JITTER_PX, size=2), -1.5, 1.5)
    return PointPx(point.col + float(dx), point.row + float(dy))


_NODULE = Code("27925004", "SCT", "Nodule")
_MASS = Code("4147007", "SCT", "Mass")
_LESION = Code("52988006", "SCT", "Lesion")
_CYST = Code("367643001", "SCT", "Cyst")
_NODE = Code("30746006", "SCT", "Lymphadenopathy")
_LUNG = Code("39607008", "SCT", "Lung")
_LIVER = Code("10200004", "SCT", "Liver")
_KIDNEY = Code("64033007", "SCT", "Kidney")
_BONE = Code("272673000", "SCT", "Bone")

_CODES: dict[str, tuple[Code, Code]] = {
    "lung nodule": (_NODULE, _LUNG),
    "ground-glass nodule": (_NODULE, _LUNG),
    "liver metastasis": (_LESION, _LIVER),
    "hypervascular liver lesion": (_LESION, _LIVER),
    "splenic lesion": (_LESION, Code("78961009", "SCT", "Spleen")),
    "renal cyst": (_CYST, _KIDNEY),
    "renal mass": (_MASS, _KIDNEY),
    "mediastinal lymph node": (_NODE, Code("72410000", "SCT", "Mediastinum")),
    "abdominal lymph node": (_NODE, Code("818981001", "SCT", "Abdomen")),
    "pelvic mass": (_MASS, Code("816092008", "SCT", "Pelvis")),
    "sclerotic bone lesion": (_LESION, _BONE),
    "lytic bone lesion": (_LESION, _BONE),
    "muscle metastasis": (_MASS, Code("127954009", "SCT", "Skeletal muscle")),
    "subcutaneous nodule": (_NODULE, Code("71966008", "SCT", "Subcutaneous tissue")),
}
"""Finding and finding site that a reader chooses, by the kind of lesion."""
