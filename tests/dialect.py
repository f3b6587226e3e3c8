"""One way in which measurements arrive, with the rows that must come out: a line of docs/harvest.md."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pydicom.dataset import Dataset

from mining.settings import DEFAULT_SETTINGS, HarvestSettings


@dataclass(frozen=True)
class Row:
    """A row of `lesions` as it is known by construction; lengths in mm in the patient.

    long_mm is None for what was only pointed at. image: SOP Instance UID.
    """

    image: str
    long_mm: float | None = None
    short_mm: float | None = None
    frame: int = 1
    derived: bool = False
    truth: bool = True
    tolerance_mm: float = 0.01


@dataclass(frozen=True)
class Dialect:
    """`objects` builds the images and the documents anew; all of one study (`builders.STUDY`)."""

    name: str
    kind: str
    """As in `lesions.source_kind`."""
    root: str
    """The document's root concept, or what kind of object it is."""
    place: str
    """Where the drawing stands."""
    codes: str
    units: str
    orientation: str
    """Of the image: axial, oblique, sagittal, none …"""
    objects: Callable[[], Sequence[Dataset]]
    rows: Sequence[Row]
    rejections: Sequence[str] = ()
    """Reason codes of the documents' rejections, sorted."""
    settings: HarvestSettings = DEFAULT_SETTINGS
