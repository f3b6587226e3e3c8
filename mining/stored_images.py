"""The images that the node holds, as a reader may ask for them. Shell."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.errors import GeometryError
from db.geometry import PixelSpacing
from db.measurement import ImageReference
from db.models import Image, Series
from db.studies import plane_of
from mining.known_images import KnownImage


class StoredImages:
    """Answers from the tables, each once; for one transaction."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._found: dict[ImageReference, KnownImage | None] = {}
        self._frames: dict[str, list[ImageReference]] = {}

    def find(self, image: ImageReference) -> KnownImage | None:
        if image not in self._found:
            self._found[image] = self._load(image)
        return self._found[image]

    def in_frame_of_reference(self, frame_of_reference_uid: str) -> Sequence[ImageReference]:
        if frame_of_reference_uid not in self._frames:
            rows = self._session.execute(
                select(Image.sop_instance_uid, Image.frames)
                .join(Series, Series.series_instance_uid == Image.series_instance_uid)
                .where(Series.frame_of_reference_uid == frame_of_reference_uid, Series.frame_of_reference_uid != "")
                .order_by(Image.series_instance_uid, Image.instance_number, Image.sop_instance_uid)
            )
            self._frames[frame_of_reference_uid] = [
                ImageReference(uid, frame) for uid, frames in rows for frame in range(1, frames + 1)
            ]
        return self._frames[frame_of_reference_uid]

    def _load(self, image: ImageReference) -> KnownImage | None:
        row = self._session.get(Image, image.sop_instance_uid)
        if row is None or not 1 <= image.frame_number <= row.frames:
            return None
        return KnownImage(row.rows, row.columns, _spacing(row), plane_of(self._session, image))


def _spacing(row: Image) -> PixelSpacing | None:
    if row.row_spacing_mm is None or row.col_spacing_mm is None:
        return None
    try:
        return PixelSpacing(row.row_spacing_mm, row.col_spacing_mm)
    except GeometryError:
        return None
