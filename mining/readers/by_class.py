"""Which reader reads objects of which SOP class. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from pydicom.dataset import Dataset

from db.measurement import Found
from mining.known_images import KnownImages
from mining.readers.aim import read_aim
from mining.readers.bookmarks import bookmark_reader
from mining.readers.cad_sr import read_cad_sr
from mining.readers.encapsulated import AIM_DOCUMENT, BOOKMARKS
from mining.readers.gsps import read_gsps, reject_computed_views
from mining.readers.ko import read_ko
from mining.readers.private import private_reader
from mining.readers.rtstruct import read_rtstruct
from mining.readers.seg import read_seg
from mining.readers.sr import read_sr
from mining.readers.unread import (
    reject_other_reports,
)
from mining.settings import HarvestSettings, PrivateTable

Reader = Callable[[Dataset, KnownImages], Iterator[Found]]


@dataclass(frozen=True, slots=True)
class SourceReader:
    """How objects of one kind are read; `kind` is one of `db.measurement.SOURCE_KINDS`.

    pixels: whether the reader needs the pixels, too.
    """

    kind: str
    read: Reader
    pixels: bool = False


_SR, _GSPS = SourceReader("SR", read_sr), SourceReader("GSPS", read_gsps)
_SEG, _RTSTRUCT = SourceReader("SEG", read_seg, pixels=True), SourceReader("RTSTRUCT", read_rtstruct)
_VIEW = SourceReader("GSPS", reject_computed_views)
_CAD, _OTHER = SourceReader("CAD SR", read_cad_sr), SourceReader("SR", reject_other_reports)

_STORAGE = "1.2.840.10008.5.1.4.1.1."
READERS = {
    _STORAGE + "88.1": _SR, _STORAGE + "88.2": _SR, _STORAGE + "88.3": _SR, _STORAGE + "88.4": _SR,  # the trial classes
    _STORAGE + "88.11": _SR, _STORAGE + "88.22": _SR, _STORAGE + "88.33": _SR, _STORAGE + "88.34": _SR,
    _STORAGE + "88.35": _SR,
    _STORAGE + "88.50": _CAD, _STORAGE + "88.65": _CAD, _STORAGE + "88.69": _CAD,
    _STORAGE + "88.40": _OTHER, _STORAGE + "88.67": _OTHER, _STORAGE + "88.68": _OTHER, _STORAGE + "88.70": _OTHER,
    _STORAGE + "88.71": _OTHER, _STORAGE + "88.73": _OTHER, _STORAGE + "88.74": _OTHER, _STORAGE + "88.75": _OTHER,
    _STORAGE + "88.59": SourceReader("KO", read_ko),
    _STORAGE + "11.1": _GSPS, _STORAGE + "11.2": _GSPS, _STORAGE + "11.3": _GSPS, _STORAGE + "11.4": _GSPS,
    _STORAGE + "11.5": _GSPS, _STORAGE + "11.8": _GSPS, _STORAGE + "11.12": _GSPS,
    _STORAGE + "11.6": _VIEW, _STORAGE + "11.7": _VIEW, _STORAGE + "11.9": _VIEW, _STORAGE + "11.10": _VIEW,
    _STORAGE + "11.11": _VIEW,
    _STORAGE + "66.4": _SEG, _STORAGE + "66.5": _SEG, _STORAGE + "66.7": _SEG,
    _STORAGE + "481.3": _RTSTRUCT,
    AIM_DOCUMENT: SourceReader("AIM", read_aim), BOOKMARKS: SourceReader("csv", bookmark_reader(None)),
}  # fmt: skip
"""SOP class → reader (PS3.4 B.5). A new kind is one pure reader and one line here."""

KINDS = frozenset((*(reader.kind for reader in READERS.values()), "private"))


def readers_of(settings: HarvestSettings) -> Mapping[str, SourceReader]:
    """SOP class → reader, with those that a site's settings add."""
    readers = dict(READERS)
    if settings.bookmarks is not None:
        readers[BOOKMARKS] = SourceReader("csv", bookmark_reader(settings.bookmarks))
    for table in settings.private:
        readers[table.sop_class_uid] = _and_private(reader_for(table.sop_class_uid, readers), table)
    return readers


def _and_private(known: SourceReader | None, table: PrivateTable) -> SourceReader:
    """A site's table beside the reader that the class has, if it has one."""
    own = private_reader(table)
    if known is None:
        return SourceReader("private", own)

    def read_both(ds: Dataset, images: KnownImages) -> Iterator[Found]:
        yield from known.read(ds, images)
        yield from own(ds, images)

    return SourceReader(known.kind, read_both, known.pixels)


def reader_for(sop_class_uid: str, readers: Mapping[str, SourceReader] = READERS) -> SourceReader | None:
    """The reader of a SOP class; an SR class that is newer than this table is read as any SR. None for no source."""
    known = readers.get(sop_class_uid)
    return _SR if known is None and sop_class_uid.startswith(_STORAGE + "88.") else known
