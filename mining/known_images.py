"""What a reader may ask about the images that a document refers to: a port, and its empty answer. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from pydicom.dataset import Dataset

from db.geometry import PixelSpacing, Plane
from db.measurement import ImageReference
from mining.plane_stack import PlaneStack


@dataclass(frozen=True, slots=True)
class KnownImage:
    """The geometry of one frame; spacing and plane are None where its header gives none."""

    rows: int
    columns: int
    spacing: PixelSpacing | None = None
    plane: Plane | None = None


class KnownImages(Protocol):
    """The images that the node holds."""

    def find(self, image: ImageReference) -> KnownImage | None:
        """One frame; None if it has not arrived."""
        ...

    def in_frame_of_reference(self, frame_of_reference_uid: str) -> PlaneStack:
        """All frames with a plane that lie in one frame of reference; empty if there are none."""
        ...

    def in_series(self, series_instance_uid: str) -> Mapping[int, ImageReference]:
        """Instance Number → first frame, of a series' images; numbers that two images share are left out."""
        ...

    def document(self, sop_instance_uid: str) -> Dataset | None:
        """Another stored object that a document refers to (a SEG), with its pixels; None if it is not here."""
        ...


class NoImages:
    """Nothing has arrived."""

    def find(self, image: ImageReference) -> KnownImage | None:
        return None

    def in_frame_of_reference(self, frame_of_reference_uid: str) -> PlaneStack:
        return PlaneStack()

    def in_series(self, series_instance_uid: str) -> Mapping[int, ImageReference]:
        return {}

    def document(self, sop_instance_uid: str) -> Dataset | None:
        return None


NO_IMAGES = NoImages()
