"""The images that the node holds, as a reader may ask for them. Shell."""

from __future__ import annotations

import zlib
from collections.abc import Mapping

from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from sqlalchemy import bindparam, func, select
from sqlalchemy.orm import Session

from db.errors import GeometryError
from db.files import FileStore
from db.geometry import PixelSpacing, Plane
from db.harvested import Columns
from db.indexing import planes_of
from db.measurement import ImageReference
from db.models import Image, Series
from db.studies import current_instance
from mining.elements import UNREADABLE
from mining.known_images import KnownImage
from mining.plane_stack import PlaneStack

DRAWN_ON = ("SEG", "RTDOSE", "PR", "SR", "KO")
"""Modalities of objects that have pixels or planes and are no images that a reader draws on."""


_GEOMETRY = (
    Image.sop_instance_uid,
    Image.rows,
    Image.columns,
    Image.frames,
    Image.row_spacing_mm,
    Image.col_spacing_mm,
    Image.planes,
)
_IMAGE = select(*_GEOMETRY).where(Image.sop_instance_uid == bindparam("uid"))
"""Made once, as in `db.harvested`."""


class StoredImages:
    """Answers from the tables and the files, each once; for one transaction. Remembers what was asked."""

    def __init__(self, session: Session, files: FileStore) -> None:
        self._session = session
        self._files = files
        self._found: dict[ImageReference, KnownImage | None] = {}
        self._stacks: dict[str, PlaneStack] = {}
        self._planes: dict[str, list[Plane]] = {}
        self._series: dict[str, Mapping[int, ImageReference]] = {}
        self._documents: dict[str, Dataset | None] = {}

    def find(self, image: ImageReference) -> KnownImage | None:
        if image not in self._found:
            self._found[image] = self._load(image)
        return self._found[image]

    def in_frame_of_reference(self, frame_of_reference_uid: str) -> PlaneStack:
        if frame_of_reference_uid not in self._stacks:
            rows = self._session.execute(
                select(*_GEOMETRY)
                .join(Series, Series.series_instance_uid == Image.series_instance_uid)
                .where(Series.frame_of_reference_uid == frame_of_reference_uid, Series.frame_of_reference_uid != "")
                .where(Series.modality.not_in(DRAWN_ON))
                .order_by(Image.series_instance_uid, Image.instance_number, Image.sop_instance_uid)
            )
            self._stacks[frame_of_reference_uid] = PlaneStack(
                [
                    (ImageReference(row.sop_instance_uid, frame), plane)
                    for row in rows
                    for frame in range(1, row.frames + 1)
                    if (plane := self._plane(row, frame)) is not None
                ]
            )
        return self._stacks[frame_of_reference_uid]

    def in_series(self, series_instance_uid: str) -> Mapping[int, ImageReference]:
        if series_instance_uid not in self._series:
            numbered = self._session.execute(
                select(func.min(Image.sop_instance_uid), Image.instance_number)
                .where(Image.series_instance_uid == series_instance_uid, Image.instance_number.is_not(None))
                .group_by(Image.instance_number)
                .having(func.count() == 1)
            )
            self._series[series_instance_uid] = {
                number: ImageReference(uid) for uid, number in numbered if number is not None
            }
        return self._series[series_instance_uid]

    def document(self, sop_instance_uid: str) -> Dataset | None:
        if sop_instance_uid not in self._documents:
            instance = current_instance(self._session, sop_instance_uid)
            self._documents[sop_instance_uid] = None if instance is None else self._read(instance.file_name)
        return self._documents[sop_instance_uid]

    def _read(self, file_name: str) -> Dataset | None:
        try:
            return dcmread(self._files.path(file_name))
        except (InvalidDicomError, zlib.error, *UNREADABLE):  # OSError too: its own study lists a lost file
            return None

    @property
    def asked(self) -> tuple[frozenset[str], frozenset[str]]:
        """SOP Instance UIDs of images, and frames of reference: what the answers so far were about."""
        return frozenset(image.sop_instance_uid for image in self._found), frozenset(self._stacks)

    def _load(self, image: ImageReference) -> KnownImage | None:
        row = self._session.execute(_IMAGE, {"uid": image.sop_instance_uid}).first()
        if row is None or not 1 <= image.frame_number <= row.frames:
            return None
        return KnownImage(row.rows, row.columns, _spacing(row), self._plane(row, image.frame_number))

    def _plane(self, row: Columns, frame_number: int) -> Plane | None:
        if row.sop_instance_uid not in self._planes:
            self._planes[row.sop_instance_uid] = planes_of(row)
        planes = self._planes[row.sop_instance_uid]
        if len(planes) == 1:  # all frames share it
            return planes[0]
        return planes[frame_number - 1] if frame_number <= len(planes) else None


def _spacing(row: Columns) -> PixelSpacing | None:
    if row.row_spacing_mm is None or row.col_spacing_mm is None:
        return None
    try:
        return PixelSpacing(row.row_spacing_mm, row.col_spacing_mm)
    except GeometryError:
        return None
