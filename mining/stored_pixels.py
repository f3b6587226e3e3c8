"""The Hounsfield units of a CT image that was measured, for doubt about the mark. Shell: it reads the file.

Only pixels without compression are decoded: what decodes the others may end the process on hostile bytes, and the
harvest must not end. None says that an image is not judged, which is no doubt.
"""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from types import MappingProxyType

from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian
from sqlalchemy.orm import Session

from db.errors import NodeError
from db.files import FileStore
from db.measurement import ImageReference
from db.studies import StoredInstance, current_instance
from mining.elements import UNREADABLE, text_of
from mining.pixels import Hu, frame_hu
from mining.plain_image import plain_hu
from mining.planes import frame_count, functional_group

WITHOUT_COMPRESSION = (ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian)
"""Not the deflated one: a few bytes of it may unpack to any size."""

MAX_BYTES = 64 * 2**20
"""Of a file that is read for this; a larger Enhanced image is not judged."""


REMEMBERED_BYTES = 16 * 2**20
"""Of pixels: 32 images of 512 by 512."""

_NONE: Mapping[str, StoredInstance] = MappingProxyType({})


class StoredPixels:
    """Answers for one transaction, and remembers a few images: the reports of a study measure the same ones.

    known: instances that are looked up already, by SOP Instance UID.
    """

    def __init__(self, session: Session, files: FileStore, known: Mapping[str, StoredInstance] = _NONE) -> None:
        self._session = session
        self._files = files
        self._known = known
        self._remembered: dict[ImageReference, Hu | None] = {}

    def hu(self, image: ImageReference) -> Hu | None:
        """The whole image (H, W) in HU; None if it is not here, no CT in HU, compressed or cannot be read."""
        if image not in self._remembered:
            if sum(hu.nbytes for hu in self._remembered.values() if hu is not None) > REMEMBERED_BYTES:
                self._remembered.clear()
            self._remembered[image] = self._read(image)
        return self._remembered[image]

    def _read(self, image: ImageReference) -> Hu | None:
        uid = image.sop_instance_uid
        instance = self._known.get(uid) or current_instance(self._session, uid)
        if instance is None or instance.transfer_syntax_uid not in WITHOUT_COMPRESSION:
            return None
        return ct_hu(self._files.path(instance.file_name), image.frame_number)


def ct_hu(path: Path, frame_number: int) -> Hu | None:
    """One frame of a file, as `StoredPixels.hu`. frame_number counts from 1."""
    try:
        if path.stat().st_size > MAX_BYTES:
            return None
        content = path.read_bytes()
        plain = plain_hu(content) if frame_number == 1 else None
        if plain is not None:
            return plain
        ds = dcmread(BytesIO(content))
        if ds.file_meta.TransferSyntaxUID not in WITHOUT_COMPRESSION or not 1 <= frame_number <= frame_count(ds):
            return None
        return frame_hu(ds, frame_number - 1) if _is_hu(ds, frame_number - 1) else None
    except (NodeError, InvalidDicomError, *UNREADABLE):  # OSError too: a lost file is listed where its study is read
        return None


def _is_hu(ds: Dataset, frame: int) -> bool:
    """Spectral CT has maps of other units (PS3.3 C.11.1.1.2, Rescale Type); where it says none, CT means HU."""
    holder = functional_group(ds, frame, "PixelValueTransformationSequence") or ds
    return text_of(ds, "Modality") == "CT" and text_of(holder, "RescaleType") in ("", "HU")
